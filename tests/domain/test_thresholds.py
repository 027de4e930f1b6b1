"""When an account gets an alert about a month that nears its tier: once, not again every month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from billing.usage.thresholds import PERCENTS, AlertState, alert_after_correction, evaluate_threshold
from hypothesis import given
from hypothesis import strategies as st

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)
LIMIT = 1000


def alert(
    state: AlertState | None, usage: int, *, month: date = JUNE, before: int = 0, limit: int = LIMIT
) -> AlertState | None:
    """The alert that this usage causes, if any."""
    after, needs_alert = evaluate_threshold(state, month, Decimal(usage), limit, Decimal(before))
    return after if needs_alert else None


@pytest.mark.parametrize(
    ("usage", "percent"), [(749, None), (750, 75), (899, 75), (900, 90), (999, 90), (1000, 100), (5000, 100)]
)
def test_each_threshold_causes_an_alert_when_usage_reaches_it(usage: int, percent: int | None) -> None:
    assert alert(None, usage) == (None if percent is None else AlertState(LIMIT, JUNE, percent))


def test_a_threshold_may_be_a_fraction_of_a_unit() -> None:
    assert evaluate_threshold(None, JUNE, Decimal("7.4999999"), 10, Decimal(0))[1] is False
    assert evaluate_threshold(None, JUNE, Decimal("7.5"), 10, Decimal(0))[1] is True


def test_each_threshold_causes_one_alert_in_a_month() -> None:
    state = alert(None, 760)

    assert alert(state, 899) is None
    assert alert(state, 905) == AlertState(LIMIT, JUNE, 90)


@pytest.mark.parametrize(("before", "percent"), [(1100, None), (900, None), (899, 100), (700, 100)])
def test_an_alert_is_repeated_only_after_a_month_well_below_its_threshold(before: int, percent: int | None) -> None:
    """A shop that exceeds its volume every month gets one alert, not one every month."""
    repeated = alert(AlertState(LIMIT, MAY, 100), 1000, before=before)

    assert repeated == (None if percent is None else AlertState(LIMIT, JUNE, percent))


def test_a_month_slightly_below_a_threshold_does_not_rearm_its_alert() -> None:
    """70 % is within ten points of 75 %: usage that fluctuates around a threshold causes one alert."""
    assert alert(AlertState(LIMIT, MAY, 75), 750, before=700) is None
    assert alert(AlertState(LIMIT, MAY, 75), 750, before=649) == AlertState(LIMIT, JUNE, 75)


def test_a_month_with_low_usage_rearms_alerts_without_sending_one() -> None:
    rearmed, needs_alert = evaluate_threshold(AlertState(LIMIT, MAY, 100), JUNE, Decimal(0), LIMIT, Decimal(100))
    assert (rearmed, needs_alert) == (AlertState(LIMIT, JUNE, 0), False)

    assert alert(rearmed, 760, month=JULY, before=700) == AlertState(LIMIT, JULY, 75)


def test_a_new_tier_has_its_own_alerts() -> None:
    assert alert(AlertState(LIMIT, JUNE, 100), 1900, limit=2000) == AlertState(2000, JUNE, 90)
    assert alert(AlertState(2000, JUNE, 90), 1400, limit=2000) is None


@pytest.mark.parametrize(
    ("percent", "before", "after", "undone", "left"),
    [
        (90, 950, 100, 90, 0),
        (90, 950, 760, 90, 75),
        (90, 950, 900, None, 90),
        (100, 1000, 999, 100, 90),
        (75, 950, 100, 75, 0),  # the alert about 90 % is still to be written
        (100, 100, 50, None, 100),  # inherited: the month before was above it
        (0, 740, 10, None, 0),
    ],
)
def test_a_correction_undoes_the_thresholds_that_the_month_no_longer_reaches(
    percent: int, before: int, after: int, undone: int | None, left: int
) -> None:
    state = AlertState(LIMIT, JUNE, percent)
    result = alert_after_correction(state, JUNE, Decimal(before), Decimal(after), LIMIT, "c")

    assert result == (AlertState(LIMIT, JUNE, left, "c"), undone)
    again, _ = evaluate_threshold(result[0], JUNE, Decimal(after), LIMIT, Decimal(0))
    assert again == result[0], "the corrected usage itself warns of nothing"


@pytest.mark.parametrize(
    "state", [None, AlertState(LIMIT, MAY, 100), AlertState(LIMIT * 2, JUNE, 100)], ids=["none", "May", "another tier"]
)
def test_a_correction_marks_any_alert_state(state: AlertState | None) -> None:
    """An alert about the usage before it is written under the state from before it: it must be refused."""
    after, undone = alert_after_correction(state, JUNE, Decimal(950), Decimal(0), LIMIT, "c")

    assert undone is None
    assert after.corrected == "c"
    assert after.percent == (0 if state is None else state.percent)


@given(st.lists(st.integers(0, 400), max_size=60))
def test_alerts_of_a_month_rise_and_none_is_repeated(days: list[int]) -> None:
    state: AlertState | None = None
    percents: list[int] = []
    usage = 0
    for day in days:
        usage += day
        after, needs_alert = evaluate_threshold(state, JUNE, Decimal(usage), LIMIT, Decimal(0))
        if needs_alert:
            percents.append(after.percent)
        state = after

    assert percents == sorted(set(percents))
    assert max(percents, default=0) == max((each for each in PERCENTS if usage * 100 >= each * LIMIT), default=0)
