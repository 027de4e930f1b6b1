"""The sample company for the fault tests: worlds to start from, and commands as a client would run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from billing.accounts.administer_users import remove_user, save_user
from billing.accounts.change_billing_information import change_billing_information
from billing.accounts.information import Area, BillingDetails, Details
from billing.billing_page.provision_account import provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.invoicing.invoices import Seller
from billing.invoicing.mapping import summary_from
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.errors import NotFound
from billing.kernel.permissions import Role
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.subscriptions.catalogue import Product
from billing.subscriptions.catalogue_views import CatalogueBody
from billing.subscriptions.replace_catalogue import replace_catalogue

from tests.faults.values import Item
from tests.faults.world import World
from tests.samples import ACCOUNT, CATALOGUE
from tests.store.samples import CONTEXT

NEW_ACCOUNT = AccountBody.model_validate(ACCOUNT).value()
PRODUCTS = CatalogueBody.model_validate(CATALOGUE).values()
ADA = "user of ada@nordlys.example"
BO = "user of bo@nordlys.example"
MOVED = BillingDetails("finance@nordlys.example")
SETTINGS = InvoicingSettings("LV", Seller("Livello", "Demovej 1", None, "1050", "Copenhagen", "DK", "DK10000009"))

Command = Callable[[World], object]


def catalogue() -> World:
    """A world with a catalogue, and nothing else."""
    with World().calm() as world:
        replace_catalogue(PRODUCTS, 0, is_charged=True, context=CONTEXT, store=world.store)
        return world


def company() -> World:
    """A world with the sample company just provisioned."""
    with catalogue().calm() as world:
        provision(world)
        return world


def with_bo(role: Role) -> Callable[[], World]:
    """Makes a world with the sample company, and Bo in this role."""

    def make() -> World:
        with company().calm() as world:
            save("bo@nordlys.example", role)(world)
            return world

    return make


# ---- Commands ----


def provision(world: World) -> None:
    provision_account(
        NEW_ACCOUNT, context=CONTEXT, directory=world.directory, pages=world.store, catalogues=world.store
    )


def change(area: Area, details: Details, replaces: int = 1) -> Command:
    """A change as the API makes it: each attempt reads the current page, but keeps the version that the user saw."""

    def command(world: World) -> None:
        page = world.store.billing_page(NEW_ACCOUNT.account, consistent=True)
        current: Any = page.information.area(area)  # of the same class as the details
        new_details: Any = details
        change_billing_information(
            page.account,
            area,
            current,
            new_details,
            replaces,
            context=CONTEXT,
            store=world.store,
        )

    return command


def save(email: str, role: Role, *, after: timedelta = timedelta(), invitations_per_day: int = 50) -> Command:
    """Adds a user, changes their role, or invites them again, some time `after` the account was provisioned."""
    context = replace(CONTEXT, time=CONTEXT.time + after)

    def command(world: World) -> None:
        account = world.store.account(NEW_ACCOUNT.account)
        save_user(
            account,
            email,
            email.partition("@")[0],
            role,
            invitations_per_day=invitations_per_day,
            context=context,
            directory=world.directory,
            store=world.store,
        )

    return command


def remove(user: str) -> Command:
    """Removes a user."""

    def command(world: World) -> None:
        account = world.store.account(NEW_ACCOUNT.account)
        with suppress(NotFound):  # a repeated removal finds no user, which is fine for the client
            remove_user(account, user, context=CONTEXT, store=world.store)

    return command


def sell(products: tuple[Product, ...], replaces: int) -> Command:
    """Replaces this version of the catalogue."""

    def command(world: World) -> None:
        replace_catalogue(products, replaces, is_charged=True, context=CONTEXT, store=world.store)

    return command


def dearer(cents: int) -> tuple[Product, ...]:
    """The catalogue with another price for its first tier, in minor units."""
    first, *others = PRODUCTS
    tier, *tiers = first.tiers
    return (replace(first, tiers=(replace(tier, prices={"EUR": cents, "DKK": cents}), *tiers)), *others)


# ---- What the world contains ----


def body(item: Item) -> dict[str, Any]:
    """The parsed body of a stored item."""
    parsed: dict[str, Any] = json.loads(item["body"]["S"])
    return parsed


def events(world: World, type_: str) -> list[dict[str, Any]]:
    """The bodies of the recorded events whose type starts with `type_`, oldest first."""
    return [event for item in world.stored("EVENT#") if (event := body(item))["type"].startswith(type_)]


def stored_invoices(world: World) -> list[dict[str, Any]]:
    """Each invoice and credit note: its summary, what it said when it was issued, and what its entries come to."""
    documents = {item["sk"]["S"]: body(item)["issued"] for item in world.stored(keys.DOCUMENT)}
    found = []
    for item in world.stored(keys.INVOICE):
        stored = body(item)
        _, payment, _ = summary_from(item["pk"]["S"].removeprefix(keys.account("")), item["body"]["S"])
        figures = {
            "attempts": payment.attempts,
            "waived": payment.waived,
            "to_refund": payment.owed if payment.is_credit_note else 0,
            "entries": [(each.kind, each.amount, each.on, each.reference, each.payment) for each in payment.entries],
        }
        issued = stored["issued"] if "issued" in stored else documents[keys.document(stored["number"])]
        found.append({**stored, "issued": issued, "payment": {**stored["payment"], **figures}})
    return found


def nothing_is_forgotten(world: World) -> None:
    """Each unpaid invoice and credit note has its next look, or is past due and in the list of staff."""
    due_accounts = {item["pk"]["S"] for item in world.stored(keys.due(Job.COLLECTION))}
    for item in world.stored(keys.INVOICE):
        status, lists = body(item)["status"], {item.get(name, {}).get("S", "") for name in ("gsi1pk", "gsi2pk")}
        is_due = any(each.startswith(keys.shard(Job.COLLECTION, 0)[:-1]) for each in lists)
        if status in {"open", "in_transit"}:
            assert is_due or item["pk"]["S"] in due_accounts, "an unpaid invoice that nobody looks at"
        assert (status == "past_due") is (keys.PAST_DUE in lists), "the list of staff"
        assert not is_due or status in {"open", "in_transit", "past_due"}, "a settled invoice that is due"
