"""Prices, discounts and tier changes of a subscription, and the orders that are refused."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract
from billing.kernel.errors import RuleViolation
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.pricing import amount_per_charge
from billing.subscriptions.rules import (
    Cause,
    Discount,
    Line,
    Order,
    Subscription,
    TierChange,
    price_after_discounts,
    subscribe,
)
from hypothesis import given
from hypothesis import strategies as st

START = date(2026, 1, 31)
CATALOGUE = Catalogue(
    3,
    (
        Product("search", "Search", "searches", (Tier(10_000, {"EUR": 4900}), Tier(None, None))),
        Product("email", "E-mail", "e-mails", (Tier(10_000, {"EUR": 2900}), Tier(25_000, {"EUR": 5900}))),
    ),
)


def contract(interval_months: int = 1) -> Contract:
    return Contract(START, interval_months, "EUR", "Europe/Rome")


def discount(
    product: str | None = None,
    percent: str | None = None,
    amount: int | None = None,
    valid_from: date = START,
    valid_until: date | None = None,
) -> Discount:
    return Discount(product, None if percent is None else Decimal(percent), amount, valid_from, valid_until, "signed")


def subscription(*discounts: Discount) -> Subscription:
    lines = (
        Line("search", "Search", "searches", 10_000, Money(4900, "EUR")),
        Line("email", "E-mail", "e-mails", 25_000, Money(5900, "EUR")),
    )
    return Subscription(1, lines, discounts)


def paths(orders: tuple[Order, ...], *discounts: Discount, currency: str = "EUR") -> list[tuple[str | int, ...]]:
    with pytest.raises(RuleViolation) as caught:
        subscribe(orders, discounts, CATALOGUE, currency)
    return [violation.path for violation in caught.value.violations]


def test_a_subscription_has_the_catalogues_prices() -> None:
    signed = subscribe((Order("email", 25_000),), (), CATALOGUE, "EUR")

    assert signed == Subscription(3, (Line("email", "E-mail", "e-mails", 25_000, Money(5900, "EUR")),), discounts=())


def test_orders_that_are_refused() -> None:
    assert paths((Order("chat", 100),)) == [("lines", 0, "product")]
    assert paths((Order("email", 30_000),)) == [("lines", 0, "up_to")]
    assert paths((Order("search", None),)) == [("lines", 0, "up_to")], "the top tier has no price"
    assert paths((Order("email", 10_000),), currency="USD") == [("lines", 0, "up_to")]
    assert paths((Order("email", 10_000), Order("email", 25_000))) == [("lines", 1, "product")]
    assert paths((Order("email", 10_000),), discount("search", percent="5")) == [("discounts", 0, "product")]
    assert paths((Order("email", 10_000),), discount(amount=2901)) == [("discounts", 0, "amount")]


def test_discounts_that_together_exceed_the_price_are_refused() -> None:
    email = (Order("email", 10_000),)
    autumn = date(2026, 9, 1)

    assert paths(email, discount("email", percent="60"), discount("email", percent="41", valid_from=autumn)) == [
        ("discounts", 1, "percent")
    ]
    assert paths(email, discount("email", amount=2000), discount("email", amount=901)) == [
        ("discounts", 0, "amount"),
        ("discounts", 1, "amount"),
    ]
    assert paths(email, discount(amount=2000), discount("email", percent="50", valid_from=autumn)) == [
        ("discounts", 1, "percent")
    ]
    # Discounts one after the other may each take 60 %, and 100 % together is the limit.
    subscribe(
        email,
        (discount("email", percent="60", valid_until=autumn), discount("email", percent="60", valid_from=autumn)),
        CATALOGUE,
        "EUR",
    )
    subscribe(email, (discount("email", percent="60"), discount("email", percent="40")), CATALOGUE, "EUR")
    subscribe(email, (discount("email", percent="100"), discount(percent="100")), CATALOGUE, "EUR")


def test_a_free_month_costs_zero_and_not_less() -> None:
    """Both lines round up here, and the discount on the whole does not."""
    lines = tuple(
        Line(product, product, "units", 10, Money(price, "EUR")) for product, price in (("a", 4901), ("b", 2901))
    )
    free = Subscription(1, lines, (discount("a", percent="50"), discount("b", percent="50"), discount(percent="100")))

    assert amount_per_charge(free, contract(), 0) == Money(0, "EUR")


def test_a_month_without_discounts_costs_the_sum_of_its_prices() -> None:
    assert amount_per_charge(subscription(), contract(), 0) == Money(10_800, "EUR")


def test_a_yearly_charge_is_twelve_months() -> None:
    assert amount_per_charge(subscription(), contract(12), 0) == Money(12 * 10_800, "EUR")


def test_a_discount_on_a_product_reduces_that_product_only() -> None:
    signed = subscription(discount("search", percent="12.5"))

    assert price_after_discounts(signed, signed.lines[0], START) == Money(4288, "EUR"), "4287.5, half to even"
    assert price_after_discounts(signed, signed.lines[1], START) == Money(5900, "EUR")


def test_a_discount_on_the_whole_applies_after_discounts_on_products() -> None:
    signed = subscription(discount("search", amount=900), discount(percent="10"))

    assert amount_per_charge(signed, contract(), 0) == Money(4000 + 5900 - 990, "EUR")


def test_a_discount_that_ends_within_a_paid_period_applies_to_its_months_only() -> None:
    # Months of this contract begin on 31 January, 28 February and 31 March.
    signed = subscription(discount("search", amount=1000, valid_until=date(2026, 3, 1)))

    assert amount_per_charge(signed, contract(3), 0) == Money(3 * 10_800 - 2 * 1000, "EUR")
    assert amount_per_charge(signed, contract(3), 3) == Money(3 * 10_800, "EUR")


def test_a_discount_applies_from_its_first_day_and_before_its_last() -> None:
    spring = discount(percent="5", valid_from=date(2026, 3, 1), valid_until=date(2026, 6, 1))

    assert [spring.applies_on(date(2026, month, day)) for month, day in ((2, 28), (3, 1), (5, 31), (6, 1))] == [
        False,
        True,
        True,
        False,
    ]


# ---- Tier changes ----


def change(product: str, price: int, effective_on: date) -> TierChange:
    return TierChange(product, price, Money(price, "EUR"), effective_on, Cause.REVIEW, "01REVIEW")


SPRING, SUMMER, AUTUMN = date(2026, 3, 31), date(2026, 7, 31), date(2026, 10, 31)


def test_a_tier_change_takes_effect_on_its_day() -> None:
    changed = replace(subscription(), changes=(change("email", 2900, SPRING),))

    assert changed.lines_on(SPRING - timedelta(days=1)) == subscription().lines
    [search, email] = changed.lines_on(SPRING)
    assert search == subscription().lines[0]
    assert email == replace(subscription().lines[1], up_to=2900, price=Money(2900, "EUR"))
    assert changed.pending_change("email", SPRING - timedelta(days=1)) == changed.changes[0]
    assert changed.pending_change("email", SPRING) is None
    assert changed.pending_change("search", START) is None


def test_a_tier_change_within_a_paid_period_is_charged_from_its_month_on() -> None:
    # Months of this contract begin on 31 January, 28 February and 31 March.
    changed = replace(subscription(), changes=(change("email", 9900, SPRING),))

    assert amount_per_charge(changed, contract(3), 0) == Money(2 * 10_800 + 14_800, "EUR")
    assert amount_per_charge(changed, contract(3), 3) == Money(3 * 14_800, "EUR")


def test_a_percentage_discount_applies_to_the_changed_price() -> None:
    changed = replace(subscription(discount("email", percent="50")), changes=(change("email", 2900, SPRING),))

    assert amount_per_charge(changed, contract(3), 0) == Money(3 * 4900 + 2 * 2950 + 1450, "EUR")
    [_, email] = changed.lines_on(SPRING)
    assert price_after_discounts(changed, email, SPRING) == Money(1450, "EUR")


def test_the_latest_tier_change_in_effect_decides_the_tier() -> None:
    changed = replace(subscription(), changes=(change("email", 1900, SUMMER), change("email", 2900, SPRING)))

    assert [changed.lines_on(day)[1].up_to for day in (START, SPRING, SUMMER)] == [25_000, 2900, 1900]
    assert changed.pending_change("email", START) == changed.changes[1], "the next one"


def test_a_later_decision_replaces_pending_changes_of_the_same_product() -> None:
    first = change("email", 2900, SUMMER)
    other = change("search", 3900, SUMMER)
    later = change("email", 1900, AUTUMN)

    changed = replace(subscription(), changes=(first, other)).changed((later,), START, START)

    assert changed.changes == (other, later)
    assert changed.lines == subscription().lines


def test_changes_in_effect_by_the_paid_period_move_into_the_lines() -> None:
    in_effect = change("email", 2900, SPRING)
    later = change("search", 3900, AUTUMN)

    within_the_period = replace(subscription(), changes=(in_effect,)).changed((later,), SUMMER, START)
    after_it = replace(subscription(), changes=(in_effect,)).changed((later,), SUMMER, SPRING)

    assert within_the_period.changes == (in_effect, later), "earlier months of the period keep their price"
    assert after_it.changes == (later,)
    assert after_it.lines[1] == replace(subscription().lines[1], up_to=2900, price=Money(2900, "EUR"))


some_changes = st.lists(
    st.builds(
        lambda product, price, days: change(product, price, START + timedelta(days=days)),
        st.sampled_from(["search", "email"]),
        st.integers(1, 9999),
        st.integers(1, 400),
    ),
    max_size=5,
    unique_by=lambda each: (each.product, each.effective_on),
)


@given(some_changes, some_changes, st.integers(0, 300), st.integers(0, 100), st.integers(0, 200))
def test_a_decision_changes_no_price_before_its_day(
    given: list[TierChange], new: list[TierChange], settled: int, today: int, later: int
) -> None:
    before = replace(subscription(), changes=tuple(given))
    settled_on = START + timedelta(days=settled)
    today_is = settled_on + timedelta(days=today)
    coming = tuple(each for each in new if each.effective_on > today_is)

    after = before.changed(coming, today_is, settled_on)

    for day in (settled_on, today_is):
        assert after.lines_on(day) == before.lines_on(day)
    day = today_is + timedelta(days=later)
    for line_before, line_after in zip(before.lines_on(day), after.lines_on(day), strict=True):
        if line_before.product not in {each.product for each in coming}:
            assert line_after == line_before


odd_lines = st.lists(st.integers(1, 9999), min_size=2, max_size=2).map(
    lambda prices: tuple(
        Line(product, product, "units", 10, Money(price, "EUR"))
        for product, price in zip(("search", "email"), prices, strict=True)
    )
)
percentages = st.decimals("0.0001", 100, places=4).map(str)
discounts = st.builds(
    lambda product, percent, amount, days, length: discount(
        product,
        percent=percent if amount is None else None,
        amount=amount,
        valid_from=START + timedelta(days=days),
        valid_until=None if length is None else START + timedelta(days=days + length),
    ),
    st.sampled_from(["search", "email", None]),
    percentages,
    st.none() | st.integers(1, 8000),
    st.integers(-100, 400),
    st.none() | st.integers(1, 400),
)


@given(odd_lines, st.lists(discounts, max_size=5), st.sampled_from(INTERVALS_MONTHS), st.integers(0, 24))
def test_a_charge_is_between_zero_and_the_list_price(
    lines: tuple[Line, ...], given: list[Discount], interval: int, period: int
) -> None:
    charge = amount_per_charge(Subscription(1, lines, tuple(given)), contract(interval), period * interval)

    assert 0 <= charge.amount <= interval * sum(line.price.amount for line in lines)


@given(odd_lines, st.lists(discounts, max_size=4), discounts, st.integers(0, 24))
def test_a_further_discount_never_raises_the_charge(
    lines: tuple[Line, ...], given: list[Discount], further: Discount, month: int
) -> None:
    without = amount_per_charge(Subscription(1, lines, tuple(given)), contract(), month)
    with_it = amount_per_charge(Subscription(1, lines, (*given, further)), contract(), month)

    # Each line and the discount on the whole are rounded by themselves, by up to one minor unit each.
    assert with_it.amount <= without.amount + 3
