"""Usage: what the vendor's product reports, and the day and the counters that it belongs to (DESIGN 2 and 6).

A month is named by its first day. A quantity is a decimal, added up exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.kernel.contract_calendar import months_after
from billing.kernel.money import Money

CONVERSIONS_MAX = 10**9


CLOSED_MONTHS = 3
"""Closed months by which it is decided whether a tier fits, upwards or downwards: nothing shorter is lasting."""


FUTURE_MAX = timedelta(minutes=5)
"""How far the reporting clock may be ahead of ours."""


Daily = Mapping[date, Decimal]
"""Quantities by day. A day that is not there had no usage."""


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One report of usage. `source` and `id` together know it again within its account, whoever sends it.

    `day` is the one on which it happened in the account's time zone. `content` is None where the product names none.
    `conversions` and `revenue` are what came of it: orders, and their value.
    """

    account: str
    source: str
    id: str
    product: str
    store: str
    content: str | None
    time: datetime
    day: date
    quantity: Decimal
    conversions: int = 0
    revenue: Money | None = None

    identity: str = field(init=False, compare=False)
    """Stands for source and id; the same for every report of the same event."""
    fingerprint: str = field(init=False, compare=False)
    """Stands for what is reported; another one under the same identity is a contradiction."""

    def __post_init__(self) -> None:
        # Both are asked for again and again, and there may be a thousand events.
        object.__setattr__(self, "identity", _digest(self.source, self.id))
        said = (
            self.product,
            self.store,
            self.content or "",
            str(self.time.timestamp()),
            f"{self.quantity.normalize():f}",
            str(self.conversions),
            "" if self.revenue is None else f"{self.revenue.amount} {self.revenue.currency}",
        )
        object.__setattr__(self, "fingerprint", _digest(*said))


@dataclass(frozen=True, slots=True)
class ContentUsage:
    """What one content of one store used of a product in one month, by day, and what came of it in that month.

    `content` is None for usage that names none. `revenue` is in minor units by currency.
    """

    product: str
    month: date
    store: str
    content: str | None
    daily: Daily
    conversions: int
    revenue: Mapping[str, int]

    @property
    def quantity(self) -> Decimal:
        """Of the whole month."""
        return sum(self.daily.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """The usage of one product in one calendar month."""

    month: date
    quantity: Decimal


MARKER_SLACK = timedelta(days=1)
"""A marker stays so much longer than its event may be reported again, whatever the clocks say."""


def known_until(now: datetime, reported_within: timedelta) -> datetime:
    """Until when an event that is counted now is known again."""
    return now + reported_within + MARKER_SLACK


def month_of(day: date) -> date:
    """The month of a day."""
    return day.replace(day=1)


def month_before(month: date, count: int = 1) -> date:
    """The month so many before this one; after it where `count` is negative."""
    return months_after(month, -count)


def closed(daily: Daily, today: date, since: date, count: int) -> list[date]:
    """The last closed months before `today`, up to `count` of them, oldest first.

    A month counts when all of it lies after `since`, the account's first day, or after the first usage if that is
    earlier: an account whose history was taken over is older than its contract. A month without usage counts.
    """
    first_day = min(since, min(daily, default=since))
    first = month_of(first_day) if first_day.day == 1 else month_before(month_of(first_day), -1)
    months = (month_before(month_of(today), back) for back in range(count, 0, -1))
    return [each for each in months if each >= first]


def closed_months(daily: Daily, today: date, since: date, count: int) -> tuple[MonthUsage, ...]:
    """The usage of the last closed months before `today`, as `closed` names them."""
    months = closed(daily, today, since, count)
    earliest = months[0] if months else today
    quantities = monthly({day: quantity for day, quantity in daily.items() if day >= earliest})
    return tuple(MonthUsage(each, quantities.get(each, Decimal(0))) for each in months)


def monthly(daily: Daily) -> dict[date, Decimal]:
    """The sums by month."""
    sums: dict[date, Decimal] = {}
    for day, quantity in daily.items():
        month = month_of(day)
        sums[month] = sums.get(month, Decimal(0)) + quantity
    return sums


def average(months: Sequence[MonthUsage]) -> Decimal | None:
    """Usage per month over these months, unrounded; None without any."""
    if not months:
        return None
    return sum((each.quantity for each in months), Decimal(0)) / len(months)


def _digest(*parts: str) -> str:
    """Half of a SHA-256, as text. No part but the last, an id, has control characters in it."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
