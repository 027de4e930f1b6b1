"""Each entry is written once, and money in Stripe agrees with the entries, wherever a command is cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.invoicing.collect_payments import try_payment_again
from billing.invoicing.dunning import AlreadyPaid
from billing.invoicing.record_transfer import record_payment
from billing.invoicing.settle_by_hand import RefundUnderWay, record_repayment, write_off
from billing.invoicing.sync_payments import sync_dispute, sync_payment, sync_refund
from billing.kernel.errors import RuleViolation
from billing.kernel.events import RequestContext
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item

from tests.faults.company import SETTINGS, body, events, nothing_is_forgotten, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.test_credit_notes import (
    NUMBER,
    credit,
    credited,
    declined,
    invoice,
    never_more_than_was_charged,
    paid,
)
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing, collect, company, invoiced, issue, never_charged_twice
from tests.store.samples import CONTEXT
from tests.stripe import ask

REFUND_TAKES_DAYS = "4000000000007726"
NOTE = "CN-2026-000001"
SECOND = "LV-2026-000002"
FIRST_TOTAL = 36_328


def context(world: Invoicing) -> RequestContext:
    return RequestContext(CONTEXT.actor, JULY, world.correlation)


def entries(world: Invoicing) -> list[tuple[str, tuple[Any, ...]]]:
    """All entries, each with the number of its document."""
    return [(each["number"], entry) for each in stored_invoices(world) for entry in each["payment"]["entries"]]


def of_kind(world: Invoicing, kind: str) -> list[tuple[str, int]]:
    return [(number, entry[1]) for number, entry in entries(world) if entry[0] == kind]


def books_agree(world: Invoicing) -> None:
    """The credit equation, and each payment and refund at Stripe is an entry once."""
    credit_of = {"carried": 1, "overpaid": 1, "credit_applied": -1, "repaid_by_hand": -1}
    credit_of |= {"credit_refunded": -1, "credit_refund_failed": 1}
    computed = sum(
        credit_of.get(entry[0], 0) * entry[1] for number, entry in entries(world) if not number.startswith("CN-")
    )
    assert computed == sum(int(body(item)["credit"]) for item in world.stored(keys.BALANCE)) >= 0
    charges_agree(world)


def charges_agree(world: Invoicing) -> None:
    """Each entry of a charge has its payment at Stripe, and what was allocated of one comes to it."""
    nothing_is_forgotten(world)
    succeeded = {
        each["id"]: each["amount"]
        for each in world.stripe.objects["payment_intent"].values()
        if each["status"] == "succeeded"
    }
    taken_in: dict[str, int] = {}
    for _, (kind, amount, _, reference, _) in entries(world):
        if kind == "charged":
            taken_in[reference] = taken_in.get(reference, 0) + amount
    assert {**succeeded, **taken_in} == succeeded, "an entry without its charge, or a charge that is counted twice"


def tried_again(world: Invoicing) -> None:
    try_payment_again(
        existing(world.invoicing.billing_context(ACCOUNT)),
        NUMBER,
        context=context(world),
        settings=SETTINGS,
        consent_page="https://billing.example",
        store=world.invoicing,
        gateway=world.payments,
    )


def written_off(world: Invoicing) -> None:
    write_off(
        existing(world.invoicing.billing_context(ACCOUNT)),
        NUMBER,
        "Insolvent",
        context=context(world),
        store=world.invoicing,
        gateway=world.payments,
    )


def repaid(world: Invoicing) -> None:
    record_repayment(
        existing(world.invoicing.billing_context(ACCOUNT)),
        NOTE,
        Money(invoice(world)["total"]["amount"], "EUR"),
        date(2026, 7, 15),
        "E2E-1",
        context=context(world),
        store=world.invoicing,
    )


def hear(world: Invoicing, what: Callable[..., bool | None], kind: str) -> None:
    """Stripe's notices about all objects of a kind."""
    more = {"consent_page": "https://billing.example"} if what is sync_payment else {}
    for each in [*world.stripe.objects[kind]]:
        what(
            each,
            now=JULY,
            correlation=world.correlation,
            settings=SETTINGS,
            store=world.invoicing,
            gateway=world.payments,
            **more,
        )


def hear_refunds(world: Invoicing) -> None:
    hear(world, sync_refund, "refund")


def hear_disputes(world: Invoicing) -> None:
    hear(world, sync_dispute, "dispute")


def pending() -> Invoicing:
    """A credit note whose refund takes days."""
    with invoiced(REFUND_TAKES_DAYS)().calm() as world:
        collect(world)
        credit(world)
        collect(world)
        return world


def failing() -> Invoicing:
    with pending().calm() as world:
        [refund] = world.stripe.objects["refund"]
        world.stripe.settle_refund(refund, succeed=False)
        return world


def failed() -> Invoicing:
    with failing().calm() as world:
        hear_refunds(world)
        return world


def disputed() -> Invoicing:
    with paid().calm() as world:
        [intent] = [
            each["id"]
            for each in world.stripe.objects["payment_intent"].values()
            if each["metadata"]["invoice"] == NUMBER
        ]
        world.stripe.close_dispute(world.stripe.dispute(intent)["id"], won=False)
        return world


def transferred(world: Invoicing, number: str) -> None:
    record_payment(
        existing(world.invoicing.billing_context(ACCOUNT)),
        number,
        date(2026, 7, 15),
        number,
        context=context(world),
        store=world.invoicing,
        gateway=world.payments,
    )


def carried() -> Invoicing:
    """The first invoice was transferred; the others are declined, each with its live PaymentIntent."""
    with declined().calm() as world:
        transferred(world, NUMBER)
        return world


def small() -> Invoicing:
    """The first invoice has 0.20 left to pay: less than the smallest charge."""
    with company()().calm() as world:
        with world.invoicing._transaction() as write:
            write.replace(Item(keys.account(ACCOUNT), keys.BALANCE, text({"credit": FIRST_TOTAL - 20})), 0)
        issue(world)
        return world


def test_a_charge_for_two_invoices_pays_both_once(faults: Faults) -> None:
    """M2."""

    def both(world: Invoicing) -> None:
        charges_agree(world)
        never_charged_twice(world)
        assert invoice(world)["payment"]["owed"] == FIRST_TOTAL
        amounts = sorted(each["amount"] for each in world.stripe.objects["charge"].values() if each["paid"])
        assert sum(amounts) == sum(amount for _, amount in of_kind(world, "charged"))
        assert {body(item)["status"] for item in world.stored("INVOICE#")} == {"paid"}
        assert (NUMBER, 20) in of_kind(world, "charged")
        assert len(of_kind(world, "charged")) == len(events(world, "invoice.paid")) == 3
        assert not of_kind(world, "overpaid")

    def hear_payments(world: Invoicing) -> None:
        hear(world, sync_payment, "payment_intent")

    faults.every_cut(world=small, command=collect, invariants=both, always=charges_agree)
    faults.every_race(world=small, first=collect, second=collect, invariants=both)
    faults.every_race(world=small, first=collect, second=hear_payments, invariants=both)


def test_a_write_off_that_is_cut_off_is_one(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        books_agree(world)
        assert invoice(world)["status"] == "uncollectible"
        assert len(of_kind(world, "written_off")) == len(events(world, "invoice.written_off")) == 1

    faults.every_cut(world=declined, command=written_off, invariants=once, always=books_agree)


def test_a_write_off_meets_a_charge(faults: Faults) -> None:
    def either(world: Invoicing) -> None:
        books_agree(world)
        never_charged_twice(world)
        assert invoice(world)["status"] in {"uncollectible", "paid"}

    faults.every_race(world=invoiced(), first=written_off, second=collect, invariants=either, may_lose=(AlreadyPaid,))


def test_a_refund_is_kept_before_it_is_made_and_made_once(faults: Faults) -> None:
    """M9: two messages of different hours at the same moment."""

    def once(world: Invoicing) -> None:
        books_agree(world)
        assert len(world.stripe.objects["refund"]) == 1
        assert [number for number, _ in of_kind(world, "refund_done")] == [NOTE]

    faults.every_race(world=credited, first=collect, second=collect, invariants=once)


def test_a_refund_that_fails_late_is_owed_once(faults: Faults) -> None:
    def owed(world: Invoicing) -> None:
        books_agree(world)
        assert len(of_kind(world, "refund_failed")) == len(events(world, "payment.past_due")) == 1

    faults.every_cut(world=failing, command=hear_refunds, invariants=owed, always=never_more_than_was_charged)
    faults.every_race(world=failing, first=hear_refunds, second=collect, invariants=owed)


def test_a_repayment_by_hand_is_recorded_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        books_agree(world)
        assert len(of_kind(world, "repaid_by_hand")) == len(events(world, "payment.repaid")) == 1
        assert len(events(world, "credit_note.refunded")) == 1

    faults.every_cut(world=failed, command=repaid, invariants=once)
    faults.every_race(world=failed, first=repaid, second=repaid, invariants=once)


def test_a_repayment_meets_another_refund(faults: Faults) -> None:
    def again(world: Invoicing) -> None:
        try_payment_again(
            existing(world.invoicing.billing_context(ACCOUNT)),
            NOTE,
            context=context(world),
            settings=SETTINGS,
            consent_page="",
            store=world.invoicing,
            gateway=world.payments,
        )

    def either(world: Invoicing) -> None:
        books_agree(world)
        by_hand = len(of_kind(world, "repaid_by_hand"))
        live = [each for each in world.stripe.objects["refund"].values() if each["status"] != "failed"]
        assert by_hand + len(live) == 1, "given back twice"

    lost = (AlreadyPaid, RefundUnderWay, RuleViolation)
    faults.every_race(world=failed, first=again, second=repaid, invariants=either, may_lose=lost)
    faults.every_race(world=failed, first=repaid, second=again, invariants=either, may_lose=lost)


def test_a_lost_dispute_is_taken_in_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        books_agree(world)
        assert of_kind(world, "charged_back") == [(NUMBER, invoice(world)["total"]["amount"])]
        assert len(events(world, "payment.disputed")) == len(events(world, "payment.past_due")) == 1

    faults.every_cut(world=disputed, command=hear_disputes, invariants=once, always=books_agree)


def refused_and_charged_back() -> Invoicing:
    """The refund of the credit note has failed, and the bank has taken the payment back. No notice was heard."""
    with failing().calm() as world:
        [refund] = world.stripe.objects["refund"].values()
        world.stripe.close_dispute(world.stripe.dispute(refund["payment_intent"])["id"], won=False)
        return world


def test_a_refused_refund_meets_the_charge_back_that_settles_it(faults: Faults) -> None:
    """Neither notice may miss the other one: each has read the books before the other has written."""

    def both(world: Invoicing) -> None:
        hear_disputes(world)
        hear_refunds(world)

    def nobody_owes(world: Invoicing) -> None:
        books_agree(world)
        total = invoice(world)["total"]["amount"]
        assert sorted(of_kind(world, "set_off")) == [(NOTE, total), (NUMBER, total)]
        statuses = {each["number"]: each["status"] for each in stored_invoices(world)}
        assert (statuses[NUMBER], statuses[NOTE]) == ("paid", "paid")
        assert len(events(world, "credit_note.refunded")) == 1

    faults.every_cut(world=refused_and_charged_back, command=both, invariants=nobody_owes, always=books_agree)
    for first, second in ((hear_refunds, hear_disputes), (hear_disputes, hear_refunds)):
        faults.every_race(world=refused_and_charged_back, first=first, second=second, invariants=nobody_owes)


def refunded_in_the_dashboard() -> Invoicing:
    """The first invoice was refunded at Stripe itself."""
    with paid().calm() as world:
        [intent] = [
            each["id"]
            for each in world.stripe.objects["payment_intent"].values()
            if each["metadata"]["invoice"] == NUMBER
        ]
        ask(world.stripe, "POST", "/v1/refunds", f"payment_intent={intent}")
        return world


def test_a_refund_in_the_dashboard_is_taken_in_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        books_agree(world)
        assert of_kind(world, "refunded_outside") == [(NUMBER, invoice(world)["total"]["amount"])]
        assert len(events(world, "payment.refunded_outside")) == 1

    faults.every_cut(world=refunded_in_the_dashboard, command=hear_refunds, invariants=once)
    faults.every_race(world=refunded_in_the_dashboard, first=hear_refunds, second=hear_refunds, invariants=once)


def test_a_refund_in_the_dashboard_meets_a_credit_note(faults: Faults) -> None:
    """Whichever comes first, the customer gets the money once."""

    def credited_and_collected(world: Invoicing) -> None:
        credit(world)
        collect(world)

    def once(world: Invoicing) -> None:
        books_agree(world)
        assert [each["amount"] for each in world.stripe.objects["refund"].values()] == [FIRST_TOTAL]
        assert of_kind(world, "carried") == []

    world = refunded_in_the_dashboard
    faults.every_race(world=world, first=hear_refunds, second=credited_and_collected, invariants=once)
    faults.every_race(world=world, first=credited_and_collected, second=hear_refunds, invariants=once)


def doubled() -> Invoicing:
    """The customer has paid the first invoice twice, and one that we do not know."""
    with paid().calm() as world:
        [customer], [method] = world.stripe.objects["customer"], world.stripe.objects["payment_method"]
        for name in (NUMBER, "LV-2019-000007"):
            ask(
                world.stripe,
                "POST",
                "/v1/payment_intents",
                f"amount=1000&currency=eur&customer={customer}&payment_method={method}&confirm=true&off_session=true"
                f"&metadata[account]={ACCOUNT}&metadata[invoice]={name}",
            )
        return world


def hear_payments(world: Invoicing) -> None:
    hear(world, sync_payment, "payment_intent")


@pytest.mark.deep  # thousands of calls: its neighbours are in make test
def test_money_that_nobody_has_asked_for_is_credit_and_told_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        books_agree(world)
        assert sorted(amount for _, amount in of_kind(world, "overpaid")) == [1000, 1000]
        assert len(events(world, "payment.unexpected")) == 2

    faults.every_cut(world=doubled, command=hear_payments, invariants=once)
    faults.every_race(world=doubled, first=hear_payments, second=hear_payments, invariants=once)


def test_another_try_that_is_cut_off_charges_once(faults: Faults) -> None:
    def settled(world: Invoicing) -> None:
        books_agree(world)
        never_charged_twice(world)
        assert invoice(world)["status"] == "paid"

    def again(world: Invoicing) -> None:
        try:
            tried_again(world)
        except AlreadyPaid:
            return

    faults.every_cut(world=invoiced(), command=again, invariants=settled, always=never_charged_twice)
    faults.every_race(world=invoiced(), first=tried_again, second=collect, invariants=settled, may_lose=(AlreadyPaid,))


def test_credit_pays_what_is_open_once(faults: Faults) -> None:
    """The charges that may still succeed are cancelled first."""

    def applied(world: Invoicing) -> None:
        books_agree(world)
        never_charged_twice(world)
        paid_from_credit = of_kind(world, "credit_applied")
        assert sum(amount for _, amount in paid_from_credit) <= invoice(world)["total"]["amount"]
        assert of_kind(world, "carried") == [(NUMBER, invoice(world)["total"]["amount"])]
        assert paid_from_credit[0][0] == SECOND

    def command(world: Invoicing) -> None:
        credit(world)
        collect(world)

    faults.every_cut(world=carried, command=command, invariants=applied, always=books_agree)
