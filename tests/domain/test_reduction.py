"""Which content to remove so that a lower tier fits, and the reason when there can be no plan."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from billing.kernel.money import Money
from billing.scaling.reduction.rules import AdviceResult, RankBy, Reduction, fitting, next_lower, reduction
from billing.subscriptions.catalogue import Product, Tier
from billing.subscriptions.rules import Line
from billing.usage.rules import ContentUsage, closed_months
from hypothesis import given
from hypothesis import strategies as st

TODAY, SINCE = date(2026, 6, 10), date(2026, 1, 15)
MONTHS = (date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1))
PRODUCT = Product(
    "search",
    "Search",
    "searches",
    (
        Tier(100, {"EUR": 1000}),
        Tier(200, {"EUR": 1800, "DKK": 9000}),
        Tier(300, {"EUR": 2500}),
        Tier(None, {"EUR": 9900}),
    ),
)


def line(up_to: int | None = 300, currency: str = "EUR") -> Line:
    price = next(tier.prices or {} for tier in PRODUCT.tiers if tier.up_to == up_to)
    return Line("search", "Search", "searches", up_to, Money(price.get(currency, 2500), currency))


def content(
    name: str | None,
    usage: float | str,
    *,
    revenue: int = 0,
    conversions: int = 0,
    currency: str = "EUR",
    store: str = "shop",
    months: tuple[date, ...] = MONTHS,
) -> list[ContentUsage]:
    """The same usage in each month. The first month has all `revenue` and `conversions`."""
    return [
        ContentUsage(
            "search",
            month,
            store,
            name,
            {month.replace(day=7): Decimal(usage)},
            0 if number else conversions,
            {} if number or not revenue else {currency: revenue},
        )
        for number, month in enumerate(months)
    ]


def advice(*contents: list[ContentUsage], up_to: int | None = 300, since: date = SINCE, limit: int = 1000) -> Reduction:
    usage = [each for months in contents for each in months]
    daily: dict[date, Decimal] = {}
    for each in usage:
        for day, quantity in each.daily.items():
            daily[day] = daily.get(day, Decimal(0)) + quantity
    return reduction(line(up_to), PRODUCT, closed_months(daily, TODAY, since, 3), usage, contents_max=limit)


def names(result: Reduction) -> list[str | None]:
    return [each.content for each in result.remove]


def test_the_least_earning_content_is_removed_until_the_lower_tier_fits() -> None:
    result = advice(
        content("Search box", 120, revenue=90_000),
        content("Popular products", 80, revenue=100),
        content("Others also bought", 50, revenue=40),
        content("Newsletter", 10, revenue=500),
    )

    assert result.verdict is AdviceResult.PLAN
    assert (result.average, result.lower, result.saving) == (Decimal(260), PRODUCT.tiers[1], Money(700, "EUR"))
    assert [each.content for each in result.ranking] == [
        "Others also bought",
        "Popular products",
        "Newsletter",
        "Search box",
    ]
    # Without the second one alone 180 are left, so the first one need not be removed.
    assert names(result) == ["Popular products"]
    assert result.average_without == 180


def test_an_average_equal_to_the_tiers_volume_fits() -> None:
    exactly = advice(content("a", 200, revenue=9), content("b", "0.5"))
    assert (names(exactly), exactly.average_without) == (["b"], Decimal(200))


def test_the_plan_is_exact_although_averages_are_thirds() -> None:
    """Each of the three uses 4 in three months, 12 together: exactly the excess."""
    small = [content(name, 4, months=MONTHS[:1]) for name in "abc"]
    rest = content(None, 594, months=MONTHS[:1])

    result = advice(*small, content("d", 6, revenue=900, months=MONTHS[:1]), rest)

    assert names(result) == ["a", "b", "c"]
    assert (result.average, result.average_without) == (Decimal(204), Decimal(200))
    assert advice(*small[:2], content("c", 10, revenue=9, months=MONTHS[:1]), rest).verdict is AdviceResult.PLAN


def test_the_same_content_is_ranked_for_each_store() -> None:
    result = advice(content("Slider", 150, revenue=900, store="dk"), content("Slider", 100, store="se"))

    assert [(each.store, each.content) for each in result.remove] == [("se", "Slider")]


def test_conversions_rank_contents_without_revenue() -> None:
    result = advice(content("a", 150, conversions=1), content("b", 100, conversions=9))

    assert (result.measure, names(result)) == (RankBy.CONVERSIONS, ["a"])


def test_revenue_in_several_currencies_cannot_be_compared() -> None:
    euros, crowns = content("a", 150, revenue=9, conversions=9), content("b", 100, revenue=9, currency="DKK")

    assert advice(euros, crowns).measure is RankBy.CONVERSIONS
    assert advice(content("a", 150, revenue=9), crowns).verdict is AdviceResult.SEVERAL_CURRENCIES


def test_there_is_no_plan_without_conversions_or_revenue() -> None:
    result = advice(content("a", 150), content("b", 100))

    assert (result.verdict, result.measure, result.remove) == (AdviceResult.NOTHING_EARNED, None, ())
    assert [each.content for each in result.ranking] == ["a", "b"]  # ranked by usage


def test_usage_without_content_cannot_be_removed() -> None:
    result = advice(content(None, 250), content("a", 30, revenue=9))

    assert result.verdict is AdviceResult.TOO_LITTLE_NAMED
    assert [each.content for each in result.ranking] == [None, "a"]
    assert names(advice(content(None, 150), content("a", 30, revenue=9), content("b", 60, revenue=1))) == ["b"]


def test_usage_that_fits_a_lower_tier_needs_no_plan() -> None:
    result = advice(content("a", 90, revenue=9))

    assert (result.verdict, result.lower, result.saving) == (
        AdviceResult.FITS_ALREADY,
        PRODUCT.tiers[0],
        Money(1500, "EUR"),
    )


def test_the_lowest_tier_has_no_lower_one() -> None:
    assert advice(content("a", 90, revenue=9), up_to=100).verdict is AdviceResult.LOWEST_TIER
    assert reduction(line(), None, (), [], contents_max=9).verdict is AdviceResult.LOWEST_TIER


def test_the_tier_below_the_open_ended_one_is_the_highest_with_a_volume() -> None:
    assert advice(content("a", 900, revenue=9), up_to=None).lower == PRODUCT.tiers[2]


def test_a_tier_without_a_price_in_the_currency_is_left_out() -> None:
    assert next_lower(line(300, "DKK"), PRODUCT) == PRODUCT.tiers[1]
    assert fitting(line(300, "DKK"), PRODUCT, Decimal(50)) == PRODUCT.tiers[1]
    assert next_lower(line(200, "DKK"), PRODUCT) is None


def test_a_plan_needs_three_closed_months() -> None:
    assert advice(content("a", 250, revenue=9, months=MONTHS[1:]), since=date(2026, 3, 2)).verdict is (
        AdviceResult.TOO_FEW_MONTHS
    )
    # Usage per month is the mean of the closed months.
    [ranked] = advice(content("a", 250, revenue=9, months=MONTHS[1:]), since=date(2026, 3, 2)).ranking
    assert ranked.usage == 250
    # A month without usage counts as a closed month.
    assert advice(content("a", 750, revenue=9, months=MONTHS[1:])).average == 500


def test_too_many_contents_are_not_ranked() -> None:
    result = advice(content("a", 150, revenue=9), content("b", 100), limit=5)

    assert (result.verdict, result.measure, result.ranking) == (AdviceResult.TOO_MANY_CONTENTS, None, ())


usages = st.decimals(min_value=0, max_value=200, places=2, allow_nan=False)


@pytest.mark.parametrize("up_to", [300, None])
@given(st.lists(st.tuples(usages, st.integers(0, 10_000)), min_size=1, max_size=12))
def test_a_plan_is_sufficient_and_minimal(up_to: int | None, parts: list[tuple[Decimal, int]]) -> None:
    result = advice(
        *(content(f"c{number}", str(usage), revenue=revenue) for number, (usage, revenue) in enumerate(parts)),
        up_to=up_to,
    )
    if result.verdict is not AdviceResult.PLAN:
        return
    assert result.lower
    assert result.lower.up_to
    assert result.average
    assert result.average_without is not None
    assert result.average > result.lower.up_to >= result.average_without
    for each in result.remove:
        assert result.average_without + each.usage > result.lower.up_to
    # The removed contents lie in the shortest sufficient beginning of the ranking.
    last = max(result.ranking.index(each) for each in result.remove)
    before = sum((each.usage for each in result.ranking[:last]), Decimal(0))
    assert result.average - before > result.lower.up_to
