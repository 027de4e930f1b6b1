"""/accounts/{account}/invoices, one invoice, and the upcoming one; staff read all past due ones, and the register."""

from datetime import date
from typing import Annotated, Any

from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import existing
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.issue_invoices import upcoming
from billing.invoicing.records import InvoiceStore
from billing.invoicing.sheets import documents_sheet, invoice_sheet, register_sheet
from billing.invoicing.summary_views import InvoicesView
from billing.invoicing.views import (
    SHEET_INVOICES_MAX,
    SHEET_NUMBERS_MAX,
    DocumentOfMonthView,
    DocumentsOfMonthView,
    InvoiceDetailsView,
    InvoiceNumber,
    PastDuesView,
    PastDueView,
    PreviewView,
    ProducedIn,
    RegisteredNumberView,
    RegisterView,
    RegisterYear,
    Series,
    Status,
    Year,
    shown,
)
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import JSON, Response, Table, Tagged, negotiated, tagged
from billing.platform.http.callers import Now
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, ListPages, OfClock, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.platform.http.tables import Accept, AccountTableLocale, TableLocale, preferred_type, table
from billing.wiring import DeployedSettings, Invoices, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]
MayReadPastDue = Annotated[Person, StaffOnly(Permission.READ_PAST_DUE)]

MayList = Annotated[Person, StaffOnly(Permission.LIST_INVOICES)]
MayReadRegister = Annotated[Person, StaffOnly(Permission.READ_INVOICE_REGISTER)]

app = make_api()


@app.get("/accounts/<account>/invoices")
def get_invoices(
    account: AccountId,
    admission: MayRead,
    invoices: Invoices,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    year: Year = None,
    status: Status = None,
    locale: AccountTableLocale = None,
    accept: Accept = None,
) -> Table[InvoicesView]:
    """The account's invoices, newest first.

    A table has up to 1,000, with all that a bookkeeper posts. Its Link header leads to the older ones.
    """
    admission.account(account)
    after = pages.position(cursor)
    of_status = None if status is None else InvoiceStatus(status)
    accepted = preferred_type(accept)
    if accepted != JSON:
        rows = invoices.whole_invoices(account, year=year, status=of_status, limit=SHEET_INVOICES_MAX, after=after)
        link = pages.link(rows.last)

        def language() -> str:
            return existing(invoices.billing_context(account)).billing.language

        return table(invoice_sheet(rows.items), accepted, f"invoices-{account}", locale, language, link)
    page = invoices.invoices(account, year=year, status=of_status, limit=limit, after=after)
    return negotiated(InvoicesView(items=shown(page.items), next_cursor=pages.cursor(page.last)))


@app.get("/accounts/<account>/invoices/upcoming")
def get_upcoming_invoice(
    account: AccountId, admission: MayRead, invoices: Invoices, settings: DeployedSettings, now: Now
) -> PreviewView:
    """The next invoice, as it would be today."""
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    today = billing.subscriber.account.contract.today(now)
    preview = upcoming(billing, today, settings)
    if preview is None:
        raise NotFound("No invoice is to come.")
    return PreviewView.of(*preview, billing.billing.language, billing.subscriber.subscription.prices_change_on(today))


@app.get("/accounts/<account>/invoices/<number>")
def get_invoice(
    account: AccountId, number: InvoiceNumber, admission: MayRead, invoices: Invoices
) -> Tagged[InvoiceDetailsView]:
    """One invoice: how each amount came about, and where the payment stands."""
    asked = invoices.document_of(account, number)
    admission.admit(asked.account)
    whole = invoices.whole(asked)
    return tagged(InvoiceDetailsView.of(whole), whole.version)


@app.get("/invoices/past-due")
def get_past_due_invoices(
    _: MayReadPastDue,
    invoices: Invoices,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> PastDuesView:
    """The invoices of all accounts that are past due, the longest due first."""
    page = invoices.past_due(limit=limit, after=pages.position(cursor), clock=test_clock)
    return PastDuesView(items=[PastDueView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.get("/invoices")
def get_invoices_of_month(
    _: MayList,
    invoices: Invoices,
    month: ProducedIn,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    locale: TableLocale = None,
    accept: Accept = None,
    test_clock: OfClock = None,
) -> Table[DocumentsOfMonthView]:
    """The invoices that all accounts got in a month, by day and number.

    A table has up to 1,000, with all that a bookkeeper posts. Its Link header leads to those that follow.
    """
    return _of_month(month, invoices, pages, limit, cursor, locale, accept, test_clock, credit_notes=False)


@app.get("/credit-notes")
def get_credit_notes_of_month(
    _: MayList,
    invoices: Invoices,
    month: ProducedIn,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    locale: TableLocale = None,
    accept: Accept = None,
    test_clock: OfClock = None,
) -> Table[DocumentsOfMonthView]:
    """The credit notes that all accounts got in a month, by day and number.

    A table has up to 1,000, with all that a bookkeeper posts. Its Link header leads to those that follow.
    """
    return _of_month(month, invoices, pages, limit, cursor, locale, accept, test_clock, credit_notes=True)


@app.get("/invoice-register")
def get_invoice_register(
    _: MayReadRegister,
    invoices: Invoices,
    series: Series,
    year: RegisterYear,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    locale: TableLocale = None,
    accept: Accept = None,
) -> Table[RegisterView]:
    """The numbers of a series and year with the amounts of their documents, the first number first.

    A table has up to 20,000. Its Link header leads to those that follow.
    """
    accepted = preferred_type(accept)
    most = limit if accepted == JSON else SHEET_NUMBERS_MAX
    page = invoices.register(series, year, limit=most, after=pages.position(cursor))
    if accepted != JSON:
        link = pages.link(page.last)
        return table(register_sheet(page.items), accepted, f"register-{series}-{year}", locale, link=link)
    listed = [RegisteredNumberView.of(each) for each in page.items]
    return negotiated(RegisterView(items=listed, next_cursor=pages.cursor(page.last)))


def _of_month(
    month: date,
    invoices: InvoiceStore,
    pages: ListPages,
    limit: int,
    cursor: str | None,
    locale: str | None,
    accept: str | None,
    clock: str | None,
    *,
    credit_notes: bool,
) -> Response[Any]:
    accepted = preferred_type(accept)
    most = limit if accepted == JSON else SHEET_INVOICES_MAX
    page = invoices.of_month(month, credit_notes=credit_notes, limit=most, after=pages.position(cursor), clock=clock)
    if accepted != JSON:
        name = f"{'credit-notes' if credit_notes else 'invoices'}-{month:%Y-%m}"
        link = pages.link(page.last)
        return table(documents_sheet(page.items), accepted, name, locale, link=link, narrowed_by="month")
    listed = [DocumentOfMonthView.of(each) for each in page.items]
    return negotiated(DocumentsOfMonthView(items=listed, next_cursor=pages.cursor(page.last)))


handler = entrypoint(app)
