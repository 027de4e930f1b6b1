"""When usage fits a lower tier, the reasons why not, and which lower tiers staff may apply (DESIGN 3.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract
from billing.kernel.errors import RuleViolation
from billing.kernel.money import Money
from billing.scaling.reviews.rules import (
    FitResult,
    LowerTier,
    LowerTierFit,
    ReviewNotYet,
    bookable_days,
    lower_tier_fit,
    next_renewal,
    require_fit,
    rounded_average,
    tier_changes,
)
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.rules import Cause, Line, Order, TierChange
from billing.usage.rules import MonthUsage
from hypothesis import given
from hypothesis import strategies as st

CONTRACT = Contract(date(2026, 1, 15), 3, "EUR", "Europe/Copenhagen")
TODAY = date(2026, 6, 10)
TIERS = (
    Tier(10_000, {"EUR": 4900}),
    Tier(25_000, {"EUR": 9900}),
    Tier(50_000, {"EUR": 15_900}),
    Tier(100_000, {"EUR": 25_900}),
    Tier(None, None),
)
CATALOGUE = Catalogue(1, (Product("search", "Search", "searches", TIERS),))
LINE = Line("search", "Search", "searches", 100_000, Money(25_900, "EUR"))


def of(*usage: str, line: Line = LINE, first: int = 3) -> LowerTierFit:
    """How the usage of the months from March on fits lower tiers, seen in June."""
    daily = {date(2026, first + position, 1): Decimal(quantity) for position, quantity in enumerate(usage)}
    return lower_tier_fit(line, daily, CATALOGUE, CONTRACT, TODAY)


def detail(fit: LowerTierFit) -> str:
    assert fit.missing is not None
    return fit.missing.detail


def test_a_missing_fit_is_explained_in_words() -> None:
    fit = of("48000", "49600", "86000")

    assert detail(fit) == "2 of 3 months below; average 61,200, must be ≤ 50,000"
    assert fit.fit is FitResult.ABOVE
    with pytest.raises(ReviewNotYet) as caught:
        require_fit([fit])
    assert caught.value.detail == (
        "No usage fits a lower tier yet. Search: 2 of 3 months below; average 61,200, must be ≤ 50,000."
    )


def test_the_average_may_fit_although_a_month_is_above() -> None:
    fit = of("30000", "30000", "90000")

    assert fit.fit is FitResult.FITS
    assert fit.missing is None
    assert fit.fitting == LowerTier(50_000, Money(15_900, "EUR"))
    assert fit.saving == Money(10_000, "EUR")


def test_the_smallest_fitting_tier_may_be_several_tiers_lower() -> None:
    fitting = of("9000", "9000", "9000").fitting

    assert fitting is not None
    assert fitting.up_to == 10_000


@pytest.mark.parametrize(("last", "fits"), [("50000", True), ("50000.000001", False)])
def test_an_average_equal_to_the_limit_fits_and_a_larger_one_does_not(last: str, fits: bool) -> None:
    fit = of("50000", "50000", last)

    assert (fit.fit is FitResult.FITS) == fits
    if not fits:
        assert "average 50,000.01, must be ≤ 50,000" in detail(fit)


def test_fewer_than_three_closed_months_do_not_fit() -> None:
    # The contract began in the middle of April, and no usage was imported.
    young = replace(CONTRACT, start=date(2026, 4, 15))
    fit = lower_tier_fit(LINE, {date(2026, 5, 2): Decimal(1)}, CATALOGUE, young, TODAY)

    assert fit.fit is FitResult.TOO_FEW_MONTHS
    assert detail(fit) == "1 of 3 closed months known"
    assert (fit.average, fit.fitting, fit.saving) == (None, None, None)


def test_the_lowest_tier_has_no_lower_one() -> None:
    lowest = replace(LINE, up_to=10_000, price=Money(4900, "EUR"))

    assert detail(of("1", "1", "1", line=lowest)) == "lowest tier"


def test_a_lower_tier_that_costs_more_than_an_agreed_price_is_none() -> None:
    dear, cheap = (replace(LINE, price=Money(price, "EUR"), agreed=True) for price in (16_000, 15_900))

    assert of("30000", "30000", "30000", line=dear).fitting == LowerTier(50_000, Money(15_900, "EUR"))
    assert of("30000", "30000", "30000", line=cheap).fitting is None


def test_the_tier_below_the_open_ended_one_is_the_highest_with_a_volume() -> None:
    open_ended = replace(LINE, up_to=None, price=Money(99_900, "EUR"))

    assert [tier.up_to for tier in of("1", "1", "1", line=open_ended).lower] == [10_000, 25_000, 50_000, 100_000]
    assert "must be ≤ 100,000" in detail(of("100001", "100001", "100001", line=open_ended))


def test_a_tier_without_a_price_in_the_contracts_currency_is_left_out() -> None:
    danish = replace(CONTRACT, currency="DKK")

    assert lower_tier_fit(LINE, {}, CATALOGUE, danish, TODAY).fit is FitResult.LOWEST_TIER


def test_one_fitting_product_is_enough_for_a_review() -> None:
    fits, not_yet = of("9", "9", "9"), of("90000", "90000", "90000")

    assert require_fit([not_yet, fits]) == (fits,)


@pytest.mark.parametrize(
    ("usage", "rounded"),
    [("7932.666", "7932.67"), ("8000.001", "8000.01"), ("61200", "61200"), ("0.5", "0.5"), ("0", "0")],
)
def test_an_average_is_rounded_up_for_display(usage: str, rounded: str) -> None:
    assert str(rounded_average(Decimal(usage))) == rounded


quantities = st.decimals(0, 200_000, places=6)


@given(st.lists(quantities, min_size=3, max_size=3), st.integers(0, 2), quantities)
def test_more_usage_never_fits_a_smaller_tier(months: list[Decimal], which: int, more: Decimal) -> None:
    def limit(usage: list[Decimal]) -> Decimal:
        fit = LowerTierFit(
            LINE,
            tuple(MonthUsage(date(2026, 3 + number, 1), each) for number, each in enumerate(usage)),
            of().lower,
        )
        assert (fit.missing is None) == (fit.fitting is not None)
        return Decimal("Infinity") if fit.fitting is None else Decimal(fit.fitting.up_to)

    raised = [each + more if number == which else each for number, each in enumerate(months)]
    assert limit(months) <= limit(raised)


# ---- Lower tiers that staff may apply ----


def changes(*orders: tuple[str, int | None], fit: LowerTierFit | None = None) -> tuple[TierChange, ...]:
    fits = [fit or of("20000", "20000", "20000")]
    return tier_changes([Order(*order) for order in orders], fits, date(2026, 7, 15), "01REVIEW", date(2026, 6, 10))


def test_a_fitting_lower_tier_becomes_a_tier_change() -> None:
    assert changes(("search", 50_000)) == (
        TierChange(
            "search", 50_000, Money(15_900, "EUR"), date(2026, 7, 15), Cause.REVIEW, "01REVIEW", date(2026, 6, 10)
        ),
    )


@pytest.mark.parametrize(
    ("orders", "places"),
    [
        ([("chat", 10_000)], [("tiers", 0, "product")]),
        ([("search", 100_000)], [("tiers", 0, "up_to")]),
        ([("search", 30_000)], [("tiers", 0, "up_to")]),
        ([("search", None)], [("tiers", 0, "up_to")]),
        ([("search", 10_000)], [("tiers", 0, "up_to")]),
        ([("search", 25_000), ("search", 25_000)], [("tiers", 1, "product")]),
        ([("chat", 1), ("search", 1)], [("tiers", 0, "product"), ("tiers", 1, "up_to")]),
    ],
    ids=["unknown", "the same tier", "no tier", "open-ended", "too small", "twice", "all at once"],
)
def test_each_order_that_cannot_be_applied_is_named(orders: list[tuple[str, int | None]], places: list[Any]) -> None:
    with pytest.raises(RuleViolation) as caught:
        changes(*orders)

    assert [each.path for each in caught.value.violations] == places


def test_no_tier_can_be_applied_before_three_closed_months() -> None:
    young = lower_tier_fit(LINE, {}, CATALOGUE, replace(CONTRACT, start=date(2026, 4, 15)), TODAY)

    with pytest.raises(RuleViolation, match="1 of 3 closed months"):
        changes(("search", 50_000), fit=young)


# ---- Days ----


@pytest.mark.parametrize(
    ("today", "renewal"),
    [
        (date(2026, 6, 10), date(2026, 7, 15)),
        (date(2026, 7, 14), date(2026, 7, 15)),
        (date(2026, 7, 15), date(2026, 10, 15)),
    ],
)
def test_a_lower_tier_takes_effect_at_the_next_renewal(today: date, renewal: date) -> None:
    assert next_renewal(CONTRACT, today) == renewal


@given(
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    st.sampled_from(INTERVALS_MONTHS),
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
)
def test_a_day_lies_between_two_renewals(start: date, interval: int, today: date) -> None:
    contract = Contract(start, interval, "EUR", "UTC")
    if today >= start:
        month = contract.month_of(today)
        assert next_renewal(contract, today) == contract.month_start(month - month % interval + interval)


NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


def test_days_are_in_the_accounts_time_zone() -> None:
    first, last = bookable_days(date(2026, 6, 20), date(2026, 6, 21), CONTRACT, NOW)

    assert (first, last) == (datetime(2026, 6, 19, 22, tzinfo=UTC), datetime(2026, 6, 20, 22, tzinfo=UTC))


def test_reviews_begin_24_hours_to_60_days_ahead() -> None:
    first, last = bookable_days(date.min, date.max, CONTRACT, NOW)

    assert (first, last) == (NOW + timedelta(hours=24), NOW + timedelta(days=60))


@pytest.mark.parametrize("day", [date.min, date(2026, 6, 9), date(2026, 8, 30), date.max - timedelta(days=1)])
def test_other_days_are_not_bookable(day: date) -> None:
    first, last = bookable_days(day, day + timedelta(days=1), CONTRACT, NOW)

    assert first >= last
