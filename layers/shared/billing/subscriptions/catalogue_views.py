"""The catalogue in API requests and answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from billing.kernel.fields import fields_of
from billing.platform.http.models import Amount, Body, Currency, Identifier, Language, Text, View, Volume
from billing.subscriptions.catalogue import Catalogue, Product, Tier, Translation

PRODUCTS_MAX = 30
TIERS_MAX = 50
CURRENCIES_MAX = 20


class TierBody(Body):
    """Usage of up to `up_to` per month, null for open-ended; `prices` null means: ask us."""

    up_to: Volume | None
    prices: Annotated[dict[Currency, Amount], Field(min_length=1, max_length=CURRENCIES_MAX)] | None = Field(
        description="Minor units per month by currency."
    )


class NamesBody(Body):
    """What a product and its unit of usage are called in a language."""

    name: Text
    unit: Text


class ProductBody(Body):
    """Something sold in tiers, smallest first."""

    product: Identifier
    name: Text
    unit: Annotated[Text, Field(description="What usage is counted in, in the plural: searches.")]
    translations: dict[Language, NamesBody] = Field(
        default_factory=dict, description="The names by language, for the accounts that are written to in it."
    )
    tiers: Annotated[tuple[TierBody, ...], Field(min_length=1, max_length=TIERS_MAX)]

    def value(self) -> Product:
        return Product(
            id=self.product,
            name=self.name,
            unit=self.unit,
            tiers=tuple(Tier(up_to=tier.up_to, prices=tier.prices) for tier in self.tiers),
            translations=tuple(
                Translation(language, each.name, each.unit) for language, each in sorted(self.translations.items())
            ),
        )


class CatalogueBody(Body):
    """All that is sold."""

    products: Annotated[tuple[ProductBody, ...], Field(min_length=1, max_length=PRODUCTS_MAX)]

    def values(self) -> tuple[Product, ...]:
        return tuple(product.value() for product in self.products)


class TierView(View):
    up_to: int | None
    prices: dict[str, int] | None


class NamesView(View):
    """What a product and its unit of usage are called in a language."""

    name: str
    unit: str

    @classmethod
    def by_language(cls, translations: Iterable[Translation]) -> dict[str, NamesView]:
        return {each.language: cls(name=each.name, unit=each.unit) for each in translations}


class ProductView(View):
    product: str
    name: str
    unit: str
    translations: dict[str, NamesView]
    tiers: list[TierView]

    @classmethod
    def of(cls, product: Product) -> ProductView:
        names = NamesView.by_language(product.translations)
        fields = {**fields_of(product, id="product"), "translations": names}
        return cls.model_validate(fields, from_attributes=True)


class CatalogueView(View):
    """One version of what is sold."""

    version: int
    products: list[ProductView]

    @classmethod
    def of(cls, catalogue: Catalogue) -> CatalogueView:
        products = [ProductView.of(product) for product in catalogue.products]
        return cls(version=catalogue.version, products=products)
