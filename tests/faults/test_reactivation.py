"""Taking an account up again that is cut off anywhere charges once, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.accounts.rules import Status, existing
from billing.ending.reactivation.commands import complete_reactivation, reactivation_quote, request_reactivation
from billing.ending.reactivation.records import ReactivationStore
from billing.ending.reactivation.rules import NotDeactivated
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Actor, ActorKind, RequestContext

from tests.aws import TABLE
from tests.faults.company import ADA, TERMS, body
from tests.faults.cuts import Faults
from tests.faults.ending import ACCOUNT, PURGED, Ending, deactivated
from tests.faults.test_purge import purge

DECLINED = "4000000000000341"
BACK = datetime(2026, 7, 20, 9, tzinfo=UTC)


def store_of(world: Ending) -> ReactivationStore:
    return ReactivationStore(TABLE, world.client)


def request(world: Ending) -> None:
    """What an admin's browser does: what it costs is looked at, and agreed to."""
    store = store_of(world)
    context = RequestContext(Actor(ActorKind.CUSTOMER, ADA), BACK, "request")
    billed = store.billing_context(ACCOUNT)
    if billed is None or billed.subscriber.account.status is Status.ACTIVE:
        return
    offer = reactivation_quote(billed, billed.subscriber.account.contract.today(BACK), TERMS, world.store)
    request_reactivation(
        existing(store.billing_context(ACCOUNT)),
        offer.draft.due,
        context=context,
        settings=TERMS,
        store=store,
        catalogues=world.store,
    )


def complete(world: Ending) -> None:
    world.runs += 1
    complete_reactivation(
        ACCOUNT,
        now=BACK,
        correlation=f"run {world.runs}",
        settings=TERMS,
        store=store_of(world),
        gateway=world.payments,
    )


def asked_for() -> Ending:
    world = deactivated()
    with world.calm():
        request(world)
    return world


def refused() -> Ending:
    """The card that stands for the account is not taken any more."""
    world = deactivated()
    world.stripe.numbers = dict.fromkeys(world.stripe.numbers, DECLINED)
    with world.calm():
        request(world)
    return world


def charges(world: Ending) -> list[str]:
    return [
        each["status"]
        for each in world.stripe.objects["payment_intent"].values()
        if each["metadata"].get("account") == ACCOUNT and each["status"] == "succeeded"
    ]


def served_and_charged_once(world: Ending) -> None:
    [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
    invoices = [body(item) for item in world.stored("INVOICE#") if ACCOUNT in item["pk"]["S"]]
    newest = [each for each in invoices if each["produced_on"] == "2026-07-20"]
    assert (account["status"], account["reactivation"]) == ("active", None)
    assert account["contract"]["start"] == "2026-07-20"
    assert len(charges(world)) == len(newest) == 1
    assert newest[0]["status"] == "paid"
    told = [body(item)["type"] for item in world.stored("EVENT#") if ACCOUNT in item["pk"]["S"]]
    assert told.count("account.reactivated") == 1
    numbers = sorted(body(item)["number"] for item in world.stored("INVOICE#"))
    assert [int(number[-6:]) for number in numbers] == [*range(1, len(numbers) + 1)]


def never_charged_without_a_record(world: Ending) -> None:
    """Wherever it is cut off: what was charged for is on its way to be served, and none is served without a charge."""
    [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
    if charges(world):
        assert account["status"] == "active" or account["reactivation"]
    if account["status"] == "active":
        assert charges(world)


def test_a_request_that_is_cut_off_asks_once(faults: Faults) -> None:
    def once(world: Ending) -> None:
        told = [body(item)["type"] for item in world.stored("EVENT#")]
        assert told.count("account.reactivation_requested") == 1

    faults.every_cut(world=deactivated, command=request, invariants=once)


def test_it_is_charged_once_wherever_it_is_cut_off(faults: Faults) -> None:
    faults.every_cut(
        world=asked_for,
        command=complete,
        invariants=served_and_charged_once,
        always=never_charged_without_a_record,
    )


def test_what_is_declined_is_told_once_and_can_never_be_charged_later(faults: Faults) -> None:
    def declined(world: Ending) -> None:
        [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
        assert (account["status"], account["reactivation"]) == ("deactivated", None)
        assert charges(world) == []
        assert {each["status"] for each in world.stripe.objects["payment_intent"].values()} <= {"canceled"}
        told = [body(item)["type"] for item in world.stored("EVENT#")]
        assert told.count("account.reactivation_failed") == 1

    faults.every_cut(world=refused, command=complete, invariants=declined, always=never_charged_without_a_record)


def test_two_workers_at_once(faults: Faults) -> None:
    faults.every_race(world=asked_for, first=complete, second=complete, invariants=served_and_charged_once)


def test_the_purge_at_the_same_time_waits_for_the_charge(faults: Faults) -> None:
    """Its day has come while the bank still thinks about it."""

    def purged(world: Ending) -> None:
        purge(world, now=PURGED)

    faults.every_race(
        world=asked_for,
        first=complete,
        second=purged,
        invariants=served_and_charged_once,
        may_lose=(ConcurrentChange,),
    )


def test_whoever_comes_first_the_purge_or_the_admin_it_is_one_of_both(faults: Faults) -> None:
    def purged(world: Ending) -> None:
        purge(world, now=PURGED)

    def either(world: Ending) -> None:
        accounts = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
        if accounts:
            assert accounts[0]["reactivation"]
        else:
            left = [item for item in world.table.items() if ACCOUNT in item["pk"]["S"]]
            assert left == []

    faults.every_race(
        world=deactivated,
        first=purged,
        second=request,
        invariants=either,
        may_lose=(ConcurrentChange, NotDeactivated),
    )
