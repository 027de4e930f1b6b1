"""What the running month and the coming one will probably come to: by weekdays, without peaks, with an honest range.

Each weekday has its usual day, from the last eight of them; how the last four weeks compare with that is the level.
Peaks count as three usual days, here as everywhere. No trend is carried on: on real series believing in one, even by a
fifth, was wrong more often than right. The range comes from how wrong the same method would have been at earlier dates
of the same usage, so a calm shop has a narrow one; it is made to hold about eight of ten months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.domain.peaks import WEEK, days, usual_days
from billing.domain.usage import Daily, month_before, month_of

HISTORY_DAYS_MIN = 14
"""With less, nobody can tell one weekday from another."""

WINDOW = timedelta(weeks=8)
LEVEL = timedelta(weeks=4)

TRIALS_MAX = 16
TRIALS_APART = timedelta(weeks=2)
"""At so many earlier dates the method is tried on the same usage."""

TRIALS_MIN = 5
SPREAD_UNKNOWN = Decimal("0.4")
"""Of the expected, up and down, where there is too little history to try the method on."""

SPREAD_MIN = Decimal("0.05")
STRETCH = Decimal("1.5")
"""Trials overlap, and tomorrow is stranger than yesterday: their errors are stretched by this much."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a month will probably come to; eight of ten end between `low` and `high`."""

    month: date
    expected: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """The running month with what it has already come to, and the one after it."""

    running: Expectation
    coming: Expectation


def forecast(daily: Daily, today: date) -> Forecast | None:
    """The forecast on a day that is not over yet; None with fewer than HISTORY_DAYS_MIN days before it."""
    first = min(daily, default=today)
    if (today - first).days < HISTORY_DAYS_MIN:
        return None
    running = month_of(today)
    coming, after = month_before(running, -1), month_before(running, -2)
    so_far = sum((quantity for day, quantity in daily.items() if running <= day <= today), Decimal(0))
    pace = _Pace.of(daily, today, first)
    # Today goes on: it comes to what is usual, or to more if it has already.
    rest = max(Decimal(0), pace.on(today) - daily.get(today, Decimal(0)))
    rest += pace.between(today + timedelta(days=1), coming)
    trials = _trials(daily, today, first)
    return Forecast(
        running=_expectation(running, so_far, rest, _spread(daily, trials, today, today, coming)),
        coming=_expectation(
            coming, Decimal(0), pace.between(coming, after), _spread(daily, trials, today, coming, after)
        ),
    )


def _expectation(month: date, sure: Decimal, rest: Decimal, spread: tuple[Decimal, Decimal]) -> Expectation:
    low, high = spread
    return Expectation(month, sure + rest, sure + rest * low, sure + rest * high)


@dataclass(frozen=True, slots=True)
class _Pace:
    """Usage per day by weekday, as it was known on `origin`, before that day."""

    origin: date
    by_weekday: Sequence[Decimal]

    @classmethod
    def of(cls, daily: Daily, origin: date, first: date) -> _Pace:
        begin = max(first, origin - WINDOW)
        usual = usual_days(daily, begin, origin)
        recent = [*days(max(begin, origin - LEVEL), origin)]
        used = sum((min(daily.get(day, Decimal(0)), usual.cap(day)) for day in recent), Decimal(0))
        ordinary = sum((usual.by_weekday[day.weekday()] for day in recent), Decimal(0))
        if not ordinary:  # used so seldom that on most weekdays there usually is none
            return cls(origin, [used / len(recent)] * WEEK)
        return cls(origin, [each * used / ordinary for each in usual.by_weekday])

    def on(self, day: date) -> Decimal:
        return self.by_weekday[day.weekday()]

    def between(self, first: date, until: date) -> Decimal:
        return sum((self.on(day) for day in days(first, until)), Decimal(0))


def _trials(daily: Daily, today: date, first: date) -> list[_Pace]:
    """The pace as it was known at earlier dates, newest first."""
    origins = (today - number * TRIALS_APART for number in range(1, TRIALS_MAX + 1))
    return [_Pace.of(daily, origin, first) for origin in origins if (origin - first).days >= HISTORY_DAYS_MIN]


def _spread(daily: Daily, trials: Sequence[_Pace], today: date, begin: date, until: date) -> tuple[Decimal, Decimal]:
    """By what factors the days from `begin` and before `until` may come out lower and higher than expected."""
    ratios: list[Decimal] = []
    for pace in trials:
        back = today - pace.origin
        if until - back <= today:
            expected = pace.between(begin - back, until - back)
            came = sum((daily.get(day, Decimal(0)) for day in days(begin - back, until - back)), Decimal(0))
            if expected:
                ratios.append(came / expected)
    if len(ratios) < TRIALS_MIN:
        return 1 - SPREAD_UNKNOWN, 1 + SPREAD_UNKNOWN
    ratios.sort()
    outside = len(ratios) // 10
    low, high = (STRETCH * (ratio - 1) for ratio in (ratios[outside], ratios[-1 - outside]))
    return max(Decimal(0), 1 + min(low, -SPREAD_MIN)), 1 + max(high, SPREAD_MIN)
