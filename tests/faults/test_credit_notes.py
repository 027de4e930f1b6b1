"""Money goes back once, or need not be paid, or is carried: never two of these, wherever it is cut off."""

from __future__ import annotations

from typing import Any

from billing.accounts.rules import existing
from billing.invoicing.dunning import AlreadyPaid
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.platform.dynamodb import keys

from tests.faults.company import TERMS, body, events
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, DECLINED, JULY, Invoicing, collect, invoiced

NUMBER = "LV-2026-000001"


def credit(world: Invoicing) -> None:
    """Staff take the first invoice back."""
    context = RequestContext(Actor(ActorKind.STAFF, "staff"), JULY, world.correlation)
    issue_credit_note(
        existing(world.invoicing.billing_context(ACCOUNT)),
        NUMBER,
        None,
        "Invoiced by mistake",
        context=context,
        settings=TERMS,
        store=world.invoicing,
        gateway=world.payments,
    )


def paid() -> Invoicing:
    with invoiced()().calm() as world:
        collect(world)
        return world


def credited() -> Invoicing:
    with paid().calm() as world:
        credit(world)
        return world


def declined() -> Invoicing:
    with invoiced(DECLINED)().calm() as world:
        collect(world)
        return world


def invoice(world: Invoicing) -> dict[str, Any]:
    [found] = [body(item) for item in world.stored("INVOICE#") if item["sk"]["S"].endswith(NUMBER)]
    return found


def notes(world: Invoicing) -> list[dict[str, Any]]:
    return [body(item) for item in world.stored("INVOICE#") if "#CN-" in item["sk"]["S"]]


def carried(world: Invoicing) -> int:
    return sum(int(body(item)["credit"]) for item in world.stored(keys.BALANCE))


def refunded(world: Invoicing) -> int:
    return sum(int(each["amount"]) for each in world.stripe.objects["refund"].values())


def charged(world: Invoicing) -> int:
    return sum(
        int(each["amount"])
        for each in world.stripe.objects["payment_intent"].values()
        if each["status"] == "succeeded" and each["metadata"]["invoice"] == NUMBER
    )


def one_note(world: Invoicing) -> None:
    """One credit note, its number without a gap, told once; all of its money has gone one way."""
    [note] = notes(world)
    assert note["number"] == "CN-2026-000001"
    [count] = [item for item in world.table.items() if item["sk"]["S"] == keys.series("CN", 2026)]
    assert int(count["count"]["N"]) == 1
    assert len(events(world, "credit_note.issued")) == 1
    standing = invoice(world)["payment"]
    total = -note["total"]["amount"]
    assert standing["waived"] + note["payment"]["to_refund"] + carried(world) == total
    assert charged(world) == invoice(world)["issued"]["draft"]["due"]["amount"] - standing["waived"]


def money_went_back(world: Invoicing) -> None:
    one_note(world)
    assert refunded(world) == -notes(world)[0]["total"]["amount"]
    assert notes(world)[0]["status"] == "paid"
    assert len(events(world, "credit_note.refunded")) == 1


def never_more_than_was_charged(world: Invoicing) -> None:
    assert refunded(world) + carried(world) <= max(0, charged(world))


def test_of_what_was_paid_one_note_is_issued(faults: Faults) -> None:
    faults.every_cut(world=paid, command=credit, invariants=one_note, always=never_more_than_was_charged)


def test_of_what_was_not_paid_one_note_is_issued(faults: Faults) -> None:
    def void(world: Invoicing) -> None:
        one_note(world)
        assert invoice(world)["status"] == "void"
        assert (charged(world), refunded(world), carried(world)) == (0, 0, 0)

    faults.every_cut(world=declined, command=credit, invariants=void)


def test_a_refund_that_is_cut_off_goes_back_once(faults: Faults) -> None:
    faults.every_cut(world=credited, command=collect, invariants=money_went_back, always=never_more_than_was_charged)


def test_two_workers_refund_once(faults: Faults) -> None:
    faults.every_race(world=credited, first=collect, second=collect, invariants=money_went_back)


def test_a_note_that_meets_the_charge_is_one_of_both(faults: Faults) -> None:
    """Staff take the invoice back while it is charged: it is void and never charged, or paid and given back."""

    def settled(world: Invoicing) -> None:
        if notes(world):
            one_note(world)
        else:
            assert charged(world) == invoice(world)["issued"]["draft"]["due"]["amount"]

    faults.every_race(world=invoiced(), first=collect, second=credit, invariants=settled, may_lose=(AlreadyPaid,))
    faults.every_race(world=invoiced(), first=credit, second=collect, invariants=settled, may_lose=(AlreadyPaid,))


def test_two_of_the_staff_at_once_issue_one(faults: Faults) -> None:
    faults.every_race(world=paid, first=credit, second=credit, invariants=one_note)
