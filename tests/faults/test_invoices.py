"""Never two invoices for a period, never a gap in the numbers, never two charges for an invoice: wherever it is cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from billing.accounts.rules import existing
from billing.invoicing.collect_payments import collect_payments, record_payment
from billing.invoicing.dunning import AlreadyPaid
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.sync_payments import sync_payment
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Method
from billing.payments.replace_payment_method import begin_setup, replace_payment_method

from local.stripe.api import Stripe
from tests.faults.company import TERMS, WANTED, body, catalogue, events, provision
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import World
from tests.store.samples import OCCASION
from tests.stripe import confirm, payments, stripe_account

ACCOUNT = WANTED.account
JULY = datetime(2026, 7, 15, 12, tzinfo=UTC)
VISA, DECLINED = "4242424242424242", "4000000000000341"
PERIODS = 3
"""Of the sample company's contract, up to JULY."""


class Invoicing(World):
    """A company with a card, and Stripe."""

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
    def made() -> Invoicing:
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

    return made


def invoiced(number: str = VISA) -> Callable[[], Invoicing]:
    def made() -> Invoicing:
        with company(number)().calm() as world:
            issue(world)
            return world

    return made


def issue(world: Invoicing) -> None:
    issue_invoices(ACCOUNT, now=JULY, correlation=world.correlation, settings=TERMS, store=world.invoicing)


def collect(world: Invoicing) -> None:
    collect_payments(
        ACCOUNT,
        at_once=False,
        now=JULY,
        correlation=world.correlation,
        settings=TERMS,
        consent_page="https://billing.example",
        store=world.invoicing,
        gateway=world.payments,
    )


def hear(world: Invoicing) -> None:
    """Stripe tells of all payments."""
    for payment in [*world.stripe.objects["payment_intent"]]:
        sync_payment(
            payment,
            now=JULY,
            correlation=world.correlation,
            settings=TERMS,
            consent_page="https://billing.example",
            store=world.invoicing,
            gateway=world.payments,
        )


def numbered(world: Invoicing) -> None:
    """As many numbers as invoices, without a gap; as many events as invoices; each period once."""
    invoices = [body(item) for item in world.stored("INVOICE#")]
    assert sorted(each["number"] for each in invoices) == [
        f"LV-2026-{count:06}" for count in range(1, len(invoices) + 1)
    ], "a gap, or a number twice"
    periods = [each["issued"]["draft"]["since"] for each in invoices]
    assert len(periods) == len({*periods}), "a period twice"
    assert len(events(world, "invoice.issued")) == len(invoices), "an invoice is not told once"
    for item in world.table.items():
        if item["sk"]["S"].startswith("SERIES#"):
            assert int(item["count"]["N"]) == len(invoices), "a number without its invoice"


def all_issued(world: Invoicing) -> None:
    numbered(world)
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
    assert len(events(world, "invoice.paid")) == PERIODS, "a payment is not told once"
    assert not world.stored("DUE#collection")


def test_a_run_that_is_cut_off_anywhere_leaves_neither_gap_nor_double(faults: Faults) -> None:
    faults.every_cut(world=company(), command=issue, invariants=all_issued, always=numbered)


def test_two_runs_at_once_leave_neither_gap_nor_double(faults: Faults) -> None:
    faults.every_race(world=company(), first=issue, second=issue, invariants=all_issued)


def test_a_collection_that_is_cut_off_anywhere_charges_once(faults: Faults) -> None:
    faults.every_cut(world=invoiced(), command=collect, invariants=all_paid, always=never_charged_twice)


def test_two_collections_at_once_charge_once(faults: Faults) -> None:
    faults.every_race(world=invoiced(), first=collect, second=collect, invariants=all_paid)


def test_a_collection_meets_what_stripe_tells(faults: Faults) -> None:
    faults.every_race(world=invoiced(), first=collect, second=hear, invariants=all_paid)


def test_a_decline_is_told_once(faults: Faults) -> None:
    """However often it is cut off: an attempt may be made twice, and is counted once."""

    def told_once(world: Invoicing) -> None:
        never_charged_twice(world)
        assert len(events(world, "payment.failed")) == PERIODS
        assert {body(item)["payment"]["attempts"] for item in world.stored("INVOICE#")} == {1}
        [due] = world.stored("DUE#collection")
        assert body(due)["on"] == str(JULY.date() + timedelta(1))

    faults.every_cut(world=invoiced(DECLINED), command=collect, invariants=told_once, always=never_charged_twice)


def test_a_transfer_that_is_recorded_while_a_charge_runs_is_one_payment(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        never_charged_twice(world)
        assert len(events(world, "invoice.paid")) == PERIODS
        charged = {
            each["metadata"]["invoice"]
            for each in world.stripe.objects["payment_intent"].values()
            if each["status"] == "succeeded"
        }
        by_method = {each["number"]: each["payment"]["method"] for each in map(body, world.stored("INVOICE#"))}
        assert {number for number, method in by_method.items() if method == "card"} == charged, "paid twice"

    faults.every_race(world=invoiced(), first=collect, second=record, invariants=once, may_lose=(AlreadyPaid,))


def test_recording_a_transfer_that_is_cut_off_pays_once(faults: Faults) -> None:
    def declined() -> Invoicing:
        with invoiced(DECLINED)().calm() as world:
            collect(world)
            return world

    def recorded(world: Invoicing) -> None:
        never_charged_twice(world)
        [paid] = events(world, "invoice.paid")
        assert paid["after"]["number"] == "LV-2026-000001"

    def record_and_hear(world: Invoicing) -> None:
        record(world)
        hear(world)

    faults.every_cut(world=declined, command=record_and_hear, invariants=recorded, always=never_charged_twice)


def record(world: Invoicing) -> None:
    """Staff have found a transfer."""
    record_payment(
        existing(world.invoicing.billing_context(ACCOUNT)),
        "LV-2026-000001",
        date(2026, 7, 15),
        "4711",
        context=RequestContext(OCCASION.actor, JULY, world.correlation),
        store=world.invoicing,
        gateway=world.payments,
    )
