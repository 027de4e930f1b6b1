"""When an account is told how near a month has come to its tier: once, and not every month again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from billing.usage.thresholds import PERCENTS, AlertState, evaluate_threshold
from hypothesis import given
from hypothesis import strategies as st

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)
LIMIT = 1000


def watch(
    told: AlertState | None, usage: int, *, month: date = JUNE, before: int = 0, limit: int = LIMIT
) -> AlertState | None:
    """What is told now, if anything is."""
    after, tells = evaluate_threshold(told, month, Decimal(usage), limit, Decimal(before))
    return after if tells else None


@pytest.mark.parametrize(
    ("usage", "percent"), [(749, None), (750, 75), (899, 75), (900, 90), (999, 90), (1000, 100), (5000, 100)]
)
def test_each_threshold_is_told_when_it_is_reached(usage: int, percent: int | None) -> None:
    assert watch(None, usage) == (None if percent is None else AlertState(LIMIT, JUNE, percent))


def test_exactly_on_a_fraction() -> None:
    assert evaluate_threshold(None, JUNE, Decimal("7.4999999"), 10, Decimal(0))[1] is False
    assert evaluate_threshold(None, JUNE, Decimal("7.5"), 10, Decimal(0))[1] is True


def test_within_a_month_each_is_told_once() -> None:
    told = watch(None, 760)

    assert watch(told, 899) is None
    assert watch(told, 905) == AlertState(LIMIT, JUNE, 90)


@pytest.mark.parametrize(("before", "percent"), [(1100, None), (900, None), (899, 100), (700, 100)])
def test_what_was_told_is_told_again_only_after_a_month_well_below(before: int, percent: int | None) -> None:
    """A shop that is over its volume each month is told once, not every month."""
    said = watch(AlertState(LIMIT, MAY, 100), 1000, before=before)

    assert said == (None if percent is None else AlertState(LIMIT, JUNE, percent))


def test_a_month_a_little_below_does_not_count_as_below() -> None:
    """70 % is within ten points of 75 %: usage that sways about a threshold is told of once."""
    assert watch(AlertState(LIMIT, MAY, 75), 750, before=700) is None
    assert watch(AlertState(LIMIT, MAY, 75), 750, before=649) == AlertState(LIMIT, JUNE, 75)


def test_a_quiet_month_is_remembered_when_nothing_is_told() -> None:
    rearmed, tells = evaluate_threshold(AlertState(LIMIT, MAY, 100), JUNE, Decimal(0), LIMIT, Decimal(100))
    assert (rearmed, tells) == (AlertState(LIMIT, JUNE, 0), False)

    assert watch(rearmed, 760, month=JULY, before=700) == AlertState(LIMIT, JULY, 75)


def test_another_tier_begins_anew() -> None:
    assert watch(AlertState(LIMIT, JUNE, 100), 1900, limit=2000) == AlertState(2000, JUNE, 90)
    assert watch(AlertState(2000, JUNE, 90), 1400, limit=2000) is None


@given(st.lists(st.integers(0, 400), max_size=60))
def test_in_one_month_the_thresholds_are_told_rising_and_each_at_most_once(days: list[int]) -> None:
    told: AlertState | None = None
    said: list[int] = []
    usage = 0
    for day in days:
        usage += day
        after, tells = evaluate_threshold(told, JUNE, Decimal(usage), LIMIT, Decimal(0))
        if tells:
            said.append(after.percent)
        told = after

    assert said == sorted(set(said))
    assert max(said, default=0) == max((each for each in PERCENTS if usage * 100 >= each * LIMIT), default=0)
