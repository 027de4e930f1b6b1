"""The tax of an invoice in the seller's own currency (decision 0026)."""

from __future__ import annotations

from dataclasses import replace

from billing.invoicing.exchange_rates.rules import AwaitedRate, SellerTax, rate_between, rate_day
from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict
from billing.kernel.schedules import start_of


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
