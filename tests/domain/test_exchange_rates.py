"""The rate that an invoice uses, and what its tax comes to in the seller's currency (decision 0026)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from billing.invoicing.exchange_rates.rules import (
    DailyRates,
    ExchangeRate,
    check,
    is_published_on,
    rate_between,
    rate_day,
)
from billing.invoicing.invoices import Seller
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.errors import RuleViolation
from billing.kernel.money import Money
from hypothesis import given
from hypothesis import strategies as st

DAY = date(2026, 6, 9)
ECB = DailyRates(
    DAY,
    "EUR",
    {
        "DKK": Decimal("7.4604"),
        "USD": Decimal("1.0850"),
        "JPY": Decimal("170.25"),
        "KWD": Decimal("0.33251"),
        "HUF": Decimal("403.10"),
    },
    "ECB",
)


def rate(invoice: str, seller: str) -> ExchangeRate:
    found = rate_between(ECB, invoice, seller)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("amount", "seller", "expected"),
    [
        (Money(12_500, "EUR"), "DKK", 93_255),  # 125.00 EUR at 7.4604
        (Money(12_345, "EUR"), "DKK", 92_099),  # 920.98638
        (Money(93_255, "DKK"), "EUR", 12_500),
        (Money(10_850, "USD"), "DKK", 74_604),  # by the euro: 100 EUR
        (Money(9_999, "USD"), "DKK", 68_753),  # 99.99 / 1.0850 * 7.4604 = 687.5269…
        (Money(170, "JPY"), "DKK", 745),  # yen have no decimals: 170 / 170.25 * 7.4604 = 7.4494…
        (Money(100, "EUR"), "JPY", 170),  # 170.25
        (Money(12_500, "EUR"), "JPY", 21_281),  # 21281.25
        (Money(1_000, "KWD"), "DKK", 2_244),  # dinars have three decimals: 1.000 / 0.33251 * 7.4604 = 22.4366…
        (Money(10_000, "EUR"), "KWD", 33_251),
        (Money(10_000, "EUR"), "HUF", 4_031_000),
    ],
)
def test_tax_in_the_sellers_currency(amount: Money, seller: str, expected: int) -> None:
    assert rate(amount.currency, seller).convert(amount, seller) == Money(expected, seller)
    negative = Money(-amount.amount, amount.currency)
    assert rate(amount.currency, seller).convert(negative, seller) == Money(-expected, seller)


def test_a_half_is_rounded_away_from_zero_and_once() -> None:
    half = ExchangeRate("EUR", Decimal(1), Decimal("0.5"), DAY, "ECB")
    assert [half.convert(Money(each, "EUR"), "DKK").amount for each in (1, 3, 5, -1, -3)] == [1, 2, 3, -1, -2]
    # 0.4999… of a minor unit is none: rounded to cents first, it would be one half, and then one.
    almost = ExchangeRate("EUR", Decimal(3), Decimal("1.4999999"), DAY, "ECB")
    assert almost.convert(Money(1, "EUR"), "DKK").amount == 0


@given(st.integers(-(10**9), 10**9), st.sampled_from(["EUR", "DKK", "USD", "JPY", "KWD", "HUF"]))
def test_a_conversion_is_exact_to_half_a_minor_unit(amount: int, seller: str) -> None:
    used = rate("USD", seller)
    digits = {"JPY": 0, "KWD": 3}.get(seller, 2)
    exact = Decimal(amount).scaleb(-2) / used.invoice_rate * used.seller_rate
    assert abs(Decimal(used.convert(Money(amount, "USD"), seller).amount).scaleb(-digits) - exact) <= (
        Decimal("0.5000001").scaleb(-digits)
    )


def test_a_day_without_a_rate_of_either_currency_has_no_rate() -> None:
    assert rate_between(ECB, "GBP", "DKK") is None
    assert rate_between(ECB, "EUR", "GBP") is None
    assert rate("EUR", "DKK") == ExchangeRate("EUR", Decimal(1), Decimal("7.4604"), DAY, "ECB")


# ---- Days ----


@pytest.mark.parametrize(
    "closed",
    [
        date(2026, 1, 1),
        date(2026, 4, 3),  # Good Friday
        date(2026, 4, 6),  # Easter Monday
        date(2026, 5, 1),
        date(2025, 12, 25),
        date(2025, 12, 26),
        date(2026, 6, 13),  # a Saturday
        date(2026, 6, 14),
        date(2027, 3, 26),  # Good Friday
        date(2027, 3, 29),
        date(2038, 4, 26),  # the latest Easter Monday of this century: Easter is on April 25
    ],
)
def test_no_rates_are_published_while_target_is_closed(closed: date) -> None:
    assert not is_published_on(closed)


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 4, 2),  # Maundy Thursday
        date(2026, 5, 14),  # Ascension
        date(2026, 5, 25),  # Whit Monday
        date(2026, 6, 5),
        date(2025, 12, 24),
        date(2025, 12, 31),
    ],
)
def test_rates_are_published_on_other_holidays(day: date) -> None:
    assert is_published_on(day)


@pytest.mark.parametrize(
    ("zone", "tax_point", "used"),
    [
        ("Europe/Copenhagen", date(2026, 6, 10), date(2026, 6, 9)),
        ("Europe/Copenhagen", date(2026, 6, 15), date(2026, 6, 12)),  # a Monday: Friday's
        ("Europe/Copenhagen", date(2026, 6, 13), date(2026, 6, 12)),
        ("Europe/Copenhagen", date(2026, 4, 7), date(2026, 4, 2)),  # after Easter: Thursday's
        ("America/Los_Angeles", date(2026, 6, 10), date(2026, 6, 9)),
        ("Pacific/Honolulu", date(2026, 6, 10), date(2026, 6, 9)),
        # The day begins here before the bank has published the rates of the day before.
        ("Asia/Tokyo", date(2026, 6, 10), date(2026, 6, 8)),
        ("Pacific/Auckland", date(2026, 6, 10), date(2026, 6, 8)),
        ("Pacific/Kiritimati", date(2026, 6, 10), date(2026, 6, 8)),
    ],
)
def test_the_latest_rates_published_when_the_tax_point_begins(zone: str, tax_point: date, used: date) -> None:
    begins = datetime(tax_point.year, tax_point.month, tax_point.day, tzinfo=ZoneInfo(zone))
    assert rate_day(begins) == rate_day(begins.astimezone(UTC)) == used


@given(st.integers(0, 98 * 365 * 24))
def test_a_rate_is_published_and_at_most_a_week_old(hours: int) -> None:
    at = datetime(2002, 1, 3, tzinfo=UTC) + timedelta(hours=hours)
    day = rate_day(at)
    assert is_published_on(day)
    assert timedelta(0) <= at.date() - day <= timedelta(days=7)
    published = datetime(day.year, day.month, day.day, 18, tzinfo=ZoneInfo("Europe/Berlin"))
    assert published <= at, "not published yet"


# ---- What staff give ----


def given_rates(day: date = DAY, base: str = "EUR", **rates: str) -> DailyRates:
    return DailyRates(day, base, {name: Decimal(rate) for name, rate in rates.items()}, "ECB")


@pytest.mark.parametrize(
    ("rates", "before", "told"),
    [
        (given_rates(date(2026, 6, 11), DKK="7"), None, "future"),
        (given_rates(date(2026, 6, 6), DKK="7"), None, "No rates are published"),
        (given_rates(EUR="1", DKK="7"), None, "the base"),
        (given_rates(base="DKK", EUR="0.13"), given_rates(DKK="7"), "base of this day is EUR"),
        (given_rates(DKK="7"), given_rates(DKK="7", USD="1"), "Missing: USD"),
    ],
)
def test_wrong_rates_are_refused_in_words(rates: DailyRates, before: DailyRates | None, told: str) -> None:
    with pytest.raises(RuleViolation, match=told):
        check(rates, before, date(2026, 6, 10))


def test_a_rate_may_be_corrected_and_another_added() -> None:
    check(given_rates(DKK="7.5", USD="1.1"), given_rates(DKK="7"), date(2026, 6, 10))
    check(given_rates(date(2026, 6, 10), DKK="7"), None, date(2026, 6, 10))


def test_the_sellers_currency_is_a_currency() -> None:
    seller = Seller("Livello", "Demovej 1", None, None, "Copenhagen", "DK", None)
    with pytest.raises(ValueError, match="XXX"):
        InvoicingSettings("LV", seller, seller_currency="XXX")
