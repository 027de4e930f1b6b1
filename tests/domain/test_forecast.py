"""What a month will probably come to: by weekdays, untouched by a peak, with a range as wide as the usage is wild."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest
from billing.domain.forecast import HISTORY_DAYS_MIN, Forecast, forecast
from hypothesis import given
from hypothesis import strategies as st

TODAY = date(2026, 11, 11)


def usage(amount: Callable[[date], float], days: int = 300, today: date = TODAY) -> dict[date, Decimal]:
    """The days before today."""
    history = (today - timedelta(days=number) for number in range(days, 0, -1))
    return {day: Decimal(str(round(amount(day), 3))) for day in history}


def expected(daily: dict[date, Decimal], today: date = TODAY) -> Forecast:
    found = forecast(daily, today)
    assert found
    for each in (found.running, found.coming):
        assert 0 <= each.low <= each.expected <= each.high
    return found


def test_a_steady_shop_goes_on() -> None:
    found = expected(usage(lambda _: 100))

    assert (found.running.month, found.running.expected) == (date(2026, 11, 1), Decimal(3000))
    assert (found.coming.month, found.coming.expected) == (date(2026, 12, 1), Decimal(3100))
    assert found.coming.high - found.coming.low <= 310


def test_weekdays_count_for_themselves() -> None:
    """November 2026 has 21 days from Monday to Friday, December 23."""
    found = expected(usage(lambda day: 100 if day.weekday() < 5 else 0))

    assert (found.running.expected, found.coming.expected) == (Decimal(2100), Decimal(2300))


def test_a_peak_of_last_week_is_not_carried_on() -> None:
    calm = usage(lambda _: 100)
    peak = TODAY - timedelta(days=4)

    with_peak = expected({**calm, peak: Decimal(5000)})

    assert with_peak.coming.expected < expected(calm).coming.expected * Decimal("1.1")
    assert with_peak.running.expected >= 3000 + 4900  # what has been used has been used


def test_a_shop_that_has_doubled_stays_doubled() -> None:
    found = expected(usage(lambda day: 200 if day >= TODAY - timedelta(days=30) else 100))

    assert abs(found.coming.expected - 6200) < 62


def test_an_outage_of_a_day_costs_a_day_and_no_more() -> None:
    calm = usage(lambda _: 100)

    found = expected({**calm, TODAY - timedelta(days=20): Decimal(0)})

    assert Decimal("0.95") * 3100 < found.coming.expected < 3100


def test_today_is_not_over() -> None:
    calm = usage(lambda _: 100)

    assert expected({**calm, TODAY: Decimal(30)}).running.expected == 3000
    assert expected({**calm, TODAY: Decimal(250)}).running.expected == 3150


def test_the_wilder_the_wider() -> None:
    chance = Random(7)
    calm = expected(usage(lambda _: chance.uniform(95, 105))).coming
    wild = expected(usage(lambda _: chance.choice([20, 60, 100, 300]))).coming

    assert (wild.high - wild.low) / wild.expected > (calm.high - calm.low) / calm.expected


@pytest.mark.parametrize("days", [0, 1, HISTORY_DAYS_MIN - 1])
def test_with_too_little_history_nothing_is_forecast(days: int) -> None:
    assert forecast(usage(lambda _: 100, days), TODAY) is None


def test_a_short_history_has_a_wide_range() -> None:
    found = expected(usage(lambda _: 100, HISTORY_DAYS_MIN))

    assert found.coming.expected == 3100
    assert found.coming.high == Decimal("1.4") * 3100


def test_a_shop_that_stopped() -> None:
    found = expected(usage(lambda day: 100 if day < TODAY - timedelta(days=60) else 0))

    assert found.coming.expected == 0


def test_the_last_day_of_a_month_and_of_a_year() -> None:
    last = date(2026, 12, 31)
    found = expected(usage(lambda _: 100, today=last), last)

    assert (found.running.expected, found.coming.month) == (Decimal(3100), date(2027, 1, 1))


@given(st.lists(st.integers(0, 5000), min_size=20, max_size=200), st.integers(1, 1000), st.randoms())
def test_neither_the_scale_nor_the_order_of_arrival_matters(amounts: list[int], factor: int, chance: Random) -> None:
    daily = {TODAY - timedelta(days=number): Decimal(amount) for number, amount in enumerate(amounts, start=1)}
    scaled = {day: daily[day] * factor for day in chance.sample(sorted(daily), k=len(daily))}

    found, larger = forecast(daily, TODAY), forecast(scaled, TODAY)

    assert found
    assert larger
    for each, other in ((found.running, larger.running), (found.coming, larger.coming)):
        for value, twin in ((each.expected, other.expected), (each.low, other.low), (each.high, other.high)):
            assert abs(value * factor - twin) <= abs(twin) * Decimal("1e-20")
