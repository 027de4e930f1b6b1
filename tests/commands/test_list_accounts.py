"""The list of all accounts agrees with the table after any commands; accounts of an earlier release are taken in."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from billing.accounts.administer_users import remove_user, save_user
from billing.accounts.information import Area, BillingDetails
from billing.accounts.rules import Status, existing
from billing.billing_page import list_accounts as listing
from billing.billing_page.list_accounts import list_accounts
from billing.billing_page.list_index_records import Indexed, ListIndexStore
from billing.billing_page.list_records import AccountListStore
from billing.billing_page.listing import Asked
from billing.billing_page.provision_account import provision_account
from billing.billing_page.provisioning_bodies import AccountBody
from billing.ending.cancellation.commands import (
    CancellationRequest,
    cancel_account,
    end_account,
    preview_cancellation,
    withdraw_cancellation,
)
from billing.ending.cancellation.rules import Reason
from billing.invoicing.dunning import UNPAID, mark_past_due
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.tax_rates.rules import SellerAddress
from billing.invoicing.transfers import after_transfer
from billing.kernel.permissions import Role
from billing.payments.methods import Card, Method, PaymentMethod
from billing.platform.dynamodb import keys
from billing.scaling.tier_changes import AutoscalingSettings, Pause
from hypothesis import given
from hypothesis import strategies as st

from tests.api_gateway import NOW
from tests.aws import TABLE
from tests.faults import company
from tests.faults.company import SETTINGS
from tests.faults.network import connected
from tests.faults.world import World
from tests.properties import examples
from tests.samples import ACCOUNT, with_value
from tests.store.samples import CONTEXT, sample_event

CONTEXT_NOW = replace(CONTEXT, time=NOW)
SHOPS = {
    "nordlys-kaffe": ("Nordlys Kaffe", "Nordlys Kaffe ApS"),
    "zebra": ("  zebra   Toys ", "Spielzeug Zebra GmbH"),
    "muster": ("Müller & Söhne", "Müller & Söhne KG"),
    "wide": ("ＮＯＲＤＬＹＳ Tea", "Tea ApS"),  # noqa: RUF001 - full width
    "pizza": ("🍕 Pizza", "Pizza SRL"),
    "long-one": ("The Very Long Name of a Company that goes on and on", "Long One"),
    "long-two": ("The Very Long Name of a Company that goes on and off", "Long Two"),
    "strasse": ("Große Straße", "Strasse AG"),
}
"""Accounts, each with its name and the name of its company."""


def shops() -> World:
    """A world with the accounts."""
    with company.catalogue().calm() as world:
        for number, (account, (name, legal)) in enumerate(SHOPS.items()):
            body = with_value(
                with_value(with_value(ACCOUNT, account, "account"), name, "name"), legal, "company", "name"
            )
            if account != "nordlys-kaffe":
                body = with_value(body, None if number % 2 else "DE136695976", "company", "vat_number")
                body = with_value(body, "DE" if number % 2 == 0 else "DK", "company", "country")
                body = with_value(body, f"{account}@invoices.example", "billing", "email")
            provision_account(
                AccountBody.model_validate(body).value(),
                context=CONTEXT_NOW,
                directory=world.directory,
                pages=world.store,
                catalogues=world.store,
            )
        return world


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    with connected():
        yield shops()


@pytest.fixture
def world(made: World) -> Iterator[World]:
    with deepcopy(made).calm() as world:
        yield world


def listed(world: World, *, now: datetime = NOW, limit: int = 3, **asked_for: Any) -> list[str]:
    """The accounts of the list, through its pages."""
    store = AccountListStore(TABLE, world.client)
    found: list[str] = []
    after = None
    for _ in range(100):
        page = list_accounts(Asked(**asked_for), now=now, limit=limit, after=after, store=store)
        assert len(page.items) <= limit
        found += [each.account.id for each in page.items]
        after = page.last
        if after is None:
            return found
        assert after.isascii()
        assert len(after) < 280, "a cursor has 400 characters"
    raise AssertionError("the list has no end")


# ---- What the table says, found without an index ----


class Stored:
    """The bodies of the table's items."""

    def __init__(self, world: World) -> None:
        self.bodies: dict[tuple[str, str], Any] = {
            (item["pk"]["S"].removeprefix("ACCOUNT#"), item["sk"]["S"]): json.loads(item["body"]["S"])
            for item in world.table.items()
            if item["pk"]["S"].startswith("ACCOUNT#") and item.get("body", {}).get("S")
        }

    def all(self, account: str, family: str) -> list[Any]:
        return [body for (of, key), body in self.bodies.items() if of == account and key.startswith(family)]

    @property
    def accounts(self) -> list[str]:
        return [of for of, key in self.bodies if key == "PAGE#ACCOUNT"]


def comparable(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def fits(stored: Stored, account: str, today: date, asked_for: dict[str, Any]) -> bool:
    [body], [legal] = stored.all(account, "PAGE#ACCOUNT"), stored.all(account, "PAGE#COMPANY")
    [billing], [method] = stored.all(account, "PAGE#BILLING"), stored.all(account, "PAGE#PAYMENT-METHOD")
    [settings] = stored.all(account, "AUTOSCALING") or [{"pause": None}]
    shown, pause = method["shown"], settings["pause"]
    card = shown and shown["card"]
    bad_from = card and date(card["expiry_year"] + card["expiry_month"] // 12, card["expiry_month"] % 12 + 1, 1)
    facts = {
        "status": body["status"],
        "past_due": any(each["status"] == "past_due" for each in stored.all(account, "INVOICE#")),
        "usable_method": shown is not None and (bad_from is None or today < bad_from),
        "paused": pause is not None and today < date.fromisoformat(pause["until"]),
    }
    text = comparable(asked_for.get("search") or "")
    addresses = {billing["email"], *(each["email"] for each in stored.all(account, "USER#"))}
    number = text.replace(" ", "").replace("-", "").replace(".", "").upper()
    matches = (
        text in addresses
        if "@" in text
        else account == text
        or number == legal["vat_number"]
        or any(comparable(each).startswith(text) for each in (body["name"], legal["name"]))
    )
    return matches and all(facts[name] == value for name, value in asked_for.items() if name != "search")


def agrees(world: World, now: datetime = NOW, **asked_for: Any) -> set[str]:
    """Each account that fits is listed once, and no other. The sample companies are in Copenhagen, in summer."""
    stored, today = Stored(world), (now + timedelta(hours=2)).date()
    found = listed(world, now=now, **asked_for)
    expected = {each for each in stored.accounts if fits(stored, each, today, asked_for)}
    assert sorted(found) == sorted(expected), asked_for
    return expected


# ---- Searches ----

FOUND: dict[str, set[str]] = {
    "zebra": {"zebra"},
    "ZEBRA  toys": {"zebra"},
    "  spielzeug": {"zebra"},
    "nordlys": {"nordlys-kaffe", "wide"},
    "ｎｏｒｄｌｙｓ": {"nordlys-kaffe", "wide"},  # noqa: RUF001 - full width
    "mü": {"muster"},
    "mu\u0308ller": {"muster"},
    "🍕": {"pizza"},
    "GROSSE STRASSE": {"strasse"},
    "straße": {"strasse"},  # as its company, "Strasse AG": both fold to the same
    "strasse": {"strasse"},
    "the very long name of a company that goes on and o": {"long-one", "long-two"},
    "the very long name of a company that goes on and of": {"long-two"},
    "long-two": {"long-two"},
    "Long Two": {"long-two"},
    "DK13585628": {"nordlys-kaffe"},
    "dk 13 58-56.28": {"nordlys-kaffe"},
    "DE136695976": {"muster", "pizza", "long-two"},
    "zebra@INVOICES.example": {"zebra"},
    "ada@nordlys.example": {*SHOPS},
    "nobody@nordlys.example": set(),
    "nothing of that": set(),
    "#": set(),
    "%": set(),
    "---": set(),
    "\u0001": set(),
    "x" * 254: set(),
    "\ufdfa" * 254: set(),  # NFKC makes eighteen letters of it, and DynamoDB takes keys of 2048 bytes
    "\ufdfa" * 253 + "@": set(),
}


def test_an_account_is_found_by_what_staff_know_of_it(world: World) -> None:
    for search, expected in FOUND.items():
        assert agrees(world, search=search) == expected, search
        assert {*listed(world, search=search, limit=1)} == expected, search


def test_all_accounts_come_by_name(world: World) -> None:
    by_name = sorted(SHOPS, key=lambda account: (keys.name_key(SHOPS[account][0]), account))

    assert listed(world, limit=1) == listed(world, limit=100) == by_name


def test_a_key_has_whole_characters_of_a_name_and_stays_short() -> None:
    """DynamoDB takes sort keys of 1024 bytes, and NFKC makes eighteen letters of one."""
    for name in ("ﷺ" * 200, "🍕" * 200, "x" * 200, "é" * 23 + "🍕"):
        key = keys.listed_by_name(name, "a" * 40)
        assert len(key.encode()) <= 48 + 1 + 40
        assert comparable(name).startswith(key.rpartition("#")[0])


def test_an_address_leaves_the_index_with_its_person(world: World) -> None:
    account = world.store.account("zebra")
    bo = save_user(
        account,
        "bo@zebra.example",
        "Bo",
        Role.MEMBER,
        context=CONTEXT_NOW,
        directory=world.directory,
        store=world.store,
        invitations_per_day=10,
    )
    assert agrees(world, search="BO@zebra.example") == {"zebra"}
    remove_user(world.store.account("zebra"), bo.id, context=CONTEXT_NOW, store=world.store)
    do(world, "address", "zebra", 7)

    assert listed(world, search="bo@zebra.example") == listed(world, search="zebra@invoices.example") == []
    assert agrees(world, search="new7@invoices.example") == {"zebra"}
    in_lists = {item["gsi2pk"]["S"] for item in world.table.items() if "gsi2pk" in item}
    assert {each for each in in_lists if each.startswith("E-MAIL#")} >= {"E-MAIL#new7@invoices.example"}
    assert in_lists.isdisjoint({"E-MAIL#bo@zebra.example", "E-MAIL#zebra@invoices.example"})


def test_an_account_that_is_being_deleted_is_not_listed(world: World) -> None:
    """Its other items are in the indexes for a while."""
    world.client.delete_item(TableName=TABLE, Key={"pk": {"S": "ACCOUNT#pizza"}, "sk": {"S": "PAGE#ACCOUNT"}})

    for search in (None, "pizza", "DE136695976", "pizza@invoices.example"):
        assert "pizza" not in listed(world, search=search)
    assert "pizza" not in listed(world, usable_method=False)


# ---- Filters ----


def set_method(world: World, account: str, method: PaymentMethod | None) -> None:
    profile = existing(world.paying.payer(account)).profile
    event = replace(sample_event(), account=account)
    world.paying.replace_method(account, replace(profile, shown=method), None, event)


def set_pause(world: World, account: str, pause: Pause | None) -> None:
    version = existing(world.autoscaling.state(account)).settings.version
    event = replace(sample_event(), account=account)
    world.autoscaling.replace_settings(account, AutoscalingSettings(pause), version, event)


def be_late(world: World, account: str) -> None:
    """An invoice becomes past due; the first are issued, if there is none."""
    store = world.invoicing
    if not store.summaries(account):
        issue_invoices(account, now=NOW, correlation="test", settings=SETTINGS, store=store)
    unpaid = [each for each in store.summaries(account) if each.payment.status is InvoiceStatus.OPEN]
    if unpaid:
        record = unpaid[-1]
        store.save_payment(world.store.account(account), record, mark_past_due(record.payment))


def pay(world: World, account: str) -> None:
    """All invoices are paid."""
    for record in world.invoicing.summaries(account):
        if record.payment.status in UNPAID:
            paid = after_transfer(record.payment, record.payment.left, NOW.date(), "4711", is_awaited=True)
            world.invoicing.save_payment(world.store.account(account), record, paid)


def card(year: int, month: int) -> PaymentMethod:
    return PaymentMethod(Method.CARD, Card("visa", "4242", month, year))


def test_accounts_that_cannot_pay(world: World) -> None:
    set_method(world, "nordlys-kaffe", card(2026, 6))
    set_method(world, "zebra", card(2026, 5))
    set_method(world, "pizza", PaymentMethod(Method.BANK_TRANSFER, None))
    set_method(world, "wide", PaymentMethod(Method.SEPA_DEBIT, None))
    set_method(world, "wide", None)

    assert {*SHOPS} - agrees(world, usable_method=False) == {"nordlys-kaffe", "pizza"}
    assert agrees(world, usable_method=True) == {"nordlys-kaffe", "pizza"}
    # The card's last day ends in Copenhagen.
    assert "nordlys-kaffe" not in agrees(world, datetime(2026, 6, 30, 21, 59, tzinfo=UTC), usable_method=False)
    assert "nordlys-kaffe" in agrees(world, datetime(2026, 6, 30, 22, 1, tzinfo=UTC), usable_method=False)


def test_accounts_that_are_paused(world: World) -> None:
    set_pause(world, "zebra", Pause(NOW.date(), "Over"))
    set_pause(world, "pizza", Pause(NOW.date() + timedelta(days=1), "Campaign"))
    set_pause(world, "wide", Pause(NOW.date() + timedelta(days=9), "Campaign"))
    set_pause(world, "wide", None)

    assert agrees(world, paused=True) == {"pizza"}
    assert "pizza" not in agrees(world, paused=False)
    assert agrees(world, NOW + timedelta(days=1), paused=True) == set()


def test_accounts_that_are_past_due_until_they_pay(world: World) -> None:
    for account in ("zebra", "pizza", "nordlys-kaffe", "zebra"):
        be_late(world, account)
    late = [each for each in Stored(world).all("zebra", "INVOICE#") if each["status"] == "past_due"]
    assert len(late) == 2

    assert agrees(world, past_due=True) == {"zebra", "pizza", "nordlys-kaffe"}
    assert listed(world, past_due=True, limit=1) == listed(world, past_due=True)
    assert agrees(world, past_due=True, search="nordlys") == {"nordlys-kaffe"}
    assert len(agrees(world, past_due=False)) == len(SHOPS) - 3

    pay(world, "zebra")
    assert agrees(world, past_due=True) == {"pizza", "nordlys-kaffe"}


def end(world: World, account: str) -> None:
    """An admin cancels, or takes a cancellation back."""
    store, seller = world.cancellations, SellerAddress("DK", "1050", "Copenhagen")
    state = existing(store.state(account))
    if state.cancellation is not None:
        withdraw_cancellation(state, seller=seller, policy=None, context=CONTEXT_NOW, store=store)
        return
    follows = preview_cancellation(state, NOW.date(), 14, seller, None)
    wanted = CancellationRequest(Reason.OTHER, "We close the shop.", follows.active_until)
    context = replace(CONTEXT_NOW, actor=replace(CONTEXT_NOW.actor, user="user of ada@nordlys.example"))
    cancel_account(state, wanted, retention_days=14, seller=seller, policy=None, context=context, store=store)


def test_accounts_by_status(world: World) -> None:
    end(world, "zebra")
    assert agrees(world, status="cancelling") == {"zebra"}
    assert "zebra" not in agrees(world, status="active")

    ended = datetime(2026, 7, 14, 22, 1, tzinfo=UTC)
    seller = SellerAddress("DK", "1050", "Copenhagen")
    end_account("zebra", now=ended, correlation="end", seller=seller, policy=None, store=world.cancellations)
    assert agrees(world, status="cancelling") == set()
    assert agrees(world, status="deactivated") == {"zebra"}
    assert agrees(world, status="deactivated", search="spiel", paused=False) == {"zebra"}


def test_a_page_looks_at_so_many_accounts_and_says_where_to_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_method(world, "zebra", card(2030, 1))  # the last but one by name
    monkeypatch.setattr(listing, "LOOKED_AT_MAX", 3)
    store = AccountListStore(TABLE, world.client)

    first = list_accounts(Asked(usable_method=True), now=NOW, limit=25, after=None, store=store)

    assert first.items == ()
    assert first.last is not None
    assert agrees(world, usable_method=True) == {"zebra"}
    assert agrees(world) == {*SHOPS}


# ---- Commands in any order ----

SOME = ("nordlys-kaffe", "zebra", "pizza")
COMMANDS = st.tuples(
    st.sampled_from(["card", "no-method", "transfer", "pause", "resume", "late", "paid", "company", "address", "end"]),
    st.sampled_from(SOME),
    st.integers(0, 5),
)
QUESTIONS: list[dict[str, Any]] = [
    *({name: value} for name in ("past_due", "usable_method", "paused") for value in (True, False)),
    *({"status": status} for status in Status),
    *({"search": search} for search in ("n", "Z", "pizza", "New 3", "DE136695976", "new1@invoices.example")),
    {"search": "n", "past_due": True, "status": Status.ACTIVE},
]


def do(world: World, kind: str, account: str, number: int) -> None:
    event = replace(sample_event(), account=account)
    if kind == "card":
        set_method(world, account, card(2026, 4 + number))
    elif kind in {"no-method", "transfer"}:
        set_method(world, account, PaymentMethod(Method.BANK_TRANSFER, None) if kind == "transfer" else None)
    elif kind in {"pause", "resume"}:
        set_pause(world, account, Pause(NOW.date() + timedelta(days=number - 2), "Sale") if kind == "pause" else None)
    elif kind == "late":
        be_late(world, account)
    elif kind == "paid":
        pay(world, account)
    elif kind == "company":
        current = world.store.details(account).information.company
        details = replace(current.details, name=f"New {number} AG", vat_number=("DE136695976", None)[number % 2])
        world.store.replace_information(account, Area.COMPANY, details, current.version, event)
    elif kind == "address":
        version = world.store.details(account).information.billing.version
        address = BillingDetails(f"new{number}@invoices.example")
        world.store.replace_information(account, Area.BILLING, address, version, event)
    else:
        end(world, account)


@examples(8, deep=2_000)
@given(commands=st.lists(COMMANDS, min_size=3, max_size=10), limit=st.integers(1, 4))
def test_the_list_agrees_with_the_table_after_any_commands(
    made: World, commands: list[tuple[str, str, int]], limit: int
) -> None:
    with deepcopy(made).calm() as world:
        for each in commands:
            do(world, *each)

        for question in QUESTIONS:
            agrees(world, **question)
            assert {*listed(world, limit=limit, **question)} == {*listed(world, limit=50, **question)}
        store = ListIndexStore(TABLE, world.client)
        assert {store.index_account(account) for account in SOME} == {Indexed(0, 0)}


# ---- Accounts of an earlier release ----

OLDER = ("PAGE#", "AUTOSCALING", "CANCELLATION", "DOCUMENT#", "USER#")


def older() -> World:
    """The accounts as a release before would have written them: without the lists' keys, and without a method."""
    with shops().calm() as world:
        be_late(world, "zebra")
        set_pause(world, "wide", Pause(NOW.date() + timedelta(days=9), "Campaign"))
        end(world, "nordlys-kaffe")
        for item in world.table.items():
            key = {"pk": item["pk"], "sk": item["sk"]}
            if item["sk"]["S"] == "PAGE#PAYMENT-METHOD":
                world.client.delete_item(TableName=TABLE, Key=key)
            elif item["sk"]["S"].startswith(OLDER):
                kept = "gsi1" if item["sk"]["S"].startswith("USER#") else "none"
                of_before = {name: it for name, it in item.items() if name[:4] == kept or name[:3] != "gsi"}
                world.client.put_item(TableName=TABLE, Item=of_before)
        return world


def take_in(world: World) -> None:
    for account in SHOPS:
        ListIndexStore(TABLE, world.client).index_account(account)


def all_taken_in(world: World) -> None:
    assert agrees(world) == {*SHOPS}
    assert agrees(world, paused=True) == {"wide"}
    assert agrees(world, usable_method=False) == {*SHOPS}
    assert agrees(world, status="cancelling") == {"nordlys-kaffe"}
    assert agrees(world, past_due=True) == {"zebra"}
    assert agrees(world, search="spielzeug") == {"zebra"}
    assert agrees(world, search="ada@nordlys.example") == {*SHOPS}
    store = ListIndexStore(TABLE, world.client)
    assert {store.index_account(account) for account in SHOPS} == {Indexed(0, 0)}


@pytest.fixture(scope="module")
def before(made: World) -> World:
    return older()


def test_an_account_of_an_earlier_release_is_found_by_its_id_alone(before: World) -> None:
    with deepcopy(before).calm() as world:
        set_method(world, "zebra", None)

        assert listed(world) == listed(world, search="spielzeug") == listed(world, status="cancelling") == []
        assert listed(world, search="zebra") == ["zebra"]


def test_accounts_of_an_earlier_release_are_taken_in_and_say_what_they_said(before: World) -> None:
    with deepcopy(before).calm() as world:
        take_in(world)

        all_taken_in(world)
        then = {(item["pk"]["S"], item["sk"]["S"]): without_keys(item) for item in before.table.items()}
        now = {(item["pk"]["S"], item["sk"]["S"]): without_keys(item) for item in world.table.items()}
        assert {place: item for place, item in now.items() if place[1] != "PAGE#PAYMENT-METHOD"} == then


def without_keys(item: Any) -> dict[str, Any]:
    return {name: value for name, value in item.items() if not name.startswith("gsi")}


def test_an_item_that_changes_meanwhile_is_left_to_its_writer(before: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with deepcopy(before).calm() as world:
        store = ListIndexStore(TABLE, world.client)
        index = store._writes.index

        def beaten(item: Any) -> bool:
            if item.key == "PAGE#BILLING":
                do(world, "address", "zebra", 4)
            return index(item)

        monkeypatch.setattr(store._writes, "index", beaten)

        assert store.index_account("zebra").changed == 1
        assert listed(world, search="new4@invoices.example") == ["zebra"]
        assert listed(world, search="zebra@invoices.example") == []


def test_an_account_whose_deletion_has_begun_is_left_alone(world: World) -> None:
    world.client.delete_item(TableName=TABLE, Key={"pk": {"S": "ACCOUNT#zebra"}, "sk": {"S": "PAGE#ACCOUNT"}})
    items = world.table.items()

    assert ListIndexStore(TABLE, world.client).index_account("zebra") == Indexed(0, 0)
    assert world.table.items() == items
