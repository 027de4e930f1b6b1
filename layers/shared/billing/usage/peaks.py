"""Peaks: days far above their usual usage. A peak must not count as steady usage (DESIGN 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from billing.usage.rules import Daily, month_before, month_of

PEAK_FACTOR = 3
"""A day counts at most so many times its usual day. A day above that is a peak."""

BUSIEST_DIVISOR = 10
"""The mean day leaves out the busiest one in so many days: a few peaks must not make peaks usual."""

WINDOW_MONTHS = 3
"""A day is compared with the days of so many months; its own month is the last one."""

WINDOW_DAYS_MIN = 14
"""A window with fewer days has no usual day, so it has no peaks."""


@dataclass(frozen=True, slots=True)
class UsualDays:
    """The usual quantity of each day of the week, Monday first."""

    quantities: tuple[Decimal, ...]
    most: tuple[Decimal, ...] = field(init=False)
    """The most that a day counts for: PEAK_FACTOR times its usual quantity."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "most", tuple(PEAK_FACTOR * each for each in self.quantities))

    def counted(self, day: date, quantity: Decimal) -> Decimal:
        """The part of a day's quantity that counts."""
        return min(quantity, self.most[day.weekday()])

    def is_peak(self, day: date, quantity: Decimal) -> bool:
        """Whether a day's quantity is more than it may count for."""
        return quantity > self.most[day.weekday()]


def usual_days(daily: Daily, first: date, until: date) -> UsualDays:
    """The usual days of a window from `first` to before `until`, of at least one day.

    The usual quantity is the larger of the weekday's median and the mean day without the busiest tenth. With the
    median alone, each day with usage would be a peak for an account that uses a product on every third day.
    """
    days = [first + timedelta(days) for days in range((until - first).days)]
    quantities = [daily.get(day, Decimal(0)) for day in days]
    mean = _mean_without_busiest(quantities)
    by_weekday = [quantities[(weekday - first.weekday()) % 7 :: 7] for weekday in range(7)]
    return UsualDays(tuple(max(median(each), mean) if each else mean for each in by_weekday))


def peaks(daily: Daily, first: date, until: date, today: date) -> frozenset[date]:
    """The peaks among the days from `first` to before `until`.

    `daily` must reach back to the window of the first month. A window begins with its first usage, so the range that is
    asked for does not change which days are peaks. The usage of `today` is incomplete: today can be a peak, but it
    does not count as a usual day.
    """
    peak_days: set[date] = set()
    for month in sorted({month_of(day) for day in daily if first <= day < until}):
        earliest, end = month_before(month, WINDOW_MONTHS - 1), min(today, month_before(month, -1))
        begin = min((day for day, quantity in daily.items() if quantity and earliest <= day < end), default=end)
        if (end - begin).days < WINDOW_DAYS_MIN:
            continue
        usual = usual_days(daily, begin, end)
        peak_days |= {
            day
            for day, quantity in daily.items()
            if month_of(day) == month and first <= day < until and usual.is_peak(day, quantity)
        }
    return frozenset(peak_days)


def _mean_without_busiest(quantities: Sequence[Decimal]) -> Decimal:
    rest = sorted(quantities)[: len(quantities) - len(quantities) // BUSIEST_DIVISOR]
    return sum(rest, Decimal(0)) / len(rest)
