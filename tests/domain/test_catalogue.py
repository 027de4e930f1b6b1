"""What makes products a catalogue."""

import pytest
from billing.kernel.errors import RuleViolation
from billing.subscriptions.catalogue import Product, Tier, check


def product(*tiers: Tier, product: str = "search") -> Product:
    return Product(product, product.title(), "searches", tiers)


def pointers(*products: Product) -> list[tuple[str | int, ...]]:
    with pytest.raises(RuleViolation) as caught:
        check(products)
    return [violation.path for violation in caught.value.violations]


def test_a_ladder_with_an_open_top() -> None:
    check((product(Tier(10, {"EUR": 100}), Tier(20, {"EUR": 100}), Tier(None, None)),))
    check((product(Tier(10, {"EUR": 100}), Tier(None, {"EUR": 300})),))


def test_tiers_rise() -> None:
    overlapping = product(Tier(10, {"EUR": 1}), Tier(10, {"EUR": 2}))
    shrinking = product(Tier(10, {"EUR": 1}), Tier(20, {"EUR": 2}), Tier(15, {"EUR": 3}))

    assert pointers(overlapping) == [("products", 0, "tiers", 1, "up_to")]
    assert pointers(shrinking) == [("products", 0, "tiers", 2, "up_to")]


def test_a_larger_tier_never_costs_less() -> None:
    cheaper = product(Tier(10, {"EUR": 200, "USD": 1}), Tier(20, {"EUR": 199, "USD": 2}))

    assert pointers(cheaper) == [("products", 0, "tiers", 1, "prices", "EUR")]


def test_only_the_top_is_open_or_without_a_price() -> None:
    broken = product(Tier(None, None), Tier(20, {"EUR": 2}))

    assert pointers(broken) == [("products", 0, "tiers", 0, "up_to"), ("products", 0, "tiers", 0, "prices")]


def test_all_tiers_offer_the_same_currencies() -> None:
    search = product(Tier(10, {"EUR": 1, "USD": 1}))
    email = product(Tier(10, {"EUR": 1}), product="email")

    assert pointers(search, email) == [("products", 1, "tiers", 0, "prices")]


def test_a_product_is_listed_once() -> None:
    assert pointers(product(Tier(10, {"EUR": 1})), product(Tier(10, {"EUR": 1}))) == [("products", 1, "product")]


def test_every_place_is_named_at_once() -> None:
    assert len(pointers(product(Tier(10, {"EUR": 5}), Tier(5, {"EUR": 1}), Tier(7, {"USD": 1})))) == 5
