"""The contract calendar: contract months, renewals and notice (DESIGN 2 and 3.1)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract, months_after, termination
from hypothesis import given
from hypothesis import strategies as st

from tests.notice_table import NOTICE_TABLE

starts = st.dates(date(2023, 1, 1), date(2033, 12, 31))
intervals = st.sampled_from(INTERVALS_MONTHS)


def contract(start: str, interval_months: int = 1) -> Contract:
    return Contract(date.fromisoformat(start), interval_months, "EUR", "Europe/Copenhagen")


@pytest.mark.parametrize(
    ("start", "interval", "asked", "notice_ends", "active_until", "still_charged", "last_day"),
    NOTICE_TABLE,
)
def test_the_notice_table_of_the_design(
    start: str,
    interval: int,
    asked: str,
    notice_ends: str,
    active_until: str,
    still_charged: list[str],
    last_day: str,
) -> None:
    dates = termination(date.fromisoformat(start), interval, date.fromisoformat(asked))

    assert dates.notice_ends == date.fromisoformat(notice_ends)
    assert dates.active_until == date.fromisoformat(active_until)
    assert dates.charges_still_due == [date.fromisoformat(day) for day in still_charged]
    assert dates.next_avoidable_renewal == date.fromisoformat(active_until)
    assert dates.last_day_to_avoid_it == date.fromisoformat(last_day)


@given(starts, intervals, st.integers(0, 1500))
def test_the_last_day_to_avoid_a_renewal_is_exact(start: date, interval: int, days: int) -> None:
    """A cancellation on the last day avoids the renewal. A cancellation the day after does not."""
    first = termination(start, interval, start + timedelta(days=days))
    renewal, last_day = first.next_avoidable_renewal, first.last_day_to_avoid_it

    in_time = termination(start, interval, last_day)
    too_late = termination(start, interval, last_day + timedelta(days=1))

    assert renewal not in in_time.charges_still_due
    assert in_time.active_until == renewal
    assert renewal in too_late.charges_still_due
    assert too_late.active_until > renewal


@given(starts, intervals, st.integers(0, 1500))
def test_an_account_is_served_for_the_whole_notice_and_paid_period(start: date, interval: int, days: int) -> None:
    requested = start + timedelta(days=days)
    dates = termination(start, interval, requested)

    assert timedelta(days=28) < dates.notice_ends - requested <= timedelta(days=62)
    assert dates.active_until >= dates.notice_ends
    assert all(requested < charge < dates.notice_ends for charge in dates.charges_still_due)
    # A later request never ends the contract earlier.
    assert termination(start, interval, requested + timedelta(days=1)).active_until >= dates.active_until


@given(starts, intervals, st.integers(1, 400))
def test_a_notice_before_the_start_charges_the_paid_periods_within_the_notice(
    start: date, interval: int, days_before: int
) -> None:
    dates = termination(start, interval, start - timedelta(days=days_before))

    assert dates.active_until >= start
    assert dates.charges_still_due in ([], [start], [start, months_after(start, 1)])
    assert (dates.active_until == start) == (not dates.charges_still_due)


def test_contract_months_return_to_the_31st_after_a_short_month() -> None:
    january = contract("2026-01-31")

    assert [january.month_start(month) for month in range(4)] == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
    ]


def test_a_contract_from_29_february_renews_on_the_28th_in_other_years() -> None:
    assert contract("2024-02-29").month_start(12) == date(2025, 2, 28)
    assert contract("2024-02-29").month_start(48) == date(2028, 2, 29)


@given(starts, st.integers(-1000, 4000))
def test_every_day_is_in_exactly_one_contract_month(start: date, days: int) -> None:
    day = start + timedelta(days=days)
    signed = Contract(start, 1, "EUR", "UTC")
    month = signed.month_of(day)

    assert signed.month_start(month) <= day < signed.month_start(month + 1)


@given(starts, intervals, st.integers(-400, 1500))
def test_the_next_charge_is_the_first_renewal_that_is_not_past(start: date, interval: int, days: int) -> None:
    today = start + timedelta(days=days)
    month, day = Contract(start, interval, "EUR", "UTC").next_charge(today)

    assert month % interval == 0
    assert day == months_after(start, month) >= max(start, today)
    assert month == 0 or months_after(start, month - interval) < today


def test_on_a_renewal_day_the_next_charge_is_that_days() -> None:
    quarterly = contract("2026-01-15", 3)

    assert quarterly.next_charge(date(2026, 4, 15)) == (3, date(2026, 4, 15))
    assert quarterly.next_charge(date(2026, 4, 16)) == (6, date(2026, 7, 15))


def test_today_is_the_day_in_the_contracts_time_zone() -> None:
    midnight = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)

    assert contract("2026-01-15").today(midnight) == date(2026, 7, 1)
    assert Contract(date(2026, 1, 15), 1, "USD", "Pacific/Kiritimati").today(midnight) == date(2026, 7, 1)
    assert Contract(date(2026, 1, 15), 1, "USD", "Pacific/Pago_Pago").today(midnight) == date(2026, 6, 30)
