"""Staff let invoicing go on that waits for them, and add one-off charges and goodwill to what is invoiced next."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits, StaffOnly
from billing.accounts.rules import existing
from billing.invoicing.administer_one_offs import add_one_off, take_back_one_off
from billing.invoicing.one_off_views import OneOffBody, OneOffChangeView, OneOffId, OneOffsView, OneOffView
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.release_invoicing import preview_invoicing, release_invoicing
from billing.invoicing.views import HeldInvoicingsView, HeldInvoicingView, InvoicingPreviewView, ReleaseBody
from billing.kernel.money import Money
from billing.kernel.permissions import Permission, Person
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, OfClock, Pages
from billing.platform.http.preconditions import Preview
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import DeployedSettings, Invoices, OneOffs, account_store

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]
MayChange = Annotated[Admission, Permits(Permission.CHANGE_ACCOUNTS, account_store)]
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


@app.get("/accounts/<account>/one-offs")
def get_one_offs(
    account: AccountId,
    admission: MayRead,
    one_offs: OneOffs,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> OneOffsView:
    """The one-off charges and the goodwill of the account: all that are open, and a page of the others."""
    billing = _admitted(account, admission, one_offs)
    closed = one_offs.closed_one_offs(account, limit=limit, after=pages.position(cursor))
    return OneOffsView(
        open=[OneOffView.of(each) for each in billing.one_offs.open],
        closed=[OneOffView.of(each) for each in closed.items],
        next_cursor=pages.cursor(closed.last),
    )


@app.put("/accounts/<account>/one-offs/<one_off>")
def put_one_off(
    account: AccountId,
    one_off: OneOffId,
    body: OneOffBody,
    admission: MayChange,
    context: Context,
    one_offs: OneOffs,
    settings: DeployedSettings,
    preview: Preview = False,
) -> OneOffChangeView:
    """Add a one-off charge or a goodwill to the next invoice, or invoice a charge at once. An id is used once."""
    billing = _admitted(account, admission, one_offs)
    new = body.value(one_off)
    added = add_one_off(billing, new, is_preview=preview, context=context, settings=settings, store=one_offs)
    return OneOffChangeView.of(added, billing.billing.language)


@app.delete("/accounts/<account>/one-offs/<one_off>")
def delete_one_off(
    account: AccountId,
    one_off: OneOffId,
    admission: MayChange,
    context: Context,
    one_offs: OneOffs,
    settings: DeployedSettings,
    preview: Preview = False,
) -> OneOffChangeView:
    """Take back a one-off charge that is not invoiced, or what is left of a goodwill."""
    billing = _admitted(account, admission, one_offs)
    after = take_back_one_off(billing, one_off, is_preview=preview, context=context, settings=settings, store=one_offs)
    return OneOffChangeView.of(after, billing.billing.language)


def _admitted(account: str, admission: Admission, invoices: InvoiceStore) -> BillingContext:
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    return billing


handler = entrypoint(app)
