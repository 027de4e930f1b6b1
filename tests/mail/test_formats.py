"""Formats of amounts, quantities and days by language, and the layout of plain text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from billing.correspondence.plain_text import COLUMNS, facts, prose, table
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.languages.formats import day_before, formats, local_day
from billing.platform.events.facts import MoneyFacts
from hypothesis import given
from hypothesis import strategies as st

currencies = st.sampled_from(sorted(MINOR_UNIT_DIGITS))


@given(st.integers(-(10**15), 10**15), currencies, st.sampled_from(["en", "it"]))
def test_no_digit_of_an_amount_is_lost(amount: int, currency: str, language: str) -> None:
    written = formats(language).money(MoneyFacts(amount=amount, currency=currency))
    digits = "".join(letter for letter in written if letter.isdigit())
    assert int(digits) == abs(amount)
    decimals = MINOR_UNIT_DIGITS[currency]
    point = {"en": ".", "it": ","}[language]
    number = "".join(letter for letter in written if letter.isdigit() or letter == point)
    if decimals:
        assert len(number.rpartition(point)[2]) == decimals
    assert ("-" in written or "\N{MINUS SIGN}" in written) == (amount < 0)


@pytest.mark.parametrize(
    ("quantity", "english", "italian"),
    [
        (Decimal("7512.400"), "7,512.4", "7.512,4"),
        (Decimal("0.20"), "0.2", "0,2"),
        (Decimal("0.12345678"), "0.12345678", "0,12345678"),
        (Decimal("1E+6"), "1,000,000", "1.000.000"),
        (Decimal("0.000"), "0", "0"),
        (25_000, "25,000", "25.000"),
    ],
)
def test_a_quantity_is_exact(quantity: Decimal | int, english: str, italian: str) -> None:
    assert (formats("en").quantity(quantity), formats("it").quantity(quantity)) == (english, italian)


def test_days_months_and_lists_follow_the_language() -> None:
    assert [formats(language).day(date(2026, 12, 15)) for language in ("en", "it")] == [
        "15 December 2026",
        "15 dicembre 2026",
    ]
    assert [formats(language).month("2026-08") for language in ("en", "it")] == ["August 2026", "agosto 2026"]
    assert formats("en").listing(["Search", "E-mail", "Chat"]) == "Search, E-mail and Chat"
    assert formats("it").listing(["Search", "E-mail", "Chat"]) == "Search, E-mail e Chat"
    assert day_before(date(2027, 3, 1)) == date(2027, 2, 28)


def test_instants_are_shown_in_the_time_zone_of_the_account() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert local_day(late, "Europe/Rome") == date(2027, 1, 1)
    assert formats("en").instant(late, "Europe/Rome") == "1 January 2027, 00:30 (Central European Standard Time)"
    assert formats("en").instant(late, "America/New_York") == "31 December 2026, 18:30 (Eastern Standard Time)"
    assert formats("en").instant(late, "UTC") == "31 December 2026, 23:30 (Coordinated Universal Time)"


def test_a_meeting_over_midnight_names_both_days() -> None:
    begins, ends = datetime(2026, 10, 20, 21, 30, tzinfo=UTC), datetime(2026, 10, 20, 22, 30, tzinfo=UTC)
    written = formats("en").meeting(begins, ends, "Europe/Copenhagen")
    assert "Tuesday, 20 October 2026, 23:30" in written
    assert "Wednesday, 21 October 2026, 00:30" in written


def test_a_link_stays_whole() -> None:
    link = "https://billing.livello.example/" + "a-b/" * 30
    assert link in prose(f"Words before {link} and after").splitlines()


def test_a_table_aligns_its_columns() -> None:
    assert table(["Month", "Usage"], [["May", "9"], ["December", "1,234"]]) == (
        "\nMonth     Usage\n---------------\nMay           9\nDecember  1,234\n"
    )


def test_a_table_that_is_too_wide_is_written_row_by_row() -> None:
    written = table(["", "Before", "Now"], [["Address", "Havnegade 1 " * 5, "Vestergade 12 " * 5]], words=True)
    assert max(map(len, written.splitlines())) <= COLUMNS
    assert written.startswith("\nAddress\n  Before:  Havnegade 1")
    assert "\n  Now:     Vestergade 12" in written


def test_facts_are_aligned() -> None:
    assert facts([["Card", "Visa"], ["Last day", "31 August 2026"]]) == "\nCard:      Visa\nLast day:  31 August 2026\n"
