"""What happens while the tax rate of the seller's own country is missing (decision 0044)."""

from __future__ import annotations

from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.tax import AwaitedTaxRate
from billing.kernel.events import EventType, RequestContext
from billing.platform.events.new_event import new_event


def wait_for_tax_rate(
    billing: BillingContext, draft: InvoiceDraft, context: RequestContext, store: InvoiceStore, *, is_due: bool = True
) -> AwaitedTaxRate:
    """Lists the account's due invoice for staff, and tells them of the missing rate unless they were told.

    It stays due: the next run after the rate was given issues it. With `is_due` false no due invoice waits, and staff
    are only told. One get and one transaction the first time, nothing for a due invoice that is listed. Raises
    ConcurrentChange.
    """
    awaited = AwaitedTaxRate(draft.tax.country, draft.tax_point or draft.since)
    if is_due and billing.due is not None and billing.due.awaits_tax == awaited:
        return awaited
    event, account = None, billing.subscriber.account.id
    if not store.is_told_of_tax(awaited.country, account):
        facts = {"country": awaited.country, "day": awaited.day}
        event = new_event(EventType.TAX_RATE_MISSING, context, account=account, before=None, after=facts)
    if is_due or event is not None:
        store.await_tax(billing, awaited, event, is_due=is_due)
    return awaited
