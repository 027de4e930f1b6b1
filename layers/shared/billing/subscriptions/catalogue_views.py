"""The catalogue in API requests and answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from billing.kernel.fields import fields_of
from billing.platform.http.models import Amount, Body, Currency, Identifier, Text, View, Volume
from billing.subscriptions.catalogue import Catalogue, Product, Tier

PRODUCTS_MAX = 30
TIERS_MAX = 50
CURRENCIES_MAX = 20


class TierBody(Body):
    """Usage of up to `up_to` per month, null for open-ended; `prices` null means: ask us."""

    up_to: Volume | None
    prices: Annotated[dict[Currency, Amount], Field(min_length=1, max_length=CURRENCIES_MAX)] | None = Field(
        description="Minor units per month by currency."
    )


class ProductBody(Body):
    """Something sold in tiers, smallest first."""

    product: Identifier
    name: Text
    unit: Annotated[Text, Field(description="What usage is counted in, in the plural: searches.")]
    tiers: Annotated[tuple[TierBody, ...], Field(min_length=1, max_length=TIERS_MAX)]

    def value(self) -> Product:
        return Product(
            id=self.product,
            name=self.name,
            unit=self.unit,
            tiers=tuple(Tier(up_to=tier.up_to, prices=tier.prices) for tier in self.tiers),
        )


class CatalogueBody(Body):
    """All that is sold."""

    products: Annotated[tuple[ProductBody, ...], Field(min_length=1, max_length=PRODUCTS_MAX)]

    def values(self) -> tuple[Product, ...]:
        return tuple(product.value() for product in self.products)


class TierView(View):
    up_to: int | None
    prices: dict[str, int] | None


class ProductView(View):
    product: str
    name: str
    unit: str
    tiers: list[TierView]

    @classmethod
    def of(cls, product: Product) -> ProductView:
        return cls.model_validate(fields_of(product, id="product"), from_attributes=True)


class CatalogueView(View):
    """One version of what is sold."""

    version: int
    products: list[ProductView]

    @classmethod
    def of(cls, catalogue: Catalogue) -> CatalogueView:
        products = [ProductView.of(product) for product in catalogue.products]
        return cls(version=catalogue.version, products=products)
