"""Usual days, and the days that are peaks compared with them (DESIGN 3.2)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from billing.usage.peaks import peaks, usual_days
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples

MONDAY = date(2026, 3, 2)
TODAY = date(2026, 6, 10)


def daily(quantities: list[int], first: date = MONDAY) -> dict[date, Decimal]:
    return {first + timedelta(days): Decimal(quantity) for days, quantity in enumerate(quantities)}


def steady(first: date, until: date, quantity: int = 100) -> dict[date, Decimal]:
    return daily([quantity] * (until - first).days, first)


def test_a_usual_day_is_the_larger_of_its_weekdays_median_and_the_mean() -> None:
    weeks = daily([10, 20, 30, 40, 50, 6, 7] * 4)

    usual = usual_days(weeks, MONDAY, MONDAY + timedelta(28))

    # The mean without the two busiest of 28 days is 552 / 26.
    mean = Decimal(552) / 26
    assert list(usual.quantities) == [mean, mean, 30, 40, 50, mean, mean]


def test_days_without_usage_lower_the_usual_day() -> None:
    usual = usual_days({MONDAY: Decimal(70)}, MONDAY, MONDAY + timedelta(7))

    assert list(usual.quantities) == [70, 10, 10, 10, 10, 10, 10]


def test_a_window_may_be_shorter_than_a_week() -> None:
    usual = usual_days(daily([7, 9]), MONDAY, MONDAY + timedelta(2))

    assert list(usual.quantities) == [8, 9, 8, 8, 8, 8, 8]


def test_a_day_counts_at_most_three_times_its_usual_day() -> None:
    usual = usual_days(steady(MONDAY, TODAY), MONDAY, TODAY)

    assert [usual.counted(TODAY, Decimal(each)) for each in (0, 300, 301, 9000)] == [0, 300, 300, 300]
    assert [usual.is_peak(TODAY, Decimal(each)) for each in (0, 300, 301, 9000)] == [False, False, True, True]


def test_a_peak_is_compared_with_its_own_month_and_the_two_before() -> None:
    days = steady(date(2026, 1, 1), TODAY) | {date(2026, 5, 20): Decimal(900), date(2026, 3, 5): Decimal(900)}

    assert peaks(days, date(2026, 4, 1), TODAY, TODAY) == {date(2026, 5, 20)}
    assert peaks(days, date(2026, 3, 1), TODAY, TODAY) == {date(2026, 3, 5), date(2026, 5, 20)}


def test_today_can_be_a_peak_before_it_ends() -> None:
    days = steady(date(2026, 4, 1), TODAY) | {TODAY: Decimal(500)}

    assert peaks(days, date(2026, 6, 1), TODAY + timedelta(1), TODAY) == {TODAY}


def test_a_lasting_step_to_a_higher_level_is_no_peak() -> None:
    days = steady(date(2026, 1, 1), date(2026, 4, 1)) | steady(date(2026, 4, 1), TODAY, 1000)

    assert peaks(days, date(2026, 6, 1), TODAY, TODAY) == frozenset()


@pytest.mark.parametrize(("known_days", "found"), [(13, set()), (14, {TODAY})])
def test_there_are_no_peaks_in_the_first_two_weeks_of_usage(known_days: int, found: set[date]) -> None:
    days = steady(TODAY - timedelta(known_days), TODAY) | {TODAY: Decimal(900)}

    assert peaks(days, date(2026, 6, 1), TODAY + timedelta(1), TODAY) == found


def test_without_usage_there_are_no_peaks() -> None:
    assert peaks({}, date(2026, 4, 1), TODAY, TODAY) == frozenset()
    assert peaks(daily([0] * 60), date(2026, 4, 1), TODAY, TODAY) == frozenset()


@examples(100, deep=5_000)
@given(st.lists(st.integers(0, 10**6), min_size=20, max_size=120), st.integers(1, 10**6))
def test_the_unit_of_usage_does_not_change_the_peaks(quantities: list[int], factor: int) -> None:
    days = daily(quantities)
    scaled = {day: quantity * factor for day, quantity in days.items()}
    until = MONDAY + timedelta(len(quantities))

    assert peaks(scaled, MONDAY, until, until) == peaks(days, MONDAY, until, until)


@examples(100, deep=5_000)
@given(st.lists(st.integers(0, 1000), min_size=20, max_size=120), st.randoms())
def test_the_order_of_the_days_does_not_matter(quantities: list[int], random: Random) -> None:
    days = daily(quantities)
    until = MONDAY + timedelta(len(quantities))
    shuffled = list(days.items())
    random.shuffle(shuffled)

    assert peaks(dict(shuffled), MONDAY, until, until) == peaks(days, MONDAY, until, until)
