"""The catalogue: products with tiers, and one flat monthly price per tier and currency (DESIGN 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from billing.kernel.currencies import CHARGEABLE
from billing.kernel.errors import Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Tier:
    """Usage of up to `up_to` per month for one price; `up_to` None is open-ended.

    `prices` are minor units per month by currency; None means that the customer asks the vendor for a price.
    """

    up_to: int | None
    prices: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class Translation:
    """The name of a product, and of its unit of usage, in a `language` (ISO 639)."""

    language: str
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product sold in tiers, smallest first. `unit` names its unit of usage in the plural, such as "searches".

    `translations` are the names for the customers of other languages, at most one per language. Accounts whose language
    has none see `name` and `unit`.
    """

    id: str
    name: str
    unit: str
    tiers: tuple[Tier, ...]
    translations: tuple[Translation, ...] = ()

    def tier(self, up_to: int | None) -> Tier | None:
        """The tier with exactly this volume, or None."""
        return next((tier for tier in self.tiers if tier.up_to == up_to), None)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One version of the catalogue. A version never changes, so an account keeps the prices that it signed."""

    version: int
    products: tuple[Product, ...]

    def product(self, product: str) -> Product | None:
        """The product with this id, or None."""
        return next((each for each in self.products if each.id == product), None)


def price_per_month(tier: Tier, currency: str) -> Money | None:
    """The tier's price per month, or None if the tier has no price in this currency."""
    if tier.prices is None or currency not in tier.prices:
        return None
    return Money(tier.prices[currency], currency)


def check(products: tuple[Product, ...], *, is_charged: bool) -> None:
    """Checks the rules of a catalogue. Raises RuleViolation with the path of every fault.

    Where the deployment charges cards or bank accounts (`is_charged`), the payment service charges each currency.
    Product ids are unique. Volumes rise strictly from tier to tier. Only the top tier may be open-ended or without a
    price. All priced tiers of all products have the same currencies. A larger tier never costs less than a smaller one.
    """
    violations = list(_violations(products, is_charged))
    if violations:
        raise RuleViolation(*violations)


def _violations(products: tuple[Product, ...], is_charged: bool) -> Iterator[Violation]:
    seen: set[str] = set()
    for position, product in enumerate(products):
        path: Path = ("products", position)
        if product.id in seen:
            yield Violation((*path, "product"), f"The product {product.id} is listed twice.", FieldCode.DUPLICATE)
        seen.add(product.id)
        yield from _ladder_violations(product, (*path, "tiers"))
    yield from _currency_violations(products)
    if is_charged:
        yield from _charge_violations(products)


def _ladder_violations(product: Product, path: Path) -> Iterator[Violation]:
    top = len(product.tiers) - 1
    for position, tier in enumerate(product.tiers[:top]):
        if tier.up_to is None:
            yield Violation((*path, position, "up_to"), "Only the top tier may be open-ended.", FieldCode.MISSING)
        if tier.prices is None:
            yield Violation((*path, position, "prices"), "Only the top tier may be without a price.", FieldCode.MISSING)
    for position, (lower, upper) in enumerate(pairwise(product.tiers), start=1):
        if lower.up_to is not None and upper.up_to is not None and upper.up_to <= lower.up_to:
            yield Violation(
                (*path, position, "up_to"),
                f"Up to {upper.up_to} does not rise above the tier before it, up to {lower.up_to}.",
                FieldCode.TOO_SMALL,
                {"above": lower.up_to},
            )
        for currency in sorted((lower.prices or {}).keys() & (upper.prices or {}).keys()):
            if (upper.prices or {})[currency] < (lower.prices or {})[currency]:
                yield Violation(
                    (*path, position, "prices", currency),
                    "A larger tier costs less than the tier before it.",
                    FieldCode.TOO_SMALL,
                    {"min": (lower.prices or {})[currency]},
                )


def _currency_violations(products: tuple[Product, ...]) -> Iterator[Violation]:
    priced = [
        (("products", product_position, "tiers", tier_position, "prices"), tier.prices)
        for product_position, product in enumerate(products)
        for tier_position, tier in enumerate(product.tiers)
        if tier.prices is not None
    ]
    offered = set().union(*(prices for _, prices in priced))
    for path, prices in priced:
        missing = sorted(offered - prices.keys())
        if missing:
            yield Violation(
                path,
                f"A price is missing that other tiers have: {', '.join(missing)}.",
                FieldCode.MISSING,
                {"required": missing},
            )


def _charge_violations(products: tuple[Product, ...]) -> Iterator[Violation]:
    """One violation for each currency that nothing could be charged in, at its first price."""
    seen: set[str] = set()
    for product_position, product in enumerate(products):
        for tier_position, tier in enumerate(product.tiers):
            for currency in sorted((tier.prices or {}).keys() - CHARGEABLE - seen):
                seen.add(currency)
                yield Violation(
                    ("products", product_position, "tiers", tier_position, "prices", currency),
                    f"Stripe charges nothing in {currency}. Only a deployment whose customers all pay by bank transfer "
                    "can sell in it (ChargedMethods=none).",
                    FieldCode.UNSUPPORTED,
                )
