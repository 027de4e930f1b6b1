"""Maps a catalogue to an item's body and back."""

from __future__ import annotations

from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import Body, parsed, text
from billing.subscriptions.catalogue import Catalogue, Product, Tier, Translation


def catalogue_body(products: tuple[Product, ...]) -> str:
    return text({"products": [_product_body(product) for product in products]})


def _product_body(product: Product) -> Body:
    body = fields_of(product, id="product")
    if not product.translations:
        del body["translations"]  # as in the versions of earlier releases
    return body


def catalogue_from(stored: str, version: int) -> Catalogue:
    return Catalogue(
        version,
        tuple(
            Product(
                product["product"],
                product["name"],
                product["unit"],
                tuple(Tier(**tier) for tier in product["tiers"]),
                translations_from(product),
            )
            for product in parsed(stored)["products"]
        ),
    )


def translations_from(body: Body) -> tuple[Translation, ...]:
    """The translations of a product or of a line; the stored ones of earlier releases have none."""
    return tuple(Translation(**each) for each in body.get("translations", ()))
