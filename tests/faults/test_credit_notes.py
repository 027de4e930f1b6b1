"""A credit note's money is refunded, cancelled or credited: each part once, wherever a run is interrupted."""

from __future__ import annotations

from typing import Any

from billing.accounts.rules import existing
from billing.invoicing.dunning import AlreadyPaid
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.reissue_invoice import RightAmount, reissue_invoice
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.platform.dynamodb import keys

from tests.faults.company import SETTINGS, body, events, nothing_is_forgotten, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, DECLINED, JULY, Invoicing, collect, invoiced

NUMBER = "LV-2026-000001"


def credit(world: Invoicing) -> None:
    """Staff credit the first invoice."""
    context = RequestContext(Actor(ActorKind.STAFF, "staff"), JULY, world.correlation)
    issue_credit_note(
        existing(world.invoicing.billing_context(ACCOUNT)),
        NUMBER,
        None,
        "Invoiced by mistake",
        context=context,
        settings=SETTINGS,
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
    [stored] = [each for each in stored_invoices(world) if each["number"] == NUMBER]
    return stored


def notes(world: Invoicing) -> list[dict[str, Any]]:
    return [each for each in stored_invoices(world) if each["number"].startswith("CN-")]


def credit_balance(world: Invoicing) -> int:
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
    """One credit note without a gap in the numbers, and one event. Its parts add up to its total."""
    nothing_is_forgotten(world)
    [note] = notes(world)
    assert note["number"] == "CN-2026-000001"
    [count] = [item for item in world.table.items() if item["sk"]["S"] == keys.series("CN", 2026)]
    assert int(count["count"]["N"]) == 1
    assert len(events(world, "credit_note.issued")) == 1
    payment = invoice(world)["payment"]
    total = -note["total"]["amount"]
    assert payment["waived"] + note["payment"]["to_refund"] + credit_balance(world) == total
    assert charged(world) == invoice(world)["issued"]["draft"]["due"]["amount"] - payment["waived"]


def refunded_once(world: Invoicing) -> None:
    one_note(world)
    assert refunded(world) == -notes(world)[0]["total"]["amount"]
    assert notes(world)[0]["status"] == "paid"
    assert len(events(world, "credit_note.refunded")) == 1


def never_more_than_was_charged(world: Invoicing) -> None:
    assert refunded(world) + credit_balance(world) <= max(0, charged(world))


def test_an_interrupted_credit_of_a_paid_invoice_issues_one_note(faults: Faults) -> None:
    faults.every_cut(world=paid, command=credit, invariants=one_note, always=never_more_than_was_charged)


def test_an_interrupted_credit_of_an_unpaid_invoice_issues_one_note_and_voids_it(faults: Faults) -> None:
    def void(world: Invoicing) -> None:
        one_note(world)
        assert invoice(world)["status"] == "void"
        assert (charged(world), refunded(world), credit_balance(world)) == (0, 0, 0)

    faults.every_cut(world=declined, command=credit, invariants=void)


def correct(world: Invoicing) -> None:
    """Staff issue the first invoice again, with a smaller amount."""
    context = RequestContext(Actor(ActorKind.STAFF, "staff"), JULY, world.correlation)
    reissue_invoice(
        existing(world.invoicing.billing_context(ACCOUNT)),
        NUMBER,
        (RightAmount(0, 1_000),),
        "The amount was wrong",
        keeps_tax=True,
        context=context,
        settings=SETTINGS,
        store=world.invoicing,
        gateway=world.payments,
    )


def in_its_place(world: Invoicing) -> None:
    """One credit note and one invoice in the place of the first one, without a gap in the numbers."""
    nothing_is_forgotten(world)
    [note] = notes(world)
    [new] = [each for each in stored_invoices(world) if each["issued"].get("replaces")]
    assert new["issued"]["replaces"]["credit_note"] == note["number"]
    assert note["issued"]["corrects"]["replaced_by"] == new["number"]
    assert len(events(world, "credit_note.issued")) == 1
    told = [each for each in events(world, "invoice.issued") if each["after"].get("replaces")]
    assert [each["after"]["number"] for each in told] == [new["number"]]
    for series in ("CN", "LV"):
        [count] = [item for item in world.table.items() if item["sk"]["S"] == keys.series(series, 2026)]
        issued = [each for each in stored_invoices(world) if each["number"].startswith(series)]
        assert int(count["count"]["N"]) == len(issued)


def test_an_interrupted_correction_issues_one_credit_note_and_one_invoice(faults: Faults) -> None:
    faults.every_cut(world=paid, command=correct, invariants=in_its_place, always=never_more_than_was_charged)


def test_an_interrupted_correction_of_an_unpaid_invoice_leaves_one_to_pay(faults: Faults) -> None:
    def one_is_open(world: Invoicing) -> None:
        in_its_place(world)
        assert invoice(world)["status"] == "void"

    faults.every_cut(world=declined, command=correct, invariants=one_is_open)


def test_an_interrupted_refund_is_made_once(faults: Faults) -> None:
    faults.every_cut(world=credited, command=collect, invariants=refunded_once, always=never_more_than_was_charged)


def test_two_workers_at_once_refund_once(faults: Faults) -> None:
    faults.every_race(world=credited, first=collect, second=collect, invariants=refunded_once)


def test_a_credit_during_the_charge_either_voids_the_invoice_or_refunds_it(faults: Faults) -> None:
    """Staff credit the invoice during its charge: it is void and never charged, or charged and refunded."""

    def settled(world: Invoicing) -> None:
        if notes(world):
            one_note(world)
        else:
            assert charged(world) == invoice(world)["issued"]["draft"]["due"]["amount"]

    faults.every_race(world=invoiced(), first=collect, second=credit, invariants=settled, may_lose=(AlreadyPaid,))
    faults.every_race(world=invoiced(), first=credit, second=collect, invariants=settled, may_lose=(AlreadyPaid,))


def test_two_simultaneous_credits_issue_one_note(faults: Faults) -> None:
    faults.every_race(world=paid, first=credit, second=credit, invariants=one_note)
