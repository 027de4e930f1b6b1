"""The autoscaling rule as the benchmark's adapter has it, on series of floats: properties of any usage."""

from __future__ import annotations

import math
from datetime import date, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.autoscaling import decide
from tests.properties import examples

Daily = list[tuple[date, float]]
Case = tuple[Daily, list[float]]

MONTH = date(2026, 7, 1)
CURRENT = 1
SHAPES = ("flat", "growing", "step", "falling", "season", "weekends", "robots")
TWENTY_EIGHT_YEARS = date(2054, 7, 1) - MONTH
"""The calendar repeats after 28 years: weekdays, leap days and the length of every month."""


def series(seed: int, shape: str, room: float, missing: float, months: int) -> Case:
    """Daily usage of about 100 in the `months` before MONTH, and the volumes of four tiers.

    `room` scales the current tier's volume, and `missing` is the share of days without usage. All figures are multiples
    of a quarter, so floats have exact sums and multiples.
    """
    chance = Random(seed)
    first = date(MONTH.year + (MONTH.month - 1 - months) // 12, (MONTH.month - 1 - months) % 12 + 1, 1)
    count = (MONTH - first).days
    jump = chance.randrange(count)
    daily: Daily = []
    for number in range(count):
        day = first + timedelta(days=number)
        level = {
            "growing": 0.4 + 1.2 * number / count,
            "step": 0.6 if number < jump else 1.4,
            "falling": 1.5 - number / count,
            "season": 2.0 if day.month in {11, 12} else 0.9,
            "weekends": 2.5 if day.weekday() >= 5 else 0.4,
            "robots": 40.0 if chance.random() < 0.02 else 0.8,
        }.get(shape, 1.0)
        if chance.random() >= missing:
            daily.append((day, round(4 * 100 * level * chance.uniform(0.8, 1.2)) / 4))
    limit = round(4 * 3044 * room) / 4
    return daily, [limit / 4, limit, limit * 2, math.inf]


cases = st.builds(
    series,
    seed=st.integers(0, 1_000_000),
    shape=st.sampled_from(SHAPES),
    room=st.floats(0.5, 1.6),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    months=st.integers(1, 26),
)


@examples(40)
@given(cases, st.integers(1, 92), st.integers(1, 20_000))
def test_more_usage_on_a_recent_day_never_leads_to_a_lower_tier(case: Case, days_ago: int, more: int) -> None:
    daily, limits = case
    day = max(MONTH - timedelta(days=days_ago), date(2026, 4, 1))  # the promise is about the last three months

    before = decide(daily, limits, CURRENT, MONTH)
    after = decide([*daily, (day, more / 4)], limits, CURRENT, MONTH)

    assert CURRENT <= before <= after <= 3 or not daily


@examples(40)
@given(cases, st.sampled_from([0.25, 4.0, 1024.0]))
def test_the_unit_of_usage_does_not_matter(case: Case, factor: float) -> None:
    daily, limits = case

    scaled = decide([(day, used * factor) for day, used in daily], [each * factor for each in limits], CURRENT, MONTH)

    assert scaled == decide(daily, limits, CURRENT, MONTH)


@examples(40)
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_days_and_the_running_month_do_not_matter(case: Case, chance: Random) -> None:
    """A decision uses only the days before its own month."""
    daily, limits = case
    shuffled = [*daily, (MONTH, 1e9), (MONTH + timedelta(days=40), 1e9)]
    chance.shuffle(shuffled)

    assert decide(shuffled, limits, CURRENT, MONTH) == decide(daily, limits, CURRENT, MONTH)


@examples(40)
@given(cases)
def test_the_same_usage_in_the_same_calendar_gets_the_same_tier(case: Case) -> None:
    daily, limits = case
    later = [(day + TWENTY_EIGHT_YEARS, used) for day, used in daily]

    assert decide(later, limits, CURRENT, MONTH + TWENTY_EIGHT_YEARS) == decide(daily, limits, CURRENT, MONTH)


@examples(40)
@given(cases, st.integers(0, 3))
def test_the_new_tier_exists_and_is_never_lower(case: Case, current: int) -> None:
    daily, limits = case

    assert current <= decide(daily, limits, current, MONTH) < len(limits)
