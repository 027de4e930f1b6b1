"""Usage events, and usage by day and by calendar month (DESIGN 2 and 3.5).

A month is named by its first day. Quantities are decimals, and sums are exact.
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
"""Closed months that decide whether a tier fits, upwards or downwards: usage of a shorter time may not last."""

FUTURE_MAX = timedelta(minutes=5)
"""How far the reporting clock may be ahead of ours."""

MARKER_SLACK = timedelta(days=1)
"""How much longer a marker exists than its event is accepted: clocks differ."""

Daily = Mapping[date, Decimal]
"""Quantities by day. A missing day had no usage."""


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One usage event. `source` and `id` together identify it within its account.

    `day` is the day of `time` in the account's time zone. `content` is None if the product names none. `conversions`
    is the number of orders that the usage led to, and `revenue` their value.
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
    is_timed: bool = True
    """Whether the report says when it happened. If not, `time` is when it was reported, and may differ each time."""

    identity: str = field(init=False, compare=False)
    """Hash of source and id: the same for every report of the same event."""
    fingerprint: str = field(init=False, compare=False)
    """Hash of all reported values. Another fingerprint under the same identity is a conflict."""

    def __post_init__(self) -> None:
        # Computed once: both are read many times, and a batch has up to a thousand events.
        object.__setattr__(self, "identity", digest(self.source, self.id))
        values = (
            self.product,
            self.store,
            self.content or "",
            str(self.time.timestamp()) if self.is_timed else "",
            f"{self.quantity.normalize():f}",
            str(self.conversions),
            "" if self.revenue is None else f"{self.revenue.amount} {self.revenue.currency}",
        )
        object.__setattr__(self, "fingerprint", digest(*values))


@dataclass(frozen=True, slots=True)
class ContentUsage:
    """The usage of a product by one content of one store in one month, by day, with its conversions and revenue.

    `content` is None for usage that names none. `revenue` is in minor units by currency. `corrected` is how much of
    each day's usage is corrections.
    """

    product: str
    month: date
    store: str
    content: str | None
    daily: Daily
    conversions: int
    revenue: Mapping[str, int]
    corrected: Daily = field(default_factory=dict)

    @property
    def quantity(self) -> Decimal:
        """The usage of the whole month."""
        return sum(self.daily.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """The usage of one product in one calendar month."""

    month: date
    quantity: Decimal


def marker_expiry(now: datetime, reported_within: timedelta) -> datetime:
    """The end of the marker of an event that is counted now: after the last time it is accepted again."""
    return now + reported_within + MARKER_SLACK


def month_of(day: date) -> date:
    """The first day of the day's month."""
    return day.replace(day=1)


def month_before(month: date, count: int = 1) -> date:
    """The month `count` months earlier; later if `count` is negative."""
    return months_after(month, -count)


def closed(daily: Daily, today: date, since: date, count: int) -> list[date]:
    """The last closed months before `today`, at most `count`, oldest first.

    A month counts when it begins on or after `since`, the account's first day, or on or after the first usage if that
    is earlier: an account with imported usage is older than its contract. A month without usage counts.
    """
    first_day = min(since, min(daily, default=since))
    first = month_of(first_day) if first_day.day == 1 else month_before(month_of(first_day), -1)
    months = (month_before(month_of(today), back) for back in range(count, 0, -1))
    return [each for each in months if each >= first]


def closed_months(daily: Daily, today: date, since: date, count: int) -> tuple[MonthUsage, ...]:
    """The usage of the months that `closed` returns."""
    months = closed(daily, today, since, count)
    earliest = months[0] if months else today
    quantities = monthly({day: quantity for day, quantity in daily.items() if day >= earliest})
    return tuple(MonthUsage(each, quantities.get(each, Decimal(0))) for each in months)


def monthly(daily: Daily) -> dict[date, Decimal]:
    """Usage by month."""
    sums: dict[date, Decimal] = {}
    for day, quantity in daily.items():
        month = month_of(day)
        sums[month] = sums.get(month, Decimal(0)) + quantity
    return sums


def average(months: Sequence[MonthUsage]) -> Decimal | None:
    """The mean usage of these months, unrounded; None without months."""
    if not months:
        return None
    return sum((each.quantity for each in months), Decimal(0)) / len(months)


def digest(*parts: str) -> str:
    """Half of a SHA-256, in hexadecimal. Joined by NUL: only the last part may contain control characters."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
