"""An interrupted reactivation charges once or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from billing.accounts.rules import Status, existing
from billing.ending.reactivation.commands import complete_reactivation, reactivation_quote, request_reactivation
from billing.ending.reactivation.records import ReactivationStore
from billing.ending.reactivation.rules import NotDeactivated
from billing.invoicing.sync_payments import sync_dispute
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.schedules import Job
from billing.platform.due_work.records import DueStore
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item

from tests.aws import TABLE
from tests.faults.company import ADA, SETTINGS, body
from tests.faults.cuts import Faults
from tests.faults.ending import ACCOUNT, PURGED, Ending, deactivated
from tests.faults.network import connected
from tests.faults.test_purge import purge

DECLINED = "4000000000000341"
BACK = datetime(2026, 7, 20, 9, tzinfo=UTC)


def store_of(world: Ending) -> ReactivationStore:
    return ReactivationStore(TABLE, world.client)


def request(world: Ending) -> None:
    """An admin's browser gets the quote, and agrees to it."""
    store = store_of(world)
    context = RequestContext(Actor(ActorKind.CUSTOMER, ADA), BACK, "request")
    billing = store.billing_context(ACCOUNT)
    if billing is None or billing.subscriber.account.status is Status.ACTIVE:
        return
    quote = reactivation_quote(billing, billing.subscriber.account.contract.today(BACK), SETTINGS, world.store)
    request_reactivation(
        existing(store.billing_context(ACCOUNT)),
        quote.draft.due,
        context=context,
        settings=SETTINGS,
        store=store,
        catalogues=world.store,
    )


def complete(world: Ending) -> None:
    world.runs += 1
    complete_reactivation(
        ACCOUNT,
        now=BACK,
        correlation=f"run {world.runs}",
        settings=SETTINGS,
        store=store_of(world),
        gateway=world.payments,
    )


def requested() -> Ending:
    world = deactivated()
    with world.calm():
        request(world)
    return world


def refused() -> Ending:
    """The account's card is declined from now on."""
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
    newest = [each for each in invoices if each["produced_on"] >= "2026-07-20"]
    assert (account["status"], account["reactivation"]) == ("active", None)
    assert account["contract"]["start"] == "2026-07-20"
    assert len(charges(world)) == len(newest) == 1
    assert newest[0]["status"] == "paid"
    types = [body(item)["type"] for item in world.stored("EVENT#") if ACCOUNT in item["pk"]["S"]]
    assert types.count("account.reactivated") == 1
    numbers = sorted(body(item)["number"] for item in world.stored("INVOICE#"))
    assert [int(number[-6:]) for number in numbers] == [*range(1, len(numbers) + 1)]


def never_charged_without_a_record(world: Ending) -> None:
    """A charged account is active or has a pending reactivation; an active account was charged."""
    [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
    due = ACCOUNT in {*DueStore(TABLE, world.client).due(Job.COLLECTION, BACK)}
    assert due or not account["reactivation"], "a pending reactivation that nobody looks at"
    if charges(world):
        assert account["status"] == "active" or account["reactivation"]
    if account["status"] == "active":
        assert charges(world)


def test_an_interrupted_request_is_recorded_once(faults: Faults) -> None:
    def once(world: Ending) -> None:
        types = [body(item)["type"] for item in world.stored("EVENT#")]
        assert types.count("account.reactivation_requested") == 1

    faults.every_cut(world=deactivated, command=request, invariants=once)


def test_an_interrupted_reactivation_is_charged_once(faults: Faults) -> None:
    faults.every_cut(
        world=requested,
        command=complete,
        invariants=served_and_charged_once,
        always=never_charged_without_a_record,
    )


def test_a_declined_reactivation_fails_once_and_can_never_be_charged_later(faults: Faults) -> None:
    def declined(world: Ending) -> None:
        [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
        assert (account["status"], account["reactivation"]) == ("deactivated", None)
        assert charges(world) == []
        assert {each["status"] for each in world.stripe.objects["payment_intent"].values()} <= {"canceled"}
        types = [body(item)["type"] for item in world.stored("EVENT#")]
        assert types.count("account.reactivation_failed") == 1

    faults.every_cut(world=refused, command=complete, invariants=declined, always=never_charged_without_a_record)


def test_two_workers_at_once_charge_once(faults: Faults) -> None:
    faults.every_race(world=requested, first=complete, second=complete, invariants=served_and_charged_once)


def test_a_purge_during_the_charge_waits_for_it(faults: Faults) -> None:
    """The day of deletion has come while the charge is in transit."""

    def purged(world: Ending) -> None:
        purge(world, now=PURGED)

    faults.every_race(
        world=requested,
        first=complete,
        second=purged,
        invariants=served_and_charged_once,
        may_lose=(ConcurrentChange,),
    )


def test_a_purge_and_a_request_at_once_end_with_one_of_the_two(faults: Faults) -> None:
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


def with_credit(world: Ending, credit: int) -> None:
    with store_of(world)._transaction() as write:
        [stored] = [*world.stored(keys.BALANCE), None][:1]
        version = 0 if stored is None else int(stored["version"]["N"])
        write.replace(Item(keys.account(ACCOUNT), keys.BALANCE, text({"credit": credit})), version)


@pytest.mark.parametrize("charged", [False, True])
def test_credit_that_was_repaid_meanwhile_does_not_hold_a_reactivation_for_ever(
    charged: bool, connection: None
) -> None:
    """What was charged is never without its account: the rest is collected. What was not charged is offered anew."""
    world = deactivated()
    with world.calm():
        with_credit(world, 10_000)
        request(world)
        if charged:
            # Cut off between the charge and the write.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ReactivationStore, "complete", cut_off)
                with pytest.raises(ConcurrentChange):
                    complete(world)
        with_credit(world, 0)
        complete(world)

    [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
    if not charged:
        assert (account["status"], account["reactivation"], charges(world)) == ("deactivated", None, [])
        return
    invoices = [body(item) for item in world.stored("INVOICE#") if ACCOUNT in item["pk"]["S"]]
    [newest] = [each for each in invoices if each["produced_on"] == "2026-07-20"]
    assert (account["status"], newest["status"], len(charges(world))) == ("active", "open", 1)
    entries = newest["payment"]["entries"]
    assert newest["payment"]["owed"] - sum(entry[1] for entry in entries) == 10_000
    assert newest["payment"]["next_attempt_on"] is not None


def test_a_dispute_of_a_reactivation_names_its_invoice(connection: None) -> None:
    """Its payment was named before the invoice had a number."""
    world = requested()
    with world.calm():
        complete(world)
        [payment] = [each for each in world.stripe.objects["payment_intent"] if charges(world)]
        dispute = world.stripe.dispute(payment)["id"]
        sync_dispute(
            dispute, now=BACK, correlation="notice", settings=SETTINGS, store=store_of(world), gateway=world.payments
        )

    [event] = [body(item) for item in world.stored("EVENT#") if body(item)["type"] == "payment.disputed"]
    assert event["after"]["invoice"].startswith("LV-2026-")


def cut_off(*_: object) -> None:
    raise ConcurrentChange


def test_a_reactivation_whose_credit_is_spent_meanwhile_fails_before_it_is_charged() -> None:
    """It was refused at each run, after the charge: the customer had paid, and the account was never active."""
    with connected(), deactivated().calm() as world:
        paid_before = charges(world)
        with_credit(world, 5_000)
        request(world)
        with_credit(world, 1_000)

        complete(world)

        [account] = [body(item) for item in world.stored("PAGE#ACCOUNT") if ACCOUNT in item["pk"]["S"]]
        [pending] = [body(item) for item in world.stored("REACTIVATION")]
        assert (account["status"], account["reactivation"], pending["state"]) == ("deactivated", None, "failed")
        assert charges(world) == paid_before
        request(world)
        complete(world)
        served_and_charged_once(world)
