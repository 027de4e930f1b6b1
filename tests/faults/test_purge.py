"""A deletion that is killed after any single step goes on, and in the end nothing is left but a receipt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from billing.domain.cancellation import Reason
from billing.domain.errors import ConcurrentChange
from billing.domain.events import Actor, ActorKind, Occasion
from billing.domain.payment import Method
from billing.domain.permissions import Role
from billing.domain.usage import UsageEvent
from billing.gateways.ports import PaymentGateway
from billing.store import keys
from billing.usecases.cancel_account import Wanted, cancel_account, end_account
from billing.usecases.provision_account import provision_account
from billing.usecases.purge_account import purge_account
from billing.usecases.replace_payment_method import begin_setup, replace_payment_method

from local.stripe.api import Stripe
from tests.faults.company import ADA, WANTED, body, catalogue, provision, save
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.values import Item
from tests.faults.world import Bucket, World
from tests.store.samples import OCCASION
from tests.stripe import confirm, payments, stripe_account

ACCOUNT, OTHER = WANTED.account, "other-shop"
ASKED = datetime(2026, 6, 10, 12, tzinfo=UTC)
ENDS = datetime(2026, 7, 14, 22, tzinfo=UTC)
USED = 4
"""Contents that were used, each a counter and a marker."""

PURGED = datetime(2026, 7, 28, 22, tzinfo=UTC)
BO, CY = "user of bo@nordlys.example", "user of cy@nordlys.example"


class Ending(World):
    """Two companies that share an admin; one of them is deactivated, and its days are over."""

    def __init__(self) -> None:
        super().__init__()
        self.stripe: Stripe = stripe_account(ASKED.timestamp())
        self.bucket = Bucket()
        self.runs = 0
        self.theirs: list[Item] = []

    @property
    def payments(self) -> PaymentGateway:
        gateway: PaymentGateway = payments(self.stripe)
        return edge("stripe", gateway)


def deactivated() -> Ending:
    before = catalogue()
    world = Ending()
    world.table = before.table
    with world.calm():
        provision(world)
        provision_account(
            replace(WANTED, account=OTHER, digest="1" * 64),
            occasion=OCCASION,
            directory=world.directory,
            store=world.store,
        )
        save("bo@nordlys.example", Role.MEMBER)(world)
        save("cy@nordlys.example", Role.ADMIN)(world)
        for account in (ACCOUNT, OTHER):
            day = date(2026, 6, 9)
            used = [
                UsageEvent(
                    account, "t", f"{number}", "search", "nordlys-dk", f"content {number}", ASKED, day, Decimal(1)
                )
                for number in range(USED)
            ]
            assert world.usage.count(used, lambda _: None) == {}
            occasion = Occasion(Actor(ActorKind.CUSTOMER, ADA), ASKED, account)
            setup = begin_setup(
                account, Method.CARD, None, occasion=occasion, store=world.paying, gateway=world.payments
            )
            confirm(world.stripe, {"setup_intent": setup.setup, "client_secret": setup.client_secret})
            replace_payment_method(account, setup.setup, occasion=occasion, store=world.paying, gateway=world.payments)
            world.bucket.put(f"accounts/{account}/mail/1.eml", b"", "message/rfc822")
        cancel_account(
            ACCOUNT,
            Wanted(Reason.OTHER, "We close the shop.", date(2026, 7, 15)),
            retention_days=14,
            occasion=Occasion(Actor(ActorKind.CUSTOMER, ADA), ASKED, "cancel"),
            store=world.cancellations,
        )
        for at in (ENDS, PURGED):
            end_account(ACCOUNT, now=at, correlation="end", store=world.cancellations)
    world.theirs = theirs(world)
    return world


def theirs(world: World) -> list[Item]:
    """What stands of the other account."""
    return [item for item in world.table.items() if OTHER in item["pk"]["S"]]


def purge(world: Ending, steps: Callable[[], bool] = lambda: True) -> bool:
    world.runs += 1
    return purge_account(
        ACCOUNT,
        now=PURGED,
        correlation=f"run {world.runs}",
        goes_on=steps,
        store=world.store,
        methods=world.paying,
        purges=world.purges,
        documents=edge("documents", world.bucket),
        gateway=world.payments,
        directory=world.directory,
    )


def nothing_left(world: Ending) -> None:
    left = [item for item in world.table.items() if ACCOUNT in item["pk"]["S"] or ACCOUNT in str(item.get("gsi1sk"))]
    assert left == [], "something is left in the table"
    assert not [key for key in world.bucket.files if ACCOUNT in key], "something is left among the documents"
    assert not [
        each
        for each in world.stripe.objects["customer"].values()
        if not each.get("deleted") and each["metadata"].get("account") == ACCOUNT
    ], "something is left at the payment service"
    # Ada has access to the other account as well; Bo and Cy had none but this.
    assert {known.user for known in world.people.log_ins.values()} == {ADA}
    [receipt] = [body(item) for item in world.table.items() if item["pk"]["S"] == keys.RECEIPTS]
    assert ACCOUNT not in str(receipt)
    assert "nordlys" not in str(receipt).lower()
    # Counters, markers, events: each counted exactly once, wherever it was cut off.
    assert receipt["counts"] == COUNTS
    [told] = [item for item in world.table.items() if item["pk"]["S"].startswith("DELETED#")]
    assert body(told)["type"] == "account.deleted"
    assert body(told)["after"]["counts"] == COUNTS
    assert int(told["expires_at"]["N"]) > PURGED.timestamp()


def others_untouched(world: Ending) -> None:
    assert theirs(world) == world.theirs
    assert [key for key in world.bucket.files if OTHER in key]
    assert [each for each in world.stripe.objects["customer"].values() if each["metadata"].get("account") == OTHER]
    assert ADA in {known.user for known in world.people.log_ins.values()}


COUNTS = {
    "cancellation": 1,
    "content": USED,
    "customers": 1,
    "documents": 1,
    "due": 3,
    "event": 7,
    "marker": USED,
    "page": 5,
    "total": 1,
    "user": 3,
}


@pytest.fixture(autouse=True)
def a_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few items take several transactions."""
    monkeypatch.setattr("billing.store.purge_store.AT_ONCE", 8)


def test_a_deletion_that_is_killed_anywhere_goes_on_until_nothing_is_left(faults: Faults) -> None:
    def purged(world: Ending) -> None:
        nothing_left(world)
        others_untouched(world)

    faults.every_cut(world=deactivated, command=purge, invariants=purged, always=others_untouched)


def test_a_deletion_is_killed_after_every_single_delete(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """One item at a time, and the process gone after each."""
    monkeypatch.setattr("billing.store.purge_store.AT_ONCE", 1)
    with deactivated().calm() as world:
        runs = 0
        while not purge(world, iter([True, False]).__next__):
            runs += 1
        nothing_left(world)
        others_untouched(world)
        assert runs == sum(COUNTS.values()) - COUNTS["customers"] - COUNTS["documents"]


def test_two_deletions_at_once_delete_and_count_once(faults: Faults) -> None:
    faults.every_race(world=deactivated, first=purge, second=purge, invariants=nothing_left)


def test_before_its_day_nothing_is_deleted(faults: Faults) -> None:
    with deactivated().calm() as world:
        items = world.table.items()
        early = purge_account(
            ACCOUNT,
            now=PURGED - timedelta(seconds=1),
            correlation="early",
            goes_on=lambda: True,
            store=world.store,
            methods=world.paying,
            purges=world.purges,
            documents=world.bucket,
            gateway=world.payments,
            directory=world.directory,
        )
        assert early
        assert world.table.items() == items


def test_nothing_new_begins_under_the_id_of_what_is_being_deleted(faults: Faults) -> None:
    with deactivated().calm() as world:
        purge(world, iter([True, False]).__next__)
        with pytest.raises(ConcurrentChange):
            provision(world)
        while not purge(world):
            pass
        provision(world)
        assert world.stored("PAGE#ACCOUNT")


def test_every_family_of_an_account_is_covered() -> None:
    """The purge works on keys: what stands in one of its partitions goes. A family must stand in one of them."""
    from billing.store.purge_store import partitions

    assert partitions("x") == (keys.usage("x"), keys.markers("x"), keys.account("x"))
    everywhere = {*keys.ACCOUNT_FAMILIES, *keys.USAGE_FAMILIES, keys.MARKER}
    shared = {keys.VERSION, keys.EVENT, keys.BOOKED, keys.MANAGER, keys.SERIES, keys.RECEIPT}
    known = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and not name.startswith(("PAGE_", "_"))
    }
    partitions_of_none = {keys.CATALOGUE, keys.MANAGERS, keys.NUMBERS, keys.RECEIPTS, keys.PAST_DUE, keys.INDEX}
    assert known == everywhere | shared | partitions_of_none
