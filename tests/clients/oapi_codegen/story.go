// Story tells the customer's story with the client of oapi-codegen. It reads {"address", "steps": [{"operation", "token",
// "accept", "arguments", "body"}]} from stdin, and writes the outcomes to stdout as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"

	"livello.example/client/livello"
)

type step struct {
	Operation string
	Token     string
	Accept    string
	Arguments map[string]string
	Body      json.RawMessage
}

type outcome struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Parsed  *string           `json:"parsed"`
	Read    *string           `json:"read"`
}

type failure struct {
	Failure string `json:"failure"`
}

// The typed headers of an answer, by their fields.
var headers = map[string]string{
	"ETag": "ETag", "Location": "Location", "RetryAfter": "Retry-After", "WWWAuthenticate": "WWW-Authenticate",
}

func main() {
	var story struct {
		Address string
		Steps   []step
	}
	if err := json.NewDecoder(os.Stdin).Decode(&story); err != nil {
		panic(err)
	}
	outcomes := make([]any, 0, len(story.Steps))
	for _, each := range story.Steps {
		if found, err := run(story.Address, each); err != nil {
			outcomes = append(outcomes, failure{err.Error()})
		} else {
			outcomes = append(outcomes, found)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
		panic(err)
	}
}

func run(address string, asked step) (*outcome, error) {
	client, err := livello.NewClientWithResponses(address, livello.WithRequestEditorFn(
		func(_ context.Context, request *http.Request) error {
			request.Header.Set("Authorization", "Bearer "+asked.Token)
			request.Header.Set("Accept", asked.Accept)
			return nil
		}))
	if err != nil {
		return nil, err
	}
	answer, err := ask(context.Background(), client, asked)
	if err != nil {
		return nil, err
	}
	return heard(answer, asked.Accept == "text/csv")
}

// ask makes the call of a step. It gives the client's answer: a pointer to a struct.
func ask(ctx context.Context, c *livello.ClientWithResponses, asked step) (any, error) {
	account, number := asked.Arguments["account"], asked.Arguments["number"]
	ifMatch := asked.Arguments["if_match"]
	switch asked.Operation {
	case "list_accounts":
		return c.ListAccountsWithResponse(ctx, nil)
	case "get_catalogue":
		return c.GetCatalogueWithResponse(ctx)
	case "get_billing":
		return c.GetBillingWithResponse(ctx, account)
	case "get_subscription":
		return c.GetSubscriptionWithResponse(ctx, account)
	case "get_company":
		return c.GetCompanyWithResponse(ctx, account)
	case "put_company":
		body, err := taken[livello.CompanyBody](asked)
		return or(err, func() (any, error) {
			return c.PutCompanyWithResponse(ctx, account, &livello.PutCompanyParams{IfMatch: ifMatch}, body)
		})
	case "put_billing_details":
		body, err := taken[livello.BillingBody](asked)
		return or(err, func() (any, error) {
			return c.PutBillingDetailsWithResponse(ctx, account, &livello.PutBillingDetailsParams{IfMatch: ifMatch}, body)
		})
	case "put_contact":
		// The type has no unknown field. They are sent as JSON, as a client of another release may do.
		return c.PutContactWithBodyWithResponse(ctx, account, &livello.PutContactParams{IfMatch: ifMatch},
			"application/json", strings.NewReader(string(asked.Body)))
	case "get_users":
		return c.GetUsersWithResponse(ctx, account, nil)
	case "put_user":
		body, err := taken[livello.UserBody](asked)
		return or(err, func() (any, error) { return c.PutUserWithResponse(ctx, account, body) })
	case "delete_user":
		return c.DeleteUserWithResponse(ctx, account, asked.Arguments["user"], nil)
	case "get_payment_details":
		return c.GetPaymentDetailsWithResponse(ctx, account)
	case "put_bank_transfer":
		return c.PutBankTransferWithResponse(ctx, account)
	case "report_usage":
		body, err := taken[livello.ReportUsageBody](asked)
		return or(err, func() (any, error) { return c.ReportUsageWithResponse(ctx, nil, body) })
	case "get_usage":
		return c.GetUsageWithResponse(ctx, account, nil)
	case "get_reduction":
		return c.GetReductionWithResponse(ctx, account, nil)
	case "get_invoices":
		return c.GetInvoicesWithResponse(ctx, account, nil)
	case "get_upcoming_invoice":
		return c.GetUpcomingInvoiceWithResponse(ctx, account)
	case "get_invoice":
		return c.GetInvoiceWithResponse(ctx, account, number)
	case "get_pdf":
		return c.GetPdfWithResponse(ctx, account, number)
	case "get_xml":
		syntax := livello.GetXmlParamsSyntax(asked.Arguments["syntax"])
		return c.GetXmlWithResponse(ctx, account, number, &livello.GetXmlParams{Syntax: &syntax})
	case "get_autoscaling":
		return c.GetAutoscalingWithResponse(ctx, account, nil)
	case "get_events":
		return c.GetEventsWithResponse(ctx, account, nil)
	case "get_reviews":
		return c.GetReviewsWithResponse(ctx, account, nil)
	case "post_export":
		return c.PostExportWithResponse(ctx, account)
	case "get_cancellation":
		return c.GetCancellationWithResponse(ctx, account)
	case "post_cancellation":
		body, err := taken[livello.CancellationBody](asked)
		return or(err, func() (any, error) { return c.PostCancellationWithResponse(ctx, account, body) })
	case "delete_cancellation":
		return c.DeleteCancellationWithResponse(ctx, account)
	}
	return nil, fmt.Errorf("the story has the operation %s, and this program has not", asked.Operation)
}

// read gives a member of a typed body, and the name of its type.
func read(body any) (string, any, error) {
	switch it := body.(type) {
	case *livello.Problem:
		if it.Errors != nil && (*it.Errors)[0].Pointer != nil {
			return "Problem", *(*it.Errors)[0].Pointer, nil
		}
		return "Problem", it.Type, nil
	case *livello.AccountsView:
		return "AccountsView", it.Items[0].Account, nil
	case *livello.CatalogueView:
		return "CatalogueView", it.Version, nil
	case *livello.BillingPageView:
		return "BillingPageView", it.Status, nil
	case *livello.SubscriptionView:
		return "SubscriptionView", it.CatalogueVersion, nil
	case *livello.CompanyView:
		return "CompanyView", it.Name, nil
	case *livello.BillingView:
		return "BillingView", it.Language, nil
	case *livello.ContactView:
		return "ContactView", it.Name, nil
	case *livello.UsersView:
		return "UsersView", nil, nil
	case *livello.UserView:
		return "UserView", it.Role, nil
	case *livello.PaymentView:
		return "PaymentView", it.IntervalMonths, nil
	case *livello.PaymentMethodView:
		return "PaymentMethodView", it.Method, nil
	case *livello.UsageResultView:
		return "UsageResultView", it.Outcome, nil
	case *livello.UsageResultsView:
		if it.Rejected > 0 {
			return "UsageResultsView", it.Rejected, nil
		}
		return "UsageResultsView", it.Accepted, nil
	case *livello.ReportedUsageView:
		return readUnion(it)
	case *livello.UsageView:
		return "UsageView", it.By, nil
	case *livello.ReductionsView:
		return "ReductionsView", it.Products[0].Product, nil
	case *livello.InvoicesView:
		return "InvoicesView", it.Items[0].Total.Amount, nil
	case *livello.PreviewView:
		return "PreviewView", it.Net.Currency, nil
	case *livello.InvoiceDetailsView:
		return "InvoiceDetailsView", it.Occasion, nil
	case *livello.PreparedView:
		return "PreparedView", it.Status, nil
	case *livello.AutoscalingView:
		return "AutoscalingView", it.Items, nil
	case *livello.EventsView:
		return "EventsView", nil, nil
	case *livello.ReviewsView:
		return "ReviewsView", it.Items, nil
	case *livello.DownloadView:
		return "DownloadView", it.Status, nil
	case *livello.CancellationView:
		return "CancellationView", it.Status, nil
	case *livello.ReceiptView:
		return "ReceiptView", it.Reason, nil
	}
	return "", nil, fmt.Errorf("no step expects %T", body)
}

// readUnion tells a batch, which has results, from a single event.
func readUnion(union *livello.ReportedUsageView) (string, any, error) {
	results, err := union.AsUsageResultsView()
	if err != nil || results.Results != nil {
		return orRead(err, &results)
	}
	result, err := union.AsUsageResultView()
	return orRead(err, &result)
}

func orRead(err error, body any) (string, any, error) {
	if err != nil {
		return "", nil, err
	}
	return read(body)
}

func or(err error, call func() (any, error)) (any, error) {
	if err != nil {
		return nil, err
	}
	return call()
}

// taken is the body of a step as the client's type, which must have all fields of it.
func taken[Body any](asked step) (Body, error) {
	var body Body
	decoder := json.NewDecoder(strings.NewReader(string(asked.Body)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&body)
	return body, err
}

// heard is the outcome: the answer has one field for each documented body and for each set of documented headers.
func heard(answer any, isTable bool) (*outcome, error) {
	fields := reflect.ValueOf(answer).Elem()
	response := fields.FieldByName("HTTPResponse").Interface().(*http.Response)
	found := &outcome{Status: response.StatusCode, Headers: map[string]string{}}
	if isTable {
		text, _, _ := strings.Cut(string(fields.FieldByName("Body").Bytes()), ",")
		kind := "text"
		found.Parsed, found.Read = &kind, &text
		return found, nil
	}
	for i := range fields.NumField() {
		name, field := fields.Type().Field(i).Name, fields.Field(i)
		if field.Kind() != reflect.Pointer || field.IsNil() || name == "HTTPResponse" {
			continue
		}
		if strings.HasPrefix(name, "Headers") {
			for header, as := range headers {
				if value := field.Elem().FieldByName(header); value.IsValid() && !value.IsNil() {
					found.Headers[as] = fmt.Sprint(value.Elem())
				}
			}
			continue
		}
		kind, member, err := read(field.Interface())
		if err != nil {
			return nil, err
		}
		found.Parsed = &kind
		if member != nil {
			text := fmt.Sprint(member)
			found.Read = &text
		}
	}
	return found, nil
}
