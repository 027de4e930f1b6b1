"""Numbers rise one by one, their days never fall, and the register shows both."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from billing.invoicing.invoices import Seller
from billing.invoicing.numbering import NextNumber, RegisteredNumber, SeriesCounter, register_faults
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from hypothesis import given
from hypothesis import strategies as st

SELLER = Seller("Livello", "Demovej 1", None, "1050", "Copenhagen", "DK", "DK10000009")
JUNE_15, JUNE_16 = date(2026, 6, 15), date(2026, 6, 16)
EURO = Money(12_500, "EUR")
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))


def registered(count: int, day: date = JUNE_15) -> RegisteredNumber:
    return RegisteredNumber("LV", count, day, EURO, Money(2_500, "EUR"))


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", JUNE_15), ("Europe/Copenhagen", JUNE_16), ("America/Los_Angeles", JUNE_15)],
)
def test_the_day_of_issue_is_the_sellers(zone: str, day: date) -> None:
    settings = InvoicingSettings("LV", SELLER, time_zone=zone)

    assert settings.day_of_issue(datetime(2026, 6, 15, 22, 30, tzinfo=UTC)) == day


def test_a_number_has_six_digits_and_more_from_the_millionth_on() -> None:
    assert NextNumber("LV", JUNE_15, 1).text == "LV-2026-000001"
    assert NextNumber("LV", JUNE_15, 999_999).text == "LV-2026-999999"
    assert SeriesCounter(999_999, JUNE_15).following("LV", JUNE_15).text == "LV-2026-1000000"


def test_a_number_is_never_dated_before_the_one_before_it() -> None:
    assert SeriesCounter(4, JUNE_16).following("LV", JUNE_15).day == JUNE_16
    assert SeriesCounter(4, JUNE_15).following("LV", JUNE_16).day == JUNE_16
    assert SeriesCounter(4, None).following("LV", JUNE_15).day == JUNE_15


@given(st.lists(DAYS, max_size=30), st.integers(0, 1_000_005))
def test_numbers_and_days_rise_together_whatever_the_clocks_say(days: list[date], used: int) -> None:
    counter = SeriesCounter(used, None, used + 1)
    entries = []
    for day in days:
        number = counter.following("LV", day)
        entries.append(RegisteredNumber("LV", number.count, number.day, EURO, EURO))
        counter = number.counter

    assert register_faults(entries, counter) == ()
    assert counter.count == used + len(days)
    stored = [keys.invoice(each.day, each.number) for each in entries]
    assert stored == sorted(stored)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_keys_sort_as_numbers_do(one: int, other: int) -> None:
    invoices = [keys.invoice(JUNE_15, NextNumber("LV", JUNE_15, count).text) for count in (one, other)]
    numbers = [keys.number("LV", 2026, count) for count in (one, other)]

    assert (invoices[0] < invoices[1]) == (numbers[0] < numbers[1]) == (one < other)


@given(DAYS, st.integers(1, 10**9))
def test_a_key_tells_day_and_number(day: date, count: int) -> None:
    number = NextNumber("LV", day, count).text

    assert keys.day_and_number(keys.invoice(day, number)) == (day, number)
    assert count > 999_999 or keys.invoice(day, number) == f"INVOICE#{day}#{number}"


def test_a_register_that_runs_from_one_to_the_last_is_right() -> None:
    entries = [registered(1), registered(2), registered(3, JUNE_16)]

    assert register_faults(entries, SeriesCounter(3, JUNE_16)) == ()
    assert register_faults([], SeriesCounter()) == ()
    # An earlier release gave the first two numbers, and registered none.
    assert register_faults(entries[2:], SeriesCounter(3, JUNE_16, registered_from=3)) == ()


@pytest.mark.parametrize(
    ("entries", "count", "fault"),
    [
        ([registered(1), registered(3)], 3, "2 to 2 are missing."),
        ([registered(2)], 2, "1 to 1 are missing."),
        ([registered(1), registered(1), registered(2)], 2, "LV-2026-000001 is there twice."),
        ([registered(1)], 3, "2 to 3 are missing."),
        ([registered(1), registered(2)], 1, "The counter is at 1, the register at 2."),
        (
            [registered(1, JUNE_16), registered(2, JUNE_15)],
            2,
            "LV-2026-000002 of 2026-06-15 follows a number of 2026-06-16.",
        ),
    ],
)
def test_a_register_that_is_not_right_says_what_is_wrong(
    entries: list[RegisteredNumber], count: int, fault: str
) -> None:
    assert register_faults(entries, SeriesCounter(count, JUNE_16)) == (fault,)


def test_a_number_of_another_day_is_a_number_all_the_same() -> None:
    number = NextNumber("LV", JUNE_15, 7)

    assert replace(number, day=JUNE_15 + timedelta(days=200)).text == "LV-2027-000007"
