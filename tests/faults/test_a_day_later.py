"""A run that is cut off and repeated more than a day later charges and refunds once: Stripe has forgotten its keys."""

from __future__ import annotations

from datetime import timedelta

from billing.ending.reactivation.commands import complete_reactivation
from billing.invoicing.collect_payments import collect_payments

from tests.faults.company import SETTINGS, body
from tests.faults.cuts import Faults
from tests.faults.ending import ACCOUNT as ENDED
from tests.faults.ending import Ending
from tests.faults.test_credit_notes import credited, one_note
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing, invoiced, never_charged_twice
from tests.faults.test_reactivation import (
    BACK,
    charges,
    never_charged_without_a_record,
    requested,
    served_and_charged_once,
    store_of,
)
from tests.stripe import later

LATER = timedelta(hours=25)


def collect(world: Invoicing) -> None:
    """Collects, a day after the run before."""
    correlation = world.correlation
    later(world.stripe, LATER.total_seconds())
    collect_payments(
        ACCOUNT,
        at_once=False,
        now=JULY + LATER * (world.runs - 1),
        correlation=correlation,
        settings=SETTINGS,
        consent_page="https://billing.example",
        store=world.invoicing,
        gateway=world.payments,
    )


def complete(world: Ending) -> None:
    """Completes a reactivation, a day after the run before."""
    world.runs += 1
    later(world.stripe, LATER.total_seconds())
    complete_reactivation(
        ENDED,
        now=BACK + LATER * (world.runs - 1),
        correlation=f"run {world.runs}",
        settings=SETTINGS,
        store=store_of(world),
        gateway=world.payments,
    )


def test_a_charge_is_made_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        invoices = [body(item) for item in world.stored("INVOICE#")]
        assert {each["status"] for each in invoices} == {"paid"}
        intents = world.stripe.objects["payment_intent"].values()
        assert sorted(each["status"] for each in intents) == ["succeeded"] * len(invoices), "a second PaymentIntent"

    faults.every_cut(world=invoiced(), command=collect, invariants=once, always=never_charged_twice)


def test_a_refund_is_made_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        one_note(world)
        [refund] = world.stripe.objects["refund"].values()
        [entry] = [
            entry
            for item in world.stored("INVOICE#")
            for entry in body(item)["payment"]["entries"]
            if entry[0] == "refund_done"
        ]
        assert (entry[1], entry[3]) == (refund["amount"], refund["id"])

    faults.every_cut(world=credited, command=collect, invariants=once)


def test_a_reactivation_is_charged_once(faults: Faults) -> None:
    def once(world: Ending) -> None:
        served_and_charged_once(world)
        assert len(charges(world)) == 1
        theirs = [each for each in world.stripe.objects["payment_intent"].values() if "react" in str(each["metadata"])]
        assert [each["status"] for each in theirs] == ["succeeded"]

    faults.every_cut(world=requested, command=complete, invariants=once, always=never_charged_without_a_record)
