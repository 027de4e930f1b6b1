"""What happens while a rate is missing: an exchange rate (decision 0026), or one of the seller's own tax (0044)."""

from __future__ import annotations

from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import AwaitedTaxRate
from billing.kernel.events import EventType, Facts, RequestContext
from billing.platform.events.new_event import new_event


def wait_for_rate(
    billing: BillingContext,
    awaited: AwaitedRate,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    *,
    is_due: bool = True,
) -> None:
    """Holds an invoice until its exchange rate is given. See _wait."""
    facts = {"day": awaited.day, "currency": awaited.currency, "seller_currency": settings.seller_currency}
    _wait(billing, awaited, EventType.EXCHANGE_RATE_MISSING, facts, context, store, is_due=is_due)


def wait_for_tax_rate(
    billing: BillingContext, draft: InvoiceDraft, context: RequestContext, store: InvoiceStore, *, is_due: bool = True
) -> AwaitedTaxRate:
    """Holds an invoice until its tax rate is given, and returns what it waits for. See _wait."""
    awaited = AwaitedTaxRate(draft.tax.country, draft.tax_point or draft.since)
    facts = {"country": awaited.country, "day": awaited.day}
    _wait(billing, awaited, EventType.TAX_RATE_MISSING, facts, context, store, is_due=is_due)
    return awaited


def _wait(
    billing: BillingContext,
    awaited: AwaitedRate | AwaitedTaxRate,
    told_by: EventType,
    facts: Facts,
    context: RequestContext,
    store: InvoiceStore,
    *,
    is_due: bool,
) -> None:
    """Lists the account's due invoice for staff, and tells them of the missing rate unless they were told.

    It stays due: the next run after the rate was given issues it. With `is_due` false no due invoice waits, and staff
    are only told. One get and one transaction the first time, nothing for a due invoice that is listed. Raises
    ConcurrentChange.
    """
    if is_due and billing.due is not None and billing.due.awaits == awaited:
        return
    account = billing.subscriber.account.id
    is_told = store.is_told(awaited, account)
    event = None if is_told else new_event(told_by, context, account=account, before=None, after=facts)
    if is_due or event is not None:
        store.await_rate(billing, awaited, event, is_due=is_due)
