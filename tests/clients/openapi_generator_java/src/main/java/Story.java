import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import okhttp3.Call;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.*;
import org.openapitools.client.auth.HttpBearerAuth;
import org.openapitools.client.model.*;

/**
 * Tells the customer's story with the client of openapi-generator. Reads {"address", "steps": [{"operation", "token",
 * "accept", "arguments", "body"}]} from stdin, and writes the outcomes to stdout as JSON.
 */
public class Story {
    private static final List<String> HEADERS = List.of("ETag", "Location", "Retry-After", "WWW-Authenticate");
    private static final Gson GSON = new GsonBuilder().serializeNulls().create();

    /** A typed body as the outcome has it: the name of its type, and one member of it. */
    private record Told(String parsed, Object read) {}

    public static void main(String[] arguments) throws IOException {
        JsonObject story =
                JsonParser.parseReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).getAsJsonObject();
        List<Object> outcomes = new ArrayList<>();
        for (JsonElement each : story.getAsJsonArray("steps")) {
            try {
                outcomes.add(new Story(story.get("address").getAsString(), each.getAsJsonObject()).outcome());
            } catch (Exception failure) {
                outcomes.add(Map.of("failure", failure.toString()));
            }
        }
        System.out.print(GSON.toJson(outcomes));
        System.exit(0); // okhttp's threads would keep the program for a minute
    }

    private final JsonObject step;
    private final ApiClient client = new ApiClient();

    private Story(String address, JsonObject step) {
        this.step = step;
        client.setBasePath(address);
        for (String scheme : List.of("person", "machine")) {
            ((HttpBearerAuth) client.getAuthentication(scheme)).setBearerToken(step.get("token").getAsString());
        }
    }

    private Map<String, Object> outcome() throws ApiException, IOException {
        try {
            ApiResponse<?> answer = step.get("accept").getAsString().equals("text/csv") ? table() : ask();
            return outcome(answer.getStatusCode(), answer.getHeaders(), read(answer.getData()));
        } catch (ApiException refused) {
            if (refused.getCode() < 400) {
                throw refused; // the client did not understand a success
            }
            Problem problem = Problem.fromJson(refused.getResponseBody());
            return outcome(refused.getCode(), refused.getResponseHeaders(), read(problem));
        }
    }

    private Map<String, Object> outcome(int status, Map<String, List<String>> headers, Told told) {
        Map<String, String> found = new HashMap<>();
        headers.forEach((name, values) -> {
            HEADERS.stream().filter(name::equalsIgnoreCase).forEach(each -> found.put(each, values.get(0)));
        });
        Map<String, Object> outcome = new HashMap<>();
        outcome.put("status", status);
        outcome.put("headers", found);
        outcome.put("parsed", told.parsed());
        outcome.put("read", told.read() == null ? null : told.read().toString());
        return outcome;
    }

    private String argument(String name) {
        return step.getAsJsonObject("arguments").get(name).getAsString();
    }

    private String body() {
        return step.get("body").toString();
    }

    /** A list as CSV. The client asks for JSON; its call is sent with another Accept, and read as text. */
    private ApiResponse<String> table() throws ApiException {
        Call call =
                switch (step.get("operation").getAsString()) {
                    case "get_usage" -> new UsageApi(client)
                            .getUsageCall(argument("account"), null, null, null, null, null, null, null, null);
                    default -> new InvoicesApi(client).getInvoicesCall(argument("account"), null, null, null, null, null, null);
                };
        Call asText = client.getHttpClient()
                .newCall(call.request().newBuilder().header("Accept", "text/csv").build());
        return client.execute(asText, String.class);
    }

    private ApiResponse<?> ask() throws ApiException, IOException {
        String operation = step.get("operation").getAsString();
        return switch (operation) {
            case "list_accounts" -> new AccountsApi(client).listAccountsWithHttpInfo(null, null, null, null, null, null, null, null);
            case "get_catalogue" -> new CatalogueApi(client).getCatalogueWithHttpInfo();
            case "get_billing" -> new BillingApi(client).getBillingWithHttpInfo(argument("account"));
            case "get_subscription" -> new SubscriptionApi(client).getSubscriptionWithHttpInfo(argument("account"));
            case "get_company" -> new BillingInformationApi(client).getCompanyWithHttpInfo(argument("account"));
            case "put_company" -> new BillingInformationApi(client)
                    .putCompanyWithHttpInfo(argument("account"), argument("if_match"), CompanyBody.fromJson(body()));
            case "put_billing_details" -> new BillingInformationApi(client)
                    .putBillingDetailsWithHttpInfo(
                            argument("account"), argument("if_match"), BillingBody.fromJson(body()));
            case "put_contact" -> new BillingInformationApi(client)
                    .putContactWithHttpInfo(argument("account"), argument("if_match"), ContactBody.fromJson(body()));
            case "get_users" -> new UsersApi(client).getUsersWithHttpInfo(argument("account"), null);
            case "put_user" -> new UsersApi(client).putUserWithHttpInfo(argument("account"), UserBody.fromJson(body()));
            case "delete_user" -> new UsersApi(client).deleteUserWithHttpInfo(argument("account"), argument("user"), null);
            case "get_payment_details" -> new PaymentMethodApi(client)
                    .getPaymentDetailsWithHttpInfo(argument("account"));
            case "put_bank_transfer" -> new PaymentMethodApi(client).putBankTransferWithHttpInfo(argument("account"));
            case "report_usage" -> new UsageApi(client).reportUsageWithHttpInfo(ReportUsageBody.fromJson(body()), null);
            case "get_usage" -> new UsageApi(client)
                    .getUsageWithHttpInfo(argument("account"), null, null, null, null, null, null, null);
            case "get_reduction" -> new UsageApi(client).getReductionWithHttpInfo(argument("account"), null);
            case "get_invoices" -> new InvoicesApi(client)
                    .getInvoicesWithHttpInfo(argument("account"), null, null, null, null, null);
            case "get_upcoming_invoice" -> new InvoicesApi(client).getUpcomingInvoiceWithHttpInfo(argument("account"));
            case "get_invoice" -> new InvoicesApi(client)
                    .getInvoiceWithHttpInfo(argument("account"), argument("number"));
            case "get_pdf" -> new InvoicesApi(client).getPdfWithHttpInfo(argument("account"), argument("number"));
            case "get_xml" -> new InvoicesApi(client)
                    .getXmlWithHttpInfo(argument("account"), argument("number"), argument("syntax"));
            case "get_autoscaling" -> new AutoscalingApi(client)
                    .getAutoscalingWithHttpInfo(argument("account"), null, null);
            case "get_events" -> new EventsApi(client).getEventsWithHttpInfo(argument("account"), null, null);
            case "get_reviews" -> new ReviewsApi(client).getReviewsWithHttpInfo(argument("account"), null, null);
            case "post_export" -> new ExportApi(client).postExportWithHttpInfo(argument("account"));
            case "get_cancellation" -> new CancellationApi(client).getCancellationWithHttpInfo(argument("account"));
            case "post_cancellation" -> new CancellationApi(client)
                    .postCancellationWithHttpInfo(argument("account"), CancellationBody.fromJson(body()));
            case "delete_cancellation" -> new CancellationApi(client)
                    .deleteCancellationWithHttpInfo(argument("account"));
            default -> throw new IllegalArgumentException("the story has " + operation + ", and this program has not");
        };
    }

    private static Told read(Object body) {
        if (body == null) return new Told(null, null);
        if (body instanceof String it) return new Told("text", it.substring(0, it.indexOf(',')));
        if (body instanceof ReportedUsageView it) return read(it.getActualInstance());
        return new Told(body.getClass().getSimpleName(), member(body));
    }

    private static Object member(Object body) {
        if (body instanceof Problem it) return it.getType();
        if (body instanceof AccountsView it) return it.getItems().get(0).getAccount();
        if (body instanceof CatalogueView it) return it.getVersion();
        if (body instanceof BillingPageView it) return it.getStatus();
        if (body instanceof SubscriptionView it) return it.getCatalogueVersion();
        if (body instanceof CompanyView it) return it.getName();
        if (body instanceof BillingView it) return it.getLanguage();
        if (body instanceof ContactView it) return it.getName();
        if (body instanceof UserView it) return it.getRole();
        if (body instanceof PaymentView it) return it.getIntervalMonths();
        if (body instanceof PaymentMethodView it) return it.getMethod();
        if (body instanceof UsageResultView it) return it.getOutcome();
        if (body instanceof UsageResultsView it) return it.getRejected() > 0 ? it.getRejected() : it.getAccepted();
        if (body instanceof UsageView it) return it.getBy();
        if (body instanceof ReductionsView it) return it.getProducts().get(0).getProduct();
        if (body instanceof InvoicesView it) return it.getItems().get(0).getTotal().getAmount();
        if (body instanceof PreviewView it) return it.getNet().getCurrency();
        if (body instanceof InvoiceDetailsView it) return it.getOccasion();
        if (body instanceof PreparedView it) return it.getStatus();
        if (body instanceof AutoscalingView it) return it.getItems();
        if (body instanceof ReviewsView it) return it.getItems();
        if (body instanceof DownloadView it) return it.getStatus();
        if (body instanceof CancellationView it) return it.getStatus();
        if (body instanceof ReceiptView it) return it.getReason();
        return null;
    }
}
