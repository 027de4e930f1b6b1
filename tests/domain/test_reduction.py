"""What to remove so that a lower tier fits, and an honest word where the data cannot tell."""

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
    """The same in each of the months; `revenue` and `conversions` are of the first."""
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
    every = [each for months in contents for each in months]
    daily: dict[date, Decimal] = {}
    for each in every:
        for day, quantity in each.daily.items():
            daily[day] = daily.get(day, Decimal(0)) + quantity
    return reduction(line(up_to), PRODUCT, closed_months(daily, TODAY, since, 3), every, contents_max=limit)


def names(found: Reduction) -> list[str | None]:
    return [each.content for each in found.remove]


def test_the_least_earning_content_goes_until_the_lower_tier_fits() -> None:
    found = advice(
        content("Search box", 120, revenue=90_000),
        content("Popular products", 80, revenue=100),
        content("Others also bought", 50, revenue=40),
        content("Newsletter", 10, revenue=500),
    )

    assert found.verdict is AdviceResult.PLAN
    assert (found.average, found.lower, found.saving) == (Decimal(260), PRODUCT.tiers[1], Money(700, "EUR"))
    assert [each.content for each in found.ranking] == [
        "Others also bought",
        "Popular products",
        "Newsletter",
        "Search box",
    ]
    # Without the second alone 180 are left: the first would go for nothing.
    assert names(found) == ["Popular products"]
    assert found.average_without == 180


def test_exactly_the_volume_of_the_tier_fits() -> None:
    exactly = advice(content("a", 200, revenue=9), content("b", "0.5"))
    assert (names(exactly), exactly.average_without) == (["b"], Decimal(200))


def test_thirds_that_no_decimal_holds_do_not_decide() -> None:
    """Each of the three uses 4 in three months: 12 in all, which is exactly what must go."""
    small = [content(name, 4, months=MONTHS[:1]) for name in "abc"]
    rest = content(None, 594, months=MONTHS[:1])

    found = advice(*small, content("d", 6, revenue=900, months=MONTHS[:1]), rest)

    assert names(found) == ["a", "b", "c"]
    assert (found.average, found.average_without) == (Decimal(204), Decimal(200))
    assert advice(*small[:2], content("c", 10, revenue=9, months=MONTHS[:1]), rest).verdict is AdviceResult.PLAN


def test_stores_are_apart() -> None:
    found = advice(content("Slider", 150, revenue=900, store="dk"), content("Slider", 100, store="se"))

    assert [(each.store, each.content) for each in found.remove] == [("se", "Slider")]


def test_conversions_rank_where_no_revenue_is_told() -> None:
    found = advice(content("a", 150, conversions=1), content("b", 100, conversions=9))

    assert (found.measure, names(found)) == (RankBy.CONVERSIONS, ["a"])


def test_revenue_in_several_currencies_cannot_be_compared() -> None:
    euros, crowns = content("a", 150, revenue=9, conversions=9), content("b", 100, revenue=9, currency="DKK")

    assert advice(euros, crowns).measure is RankBy.CONVERSIONS
    assert advice(content("a", 150, revenue=9), crowns).verdict is AdviceResult.SEVERAL_CURRENCIES


def test_without_anything_earned_nobody_can_tell() -> None:
    found = advice(content("a", 150), content("b", 100))

    assert (found.verdict, found.measure, found.remove) == (AdviceResult.NOTHING_EARNED, None, ())
    assert [each.content for each in found.ranking] == ["a", "b"]  # by usage, which can be told


def test_usage_that_names_no_content_cannot_be_removed() -> None:
    found = advice(content(None, 250), content("a", 30, revenue=9))

    assert found.verdict is AdviceResult.TOO_LITTLE_NAMED
    assert [each.content for each in found.ranking] == [None, "a"]
    assert names(advice(content(None, 150), content("a", 30, revenue=9), content("b", 60, revenue=1))) == ["b"]


def test_who_fits_a_lower_tier_already_need_not_remove_anything() -> None:
    found = advice(content("a", 90, revenue=9))

    assert (found.verdict, found.lower, found.saving) == (
        AdviceResult.FITS_ALREADY,
        PRODUCT.tiers[0],
        Money(1500, "EUR"),
    )


def test_below_the_lowest_tier_there_is_nothing() -> None:
    assert advice(content("a", 90, revenue=9), up_to=100).verdict is AdviceResult.LOWEST_TIER
    assert reduction(line(), None, (), [], contents_max=9).verdict is AdviceResult.LOWEST_TIER


def test_below_the_open_ended_tier_is_the_highest_with_a_limit() -> None:
    assert advice(content("a", 900, revenue=9), up_to=None).lower == PRODUCT.tiers[2]


def test_a_tier_without_a_price_in_the_currency_is_none() -> None:
    assert next_lower(line(300, "DKK"), PRODUCT) == PRODUCT.tiers[1]
    assert fitting(line(300, "DKK"), PRODUCT, Decimal(50)) == PRODUCT.tiers[1]
    assert next_lower(line(200, "DKK"), PRODUCT) is None


def test_three_closed_months_are_needed() -> None:
    assert advice(content("a", 250, revenue=9, months=MONTHS[1:]), since=date(2026, 3, 2)).verdict is (
        AdviceResult.TOO_FEW_MONTHS
    )
    # Per month means: per month that is closed.
    [ranked] = advice(content("a", 250, revenue=9, months=MONTHS[1:]), since=date(2026, 3, 2)).ranking
    assert ranked.usage == 250
    # A month without any usage is a closed month like others.
    assert advice(content("a", 750, revenue=9, months=MONTHS[1:])).average == 500


def test_too_many_contents_are_not_looked_at() -> None:
    found = advice(content("a", 150, revenue=9), content("b", 100), limit=5)

    assert (found.verdict, found.measure, found.ranking) == (AdviceResult.TOO_MANY_CONTENTS, None, ())


usages = st.decimals(min_value=0, max_value=200, places=2, allow_nan=False)


@pytest.mark.parametrize("up_to", [300, None])
@given(st.lists(st.tuples(usages, st.integers(0, 10_000)), min_size=1, max_size=12))
def test_a_plan_suffices_and_nothing_in_it_is_superfluous(up_to: int | None, parts: list[tuple[Decimal, int]]) -> None:
    found = advice(
        *(content(f"c{number}", str(usage), revenue=revenue) for number, (usage, revenue) in enumerate(parts)),
        up_to=up_to,
    )
    if found.verdict is not AdviceResult.PLAN:
        return
    assert found.lower
    assert found.lower.up_to
    assert found.average
    assert found.average_without is not None
    assert found.average > found.lower.up_to >= found.average_without
    for each in found.remove:
        assert found.average_without + each.usage > found.lower.up_to
    # What is removed lies in the shortest beginning of the ranking that suffices.
    last = max(found.ranking.index(each) for each in found.remove)
    before = sum((each.usage for each in found.ranking[:last]), Decimal(0))
    assert found.average - before > found.lower.up_to
