"""What is open at the end is refunded, kept and settled once, wherever a command is cut off (DESIGN 3.7.4 to 3.7.6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.ending.deletion.claim_records import ClaimStore
from billing.ending.deletion.claims import NotOwed
from billing.ending.deletion.settle_claims import (
    Settler,
    look_at_claim,
    record_claim_payment,
    sync_claim_dispute,
    sync_claim_payment,
    sync_claim_refund,
    write_off_claim,
)
from billing.invoicing.close_books import close_books
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.sync_payments import sync_refund
from billing.kernel.errors import NotFound
from billing.kernel.events import Actor, ActorKind, RequestContext, by_system
from billing.platform.dynamodb import keys

from tests.aws import TABLE
from tests.faults.company import SETTINGS, body
from tests.faults.cuts import Faults
from tests.faults.ending import ACCOUNT, PURGED, Ending, collect, deactivated, entries_of, paid_twice
from tests.faults.test_money import REFUND_TAKES_DAYS
from tests.faults.test_purge import claims_are_kept, purge

CLOSED = PURGED - timedelta(days=3)
LATER = PURGED + timedelta(days=40)


@pytest.fixture(autouse=True)
def large_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps of the purge, and one claim or note in a transaction."""
    monkeypatch.setattr("billing.ending.deletion.commands.CLAIMS_AT_ONCE", 1)


def close(world: Ending) -> None:
    world.runs += 1
    context = by_system(CLOSED, f"close {world.runs}")
    books = close_books(ACCOUNT, context=context, settings=SETTINGS, store=world.invoicing, gateway=world.payments)
    if books is not None and books.failure is not None:
        raise books.failure


def settler(world: Ending) -> Settler:
    world.runs += 1
    context = by_system(LATER, f"settle {world.runs}")
    return Settler(context, ClaimStore(TABLE, world.client), world.invoicing, world.payments, 3)


def claims(world: Ending) -> dict[str, Any]:
    return {body(item)["claim"]: body(item) for item in world.stored(keys.CLAIM)}


def told(world: Ending, kind: str) -> list[Any]:
    """The facts of all events of a kind."""
    return [body(item)["after"] for item in world.stored("EVENT#") if body(item)["type"] == kind]


def credit(world: Ending) -> int:
    balances = [item for item in world.stored(keys.BALANCE) if item["pk"]["S"] == keys.account(ACCOUNT)]
    return sum(int(body(item)["credit"]) for item in balances)


def never_refunded_twice(world: Ending) -> None:
    assert len(world.stripe.objects["refund"]) <= 1


def refunded_once(world: Ending) -> None:
    never_refunded_twice(world)
    [refund] = world.stripe.objects["refund"].values()
    kinds = [entry[0] for entries in entries_of(world).values() for entry in entries]
    assert (kinds.count("refund_begun"), kinds.count("refund_done")) == (1, 1)
    assert credit(world) == 0
    assert [each["refunded"]["amount"] for each in told(world, "credit.refunded")] == [refund["amount"]]


def test_credit_is_refunded_once(faults: Faults) -> None:
    faults.every_cut(world=paid_twice, command=close, invariants=refunded_once, always=never_refunded_twice)
    faults.every_race(world=paid_twice, first=close, second=close, invariants=refunded_once)


def test_a_refund_of_credit_meets_its_notice(faults: Faults) -> None:
    def hear(world: Ending) -> None:
        for refund in [*world.stripe.objects["refund"]]:
            sync_refund(
                refund,
                now=CLOSED,
                correlation="notice",
                settings=SETTINGS,
                store=world.invoicing,
                gateway=world.payments,
            )

    faults.every_race(world=paid_twice, first=close, second=hear, invariants=refunded_once)


@pytest.mark.deep  # thousands of calls: its neighbours are in make test
def test_credit_that_is_not_refunded_is_kept_once(faults: Faults) -> None:
    def kept(world: Ending) -> None:
        [receipt] = [body(item) for item in world.table.items() if item["pk"]["S"] == keys.RECEIPTS]
        claims_are_kept(world, receipt, to_repay=next(iter(world.open_before.values()))[0][1])
        assert len(told(world, "account.money_open")) == 1

    faults.every_cut(world=paid_twice, command=purge, invariants=kept)
    faults.every_race(world=paid_twice, first=purge, second=purge, invariants=kept)


def owing() -> Ending:
    """A deleted account with two claims."""
    with deactivated().calm() as world:
        while not purge(world):
            pass
    return world


def deleted_and_paid(*, same_invoice: bool) -> Ending:
    """A deleted account whose invoices are paid, the first one twice: one of its payments was refunded, which has
    failed since. The bank has taken another payment back: the other one of that invoice, or that of the second one."""
    with paid_twice().calm() as world:
        close(world)
        while not purge(world):
            pass
        assert claims(world) == {}
        [refund] = world.stripe.objects["refund"].values()
        intent = next(
            each
            for each in world.stripe.objects["payment_intent"].values()
            if each["metadata"]["account"] == ACCOUNT
            and each["status"] == "succeeded"
            and each["id"] != refund["payment_intent"]
            and (each["metadata"]["invoice"] == refund["metadata"]["credit_note"]) is same_invoice
        )
        dispute = world.stripe.dispute(intent["id"])
        world.stripe.close_dispute(dispute["id"], won=False)
        world.stripe.settle_refund(refund["id"], succeed=False)
    return world


def hear(world: Ending, what: Callable[[str, Settler], bool], kind: str) -> None:
    """Stripe's notices about all objects of a kind of the deleted account."""
    for each in [*world.stripe.objects[kind].values()]:
        if kind != "payment_intent" or each["metadata"]["account"] == ACCOUNT:
            what(each["id"], settler(world))


def test_a_charge_back_and_a_failed_refund_after_the_deletion_are_each_one_claim(faults: Faults) -> None:
    def both(world: Ending) -> None:
        hear(world, sync_claim_dispute, "dispute")
        hear(world, sync_claim_refund, "refund")
        hear(world, sync_claim_payment, "payment_intent")

    def kept(world: Ending) -> None:
        changes = [each["change"] for each in told(world, "open_claim.changed")]
        assert sorted(changes) == ["charged_back", "refund_failed"]
        kept_claims = claims(world)
        [dispute], [refund] = world.stripe.objects["dispute"].values(), world.stripe.objects["refund"].values()
        assert sum(each["to_repay"] for each in kept_claims.values()) == refund["amount"]
        back = [entry for each in kept_claims.values() for entry in each["payment"].get("entries", [])]
        assert [entry[1] for entry in back if entry[0] == "charged_back"] == [dispute["amount"]]

    def other_invoice() -> Ending:
        return deleted_and_paid(same_invoice=False)

    faults.every_cut(world=other_invoice, command=both, invariants=kept)
    faults.every_race(world=other_invoice, first=both, second=both, invariants=kept)


def test_a_charge_back_and_a_failed_refund_of_one_invoice_leave_nobody_owing(faults: Faults) -> None:
    """The customer has paid twice, and has one payment back from the bank: the other one pays the invoice."""

    def disputed(world: Ending) -> None:
        hear(world, sync_claim_dispute, "dispute")

    def refused(world: Ending) -> None:
        hear(world, sync_claim_refund, "refund")

    def nobody_owes(world: Ending) -> None:
        hear(world, sync_claim_payment, "payment_intent")
        assert sorted(each["change"] for each in told(world, "open_claim.changed")) == ["charged_back", "refund_failed"]
        assert claims(world) == {}

    def one_invoice() -> Ending:
        return deleted_and_paid(same_invoice=True)

    for first, second in ((disputed, refused), (refused, disputed)):
        faults.every_race(world=one_invoice, first=first, second=second, invariants=nobody_owes)


def refunded_note(*, done: bool) -> Ending:
    """A deleted account whose first invoice was credited wholly. The refund was pending at the deletion, or `done`; it
    has failed since, and the bank has taken the payment back. No notice was heard."""
    with deactivated(REFUND_TAKES_DAYS).calm() as world:
        collect(world)
        number = min(entries_of(world))
        issue_credit_note(
            existing(world.invoicing.billing_context(ACCOUNT)),
            number,
            None,
            "Invoiced by mistake",
            context=RequestContext(Actor(ActorKind.STAFF, "staff"), CLOSED, "credit"),
            settings=SETTINGS,
            store=world.invoicing,
            gateway=world.payments,
        )
        collect(world, CLOSED)
        [refund] = world.stripe.objects["refund"].values()
        if done:
            world.stripe.settle_refund(refund["id"], succeed=True)
            sync_refund(
                refund["id"],
                now=CLOSED,
                correlation="done",
                settings=SETTINGS,
                store=world.invoicing,
                gateway=world.payments,
            )
        while not purge(world):
            pass
        assert [*claims(world)] == ([] if done else [refund["metadata"]["credit_note"]])
        world.stripe.settle_refund(refund["id"], succeed=False)
        world.stripe.close_dispute(world.stripe.dispute(refund["payment_intent"])["id"], won=False)
    return world


@pytest.mark.parametrize("done", [False, True])
def test_a_refused_refund_and_a_charge_back_after_the_deletion_leave_nobody_owing(faults: Faults, done: bool) -> None:
    def disputed(world: Ending) -> None:
        hear(world, sync_claim_dispute, "dispute")

    def refused(world: Ending) -> None:
        hear(world, sync_claim_refund, "refund")

    def both(world: Ending) -> None:
        disputed(world)
        refused(world)

    def nobody_owes(world: Ending) -> None:
        for _ in range(2):
            both(world)
        assert claims(world) == {}
        changes = [each["change"] for each in told(world, "open_claim.changed")]
        assert sorted({*changes} - {"set_off"}) == ["charged_back", "refund_failed"]
        assert len(changes) == len({*changes})

    def world() -> Ending:
        return refunded_note(done=done)

    faults.every_cut(world=world, command=both, invariants=nobody_owes)
    for first, second in ((disputed, refused), (refused, disputed)):
        faults.every_race(world=world, first=first, second=second, invariants=nobody_owes)


def test_a_claim_is_settled_once(faults: Faults) -> None:
    number = "LV-2026-000001"

    def pay(world: Ending) -> None:
        context = by_system(LATER, "pay")
        record_claim_payment(number, LATER.date(), "4711", context=context, store=ClaimStore(TABLE, world.client))

    def write_off(world: Ending) -> None:
        write_off_claim(number, "Gone", context=by_system(LATER, "off"), store=ClaimStore(TABLE, world.client))

    def once(world: Ending) -> None:
        assert number not in claims(world)
        assert [each["settled"] for each in told(world, "open_claim.settled")] == [True]

    def pay_again(world: Ending) -> None:
        try:
            pay(world)
        except NotFound:
            return  # it is settled, and deleted

    faults.every_cut(world=owing, command=pay_again, invariants=once)
    faults.every_race(world=owing, first=pay, second=write_off, invariants=once, may_lose=(NotFound, NotOwed))


def test_a_look_at_a_claim_that_is_cut_off_changes_it_once(faults: Faults) -> None:
    def look(world: Ending) -> None:
        for number in claims(world):
            look_at_claim(number, settler(world))

    def open_still(world: Ending) -> None:
        assert len(claims(world)) == len(world.open_before)
        assert told(world, "open_claim.changed") == []

    faults.every_cut(world=owing, command=look, invariants=open_still)
