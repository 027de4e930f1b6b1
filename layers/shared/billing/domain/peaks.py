"""Days that stand out: what a day usually is, and when it is a peak (AUTOSCALING, the starting rule, point 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from billing.domain.usage import Daily

PEAK_FACTOR = 3
"""A day counts at most so many times its usual day; what is more is a peak."""

BUSIEST_SHARE = 10
"""One in so many days, the busiest, does not count when it is asked what is usual."""

WEEK = 7


@dataclass(frozen=True, slots=True)
class UsualDays:
    """What is usual in a stretch of days: by weekday (Monday is 0), and on any day."""

    by_weekday: tuple[Decimal, ...]
    any_day: Decimal

    def cap(self, day: date) -> Decimal:
        """The most that a day counts for."""
        return PEAK_FACTOR * max(self.by_weekday[day.weekday()], self.any_day)


def usual_days(daily: Daily, first: date, until: date) -> UsualDays:
    """What was usual from `first` and before `until`, a week at least. A day that is not there had no usage."""
    by_weekday: list[list[Decimal]] = [[] for _ in range(WEEK)]
    for day in days(first, until):
        by_weekday[day.weekday()].append(daily.get(day, Decimal(0)))
    every = sorted(quantity for quantities in by_weekday for quantity in quantities)
    calm = every[: len(every) - len(every) // BUSIEST_SHARE]
    return UsualDays(
        tuple(median(quantities) if quantities else Decimal(0) for quantities in by_weekday),
        sum(calm, Decimal(0)) / len(calm),
    )


def peaks(daily: Daily, first: date, until: date) -> dict[date, Decimal]:
    """The peaks from `first` and before `until`, each with what it would count for at most."""
    if (until - first).days < WEEK:
        return {}
    usual = usual_days(daily, first, until)
    stretch = {day: daily[day] for day in days(first, until) if day in daily}
    return {day: usual.cap(day) for day, quantity in stretch.items() if quantity > usual.cap(day)}


def days(first: date, until: date) -> Iterator[date]:
    """The days from `first` and before `until`."""
    return (first + timedelta(days=number) for number in range((until - first).days))
