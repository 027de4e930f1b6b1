"""What contracts owe, reckoned without any code of the product: month by month, with fractions.

A contract is the list of what was decided about it. Documents follow from it: one when a paid period begins, over what
was known then; one in each later month that costs something else than was invoiced. What costs less is taken back by
credit notes, which have the tax of the invoices that they name.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction

NOTICE_MONTHS = 2


def half_even(amount: Fraction) -> int:
    return round(amount)


def half_away(amount: Fraction) -> int:
    whole = int(abs(amount) + Fraction(1, 2))
    return whole if amount >= 0 else -whole


@dataclass(frozen=True)
class Price:
    """A product's price per month from a day on, and the day of its decision.

    `replaced` is the day on which another decision took its place, before it was in effect.
    """

    product: str
    amount: int
    since: date
    decided: date
    replaced: date | None = None

    def is_known(self, now: date, opened: date) -> bool:
        """Whether it counts when a month begins `now`, in a paid period that was `opened`."""
        if self.replaced is not None and now > self.replaced:
            return False
        return self.decided < opened or (self.replaced is None and self.since <= now)


@dataclass(frozen=True)
class Reduction:
    """Percent or an amount per month off a product, or off all (None), from a day and before another."""

    product: str | None
    percent: Fraction
    amount: int
    since: date
    until: date | None

    def holds(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True)
class Document:
    """An invoice, or months that cost nothing: its day of tax, its net amounts by product, and its tax."""

    since: date
    amounts: tuple[tuple[str | None, int], ...]
    rate: Fraction
    tax: int

    @property
    def net(self) -> int:
        return sum(amount for _, amount in self.amounts)


@dataclass
class Owed:
    """A contract: `prices` are the signed ones, `decided` the later ones. `ends` is its first day that is not owed.

    `terms` are the later terms: the first month of each, and how many months are paid together from it on. `added` and
    `dropped` are the first days of products that came later, and the first days without those that go.
    """

    start: date
    interval: int
    prices: dict[str, int]
    reductions: Sequence[Reduction] = ()
    decided: list[Price] = field(default_factory=list)
    ends: date | None = None
    first_month: int = 0
    terms: list[tuple[int, int]] = field(default_factory=list)
    added: dict[str, date] = field(default_factory=dict)
    dropped: dict[str, date] = field(default_factory=dict)

    def begins(self, month: int) -> date:
        years, index = divmod(self.start.month - 1 + month, 12)
        last = calendar.monthrange(self.start.year + years, index + 1)[1]
        return date(self.start.year + years, index + 1, min(self.start.day, last))

    def month_of(self, day: date) -> int:
        """The last contract month that begins on a day or before; -1 and less before the start."""
        month = (day.year - self.start.year) * 12 + day.month - self.start.month + 1
        while self.begins(month) > day:
            month -= 1
        return month

    def end_of_notice(self, day: date) -> date:
        """The first renewal on or after the rest of the contract month and one more."""
        return self.begins(self.renewal(max(0, self.month_of(day) + NOTICE_MONTHS)))

    def interval_of(self, month: int) -> int:
        return [self.interval, *(interval for since, interval in self.terms if since <= month)][-1]

    def opened(self, month: int) -> int:
        """The first month of the paid period that contains a month."""
        since = [0, *(since for since, _ in self.terms if since <= month)][-1]
        return month - (month - since) % self.interval_of(month)

    def renewal(self, month: int) -> int:
        """The first month of the first paid period that begins in a month or later."""
        first = self.opened(month)
        return first if first == month else first + self.interval_of(month)

    def change(self, product: str, amount: int, since: date, today: date) -> None:
        """Decides a price from a day on, in place of what is to come for this product."""
        self.decided = [
            replace(each, replaced=today)
            if each.product == product and each.since > today and each.replaced is None
            else each
            for each in self.decided
        ]
        self.decided.append(Price(product, amount, since, today))

    def in_force(self) -> list[Price]:
        return [each for each in self.decided if each.replaced is None]

    def price(self, product: str, day: date, known: Sequence[Price]) -> int:
        amounts = [(each.since, each.amount) for each in known if each.product == product and each.since <= day]
        return max(amounts)[1] if amounts else self.prices[product]

    def documents(self, before: date, rate_on: Rates) -> Iterator[Document]:
        """What is invoiced for the contract months that begin before a day, oldest first."""
        month = self.first_month
        while self.begins(month) < before and (self.ends is None or self.begins(month) < self.ends):
            first = self.opened(month)
            now = self._amounts(first, month)
            invoiced = self._amounts(first, month - 1) if month > first else {}
            amounts = tuple((each, now[each] - invoiced.get(each, 0)) for each in now)
            changed = amounts if month == first else tuple(each for each in amounts if each[1])
            if changed:
                since = self.begins(month)
                rate = rate_on(since)
                yield Document(since, changed, rate, half_away(sum(amount for _, amount in changed) * rate / 100))
            month += 1

    def _amounts(self, first: int, month: int) -> dict[str | None, int]:
        """What the whole paid period costs, by product, as it is known when one of its months begins."""
        opened, now = self.begins(first), self.begins(month)
        known = [each for each in self.decided if each.is_known(now, opened)]
        days = [self.begins(each) for each in range(first, first + self.interval_of(first))]
        monthly = {
            product: [
                self._off(Fraction(self.price(product, day, known)), product, day)
                if self._has(product, day)
                else Fraction(0)
                for day in days
            ]
            for product in self.prices
            if self.added.get(product, now) <= now and any(self._has(product, day) for day in days)
        }
        found: dict[str | None, int] = {product: half_even(sum(each, Fraction(0))) for product, each in monthly.items()}
        if any(each.product is None and each.holds(day) for each in self.reductions for day in days):
            whole = [sum(each, Fraction(0)) for each in zip(*monthly.values(), strict=True)]
            off = sum(
                (price - self._off(price, None, day) for price, day in zip(whole, days, strict=True)), Fraction(0)
            )
            found[None] = -min(sum(found.values()), half_even(off))
        return found

    def _has(self, product: str, day: date) -> bool:
        return self.added.get(product, day) <= day < self.dropped.get(product, date.max)

    def _off(self, price: Fraction, product: str | None, day: date) -> Fraction:
        active = [each for each in self.reductions if each.product == product and each.holds(day)]
        percent = sum((each.percent for each in active), Fraction(0))
        left = price * (100 - percent) / 100 - sum(each.amount for each in active)
        return max(Fraction(0), left) if active else price


class Rates:
    """The rate of tax on a day, in percent, by where the buyer was when that day began."""

    def __init__(self, country: str) -> None:
        self._moves: list[tuple[date, str]] = [(date.min, country)]

    def move(self, day: date, country: str) -> None:
        self._moves.append((day, country))

    def __call__(self, day: date) -> Fraction:
        country = [each for moved, each in self._moves if moved < day][-1]
        return Fraction([rate for since, rate in RATES[country] if since <= day.isoformat()][-1])


RATES = {
    "DK": (("", "25"),),
    "SK": (("", "20"), ("2025-01-01", "23")),
    "FI": (("", "24"), ("2024-09-01", "25.5")),
    "EE": (("", "22"), ("2025-07-01", "24")),
    "DE with a number": (("", "0"),),
    "Las Palmas": (("", "0"),),
    "NO": (("", "0"),),
}
"""Standard rates in percent, from the member states' laws, of companies without a VAT number, sold to by a Dane."""
