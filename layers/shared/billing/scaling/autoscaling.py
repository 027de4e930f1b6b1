"""Whether a product has outgrown its tier, from the daily usage of closed months (DESIGN 3.2).

The rule asks several questions about a limit. Was usage above it in each of three months? In most weeks? Is it still?
Will it be, by last year's season? The answer to each is a volume per month: the highest limit for which it is yes. The
smallest answer is the *steady usage*, and the product belongs in the smallest tier that holds it. More usage on any
day of the last three months makes no answer smaller, so it never leads to a lower tier. If all usage and all limits
are multiplied by a factor, so are the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from billing.usage.peaks import usual_days
from billing.usage.rules import CLOSED_MONTHS, Daily, closed, month_before

RULE_VERSION = 1
"""Increased with every change of the rule: a stored decision is recomputed with the rule that made it."""

HISTORY_MONTHS = 15
"""Closed months that the rule reads: the last three, and the year before them."""

MONTH_DAYS = Decimal("30.4375")
"""The length of an average month: a tier's volume does not depend on the calendar."""

TOLERANCE = Decimal("1.04")
"""A month is above a limit from so many times the limit on: one percent does not justify a higher tier."""

WEEKS = 13
WEEKS_ABOVE_MIN = 7
"""So many of the last weeks must be above the limit if an earlier month had come near it."""

WEEKS_ABOVE_MIN_FIRST_TIME = 10
"""So many must be above it if no earlier month had come near it: a campaign of two months fills nine weeks."""

NEAR_BEFORE = Decimal("0.85")
"""An earlier month had come near a limit if it reached this share of it."""

RECENT_WEEKS = 4
RECENT_WEEKS_ABOVE_MIN = 3
"""So many of the last four weeks must still be above the limit."""

RECENT_MEAN = Decimal("1.05")
"""Or their mean is so many times the limit, and one of the last two is above it: bulk orders do not come every week."""

EARLY_RISE = Decimal("1.1")
"""If usage rose by this factor at this time of last year too, two months above the limit suffice, not three."""

EARLY_MONTH_BEFORE = Decimal("0.7")
"""The third month back must then have reached this share of the limit: usage rises, it does not jump."""

EARLY_WEEKS = 8
EARLY_WEEKS_ABOVE_MIN = 7
EARLY_MARGIN = Decimal("1.1")
"""And EARLY_WEEKS_ABOVE_MIN of the last EARLY_WEEKS weeks, and the expected usage, must be so many times the limit."""

RETURNING_MONTHS = 6
"""Peaks that return in so many months in a row count as usage."""

SEASON_MONTHS_MIN = 13
"""With so many closed months, last year's season is known."""

_ZERO, _ONE = Decimal(0), Decimal(1)

Reason = Literal[
    "moved",
    "moved_early",
    "moved_by_returning_peaks",
    "fits",
    "peak",
    "near",
    "unsteady",
    "receding",
    "season",
    "too_few_months",
    "top_tier",
]
"""Why a product moves, or why it stays:

- `moved`: all three typical months are above the limit, and all other questions say yes.
- `moved_early`: two months are above it, and usage rose at this time of last year too.
- `moved_by_returning_peaks`: six months in a row are above it with their peaks.
- `fits`: no month is above it. `peak`: one is, but only with its peaks. `near`: not all three are, or by too little.
- `unsteady`: too few of the last weeks are above it. `receding`: the last four weeks no longer are.
- `season`: usage fell so much at this time of last year that it would fit again.
- `too_few_months`: fewer than three closed months. `top_tier`: there is no higher tier.
"""


@dataclass(frozen=True, slots=True)
class TypicalMonth:
    """A closed month: its real usage, and its usage at the length of an average month.

    `typical` counts each day up to its peak limit; `with_peaks` limits only the days that staff have marked.
    """

    month: date
    usage: Decimal
    with_peaks: Decimal
    typical: Decimal


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A day of the last three months that did not count in full. A `known_peak` is a day that staff had marked."""

    day: date
    usage: Decimal
    counted: Decimal
    reason: Literal["peak", "known_peak"]


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from `first_day` on. `pace` is the usage of a month of such weeks, without peaks."""

    first_day: date
    pace: Decimal


@dataclass(frozen=True, slots=True)
class Season:
    """The mean typical month of last year: of up to three months before this date, and of the three after it."""

    before: Decimal
    after: Decimal

    @property
    def share(self) -> Decimal:
        """The usage after this date as a share of the usage before it; 1 if usage rose."""
        return self.after / self.before if self.after < self.before else _ONE

    @property
    def rose(self) -> bool:
        """Whether usage rose by EARLY_RISE: the same rise is expected this year."""
        return self.after > 0 and self.after >= EARLY_RISE * self.before


@dataclass(frozen=True, slots=True)
class Decision:
    """The tier of a product from `month` on, with all values that led to it.

    `current` and `target` are positions in the list of tiers; `limit` is the current tier's volume. `months` are the
    last three closed months, or fewer, and `weeks` the last thirteen, both oldest first. `highest_before` is the
    highest typical month of the year before them. `season` is None until last year's is known. `steady` is the steady
    usage, None with too few months. Quantities are per month and unrounded.
    """

    rule_version: int
    month: date
    current: int
    target: int
    limit: Decimal | None
    reason: Reason
    months: tuple[TypicalMonth, ...]
    left_out: tuple[LeftOut, ...]
    weeks: tuple[Week, ...]
    highest_before: Decimal | None
    season: Season | None
    steady: Decimal | None

    @property
    def moves(self) -> bool:
        """Whether the product moves to a higher tier."""
        return self.target > self.current

    @property
    def months_above(self) -> int:
        """How many typical months are above the current tier's limit."""
        return _count_above((each.typical for each in self.months), self.limit)

    @property
    def weeks_above(self) -> int:
        """How many weeks are above the current tier's limit."""
        return _count_above((each.pace for each in self.weeks), self.limit)


@dataclass(frozen=True, slots=True)
class _Quarter:
    """Three months or fewer, with the counted quantity of each day."""

    months: tuple[TypicalMonth, ...]
    counted: dict[date, Decimal]
    left_out: tuple[LeftOut, ...]

    @property
    def pace(self) -> Decimal:
        return _per_month(self.counted.values())


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The values that the questions of the rule use."""

    months: tuple[TypicalMonth, ...]
    earlier: tuple[TypicalMonth, ...]
    weeks: tuple[Week, ...]
    season: Season | None


def decide(
    daily: Daily,
    limits: Sequence[Decimal | None],
    current: int,
    month: date,
    since: date,
    known_peaks: Set[date] = frozenset(),
) -> Decision:
    """The tier from `month` (its first day) on, for an account whose first day was `since`.

    `limits` are the tiers' volumes per month in rising order, None for the open-ended one; `current` is a position in
    them. `daily` holds up to HISTORY_MONTHS closed months. `known_peaks` are days that staff have marked: each counts
    at most as a usual day.
    """
    months_known = len(closed(daily, month, since, HISTORY_MONTHS))
    quarters = _quarters(daily, month, months_known, known_peaks)
    earlier = tuple(each for quarter in quarters[1:] for each in quarter.months)
    season = None
    if months_known >= SEASON_MONTHS_MIN:
        season = Season(before=quarters[-1].pace, after=quarters[-2].pace)
    months = quarters[0].months if quarters else ()
    evidence = _Evidence(months, earlier, _weeks(quarters, month), season)
    limit = limits[current]
    steady = None
    target = current
    reason: Reason
    if months_known < CLOSED_MONTHS:
        reason = "too_few_months"
    else:
        steady = max(_steady(evidence), _steady_early(evidence), _steady_with_peaks(evidence))
        target = _fitting(steady, limits, current)
        if limit is None or current == len(limits) - 1:
            reason = "top_tier"
        elif target > current:
            reason = _why_moved(evidence, limit)
        else:
            reason = _why_not(evidence, limit)
    return Decision(
        rule_version=RULE_VERSION,
        month=month,
        current=current,
        target=target,
        limit=limit,
        reason=reason,
        months=months,
        left_out=quarters[0].left_out if quarters else (),
        weeks=evidence.weeks,
        highest_before=max((each.typical for each in earlier), default=None),
        season=season,
        steady=steady,
    )


def _fitting(steady: Decimal, limits: Sequence[Decimal | None], current: int) -> int:
    """The position of the smallest tier from `current` on that holds `steady`; of the highest if none does."""
    for position, limit in enumerate(limits[current:], current):
        if limit is None or steady <= limit:
            return position
    return len(limits) - 1


def _why_moved(evidence: _Evidence, limit: Decimal) -> Reason:
    if _steady(evidence) > limit:
        return "moved"
    return "moved_early" if _steady_early(evidence) > limit else "moved_by_returning_peaks"


def _why_not(evidence: _Evidence, limit: Decimal) -> Reason:
    """The reason of the first question that says no, for a product that stays."""
    if _lasting(evidence) <= limit:
        if any(each.typical > limit for each in evidence.months):
            return "near"
        return "peak" if any(max(each.usage, each.with_peaks) > limit for each in evidence.months) else "fits"
    if _sustained(evidence) <= limit:
        return "unsteady"
    return "receding" if _recent(evidence) <= limit else "season"


def _steady(evidence: _Evidence) -> Decimal:
    """The usage that lasted for three months, still lasts, and is expected to last."""
    return min(_lasting(evidence), _sustained(evidence), _recent(evidence), _expected(evidence))


def _steady_early(evidence: _Evidence) -> Decimal:
    """The usage that two months show, if usage rose at this time of last year; else zero."""
    if evidence.season is None or not evidence.season.rose:
        return _ZERO
    third, *last_two = (each.typical for each in evidence.months)
    return min(
        *(each / TOLERANCE for each in last_two),
        third / EARLY_MONTH_BEFORE,
        _pace_of_weeks(evidence.weeks[-EARLY_WEEKS:], EARLY_WEEKS_ABOVE_MIN) / EARLY_MARGIN,
        _expected(evidence) / EARLY_MARGIN,
    )


def _steady_with_peaks(evidence: _Evidence) -> Decimal:
    """The usage with peaks that return in RETURNING_MONTHS months in a row; zero with fewer months."""
    months = (*evidence.months, *evidence.earlier[: RETURNING_MONTHS - CLOSED_MONTHS])
    if len(months) < RETURNING_MONTHS:
        return _ZERO
    steady = min(each.with_peaks for each in months) / TOLERANCE
    return steady if evidence.season is None else steady * evidence.season.share


def _lasting(evidence: _Evidence) -> Decimal:
    """The answer of the three typical months: the smallest of them."""
    return min(each.typical for each in evidence.months) / TOLERANCE


def _sustained(evidence: _Evidence) -> Decimal:
    """The answer of the weeks. More weeks are needed if no earlier month had come near the limit."""
    first_time = _pace_of_weeks(evidence.weeks, WEEKS_ABOVE_MIN_FIRST_TIME)
    again = _pace_of_weeks(evidence.weeks, WEEKS_ABOVE_MIN)
    highest_before = max((each.typical for each in evidence.earlier), default=_ZERO)
    return max(first_time, min(again, highest_before / NEAR_BEFORE))


def _recent(evidence: _Evidence) -> Decimal:
    """The answer of the last four weeks."""
    paces = [each.pace for each in evidence.weeks[-RECENT_WEEKS:]]
    on_average = sum(paces, _ZERO) / len(paces) / RECENT_MEAN
    return max(sorted(paces)[-RECENT_WEEKS_ABOVE_MIN], min(on_average, max(paces[-2:])))


def _expected(evidence: _Evidence) -> Decimal:
    """The answer of the season: the mean of the three months, reduced by the fall at this time of last year."""
    mean = sum((each.typical for each in evidence.months), _ZERO) / len(evidence.months)
    return mean if evidence.season is None else mean * evidence.season.share


def _pace_of_weeks(weeks: Sequence[Week], count: int) -> Decimal:
    """The pace that at least `count` of these weeks reach. Three short months have only twelve weeks."""
    return sorted(each.pace for each in weeks)[-min(count, len(weeks))]


def _quarters(daily: Daily, month: date, months_known: int, known_peaks: Set[date]) -> list[_Quarter]:
    """The closed months in groups of three, the newest group first; in a group the oldest month is first.

    The last group may have fewer months.
    """
    quarters = []
    for back in range(0, months_known, CLOSED_MONTHS):
        firsts = [month_before(month, each) for each in range(min(back + CLOSED_MONTHS, months_known), back - 1, -1)]
        quarters.append(_quarter(daily, firsts, known_peaks))
    return quarters


def _quarter(daily: Daily, firsts: list[date], known_peaks: Set[date]) -> _Quarter:
    """One group of months. `firsts` are the first days of its months, and the first day after them."""
    usual = usual_days(daily, firsts[0], firsts[-1])
    months = []
    counted: dict[date, Decimal] = {}
    left_out: list[LeftOut] = []
    for first, until in pairwise(firsts):
        days = [first + timedelta(days) for days in range((until - first).days)]
        used = [daily.get(day, _ZERO) for day in days]
        with_peaks = [
            min(quantity, usual.quantities[day.weekday()]) if day in known_peaks else quantity
            for day, quantity in zip(days, used, strict=True)
        ]
        typical = [usual.counted(day, quantity) for day, quantity in zip(days, with_peaks, strict=True)]
        months.append(TypicalMonth(first, sum(used, _ZERO), _per_month(with_peaks), _per_month(typical)))
        counted.update(zip(days, typical, strict=True))
        left_out.extend(
            LeftOut(day, quantity, counts, "known_peak" if day in known_peaks else "peak")
            for day, quantity, counts in zip(days, used, typical, strict=True)
            if counts < quantity
        )
    return _Quarter(tuple(months), counted, tuple(left_out))


def _weeks(quarters: list[_Quarter], month: date) -> tuple[Week, ...]:
    """The last whole weeks before `month`, oldest first. Thirteen may be a day or two longer than three months."""
    counted = {day: quantity for quarter in quarters[:2] for day, quantity in quarter.counted.items()}
    weeks = []
    for back in range(min(WEEKS, len(counted) // 7), 0, -1):
        first_day = month - timedelta(weeks=back)
        weeks.append(Week(first_day, _per_month([counted[first_day + timedelta(days)] for days in range(7)])))
    return tuple(weeks)


def _per_month(quantities: Iterable[Decimal]) -> Decimal:
    """The usage of an average month with such days. It multiplies before it divides, to stay exact if possible."""
    days = list(quantities)
    return sum(days, _ZERO) * MONTH_DAYS / len(days)


def _count_above(quantities: Iterable[Decimal], limit: Decimal | None) -> int:
    return 0 if limit is None else sum(each > limit for each in quantities)
