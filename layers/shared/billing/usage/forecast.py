"""What a product will probably use in the running month and in the coming one, and how sure that is.

A day is expected to be like the last weeks' days: their level, times what its day of the week usually is to it. In
the place of peaks stands what is usual: neither a robot nor a campaign is carried on. Nor is a trend: tried on real
usage, that was wrong by more. The range is how wrong the same forecast was in the weeks before, each time it could
have been made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from statistics import median

from billing.usage.peaks import usual_days
from billing.usage.rules import Daily, month_before, month_of

KNOWN_DAYS_MIN = 14
"""Whole days since the first usage. With fewer, nobody can tell a weekend from a trend."""

LEVEL_WEEKS = (1, 4, 8)
"""The level is the mean of the means of so many weeks: a step shows soon, a single week does not decide."""

TRIALS_MAX = 26
"""Of so many past weeks the forecast is compared to what came."""

HISTORY_MONTHS = 8
"""Whole months that hold all that a forecast looks at: the trials, and the weeks before the first of them."""

COVERED_PERCENT = 80
"""So many months of a hundred lie in their range. On real series, 78 to 85 did, by how much of a month was known."""

_TRIALS_WITHIN = Decimal("0.9")
"""So many of the past errors are within the range: more than COVERED_PERCENT, as the months to come are less like the
past than the weeks of the past are like each other."""

_ASSUMED_ERROR = Decimal("0.4")
_ASSUMED_TRIALS = 6
"""As long as there are few trials, an error that is usual elsewhere counts as much as so many of them."""

_ERROR_MAX = Decimal(3)
"""A month that came to nothing, or came from nothing, is not infinitely wrong."""

_ZERO, _ONE, _WEEK = Decimal(0), Decimal(1), 7


@dataclass(frozen=True, slots=True)
class Expectation:
    """The usage of a month. It lies between `low` and `high` with COVERED_PERCENT of certainty; unrounded."""

    month: date
    expected: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """The running month as a whole, what it has used already included, and the one after it."""

    running: Expectation
    coming: Expectation


def forecast(daily: Daily, today: date) -> Forecast | None:
    """What is to be expected on `today`, of which only a part is known. None with fewer than KNOWN_DAYS_MIN days.

    What was used more than HISTORY_MONTHS before the running month changes nothing.
    """
    running = month_of(today)
    coming, after = month_before(running, -1), month_before(running, -2)
    earliest = month_before(running, HISTORY_MONTHS)
    first = min((day for day, quantity in daily.items() if quantity and earliest <= day < today), default=today)
    known = [daily.get(first + timedelta(days), _ZERO) for days in range((today - first).days)]
    if len(known) < KNOWN_DAYS_MIN:
        return None
    trials = _Trials(first, known)
    rest, left = _expected_days(first, known), (coming - today).days
    used_today = daily.get(today, _ZERO)
    so_far = sum(known[-(today - running).days :], _ZERO) if today > running else _ZERO
    still = max(_sum(rest, today, 1), used_today) + _sum(rest, today + timedelta(1), left - 1)
    error = _ONE + trials.error(0, left)
    next_month = _sum(rest, coming, (after - coming).days)
    next_error = _ONE + trials.error(left, (after - coming).days)
    return Forecast(
        Expectation(running, so_far + still, so_far + max(still / error, used_today), so_far + still * error),
        Expectation(coming, next_month, next_month / next_error, next_month * next_error),
    )


class _Trials:
    """The forecasts that could have been made in the past weeks, the latest first."""

    def __init__(self, first: date, known: Sequence[Decimal]) -> None:
        self._first = first
        self._sums = [_ZERO, *accumulate(known)]
        ends = range(len(known) - _WEEK, KNOWN_DAYS_MIN - 1, -_WEEK)[:TRIALS_MAX]
        self._made = [(end, _expected_days(first, known[:end])) for end in ends]

    def error(self, skipped: int, days: int) -> Decimal:
        """How wrong a forecast of so many days is, after so many days: 0.5 is too high or too low by half.

        Too low by a factor is as wrong as too high by the same.
        """
        errors = sorted(
            _error(
                _sum(expected, self._first + timedelta(end + skipped), days),
                self._sums[end + skipped + days] - self._sums[end + skipped],
            )
            for end, expected in self._made
            if end + skipped + days < len(self._sums)
        )
        if not errors:
            return _ASSUMED_ERROR
        within = errors[int(_TRIALS_WITHIN * (len(errors) - 1))]
        return (within * len(errors) + _ASSUMED_ERROR * _ASSUMED_TRIALS) / (len(errors) + _ASSUMED_TRIALS)


def _expected_days(first: date, known: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """What each day of the week is expected to use, Monday first, after the days known, of which `first` is one."""
    weeks = min(len(known) // _WEEK, max(LEVEL_WEEKS))
    recent = known[-weeks * _WEEK :]
    start = first + timedelta(len(known) - len(recent))
    counted = _counted(start, recent)
    means = [sum(counted[-min(weeks, each) * _WEEK :], _ZERO) / (min(weeks, each) * _WEEK) for each in LEVEL_WEEKS]
    level = sum(means, _ZERO) / len(means)
    usual = [median(counted[(weekday - start.weekday()) % _WEEK :: _WEEK]) for weekday in range(_WEEK)]
    whole = sum(usual, _ZERO)
    return tuple(level * each * _WEEK / whole if whole else level for each in usual)


def _counted(start: date, quantities: Sequence[Decimal]) -> Sequence[Decimal]:
    """The quantities of the days from `start` on, with what is usual in the place of peaks."""
    # Of what is used now and then, no day is usual, and each would be a peak.
    if quantities.count(_ZERO) * 2 > len(quantities):
        return quantities
    days = [start + timedelta(days) for days in range(len(quantities))]
    usual = usual_days(dict(zip(days, quantities, strict=True)), start, days[-1] + timedelta(1))
    return [
        usual.quantities[day.weekday()] if usual.is_peak(day, quantity) else quantity
        for day, quantity in zip(days, quantities, strict=True)
    ]


def _sum(expected: Sequence[Decimal], start: date, days: int) -> Decimal:
    """What so many days from `start` on are expected to use."""
    weekday = start.weekday()
    weeks, rest = divmod(days, _WEEK)
    return weeks * sum(expected, _ZERO) + sum((expected[(weekday + each) % _WEEK] for each in range(rest)), _ZERO)


def _error(expected: Decimal, actual: Decimal) -> Decimal:
    smaller, larger = sorted((expected, actual))
    if not larger:
        return _ZERO
    return min(larger / smaller - _ONE, _ERROR_MAX) if smaller else _ERROR_MAX
