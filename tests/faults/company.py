"""The sample company in a world of faults: worlds to start from, and what may be asked in them, as a client asks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from billing.accounts.administer_users import remove_user, save_user
from billing.accounts.change_billing_information import change_billing_information
from billing.accounts.information import Area, BillingDetails, Details
from billing.billing_page.provision_account import provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.invoicing.invoices import Seller
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Role
from billing.subscriptions.catalogue import Product
from billing.subscriptions.catalogue_views import CatalogueBody
from billing.subscriptions.replace_catalogue import replace_catalogue

from tests.faults.values import Item
from tests.faults.world import World
from tests.samples import ACCOUNT, CATALOGUE
from tests.store.samples import OCCASION

WANTED = AccountBody.model_validate(ACCOUNT).value()
PRODUCTS = CatalogueBody.model_validate(CATALOGUE).values()
ADA = "user of ada@nordlys.example"
BO = "user of bo@nordlys.example"
MOVED = BillingDetails("finance@nordlys.example")
TERMS = InvoicingSettings("LV", Seller("Livello", "Demovej 1", None, "1050", "Copenhagen", "DK", "DK10000009"))

Command = Callable[[World], object]


def catalogue() -> World:
    """A catalogue, and nothing else."""
    with World().calm() as world:
        replace_catalogue(PRODUCTS, 0, context=OCCASION, store=world.store)
        return world


def company() -> World:
    """The sample company as it was provisioned."""
    with catalogue().calm() as world:
        provision(world)
        return world


def with_bo(role: Role) -> Callable[[], World]:
    """The sample company, and Bo in this role."""

    def made() -> World:
        with company().calm() as world:
            save("bo@nordlys.example", role)(world)
            return world

    return made


# ---- What is asked ----


def provision(world: World) -> None:
    provision_account(WANTED, context=OCCASION, directory=world.directory, pages=world.store, catalogues=world.store)


def change(area: Area, details: Details, replaces: int = 1) -> Command:
    """A change as the API makes it: what stands is read anew for each request, the version is what was seen once."""

    def command(world: World) -> None:
        page = world.store.billing_page(WANTED.account, consistent=True)
        current: Any = page.information.area(area)  # of the same kind as the details
        wanted: Any = details
        change_billing_information(
            page.account,
            area,
            current,
            wanted,
            replaces,
            context=OCCASION,
            store=world.store,
        )

    return command


def save(email: str, role: Role) -> Command:
    def command(world: World) -> None:
        account = world.store.account(WANTED.account)
        save_user(
            account,
            email,
            email.partition("@")[0],
            role,
            context=OCCASION,
            directory=world.directory,
            store=world.store,
        )

    return command


def remove(user: str) -> Command:
    def command(world: World) -> None:
        account = world.store.account(WANTED.account)
        with suppress(NotFound):  # who removes somebody twice is told so, and content
            remove_user(account, user, context=OCCASION, store=world.store)

    return command


def sell(products: tuple[Product, ...], replaces: int) -> Command:
    def command(world: World) -> None:
        replace_catalogue(products, replaces, context=OCCASION, store=world.store)

    return command


def dearer(cents: int) -> tuple[Product, ...]:
    """The catalogue with another price."""
    first, *others = PRODUCTS
    tier, *tiers = first.tiers
    return (replace(first, tiers=(replace(tier, prices={"EUR": cents, "DKK": cents}), *tiers)), *others)


# ---- What stands then ----


def body(item: Item) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(item["body"]["S"])
    return parsed


def events(world: World, type_: str) -> list[dict[str, Any]]:
    """What was told of this type, oldest first."""
    return [told for item in world.stored("EVENT#") if (told := body(item))["type"].startswith(type_)]
