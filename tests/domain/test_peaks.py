"""When a day stands out: more than three times what is usual on such a day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random

from billing.domain.peaks import peaks, usual_days
from hypothesis import given
from hypothesis import strategies as st

FIRST = date(2026, 8, 31)  # a Monday
UNTIL = FIRST + timedelta(weeks=12)


def shop(*, weekday: int = 100, weekend: int = 40) -> dict[date, Decimal]:
    days = (FIRST + timedelta(days=number) for number in range(84))
    return {day: Decimal(weekday if day.weekday() < 5 else weekend) for day in days}


def test_a_steady_shop_has_none() -> None:
    assert peaks(shop(), FIRST, UNTIL) == {}


def test_a_black_friday_is_one_and_counts_as_three_usual_days() -> None:
    daily = shop()
    friday = FIRST + timedelta(days=60)
    daily[friday] = Decimal(301)

    assert peaks(daily, FIRST, UNTIL) == {friday: Decimal(300)}
    assert peaks({**daily, friday: Decimal(300)}, FIRST, UNTIL) == {}


def test_a_weekday_is_measured_by_its_like() -> None:
    """What is little on a Monday is much on a Sunday, but not more than on any ordinary day."""
    usual = usual_days(shop(weekday=100, weekend=10), FIRST, UNTIL)

    assert usual.cap(FIRST) == 300
    assert 200 < usual.cap(FIRST + timedelta(days=6)) < 300


def test_a_shop_that_sells_on_weekdays_only_has_no_peak_on_them() -> None:
    assert peaks(shop(weekend=0), FIRST, UNTIL) == {}


def test_a_missing_day_had_no_usage() -> None:
    sparse = {FIRST + timedelta(days=number): Decimal(70) for number in range(0, 84, 7)}

    assert usual_days(sparse, FIRST, UNTIL).by_weekday == tuple(map(Decimal, (70, 0, 0, 0, 0, 0, 0)))


def test_less_than_a_week_says_nothing() -> None:
    assert peaks({FIRST: Decimal(999)}, FIRST, FIRST + timedelta(days=6)) == {}


@given(st.lists(st.integers(0, 10_000), min_size=28, max_size=90), st.integers(1, 1000).map(Decimal), st.randoms())
def test_neither_the_scale_nor_the_order_of_arrival_matters(
    amounts: list[int], factor: Decimal, chance: Random
) -> None:
    daily = {FIRST + timedelta(days=number): Decimal(amount) for number, amount in enumerate(amounts)}
    until = FIRST + timedelta(days=len(amounts))
    shuffled = chance.sample(sorted(daily), k=len(daily))

    found = peaks(daily, FIRST, until)

    assert peaks({day: daily[day] * factor for day in shuffled}, FIRST, until).keys() == found.keys()
    assert all(cap < daily[day] for day, cap in found.items())
