"""/accounts/{account}/invoicing/release and /invoicing/held: staff let invoicing go on that waits for them."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import existing
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.release_invoicing import preview_invoicing, release_invoicing
from billing.invoicing.views import HeldInvoicingsView, HeldInvoicingView, InvoicingPreviewView, ReleaseBody
from billing.kernel.money import Money
from billing.kernel.permissions import Permission, Person
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import DeployedSettings, Invoices, account_store

MayRelease = Annotated[Admission, Permits(Permission.RELEASE_INVOICING, account_store)]
MayList = Annotated[Person, StaffOnly(Permission.RELEASE_INVOICING)]

app = make_api()


@app.get("/accounts/<account>/invoicing/release")
def get_release(
    account: AccountId, admission: MayRelease, context: Context, invoices: Invoices, settings: DeployedSettings
) -> InvoicingPreviewView:
    """The invoices that are due and not issued, with their sum, and whether they wait for staff."""
    billing = _admitted(account, admission, invoices)
    return InvoicingPreviewView.of(preview_invoicing(billing, context=context, settings=settings, store=invoices))


@app.post("/accounts/<account>/invoicing/release")
def post_release(
    account: AccountId,
    body: ReleaseBody,
    admission: MayRelease,
    context: Context,
    invoices: Invoices,
    settings: DeployedSettings,
) -> InvoicingPreviewView:
    """Let invoicing go on: the next run issues what is confirmed. Asked again, it changes nothing."""
    billing = _admitted(account, admission, invoices)
    total = Money(body.total.amount, body.total.currency)
    released = release_invoicing(billing, body.invoices, total, context=context, settings=settings, store=invoices)
    return InvoicingPreviewView.of(released)


@app.get("/invoicing/held")
def get_held_invoicing(
    _: MayList,
    invoices: Invoices,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    test_clock: OfClock = None,
) -> HeldInvoicingsView:
    """The accounts whose invoicing waits for staff, the longest first."""
    found = invoices.held(limit=limit, after=pages.position(cursor), clock=test_clock)
    return HeldInvoicingsView(
        items=[HeldInvoicingView.of(each) for each in found.items], next_cursor=pages.cursor(found.last)
    )


def _admitted(account: str, admission: Admission, invoices: InvoiceStore) -> BillingContext:
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    return billing


handler = entrypoint(app)
