"""Which exchange rate an invoice uses, and what its tax comes to in the seller's currency (decision 0026).

Directive 2006/112/EC, article 230: an invoice may be in any currency, but the VAT payable must be in the national
currency of the member state. Article 91(2): the latest rate that the European Central Bank has published at the time
when VAT becomes chargeable is accepted; currencies other than the euro are converted by the euro rate of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.kernel.errors import Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money, converted

CENTRAL_BANK_ZONE = ZoneInfo("Europe/Berlin")
"""The time zone of the European Central Bank, in Frankfurt."""

PUBLISHED_AT = time(18)
"""The rates of a day count as published from this time on. The bank publishes them "around 16:00 CET"
(www.ecb.europa.eu, euro foreign exchange reference rates); two hours are left for delays."""

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class DailyRates:
    """The exchange rates of a day: what one unit of `base` is worth in each currency. `source` says who published them.

    `version` counts the writes, 0 for none.
    """

    day: date
    base: str
    rates: Mapping[str, Decimal]
    source: str
    version: int = 0

    def rate(self, currency: str) -> Decimal | None:
        """What one unit of the base is worth in a currency, None if that is not known."""
        return Decimal(1) if currency == self.base else self.rates.get(currency)


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """The published rates that an invoice uses: one unit of `base` is worth `invoice_rate` of the invoice's currency,
    and `seller_rate` of the seller's. One of them is 1 if its currency is the base."""

    base: str
    invoice_rate: Decimal
    seller_rate: Decimal
    day: date
    source: str

    def convert(self, money: Money, currency: str) -> Money:
        """An amount of the invoice in the seller's currency, rounded once, half away from zero."""
        return converted(money, currency, Fraction(self.seller_rate) / Fraction(self.invoice_rate))


@dataclass(frozen=True, slots=True)
class SellerTax:
    """The tax of an invoice in the seller's own currency, and the rate that it was converted at."""

    amount: Money
    rate: ExchangeRate


@dataclass(frozen=True, slots=True)
class AwaitedRate:
    """A rate that an invoice waits for: its day, and the invoice's currency."""

    day: date
    currency: str


def rate_between(rates: DailyRates, invoice_currency: str, seller_currency: str) -> ExchangeRate | None:
    """The rate from an invoice's currency to the seller's. None if the day lacks a rate of one of them."""
    invoice_rate, seller_rate = rates.rate(invoice_currency), rates.rate(seller_currency)
    if invoice_rate is None or seller_rate is None:
        return None
    return ExchangeRate(rates.base, invoice_rate, seller_rate, rates.day, rates.source)


def rate_day(chargeable_at: datetime) -> date:
    """The day whose rates are the latest that were published when VAT became chargeable, an aware instant.

    It depends on nothing else, so a late run uses the same rate as one in time.
    """
    local = chargeable_at.astimezone(CENTRAL_BANK_ZONE)
    day = local.date() if local.time() >= PUBLISHED_AT else local.date() - _DAY
    while not is_published_on(day):
        day -= _DAY
    return day


def is_published_on(day: date) -> bool:
    """Whether rates are published on a day: the days on which TARGET, the system of the euro's payments, is open.

    It is closed on Saturdays, Sundays, January 1, Good Friday, Easter Monday, May 1, December 25 and December 26 (ECB
    press release of December 14, 2000: "until further notice", in force since 2002).
    """
    if day.weekday() >= _SATURDAY or (day.month, day.day) in {(1, 1), (5, 1), (12, 25), (12, 26)}:
        return False
    return day - _easter(day.year) not in {-2 * _DAY, _DAY}


def check(rates: DailyRates, before: DailyRates | None, today: date) -> None:
    """Checks rates that staff give for a day. `before` are those of that day so far, `today` is in UTC.

    A rate may be corrected: invoices keep the one that they were issued with. It is not removed, or invoices of a
    late run would wait. Raises RuleViolation.
    """
    violations = []
    if rates.day > today:
        violations.append(
            Violation(
                ("day",), "The day is in the future: no rate was published for it.", FieldCode.TOO_LATE, {"max": today}
            )
        )
    if not is_published_on(rates.day):
        violations.append(
            Violation(
                ("day",), "No rates are published on this day: no invoice uses rates of it.", FieldCode.UNSUPPORTED
            )
        )
    if rates.base in rates.rates:
        path: Path = ("rates", rates.base)
        violations.append(
            Violation(path, f"{rates.base} is the base, so its rate is 1. Leave it out.", FieldCode.NOT_ALLOWED)
        )
    if before is not None and before.base != rates.base:
        violations.append(
            Violation(
                ("base",),
                f"The base of this day is {before.base} already.",
                FieldCode.NOT_ALLOWED,
                {"allowed": [before.base]},
            )
        )
    removed = [] if before is None else sorted(before.rates.keys() - rates.rates.keys())
    if removed:
        reason = f"A rate can be corrected and not removed. Missing: {', '.join(removed)}."
        violations.append(Violation(("rates",), reason, FieldCode.MISSING, {"required": removed}))
    if violations:
        raise RuleViolation(*violations)


def _easter(year: int) -> date:
    """Easter Sunday, by the anonymous Gregorian algorithm (J. Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
