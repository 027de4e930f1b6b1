"""The tax of an invoice in the seller's own currency, and what happens while its exchange rate is missing (0026)."""

from __future__ import annotations

from dataclasses import replace

from billing.invoicing.exchange_rates.rules import AwaitedRate, SellerTax, rate_between, rate_day
from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict
from billing.kernel.events import EventType, RequestContext
from billing.kernel.schedules import start_of
from billing.platform.events.new_event import new_event


class ExchangeRateUnknown(Conflict):
    """An invoice needs an exchange rate that is not known yet."""

    code = "exchange-rate-missing"

    def __init__(self, awaited: AwaitedRate) -> None:
        super().__init__(
            f"The invoice needs the exchange rate of {awaited.currency} of {awaited.day}, which we do not have yet. "
            "We have been told. Try again later."
        )


def in_sellers_currency(
    draft: InvoiceDraft, contract: Contract, settings: InvoicingSettings, store: InvoiceStore
) -> InvoiceDraft | AwaitedRate:
    """The draft with its tax in the seller's currency; the rate that it waits for if that is missing.

    Nothing is to be converted where the deployment names no currency of the seller, where it is the draft's own, and
    without tax. One get otherwise.
    """
    currency, tax = settings.seller_currency, draft.tax_amount
    if currency is None or currency == tax.currency or not tax.amount:
        return draft
    day = rate_day(start_of(draft.tax_point or draft.since, contract))
    rates = store.rates(day)
    rate = None if rates is None else rate_between(rates, tax.currency, currency)
    if rate is None:
        return AwaitedRate(day, tax.currency)
    return replace(draft, seller_tax=SellerTax(rate.convert(tax, currency), rate))


def wait_for_rate(
    billing: BillingContext,
    awaited: AwaitedRate,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    *,
    is_due: bool = True,
) -> None:
    """Lists the account's due invoice for staff, and tells them of the missing rate unless they were told.

    It stays due: the next run after the rate was given issues it. With `is_due` false no due invoice waits, and staff
    are only told. One get and one transaction the first time, nothing for a due invoice that is listed. Raises
    ConcurrentChange.
    """
    if is_due and billing.due is not None and billing.due.awaits_rate == awaited:
        return
    event = None
    if not store.is_told(awaited):
        facts = {"day": awaited.day, "currency": awaited.currency, "seller_currency": settings.seller_currency}
        account = billing.subscriber.account.id
        event = new_event(EventType.EXCHANGE_RATE_MISSING, context, account=account, before=None, after=facts)
    if is_due or event is not None:
        store.await_rate(billing, awaited, event, is_due=is_due)
