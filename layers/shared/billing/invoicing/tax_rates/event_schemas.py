"""Events of the tax rates of staff."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts, SharedEvent


class TaxRateFacts(Facts):
    """What holds from a day on for buyers in `country`, null for every country without an entry. `rate` is in percent,
    `words` are what the invoice says, by language."""

    country: str | None
    valid_from: date
    treatment: Literal["taxed", "zero_rated", "export", "outside_scope", "exempt"]
    name: str
    rate: Decimal
    words: dict[str, str] | None


class TaxRatesFacts(Facts):
    """All tax rates of the seller, with what held before."""

    rates: list[TaxRateFacts]


class MissingTaxRateFacts(Facts):
    """The country whose tax rate is missing, and the tax point of the first invoice that waits for it."""

    country: str
    day: date


class TaxRatesReplaced(SharedEvent[Literal["tax_rates.replaced"], TaxRatesFacts | None, TaxRatesFacts]):
    """Staff have given the tax rates of a seller outside of the EU. Issued invoices keep the rates that they say."""


class TaxRateMissing(AccountEvent[Literal["tax_rate.missing"], None, MissingTaxRateFacts]):
    """Invoices wait for a tax rate of staff. Told to staff, once for a country; the account is the first one."""
