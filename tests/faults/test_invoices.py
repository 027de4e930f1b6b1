"""One invoice for each period, numbers without gaps, one charge for each invoice: wherever a run is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from billing.accounts.rules import existing
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.dunning import AlreadyPaid
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.numbering import register_faults
from billing.invoicing.record_transfer import record_payment
from billing.invoicing.sync_payments import sync_payment
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import CHARGED, Method
from billing.payments.replace_payment_method import begin_setup, replace_payment_method

from local.stripe.api import Stripe
from tests.faults.company import (
    NEW_ACCOUNT,
    SETTINGS,
    body,
    catalogue,
    events,
    nothing_is_forgotten,
    provision,
    stored_invoices,
)
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import World
from tests.store.samples import CONTEXT
from tests.stripe import confirm, payments, stripe_account

ACCOUNT = NEW_ACCOUNT.account
JULY = datetime(2026, 7, 15, 12, tzinfo=UTC)
VISA, DECLINED = "4242424242424242", "4000000000000341"
PERIODS = 3
"""Periods of the sample company's contract up to JULY."""


class Invoicing(World):
    """A world with Stripe."""

    def __init__(self) -> None:
        super().__init__()
        self.stripe: Stripe = stripe_account(JULY.timestamp())
        self.runs = 0

    @property
    def payments(self) -> PaymentGateway:
        gateway: PaymentGateway = payments(self.stripe)
        return edge("stripe", gateway)

    @property
    def correlation(self) -> str:
        self.runs += 1
        return f"run {self.runs}"


def company(number: str = VISA) -> Callable[[], Invoicing]:
    def make() -> Invoicing:
        before = catalogue()
        world = Invoicing()
        world.table = before.table
        with world.calm():
            provision(world)
            context = RequestContext(Actor(ActorKind.CUSTOMER, "ada"), JULY, "setup")
            setup = begin_setup(
                existing(world.paying.payer(ACCOUNT)),
                Method.CARD,
                None,
                charged=CHARGED,
                context=context,
                store=world.paying,
                gateway=world.payments,
            )
            confirm(world.stripe, {"setup_intent": setup.setup, "client_secret": setup.client_secret}, number)
            replace_payment_method(
                existing(world.paying.payer(ACCOUNT)),
                setup.setup,
                context=context,
                store=world.paying,
                gateway=world.payments,
            )
        return world

    return make


def invoiced(number: str = VISA) -> Callable[[], Invoicing]:
    def make() -> Invoicing:
        with company(number)().calm() as world:
            issue(world)
            return world

    return make


def issue(world: Invoicing) -> None:
    issue_invoices(ACCOUNT, now=JULY, correlation=world.correlation, settings=SETTINGS, store=world.invoicing)


def collect(world: Invoicing) -> None:
    collect_payments(
        ACCOUNT,
        at_once=False,
        now=JULY,
        correlation=world.correlation,
        settings=SETTINGS,
        consent_page="https://billing.example",
        store=world.invoicing,
        gateway=world.payments,
    )


def sync(world: Invoicing) -> None:
    """Stripe's webhook announces all payments."""
    for payment in [*world.stripe.objects["payment_intent"]]:
        sync_payment(
            payment,
            now=JULY,
            correlation=world.correlation,
            settings=SETTINGS,
            consent_page="https://billing.example",
            store=world.invoicing,
            gateway=world.payments,
        )


def numbers_without_gaps(world: Invoicing) -> None:
    """Numbers without gaps, one event for each invoice, one invoice for each period."""
    nothing_is_forgotten(world)
    invoices = stored_invoices(world)
    assert len(world.stored("DOCUMENT#")) == len(invoices), "an invoice without what it says"
    assert sorted(each["number"] for each in invoices) == [
        f"LV-2026-{count:06}" for count in range(1, len(invoices) + 1)
    ], "a gap, or a number twice"
    periods = [each["issued"]["draft"]["since"] for each in invoices]
    assert len(periods) == len({*periods}), "a period twice"
    assert len(events(world, "invoice.issued")) == len(invoices), "an invoice without exactly one event"
    for item in world.table.items():
        if item["sk"]["S"].startswith("SERIES#"):
            assert int(item["count"]["N"]) == len(invoices), "a number without its invoice"
    entries = world.invoicing.register("LV", JULY.year, limit=100, after=None).items
    assert register_faults(entries, world.invoicing.counter("LV", JULY.year)) == ()
    assert sorted(each.number for each in entries) == sorted(each["number"] for each in invoices), "not registered"


def all_issued(world: Invoicing) -> None:
    numbers_without_gaps(world)
    assert len(world.stored("INVOICE#")) == PERIODS


def never_charged_twice(world: Invoicing) -> None:
    succeeded = [each["payment_intent"] for each in world.stripe.objects["charge"].values() if each["paid"]]
    assert len(succeeded) == len({*succeeded}), "charged twice"
    charged = {
        each["metadata"]["invoice"]
        for each in world.stripe.objects["payment_intent"].values()
        if each["status"] == "succeeded"
    }
    assert len(charged) == len(succeeded), "two payments of one invoice"


def all_paid(world: Invoicing) -> None:
    never_charged_twice(world)
    paid = [each for each in world.stripe.objects["charge"].values() if each["paid"]]
    assert len(paid) == PERIODS, "a charge is missing"
    assert {body(item)["status"] for item in world.stored("INVOICE#")} == {"paid"}, "a charge without a record"
    assert len(events(world, "invoice.paid")) == PERIODS, "a payment without exactly one event"
    nothing_is_forgotten(world)
    assert not world.stored("DUE#collection")


def test_an_interrupted_run_leaves_no_gap_and_no_duplicate(faults: Faults) -> None:
    faults.every_cut(world=company(), command=issue, invariants=all_issued, always=numbers_without_gaps)


def test_two_runs_at_once_leave_no_gap_and_no_duplicate(faults: Faults) -> None:
    faults.every_race(world=company(), first=issue, second=issue, invariants=all_issued)


def test_an_interrupted_collection_charges_once(faults: Faults) -> None:
    faults.every_cut(world=invoiced(), command=collect, invariants=all_paid, always=never_charged_twice)


def test_two_collections_at_once_charge_once(faults: Faults) -> None:
    faults.every_race(world=invoiced(), first=collect, second=collect, invariants=all_paid)


def test_a_collection_and_stripes_webhook_at_once_charge_once(faults: Faults) -> None:
    faults.every_race(world=invoiced(), first=collect, second=sync, invariants=all_paid)


def test_an_interrupted_decline_is_recorded_once(faults: Faults) -> None:
    """An interrupted attempt may be made twice, but counts once."""

    def recorded_once(world: Invoicing) -> None:
        never_charged_twice(world)
        assert len(events(world, "payment.failed")) == PERIODS
        nothing_is_forgotten(world)
        assert {each["payment"]["attempts"] for each in stored_invoices(world)} == {1}
        days = {each["payment"]["next_attempt_on"] for each in stored_invoices(world)}
        assert days == {str(JULY.date() + timedelta(1))}
        assert {item["gsi1sk"]["S"] for item in world.stored("INVOICE#")} == {"2026-07-15T22:00Z"}
        assert not world.stored("DUE#collection")

    faults.every_cut(world=invoiced(DECLINED), command=collect, invariants=recorded_once, always=never_charged_twice)


def test_a_transfer_recorded_during_a_charge_pays_the_invoice_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        never_charged_twice(world)
        assert len(events(world, "invoice.paid")) == PERIODS
        charged = {
            each["metadata"]["invoice"]
            for each in world.stripe.objects["payment_intent"].values()
            if each["status"] == "succeeded"
        }
        by_method = {each["number"]: each["payment"]["method"] for each in stored_invoices(world)}
        assert {number for number, method in by_method.items() if method == "card"} == charged, "paid twice"

    faults.every_race(world=invoiced(), first=collect, second=record, invariants=once, may_lose=(AlreadyPaid,))


def test_an_interrupted_record_of_a_transfer_pays_once(faults: Faults) -> None:
    def declined() -> Invoicing:
        with invoiced(DECLINED)().calm() as world:
            collect(world)
            return world

    def recorded(world: Invoicing) -> None:
        never_charged_twice(world)
        [paid] = events(world, "invoice.paid")
        assert paid["after"]["number"] == "LV-2026-000001"

    def record_and_sync(world: Invoicing) -> None:
        record(world)
        sync(world)

    faults.every_cut(world=declined, command=record_and_sync, invariants=recorded, always=never_charged_twice)


def record(world: Invoicing) -> None:
    """Staff record a transfer."""
    record_payment(
        existing(world.invoicing.billing_context(ACCOUNT)),
        "LV-2026-000001",
        date(2026, 7, 15),
        "4711",
        context=RequestContext(CONTEXT.actor, JULY, world.correlation),
        store=world.invoicing,
        gateway=world.payments,
    )


def test_an_invoice_sorts_before_its_payment_also_within_a_millisecond(faults: Faults) -> None:
    """Invoices are issued and charged at one instant: the ids of one millisecond are random."""
    for _ in range(4):
        with company()().calm() as world:
            issue(world)
            collect(world)

        kinds = [(each["type"], each["after"]["number"]) for each in events(world, "invoice.")]
        issued = [number for kind, number in kinds if kind == "invoice.issued"]
        assert len(issued) == PERIODS
        for number in issued:
            assert kinds.index(("invoice.issued", number)) < kinds.index(("invoice.paid", number))
