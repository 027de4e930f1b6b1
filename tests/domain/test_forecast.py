"""The forecast of a month: exact for steady usage, not misled by peaks, honest about its range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from billing.usage.forecast import COVERED_PERCENT, HISTORY_MONTHS, Forecast, forecast
from billing.usage.rules import Daily
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples

TODAY = date(2026, 6, 10)
JUNE, JULY, AUGUST = date(2026, 6, 1), date(2026, 7, 1), date(2026, 8, 1)
SATURDAY = 5


def daily(of_day: Callable[[date], int], *, days: int = 300, until: date = TODAY) -> dict[date, Decimal]:
    """The usage of the `days` days before `until`."""
    return {day: Decimal(of_day(day)) for day in (until - timedelta(back) for back in range(days, 0, -1))}


def expected(days: Daily, today: date = TODAY) -> Forecast:
    result = forecast(days, today)
    assert result is not None
    return result


def test_steady_usage_continues() -> None:
    result = expected(daily(lambda _: 100))

    assert (result.running.month, result.coming.month) == (JUNE, JULY)
    assert [result.running.expected, result.coming.expected] == [3000, 3100]


def test_weekends_without_usage_are_expected_without_usage() -> None:
    result = expected(daily(lambda day: 100 if day.weekday() < SATURDAY else 0))

    # June 2026 has 22 working days, July 23.
    assert [result.running.expected, result.coming.expected] == [2200, 2300]


def test_a_peak_counts_in_its_own_month_and_is_not_expected_again() -> None:
    robot = {date(2026, 6, 4): Decimal(5000)}
    result = expected(daily(lambda _: 100) | robot)

    assert 3000 + 4900 <= result.running.expected <= (3000 + 4900) * Decimal("1.05")
    assert 3100 <= result.coming.expected <= 3100 * Decimal("1.06")


def test_an_outage_of_a_week_lowers_the_forecast_a_little() -> None:
    out = {date(2026, 5, 20) + timedelta(days): Decimal(0) for days in range(7)}

    assert 3100 * Decimal("0.85") < expected(daily(lambda _: 100) | out).coming.expected < 3100


def test_the_forecast_follows_a_step_within_weeks() -> None:
    """Two weeks after usage doubled, the forecast includes most of the rise; after eight weeks, all of it."""

    def after(weeks: int) -> Decimal:
        step = TODAY - timedelta(7 * weeks)
        return expected(daily(lambda day: 200 if day >= step else 100)).coming.expected / 31

    assert after(2) > 150
    assert after(8) == 200


def test_steady_growth_lies_within_the_range() -> None:
    """Usage grows by a tenth each month. The forecast is too low, but its range includes its earlier errors."""
    growing = daily(lambda day: round(1000 * 1.1 ** ((day - TODAY).days / 30)), until=AUGUST)
    past = {day: quantity for day, quantity in growing.items() if day < TODAY}
    coming = expected(past).coming

    assert coming.low <= sum(quantity for day, quantity in growing.items() if JULY <= day < AUGUST) <= coming.high


def test_occasional_usage_is_expected_at_its_average() -> None:
    """An order every tenth day: no day is usual."""
    coming = expected(daily(lambda day: 1000 if day.toordinal() % 10 == 0 else 0)).coming

    assert 2500 < coming.expected < 4000
    assert coming.low <= 3000 <= coming.high


def test_nothing_is_expected_of_a_product_that_is_no_longer_used() -> None:
    ended = expected(daily(lambda day: 100 if day < date(2026, 3, 1) else 0))

    assert [ended.running.expected, ended.coming.expected, ended.coming.high] == [0, 0, 0]


def test_usage_of_today_counts_if_it_exceeds_the_expected_day() -> None:
    quiet, busy = daily(lambda _: 100) | {TODAY: Decimal(30)}, daily(lambda _: 100) | {TODAY: Decimal(700)}

    assert expected(quiet).running.expected == 3000
    assert expected(busy).running.expected == 3600
    assert expected(busy).coming == expected(quiet).coming


@pytest.mark.parametrize(("today", "running"), [(JUNE, 3000), (date(2026, 6, 30), 3000)])
def test_the_forecast_of_a_steady_month_is_the_same_on_its_first_and_last_day(today: date, running: int) -> None:
    assert expected(daily(lambda _: 100, until=today), today).running.expected == running


def test_the_coming_month_of_december_is_january() -> None:
    today = date(2026, 12, 31)
    result = expected(daily(lambda _: 100, until=today), today)

    assert (result.running.month, result.coming.month) == (date(2026, 12, 1), date(2027, 1, 1))


@pytest.mark.parametrize("days", [0, 1, 13])
def test_less_than_two_weeks_of_usage_give_no_forecast(days: int) -> None:
    assert forecast(daily(lambda _: 100, days=days) | {TODAY: Decimal(5)}, TODAY) is None
    assert forecast(daily(lambda _: 0) | daily(lambda _: 100, days=days), TODAY) is None


def test_two_weeks_of_usage_give_a_wide_range() -> None:
    short, long = (expected(daily(lambda _: 100, days=days)).coming for days in (14, 300))

    assert short.expected == long.expected == 3100
    assert short.high - short.low > long.high - long.low


def test_old_usage_does_not_change_the_forecast() -> None:
    long = daily(lambda day: 50 + day.toordinal() % 90, days=500)
    earliest = date(2025, 10, 1)

    assert HISTORY_MONTHS == 8
    assert forecast(long, TODAY) == forecast({day: each for day, each in long.items() if day >= earliest}, TODAY)


def test_the_range_covers_the_promised_share_of_months() -> None:
    """A hundred series with noise, weekends and robots: about COVERED_PERCENT of the months lie in their range."""
    random = Random(7)
    within = 0
    for _ in range(100):
        noise = daily(
            lambda day: (
                round(random.gauss(1000, 200) * (0.5 if day.weekday() >= SATURDAY else 1))
                + (20_000 if random.random() < 0.005 else 0)
            ),
            until=AUGUST,
        )
        coming = expected({day: quantity for day, quantity in noise.items() if day < TODAY}).coming
        within += coming.low <= sum(each for day, each in noise.items() if JULY <= day < AUGUST) <= coming.high

    assert within >= COVERED_PERCENT - 10


QUANTITIES = st.lists(st.decimals(0, 10**6, places=2), min_size=14, max_size=330)


@examples(100, deep=5_000)
@given(QUANTITIES, st.integers(-3, 3))
def test_the_unit_of_usage_does_not_change_the_forecast(quantities: list[Decimal], digits: int) -> None:
    days = {TODAY - timedelta(back): quantity for back, quantity in enumerate(quantities)}
    scaled = forecast({day: quantity.scaleb(digits) for day, quantity in days.items()}, TODAY)
    plain = forecast(days, TODAY)

    if plain is None or scaled is None:
        assert plain is scaled
        return
    for one, other in ((plain.running, scaled.running), (plain.coming, scaled.coming)):
        assert [each.scaleb(digits) for each in (one.low, one.expected, one.high)] == [
            other.low,
            other.expected,
            other.high,
        ]


@examples(100, deep=5_000)
@given(QUANTITIES, st.randoms())
def test_the_order_of_the_days_does_not_matter(quantities: list[Decimal], random: Random) -> None:
    days = {TODAY - timedelta(back): quantity for back, quantity in enumerate(quantities)}
    shuffled = list(days.items())
    random.shuffle(shuffled)

    assert forecast(dict(shuffled), TODAY) == forecast(days, TODAY)


@examples(100, deep=5_000)
@given(QUANTITIES)
def test_the_range_includes_the_expected_usage_and_the_usage_so_far(quantities: list[Decimal]) -> None:
    days = {TODAY - timedelta(back): quantity for back, quantity in enumerate(quantities)}
    result = forecast(days, TODAY)

    if result is not None:
        assert 0 <= result.coming.low <= result.coming.expected <= result.coming.high
        used = sum(quantity for day, quantity in days.items() if day >= JUNE)
        assert used <= result.running.low <= result.running.expected <= result.running.high
