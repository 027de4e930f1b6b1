"""Events of exchange rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts, SharedEvent


class RatesFacts(Facts):
    """What one unit of `base` is worth in each currency on `day`. `source` says who published the rates."""

    day: date
    base: str
    rates: dict[str, Decimal]
    source: str


class MissingRateFacts(Facts):
    """The day of the rate, the currency of the invoice, and the seller's currency, in which the tax must be."""

    day: date
    currency: str
    seller_currency: str


class ExchangeRatesReplaced(SharedEvent[Literal["exchange_rates.replaced"], RatesFacts | None, RatesFacts]):
    """The exchange rates of a day were given or corrected. Issued invoices keep the rates that they say."""


class ExchangeRateMissing(AccountEvent[Literal["exchange_rate.missing"], None, MissingRateFacts]):
    """Invoices wait for an exchange rate. Told to staff, once for a day and currency; the account is the first one."""
