"""The contract calendar: contract months, renewals and notice (DESIGN 2 and 3.1)."""

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

import pytest
from billing.accounts.mapping import contract_body, contract_from
from billing.ending.due import next_notice
from billing.kernel.contract_calendar import (
    INTERVALS_MONTHS,
    Contract,
    Term,
    months_after,
    terminated,
    termination,
)
from billing.platform.dynamodb.bodies import parsed, text
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


# ---- Terms ----

DECIDED = datetime(2026, 1, 1, tzinfo=UTC)
changes = st.lists(st.tuples(st.integers(0, 5), intervals), max_size=4)


def with_terms(start: date, interval: int, later: list[tuple[int, int]]) -> Contract:
    """A contract whose terms follow each other after some renewals."""
    made = Contract(start, interval, "EUR", "UTC")
    month = 0
    for periods, months in later:
        for _ in range(periods + 1):
            month = made.paid_period(month)[1]
        made = made.with_term(Term(month, months, "EUR", DECIDED))
    return made


def test_monthly_to_yearly_in_august_renews_in_august() -> None:
    """MONEY: not in January, although the contract began then."""
    changed = contract("2026-01-31").with_term(Term(7, 12, "EUR", DECIDED))

    assert changed.month_start(7) == date(2026, 8, 31)
    assert changed.next_charge(date(2026, 8, 1)) == (7, date(2026, 8, 31))
    assert changed.next_charge(date(2026, 9, 1)) == (19, date(2027, 8, 31))
    assert [changed.interval_of(month) for month in (0, 6, 7, 19)] == [1, 1, 12, 12]
    # A notice in the last monthly weeks ends within the year: the customer uses up what is then paid.
    assert terminated(changed, date(2026, 7, 30)).active_until == date(2026, 8, 31)
    assert terminated(changed, date(2026, 7, 31)).active_until == date(2027, 8, 31)
    assert terminated(changed, date(2026, 7, 31)).charges_still_due == [date(2026, 8, 31)]


def test_a_term_begins_with_a_renewal_of_the_one_before() -> None:
    yearly = contract("2026-01-31", 12)

    for month in (1, 11, 13):
        with pytest.raises(ValueError, match="no term begins"):
            yearly.with_term(Term(month, 1, "EUR", DECIDED))
    monthly = yearly.with_term(Term(12, 1, "EUR", DECIDED))
    with pytest.raises(ValueError, match="no term begins"):
        monthly.with_term(Term(12, 3, "EUR", DECIDED))


@given(starts, intervals, changes, st.integers(0, 120))
def test_every_month_is_in_one_paid_period_and_each_begins_with_a_renewal(
    start: date, interval: int, later: list[tuple[int, int]], month: int
) -> None:
    signed = with_terms(start, interval, later)
    first, until = signed.paid_period(month)

    assert first <= month < until
    assert {signed.paid_period(each) for each in range(first, until)} == {(first, until)}
    assert signed.paid_period(until)[0] == until
    assert until - first == signed.interval_of(month)
    assert next(signed.renewals(signed.month_start(first))) == (first, signed.month_start(first))
    starts_of_terms = [term.from_month for term in signed.terms]
    assert all(signed.paid_period(each)[0] == each for each in starts_of_terms)


@given(starts, intervals, changes, st.integers(-60, 2_000))
def test_a_notice_on_the_last_day_avoids_the_renewal_in_every_term(
    start: date, interval: int, later: list[tuple[int, int]], days: int
) -> None:
    signed = with_terms(start, interval, later)
    requested = start + timedelta(days=days)
    ends = terminated(signed, requested)

    assert ends.active_until >= ends.notice_ends
    assert signed.paid_period(signed.month_of(ends.active_until))[0] == signed.month_of(ends.active_until)
    assert terminated(signed, requested + timedelta(days=1)).active_until >= ends.active_until
    assert requested <= ends.last_day_to_avoid_it
    assert terminated(signed, ends.last_day_to_avoid_it).active_until == ends.active_until
    assert terminated(signed, ends.last_day_to_avoid_it + timedelta(days=1)).active_until > ends.active_until
    renewals = takewhile(lambda each: each[1] < ends.active_until, signed.renewals(requested + timedelta(days=1)))
    assert ends.charges_still_due == [day for _, day in renewals]


@given(starts, intervals, st.integers(0, 200))
def test_a_contract_of_one_term_is_paid_as_before(start: date, interval: int, month: int) -> None:
    signed = Contract(start, interval, "EUR", "UTC")

    assert signed.paid_period(month) == (month - month % interval, month - month % interval + interval)


@given(starts, intervals, changes)
def test_a_contract_is_stored_as_it_is_and_one_of_one_term_as_before(
    start: date, interval: int, later: list[tuple[int, int]]
) -> None:
    signed = with_terms(start, interval, later)
    stored = text(contract_body(signed))

    assert contract_from(parsed(stored)) == signed
    assert ("terms" in stored) == bool(signed.terms)


def test_a_renewal_for_one_month_has_no_notice_and_one_for_longer_has() -> None:
    to_yearly = contract("2026-01-31").with_term(Term(7, 12, "EUR", DECIDED))
    to_monthly = contract("2026-01-31", 12).with_term(Term(12, 1, "EUR", DECIDED))

    first = next_notice(to_yearly, date(2026, 2, 1))
    assert first is not None
    assert first.on == to_yearly.last_day_to_avoid(date(2026, 8, 31)) - timedelta(days=7)
    assert next_notice(to_monthly, date(2026, 2, 1)) is None


def test_a_contract_has_the_currency_of_its_last_term() -> None:
    decided = datetime(2026, 6, 1, tzinfo=UTC)
    first = Contract(date(2026, 1, 31), 3, "EUR", "UTC")
    monthly = first.with_term(Term(6, 1, "EUR", decided))
    kroner = monthly.with_term(Term(8, 1, "DKK", decided))
    back = kroner.with_term(Term(9, 12, "EUR", decided))

    assert (monthly.currency, monthly.first_currency) == ("EUR", None)
    assert (kroner.currency, back.currency) == ("DKK", "EUR")
    assert [back.currency_of(month) for month in (-1, 0, 7, 8, 9, 40)] == ["EUR", "EUR", "EUR", "DKK", "EUR", "EUR"]
    for contract in (first, monthly, kroner, back):
        assert contract_from(parsed(text(contract_body(contract)))) == contract
    assert set(contract_body(monthly)) == {"start", "interval_months", "currency", "time_zone", "terms"}
