"""The tax of a seller to whom no VAT of a member state applies, by rates that staff keep (decision 0044).

The place that matters is a territory, as everywhere: vat_territories.py. So the rate of GB holds on the Isle of Man.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.invoicing.tax import AwaitedTaxRate, Tax, TaxRule, Words
from billing.invoicing.vat_rates import STANDARD_RATES
from billing.invoicing.vat_territories import Address, Territory, territory_of
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode

_EARLIEST_DAYS = timedelta(hours=14)
"""How far the first time zones are before UTC: UTC+14, Kiritimati (IANA database)."""

_DAY = timedelta(days=1)


class TaxTreatment(StrEnum):
    """How a sale to a place is treated. All but TAXED have no tax, and say so in words."""

    TAXED = "taxed"
    ZERO_RATED = "zero_rated"
    EXPORT = "export"
    OUTSIDE_SCOPE = "outside_scope"
    EXEMPT = "exempt"


_RULES = {
    TaxTreatment.TAXED: TaxRule.OWN_RATE,
    TaxTreatment.ZERO_RATED: TaxRule.ZERO_RATED,
    TaxTreatment.EXPORT: TaxRule.EXPORT,
    TaxTreatment.OUTSIDE_SCOPE: TaxRule.OUTSIDE_SCOPE,
    TaxTreatment.EXEMPT: TaxRule.EXEMPT,
}


class TaxRatesBuiltIn(Conflict):
    """The seller has the VAT of a member state, whose rates are built in."""

    code = "tax-rates-built-in"

    def __init__(self, country: str) -> None:
        super().__init__(f"The seller's VAT is that of {country}, whose rates are built in. Nothing is to be given.")


class TaxRateUnknown(Conflict):
    """An invoice needs a tax rate that staff have not given."""

    code = "tax-rate-missing"

    def __init__(self, awaited: AwaitedTaxRate) -> None:
        super().__init__(
            f"The invoice needs the tax rate of {awaited.country} on {awaited.day}, which we do not have yet. "
            "We have been told. Try again later."
        )


@dataclass(frozen=True, slots=True)
class TaxRate:
    """What holds from a day on for buyers in a country, None for those in every country without an entry.

    `name` is that of the tax, such as MWST; `rate` is in percent. `words` are what the invoice says.
    """

    country: str | None
    valid_from: date
    treatment: TaxTreatment
    name: str
    rate: Decimal
    words: Words | None = None


@dataclass(frozen=True, slots=True)
class TaxRates:
    """All that staff have given, with what held before. `version` counts the writes, 0 for none."""

    entries: tuple[TaxRate, ...] = ()
    version: int = 0

    def on(self, country: str | None, day: date) -> TaxRate | None:
        """The entry of a country that holds on a day; None where there is none."""
        begun = (each for each in self.entries if each.country == country and each.valid_from <= day)
        return max(begun, key=lambda each: each.valid_from, default=None)


@dataclass(frozen=True, slots=True)
class SellerAddress:
    """The part of the seller's address that taxes depend on, and for a seller outside of the EU the rates of staff."""

    country: str
    postcode: str | None
    city: str
    rates: TaxRates | None = None


def has_own_rates(seller: Address, day: date) -> bool:
    """Whether the rates of staff apply to a seller: no VAT of a member state does."""
    return not territory_of(seller, day).has_vat


def own_tax(seller: Address, buyer: Address, day: date) -> Tax | None:
    """The tax on a sale by the rates of staff. None for a seller with the VAT of a member state.

    The rule is RATE_MISSING for a buyer in the seller's own country without an entry: no invoice is to say 0 there by
    mistake. Abroad no tax is the default, as for a seller outside of the EU without any rates.
    """
    here, there = territory_of(seller, day), territory_of(buyer, day)
    if here.has_vat:
        return None
    rates = (seller.rates if isinstance(seller, SellerAddress) else None) or TaxRates()
    if _is_domestic(here, there):
        found = rates.on(here.state, day)
        if found is None:
            return Tax(TaxRule.RATE_MISSING, here.state, Decimal(0))
        return _tax(found, here.state)
    # The mainland is abroad to a seller in the Canary Islands, and both are in Spain.
    named = None if there.state == here.state else rates.on(there.state, day)
    found = named or rates.on(None, day)
    if found is None:
        return Tax(TaxRule.SELLER_OUTSIDE_EU, here.state, Decimal(0))
    return _tax(found, here.state if named is None else there.state)


def first_change(now: datetime) -> date:
    """The first day from which a rate can be changed at `now`: tomorrow, where it is tomorrow last.

    No tax point is later than the account's own day, so nothing is invoiced for this day yet, wherever the account is.
    """
    return (now.astimezone(UTC) + _EARLIEST_DAYS).date() + _DAY


def check(rates: Sequence[TaxRate], before: TaxRates, seller: Address, now: datetime) -> None:
    """Checks all entries that staff give. Those that hold already stay as they are, and new ones begin later.

    Free are the first entries, while none has begun: what was invoiced without any stays as it is. And so is the first
    entry of the seller's own country, whose invoices wait for it. Raises RuleViolation.
    """
    first = first_change(now)
    home = territory_of(seller, now.date()).state
    has_begun = any(each.valid_from < first for each in before.entries)
    violations: list[Violation] = []
    known = set[tuple[str | None, date]]()
    for index, each in enumerate(rates):
        violations += _violations(index, each)
        if (each.country, each.valid_from) in known:
            detail = "There is another entry of this country and day."
            violations.append(Violation(("rates", index, "valid_from"), detail, FieldCode.DUPLICATE))
        known.add((each.country, each.valid_from))
        has_entry = any(other.country == each.country for other in before.entries)
        is_free = not has_begun or (each.country == home and not has_entry)
        if each.valid_from < first and each not in before.entries and not is_free:
            detail = f"Invoices may be issued by the rates so far until then. The first possible day is {first}."
            violations.append(Violation(("rates", index, "valid_from"), detail, FieldCode.TOO_EARLY, {"min": first}))
    gone = [each for each in before.entries if each.valid_from < first and each not in rates]
    if gone:
        names = sorted(f"{each.country or '*'} {each.valid_from}" for each in gone)
        detail = (
            f"An entry that holds stays as it is: another one can follow it. Changed or missing: {', '.join(names)}."
        )
        violations.append(Violation(("rates",), detail, FieldCode.MISSING, {"required": names}))
    if violations:
        raise RuleViolation(*violations)


def _violations(index: int, rate: TaxRate) -> list[Violation]:
    found: list[Violation] = []
    if rate.treatment is TaxTreatment.TAXED and not rate.rate:
        detail = "A rate of 0 needs another treatment, which says why."
        found.append(Violation(("rates", index, "rate"), detail, FieldCode.TOO_SMALL, {"above": 0}))
    if rate.treatment is not TaxTreatment.TAXED and rate.rate:
        detail = "Only the treatment `taxed` has a rate above 0."
        found.append(Violation(("rates", index, "rate"), detail, FieldCode.TOO_LARGE, {"max": 0}))
    if rate.treatment is not TaxTreatment.TAXED and rate.words is None:
        detail = "Say in words why there is no tax: the invoice has them."
        found.append(Violation(("rates", index, "words"), detail, FieldCode.MISSING))
    state = rate.country and territory_of(_Whole(rate.country), rate.valid_from).state
    if state != rate.country:
        detail = f"The tax there is that of {state}, and so is its entry."
        found.append(Violation(("rates", index, "country"), detail, FieldCode.UNSUPPORTED))
    return found


@dataclass(frozen=True, slots=True)
class _Whole:
    """An address of which only the country is known."""

    country: str
    postcode: str | None = None
    city: str = ""


def _is_domestic(here: Territory, there: Territory) -> bool:
    """Whether the seller's own tax holds at the buyer's place too: one state, or within a member state one territory
    without its VAT, such as the Canary Islands."""
    if there.state != here.state or there.has_vat:
        return False
    return here.state not in STANDARD_RATES or here.name == there.name


def _tax(rate: TaxRate, country: str) -> Tax:
    return Tax(_RULES[rate.treatment], country, rate.rate, rate.name, rate.words)
