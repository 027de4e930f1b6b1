// Tells the customer's story with the types of openapi-typescript and the client openapi-fetch. Reads {"address", "steps":
// [{"operation", "token", "accept", "arguments", "body"}]} from stdin, and writes the outcomes to stdout as JSON.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./livello.js";

type Schemas = components["schemas"];
type Step = { operation: string; token: string; accept: string; arguments: Record<string, string>; body: unknown };
type Told = { parsed: keyof Schemas; read: unknown } | { parsed: "text"; read: string } | { parsed: null; read: null };
type Answer<View> = { data?: View | undefined; error?: Schemas["Problem"]; response: Response };
type Body<Name extends keyof operations> = operations[Name] extends {
  requestBody: { content: { "application/json": infer Taken } };
}
  ? Taken
  : never;

const { address, steps } = JSON.parse(readFileSync(0, "utf8")) as { address: string; steps: Step[] };
const HEADERS = ["ETag", "Location", "Retry-After", "WWW-Authenticate"];

/** The outcome of an asked operation. `read` reads the typed body of a success; none is 204. */
async function answered<View>(asked: Promise<Answer<View>>, read: (view: View, status: number) => Told) {
  const { data, error, response } = await asked;
  const headers = Object.fromEntries(HEADERS.map((name) => [name, response.headers.get(name)]));
  const told: Told =
    error !== undefined
      ? { parsed: "Problem", read: error.errors?.[0]?.pointer ?? error.type }
      : data !== undefined
        ? read(data, response.status)
        : { parsed: null, read: null };
  return { status: response.status, headers, parsed: told.parsed, read: told.read === null ? null : String(told.read) };
}

const told = (parsed: keyof Schemas, read: unknown = null): Told => ({ parsed, read });
const table = (text: string): Told => ({ parsed: "text", read: text.split(",")[0] ?? "" });

function asked(step: Step) {
  const client = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${step.token}` } });
  const { account = "", user = "", number = "", if_match = "" } = step.arguments;
  const path = { account };
  const header = { "If-Match": if_match };
  const asText = { params: { path }, headers: { Accept: "text/csv" }, parseAs: "text" } as const;
  const asLink = { headers: { Accept: "application/json" } };
  switch (step.operation) {
    case "list_accounts":
      return answered(client.GET("/accounts"), (it) => told("AccountsView", it.items[0]?.account));
    case "get_catalogue":
      return answered(client.GET("/catalogue"), (it) => told("CatalogueView", it.version));
    case "get_billing":
      return answered(client.GET("/accounts/{account}/billing", { params: { path } }), (it) =>
        told("BillingPageView", it.status satisfies "active" | "cancelling" | "deactivated"),
      );
    case "get_subscription":
      return answered(client.GET("/accounts/{account}/subscription", { params: { path } }), (it) =>
        told("SubscriptionView", it.catalogue_version),
      );
    case "get_company":
      return answered(
        client.GET("/accounts/{account}/billing-information/company", { params: { path } }),
        (it) => told("CompanyView", it.name),
      );
    case "put_company":
      return answered(
        client.PUT("/accounts/{account}/billing-information/company", {
          params: { path, header },
          body: step.body as Body<"put_company">,
        }),
        (it) => told("CompanyView", it.name),
      );
    case "put_billing_details":
      return answered(
        client.PUT("/accounts/{account}/billing-information/billing", {
          params: { path, header },
          body: step.body as Body<"put_billing_details">,
        }),
        (it) => told("BillingView", it.language),
      );
    case "put_contact":
      return answered(
        client.PUT("/accounts/{account}/billing-information/contact", {
          params: { path, header },
          body: step.body as Body<"put_contact">,
        }),
        (it) => told("ContactView", it.name),
      );
    case "get_users":
      return answered(client.GET("/accounts/{account}/users", { params: { path } }), () => told("UsersView"));
    case "put_user":
      return answered(
        client.PUT("/accounts/{account}/users", { params: { path }, body: step.body as Body<"put_user"> }),
        (it) => told("UserView", it.role),
      );
    case "delete_user":
      return answered(client.DELETE("/accounts/{account}/users/{user}", { params: { path: { account, user } } }), (it) =>
        told("ErasureView", it?.erased_as ?? null),
      );
    case "get_payment_details":
      return answered(client.GET("/accounts/{account}/payment-method", { params: { path } }), (it) =>
        told("PaymentView", it.interval_months),
      );
    case "put_bank_transfer":
      return answered(client.PUT("/accounts/{account}/payment-method/bank-transfer", { params: { path } }), (it) =>
        told("PaymentMethodView", it.method),
      );
    case "report_usage":
      return answered(client.POST("/usage", { body: step.body as Body<"report_usage"> }), (it) =>
        "results" in it
          ? told("UsageResultsView", it.rejected || it.accepted)
          : told("UsageResultView", it.outcome),
      );
    case "get_usage":
      return step.accept === "text/csv"
        ? answered(client.GET("/accounts/{account}/usage", asText), table)
        : answered(client.GET("/accounts/{account}/usage", { params: { path } }), (it) =>
            typeof it === "string" ? table(it) : told("UsageView", it.by),
          );
    case "get_reduction":
      return answered(client.GET("/accounts/{account}/usage/reduction", { params: { path } }), (it) =>
        told("ReductionsView", it.products[0]?.product),
      );
    case "get_invoices":
      return step.accept === "text/csv"
        ? answered(client.GET("/accounts/{account}/invoices", asText), table)
        : answered(client.GET("/accounts/{account}/invoices", { params: { path } }), (it) =>
            typeof it === "string" ? table(it) : told("InvoicesView", it.items[0]?.total.amount),
          );
    case "get_upcoming_invoice":
      return answered(client.GET("/accounts/{account}/invoices/upcoming", { params: { path } }), (it) =>
        told("PreviewView", it.net.currency),
      );
    case "get_invoice":
      return answered(
        client.GET("/accounts/{account}/invoices/{number}", { params: { path: { account, number } } }),
        (it) => told("InvoiceDetailsView", it.occasion),
      );
    case "get_pdf":
      return answered(
        client.GET("/accounts/{account}/invoices/{number}/pdf", { params: { path: { account, number } }, ...asLink }),
        (it) => told("PreparedView", it.status satisfies "ready" | "preparing"),
      );
    case "get_xml":
      return answered(
        client.GET("/accounts/{account}/invoices/{number}/xml", {
          params: { path: { account, number }, query: { syntax: "ubl" } },
          ...asLink,
        }),
        (it) => told("PreparedView", it.status),
      );
    case "get_autoscaling":
      return answered(client.GET("/accounts/{account}/autoscaling", { params: { path } }), (it) =>
        told("AutoscalingView", JSON.stringify(it.items)),
      );
    case "get_events":
      return answered(client.GET("/accounts/{account}/events", { params: { path } }), () => told("EventsView"));
    case "get_reviews":
      return answered(client.GET("/accounts/{account}/reviews", { params: { path } }), (it) =>
        told("ReviewsView", JSON.stringify(it.items)),
      );
    case "post_export":
      return answered(client.POST("/accounts/{account}/export", { params: { path } }), (it) =>
        told("DownloadView", it.status),
      );
    case "get_cancellation":
      return answered(client.GET("/accounts/{account}/cancellation", { params: { path } }), (it) =>
        told("CancellationView", it.status),
      );
    case "post_cancellation":
      return answered(
        client.POST("/accounts/{account}/cancellation", {
          params: { path },
          body: step.body as Body<"post_cancellation">,
        }),
        (it) => told("ReceiptView", it.reason),
      );
    case "delete_cancellation":
      return answered(client.DELETE("/accounts/{account}/cancellation", { params: { path } }), never);
    default:
      throw new Error(`the story has the operation ${step.operation}, and this program has not`);
  }
}

function never(_: undefined): Told {
  throw new Error("a body, and none is documented");
}

/** What the types refuse. Nobody calls it: a line that compiles after all is an error of the compiler. */
export function refused() {
  const client = createClient<paths>({ baseUrl: address });
  const path = { account: "nordlys" };
  const body = { name: "Ada", phone: null };
  const to = "/accounts/{account}/billing-information/contact";
  // @ts-expect-error: a change names the version that it replaces
  void client.PUT(to, { params: { path }, body });
  // @ts-expect-error: nobody knows this field
  const unknown: Schemas["ContactBody"] = { ...body, fax: "1" };
  void client.PUT(to, { params: { path, header: { "If-Match": '"1"' } }, body: unknown });
  // @ts-expect-error: there is no such status of an invoice
  void client.GET("/accounts/{account}/invoices", { params: { path, query: { status: "half paid" } } });
}

const outcomes = [];
for (const step of steps) {
  outcomes.push(await asked(step).catch((failure: unknown) => ({ failure: String(failure) })));
}
process.stdout.write(JSON.stringify(outcomes));
