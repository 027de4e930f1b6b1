"""Requests and answers of the routes of exchange rates."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import BeforeValidator, Field, WithJsonSchema

from billing.invoicing.exchange_rates.records import WaitingAccount
from billing.invoicing.exchange_rates.rules import DailyRates, ExchangeRate, SellerTax
from billing.kernel.field_codes import FieldCode, Unfit
from billing.platform.http.models import Body, Currency, IsoDate, MoneyView, Text, View

RATES_MAX = 200
"""More than there are currencies."""

_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def _rate(value: object) -> Decimal:
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise Unfit(
            'must be a decimal as text with at most nine digits before and after the point: "7.4604"',
            FieldCode.PATTERN,
            pattern=f"^{_RATE.pattern}$",
        )
    rate = Decimal(value)
    if not rate:
        raise Unfit("must be more than zero", FieldCode.TOO_SMALL, above=0)
    return rate


Rate = Annotated[
    Decimal,
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE.pattern}$", "examples": ["7.4604"]}),
]
RateDay = Annotated[IsoDate, Path(description="The day on which the rates were published.")]


class DailyRatesBody(Body):
    """The rates of a day: what one unit of `base` is worth in each currency. `source` is printed on invoices."""

    base: Currency
    rates: Annotated[dict[Currency, Rate], Field(min_length=1, max_length=RATES_MAX)]
    source: Annotated[Text, Field(description="Who published the rates: ECB.")]

    def value(self, day: date) -> DailyRates:
        return DailyRates(day, self.base, self.rates, self.source)


class DailyRatesView(View):
    """The rates of a day: what one unit of `base` is worth in each currency."""

    day: date
    base: str
    rates: dict[str, str]
    source: str

    @classmethod
    def of(cls, rates: DailyRates) -> DailyRatesView:
        written = {currency: f"{rate:f}" for currency, rate in sorted(rates.rates.items())}
        return cls(day=rates.day, base=rates.base, rates=written, source=rates.source)


class ExchangeRatesView(View):
    """The newest day first. `next_cursor` leads to what follows, null at the end."""

    items: list[DailyRatesView]
    next_cursor: str | None


class WaitingAccountView(View):
    """An account whose next invoice, in `currency`, waits for the exchange rate of `day`."""

    account: str
    day: date
    currency: str

    @classmethod
    def of(cls, waiting: WaitingAccount) -> WaitingAccountView:
        return cls(account=waiting.account, day=waiting.awaited.day, currency=waiting.awaited.currency)


class WaitingAccountsView(View):
    """The earliest day first. `next_cursor` leads to what follows, null at the end."""

    items: list[WaitingAccountView]
    next_cursor: str | None


class ExchangeRateView(View):
    """One unit of `base` is worth `invoice_rate` of the invoice's currency and `seller_rate` of the seller's. They were
    published on `day` by `source`."""

    base: str
    invoice_rate: str
    seller_rate: str
    day: date
    source: str

    @classmethod
    def of(cls, rate: ExchangeRate) -> ExchangeRateView:
        return cls(
            base=rate.base,
            invoice_rate=f"{rate.invoice_rate:f}",
            seller_rate=f"{rate.seller_rate:f}",
            day=rate.day,
            source=rate.source,
        )


class SellerTaxView(View):
    """The tax in the seller's own currency, and the rate that it was converted at."""

    amount: MoneyView
    rate: ExchangeRateView

    @classmethod
    def of(cls, tax: SellerTax) -> SellerTaxView:
        return cls(amount=MoneyView.of(tax.amount), rate=ExchangeRateView.of(tax.rate))
