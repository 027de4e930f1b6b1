"""The rules of a catalogue: ids, volumes, prices and currencies of its tiers."""

import pytest
from billing.kernel.errors import RuleViolation
from billing.subscriptions.catalogue import Product, Tier, check


def product(*tiers: Tier, product: str = "search") -> Product:
    return Product(product, product.title(), "searches", tiers)


def pointers(*products: Product) -> list[tuple[str | int, ...]]:
    with pytest.raises(RuleViolation) as caught:
        check(products, is_charged=True)
    return [violation.path for violation in caught.value.violations]


def test_the_top_tier_may_be_open_ended_and_without_a_price() -> None:
    check((product(Tier(10, {"EUR": 100}), Tier(20, {"EUR": 100}), Tier(None, None)),), is_charged=True)
    check((product(Tier(10, {"EUR": 100}), Tier(None, {"EUR": 300})),), is_charged=True)


def test_volumes_rise_from_tier_to_tier() -> None:
    overlapping = product(Tier(10, {"EUR": 1}), Tier(10, {"EUR": 2}))
    shrinking = product(Tier(10, {"EUR": 1}), Tier(20, {"EUR": 2}), Tier(15, {"EUR": 3}))

    assert pointers(overlapping) == [("products", 0, "tiers", 1, "up_to")]
    assert pointers(shrinking) == [("products", 0, "tiers", 2, "up_to")]


def test_a_larger_tier_never_costs_less() -> None:
    cheaper = product(Tier(10, {"EUR": 200, "USD": 1}), Tier(20, {"EUR": 199, "USD": 2}))

    assert pointers(cheaper) == [("products", 0, "tiers", 1, "prices", "EUR")]


def test_only_the_top_tier_may_be_open_ended_or_without_a_price() -> None:
    broken = product(Tier(None, None), Tier(20, {"EUR": 2}))

    assert pointers(broken) == [("products", 0, "tiers", 0, "up_to"), ("products", 0, "tiers", 0, "prices")]


def test_all_tiers_have_prices_in_the_same_currencies() -> None:
    search = product(Tier(10, {"EUR": 1, "USD": 1}))
    email = product(Tier(10, {"EUR": 1}), product="email")

    assert pointers(search, email) == [("products", 1, "tiers", 0, "prices")]


def test_a_product_is_listed_once() -> None:
    assert pointers(product(Tier(10, {"EUR": 1})), product(Tier(10, {"EUR": 1}))) == [("products", 1, "product")]


def test_the_error_names_every_fault_at_once() -> None:
    assert len(pointers(product(Tier(10, {"EUR": 5}), Tier(5, {"EUR": 1}), Tier(7, {"USD": 1})))) == 5


def test_a_currency_that_nothing_can_be_charged_in_is_named_once_in_words() -> None:
    search = product(Tier(10, {"CUP": 1, "EUR": 1}), Tier(20, {"CUP": 1, "EUR": 1}))
    email = product(Tier(10, {"CUP": 1, "EUR": 1}), product="email")

    with pytest.raises(RuleViolation) as caught:
        check((search, email), is_charged=True)

    [violation] = caught.value.violations
    assert violation.path == ("products", 0, "tiers", 0, "prices", "CUP")
    assert "Stripe charges nothing in CUP" in violation.detail
    check((search, email), is_charged=False)
