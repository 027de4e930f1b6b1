"""Maps a catalogue to an item's body and back."""

from __future__ import annotations

from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import parsed, text
from billing.subscriptions.catalogue import Catalogue, Product, Tier


def catalogue_body(products: tuple[Product, ...]) -> str:
    return text({"products": [fields_of(product, id="product") for product in products]})


def catalogue_from(stored: str, version: int) -> Catalogue:
    return Catalogue(
        version,
        tuple(
            Product(
                product["product"], product["name"], product["unit"], tuple(Tier(**tier) for tier in product["tiers"])
            )
            for product in parsed(stored)["products"]
        ),
    )
