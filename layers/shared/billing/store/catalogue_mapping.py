"""Between items and the catalogue."""

from __future__ import annotations

from dataclasses import asdict

from billing.domain.catalogue import Catalogue, Product, Tier
from billing.store.bodies import parsed, text


def catalogue_body(products: tuple[Product, ...]) -> str:
    return text({"products": [asdict(product) for product in products]})


def catalogue_from(stored: str, version: int) -> Catalogue:
    return Catalogue(
        version,
        tuple(
            Product(**{**product, "tiers": tuple(Tier(**tier) for tier in product["tiers"])})
            for product in parsed(stored)["products"]
        ),
    )
