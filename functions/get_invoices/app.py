"""/accounts/{account}/invoices, one invoice, and the upcoming one; staff read all past due ones, and the register."""

from typing import Annotated

from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import existing
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.issue_invoices import upcoming
from billing.invoicing.summary_views import InvoicesView
from billing.invoicing.views import (
    CSV_INVOICES_MAX,
    REGISTER_CSV_MAX,
    InvoiceDetailsView,
    InvoiceNumber,
    PastDuesView,
    PastDueView,
    PreviewView,
    RegisteredNumberView,
    RegisterView,
    RegisterYear,
    Series,
    Status,
    Year,
    shown,
)
from billing.invoicing.wording import invoice_table, register_table
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import JSON, Response, Table, file
from billing.platform.http.callers import Now
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, cursor_of, position_of
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.http.tables import CSV, Accept, prefers_csv
from billing.wiring import DeployedSettings, Invoices, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]
MayReadPastDue = Annotated[Person, StaffOnly(Permission.READ_PAST_DUE)]

MayReadRegister = Annotated[Person, StaffOnly(Permission.READ_INVOICE_REGISTER)]

app = make_api()


@app.get("/accounts/<account>/invoices")
def get_invoices(
    account: AccountId,
    admission: MayRead,
    invoices: Invoices,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    year: Year = None,
    status: Status = None,
    accept: Accept = None,
) -> Table[InvoicesView]:
    """The account's invoices, newest first."""
    admission.account(account)
    after = position_of(cursor)
    of_status = None if status is None else InvoiceStatus(status)
    if prefers_csv(accept):
        all_invoices = invoices.invoices(account, year=year, status=of_status, limit=CSV_INVOICES_MAX, after=after)
        return file(invoice_table(all_invoices.items), CSV, f"invoices-{account}.csv")
    page = invoices.invoices(account, year=year, status=of_status, limit=limit, after=after)
    view = InvoicesView(items=shown(page.items), next_cursor=cursor_of(page.last))
    return Response(status_code=200, content_type=JSON, body=view)


@app.get("/accounts/<account>/invoices/upcoming")
def get_upcoming_invoice(
    account: AccountId, admission: MayRead, invoices: Invoices, settings: DeployedSettings, now: Now
) -> PreviewView:
    """The next invoice, as it would be today."""
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    preview = upcoming(billing, billing.subscriber.account.contract.today(now), settings)
    if preview is None:
        raise NotFound("No invoice is to come.")
    return PreviewView.of(*preview, billing.billing.language)


@app.get("/accounts/<account>/invoices/<number>")
def get_invoice(
    account: AccountId, number: InvoiceNumber, admission: MayRead, invoices: Invoices
) -> InvoiceDetailsView:
    """One invoice: how each amount came about, and where the payment stands."""
    asked = invoices.document_of(account, number)
    admission.admit(asked.account)
    return InvoiceDetailsView.of(invoices.whole(asked))


@app.get("/invoices/past-due")
def get_past_due_invoices(
    _: MayReadPastDue,
    invoices: Invoices,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> PastDuesView:
    """The invoices of all accounts that are past due, the longest due first."""
    page = invoices.past_due(limit=limit, after=position_of(cursor), clock=test_clock)
    return PastDuesView(items=[PastDueView.of(each) for each in page.items], next_cursor=cursor_of(page.last))


@app.get("/invoice-register")
def get_invoice_register(
    _: MayReadRegister,
    invoices: Invoices,
    series: Series,
    year: RegisterYear,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    accept: Accept = None,
) -> Table[RegisterView]:
    """The numbers of a series and year with the amounts of their documents, the first number first."""
    is_table = prefers_csv(accept)
    most = REGISTER_CSV_MAX if is_table else limit
    page = invoices.register(series, year, limit=most, after=position_of(cursor))
    if is_table:
        return file(register_table(page.items), CSV, f"register-{series}-{year}.csv")
    view = RegisterView(items=[RegisteredNumberView.of(each) for each in page.items], next_cursor=cursor_of(page.last))
    return Response(status_code=200, content_type=JSON, body=view)


handler = entrypoint(app)
