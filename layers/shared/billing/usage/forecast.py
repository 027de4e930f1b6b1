"""The forecast of a product's usage in the running and the coming month, with a range.

The expected usage of a day is the level of the last weeks, times the usual share of its weekday. A peak counts as a
usual day, so neither a robot nor a campaign is carried on. Trends are not carried on either: on real usage that made
the forecast worse. The range comes from the errors of the same forecast in the past weeks.
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
"""Whole days since the first usage. With fewer days a weekend looks like a trend."""

LEVEL_WEEKS = (1, 4, 8)
"""The level is the mean of the means over these numbers of weeks. A step shows soon, but one week does not decide."""

TRIALS_MAX = 26
"""The forecast is compared with the real usage of at most so many past weeks."""

HISTORY_MONTHS = 8
"""Whole months of usage that a forecast reads: the trials, and the weeks before the first trial."""

COVERED_PERCENT = 80
"""So many months of a hundred lie in their range. On real series it was 78 to 85, depending on the days known."""

_TRIALS_WITHIN = Decimal("0.9")
"""The share of past errors that the range covers. It is more than COVERED_PERCENT: past weeks resemble each other more
than coming months resemble them."""

_ASSUMED_ERROR = Decimal("0.4")
_ASSUMED_TRIALS = 6
"""_ASSUMED_ERROR is the usual error of other series. It weighs as much as so many trials while there are few."""

_ERROR_MAX = Decimal(3)
"""The largest error: the ratio of usage to no usage would be infinite."""

_ZERO, _ONE, _WEEK = Decimal(0), Decimal(1), 7


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected usage of a month, unrounded. It lies between `low` and `high` with COVERED_PERCENT probability.

    `month` is its first day.
    """

    month: date
    expected: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole running month, including its usage so far, and the month after it."""

    running: Expectation
    coming: Expectation


def forecast(daily: Daily, today: date) -> Forecast | None:
    """The forecast on `today`; today's usage is incomplete.

    None with fewer than KNOWN_DAYS_MIN days since the first usage. Usage from more than HISTORY_MONTHS before the
    running month changes nothing.
    """
    running = month_of(today)
    coming, after = month_before(running, -1), month_before(running, -2)
    earliest = month_before(running, HISTORY_MONTHS)
    first = min((day for day, quantity in daily.items() if quantity and earliest <= day < today), default=today)
    history = [daily.get(first + timedelta(days), _ZERO) for days in range((today - first).days)]
    if len(history) < KNOWN_DAYS_MIN:
        return None
    trials = _Trials(first, history)
    rest, left = _expected_days(first, history), (coming - today).days
    used_today = daily.get(today, _ZERO)
    so_far = sum(history[-(today - running).days :], _ZERO) if today > running else _ZERO
    still = max(_sum(rest, today, 1), used_today) + _sum(rest, today + timedelta(1), left - 1)
    error = _ONE + trials.error(0, left)
    next_month = _sum(rest, coming, (after - coming).days)
    next_error = _ONE + trials.error(left, (after - coming).days)
    return Forecast(
        Expectation(running, so_far + still, so_far + max(still / error, used_today), so_far + still * error),
        Expectation(coming, next_month, next_month / next_error, next_month * next_error),
    )


class _Trials:
    """The forecasts that the past weeks would have had, the latest first."""

    def __init__(self, first: date, history: Sequence[Decimal]) -> None:
        self._first = first
        self._sums = [_ZERO, *accumulate(history)]
        ends = range(len(history) - _WEEK, KNOWN_DAYS_MIN - 1, -_WEEK)[:TRIALS_MAX]
        self._forecasts = [(end, _expected_days(first, history[:end])) for end in ends]

    def error(self, skipped: int, days: int) -> Decimal:
        """The error to expect of a forecast for `days` days that begin after `skipped` days.

        0.5 means that the usage is 1.5 times the forecast, or the forecast 1.5 times the usage.
        """
        errors = sorted(
            _error(
                _sum(expected, self._first + timedelta(end + skipped), days),
                self._sums[end + skipped + days] - self._sums[end + skipped],
            )
            for end, expected in self._forecasts
            if end + skipped + days < len(self._sums)
        )
        if not errors:
            return _ASSUMED_ERROR
        covered_error = errors[int(_TRIALS_WITHIN * (len(errors) - 1))]
        return (covered_error * len(errors) + _ASSUMED_ERROR * _ASSUMED_TRIALS) / (len(errors) + _ASSUMED_TRIALS)


def _expected_days(first: date, history: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The expected usage of each day of the week, Monday first, after a history that begins on the day `first`."""
    weeks = min(len(history) // _WEEK, max(LEVEL_WEEKS))
    recent = history[-weeks * _WEEK :]
    start = first + timedelta(len(history) - len(recent))
    counted = _counted(start, recent)
    means = [sum(counted[-min(weeks, each) * _WEEK :], _ZERO) / (min(weeks, each) * _WEEK) for each in LEVEL_WEEKS]
    level = sum(means, _ZERO) / len(means)
    usual = [median(counted[(weekday - start.weekday()) % _WEEK :: _WEEK]) for weekday in range(_WEEK)]
    whole = sum(usual, _ZERO)
    return tuple(level * each * _WEEK / whole if whole else level for each in usual)


def _counted(start: date, quantities: Sequence[Decimal]) -> Sequence[Decimal]:
    """The quantities of the days from `start` on, each peak replaced by the usual quantity."""
    # A product without usage on most days has no usual day: each day with usage would be a peak.
    if quantities.count(_ZERO) * 2 > len(quantities):
        return quantities
    days = [start + timedelta(days) for days in range(len(quantities))]
    usual = usual_days(dict(zip(days, quantities, strict=True)), start, days[-1] + timedelta(1))
    return [
        usual.quantities[day.weekday()] if usual.is_peak(day, quantity) else quantity
        for day, quantity in zip(days, quantities, strict=True)
    ]


def _sum(expected: Sequence[Decimal], start: date, days: int) -> Decimal:
    """The expected usage of `days` days from `start` on."""
    weekday = start.weekday()
    weeks, rest = divmod(days, _WEEK)
    return weeks * sum(expected, _ZERO) + sum((expected[(weekday + each) % _WEEK] for each in range(rest)), _ZERO)


def _error(expected: Decimal, actual: Decimal) -> Decimal:
    smaller, larger = sorted((expected, actual))
    if not larger:
        return _ZERO
    return min(larger / smaller - _ONE, _ERROR_MAX) if smaller else _ERROR_MAX
