"""Peaks: days far above what is usual, which must not pass for steady usage (DESIGN 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from billing.usage.rules import Daily, month_before, month_of

PEAK_FACTOR = 3
"""A day counts at most so many times its usual day. What is above that is a peak."""

BUSIEST_DIVISOR = 10
"""One day in so many, the busiest, is left out of the mean day: a few peaks must not make peaks usual."""

WINDOW_MONTHS = 3
"""A day is compared to the days of so many months, of which its own is the last."""

WINDOW_DAYS_MIN = 14
"""With fewer, nothing is usual yet."""


@dataclass(frozen=True, slots=True)
class UsualDays:
    """What is usual on each day of the week, Monday first."""

    quantities: tuple[Decimal, ...]
    most: tuple[Decimal, ...] = field(init=False)
    """What a day counts for at most: PEAK_FACTOR usual ones."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "most", tuple(PEAK_FACTOR * each for each in self.quantities))

    def counted(self, day: date, quantity: Decimal) -> Decimal:
        """What the quantity of a day counts for."""
        return min(quantity, self.most[day.weekday()])

    def is_peak(self, day: date, quantity: Decimal) -> bool:
        """Whether the quantity of a day is more than it may count for."""
        return quantity > self.most[day.weekday()]


def usual_days(daily: Daily, first: date, until: date) -> UsualDays:
    """The usual days of a window, which ends before `until` and has at least one day.

    Usual is the larger of the weekday's median and the mean day without the busiest tenth. The median alone would
    make a peak of every day of somebody who uses a product on every third day.
    """
    days = [first + timedelta(days) for days in range((until - first).days)]
    quantities = [daily.get(day, Decimal(0)) for day in days]
    mean = _mean_without_busiest(quantities)
    by_weekday = [quantities[(weekday - first.weekday()) % 7 :: 7] for weekday in range(7)]
    return UsualDays(tuple(max(median(each), mean) if each else mean for each in by_weekday))


def peaks(daily: Daily, first: date, until: date, today: date) -> frozenset[date]:
    """The days from `first` on and before `until` that are peaks.

    `daily` reaches back to WINDOW_MONTHS before. A day is compared with its window from the first usage in it, so that
    a peak is one whatever is asked for. Of `today` only a part is known: it may be a peak, but says nothing of what
    is usual.
    """
    found: set[date] = set()
    for month in sorted({month_of(day) for day in daily if first <= day < until}):
        earliest, end = month_before(month, WINDOW_MONTHS - 1), min(today, month_before(month, -1))
        begin = min((day for day, quantity in daily.items() if quantity and earliest <= day < end), default=end)
        if (end - begin).days < WINDOW_DAYS_MIN:
            continue
        usual = usual_days(daily, begin, end)
        found |= {
            day
            for day, quantity in daily.items()
            if month_of(day) == month and first <= day < until and usual.is_peak(day, quantity)
        }
    return frozenset(found)


def _mean_without_busiest(quantities: Sequence[Decimal]) -> Decimal:
    kept = sorted(quantities)[: len(quantities) - len(quantities) // BUSIEST_DIVISOR]
    return sum(kept, Decimal(0)) / len(kept)
