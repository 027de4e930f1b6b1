"""What a paid period has too much is taken back once, from invoices that have it: wherever a run is interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.billing_page.provision_account import provision_account
from billing.ending.cancellation.commands import CancellationRequest, cancel_account
from billing.ending.cancellation.rules import Reason
from billing.invoicing.close_books import close_books
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.credit_notes import AlreadyCredited
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.issue_invoices import issue_invoices, upcoming
from billing.invoicing.record_transfer import record_payment
from billing.kernel.contract_calendar import Contract
from billing.kernel.events import Actor, ActorKind, RequestContext, by_system
from billing.kernel.money import Money
from billing.payments.methods import CHARGED, Method
from billing.payments.replace_payment_method import begin_setup, replace_payment_method, set_bank_transfer
from billing.platform.dynamodb import keys
from billing.subscriptions.rules import Cause, TierChange

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, body, catalogue, events
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, DECLINED, VISA, Invoicing
from tests.store.samples import CONTEXT
from tests.stripe import confirm

STARTS = date(2026, 6, 15)
FIRST, SECOND = "LV-2026-000001", "LV-2026-000002"
TAX = 5 / 4


def noon(month: int, day: int = 15) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def company(number: str | None = VISA) -> Invoicing:
    """A yearly contract: search at 49.00 and, decided before it begins, 149.00 from July; e-mail at 59.00."""
    before = catalogue()
    world = Invoicing()
    world.table = before.table
    with world.calm():
        contract = Contract(STARTS, 12, "EUR", "Europe/Copenhagen")
        provision_account(
            replace(NEW_ACCOUNT, contract=contract, discounts=(), invoiced_until=None),
            context=replace(CONTEXT, time=noon(6, 1)),
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        pays(world, number, noon(6, 1))
        decide(world, "search", 14_900, noon(6, 10), date(2026, 7, 15))
        issue(world, noon(6))
        return world


def pays(world: Invoicing, number: str | None, at: datetime) -> None:
    context = RequestContext(Actor(ActorKind.CUSTOMER, "ada"), at, world.correlation)
    payer = existing(world.paying.payer(ACCOUNT))
    if number is None:
        set_bank_transfer(payer, context=context, store=world.paying)
        return
    setup = begin_setup(
        payer, Method.CARD, None, charged=CHARGED, context=context, store=world.paying, gateway=world.payments
    )
    confirm(world.stripe, {"setup_intent": setup.setup, "client_secret": setup.client_secret}, number)
    payer = existing(world.paying.payer(ACCOUNT))
    replace_payment_method(payer, setup.setup, context=context, store=world.paying, gateway=world.payments)


def decide(world: Invoicing, product: str, price: int, at: datetime, effective: date) -> None:
    state = existing(world.autoscaling.state(ACCOUNT))
    assert state.due is not None
    change = TierChange(
        product, 25_000, Money(price, "EUR"), effective, Cause.REVIEW, f"{at:%m-%d}.{product}", at.date()
    )
    after = state.subscriber.change_tiers((change,), at.date())
    world.autoscaling.decide(state, (), after, (), state.due, at)


def issue(world: Invoicing, at: datetime) -> tuple[str, ...]:
    return issue_invoices(ACCOUNT, now=at, correlation=world.correlation, settings=SETTINGS, store=world.invoicing)


def collect(world: Invoicing, at: datetime) -> None:
    collect_payments(
        ACCOUNT,
        at_once=False,
        now=at,
        correlation=world.correlation,
        settings=SETTINGS,
        consent_page="https://billing.example",
        store=world.invoicing,
        gateway=world.payments,
    )


def credit(world: Invoicing, number: str, lines: tuple[int, ...] | None, at: datetime) -> None:
    issue_credit_note(
        existing(world.invoicing.billing_context(ACCOUNT)),
        number,
        lines,
        "Goodwill",
        context=RequestContext(Actor(ActorKind.STAFF, "staff"), at, world.correlation),
        settings=SETTINGS,
        store=world.invoicing,
        gateway=world.payments,
    )


def replaced(world: Invoicing) -> Invoicing:
    """The move of July is replaced before its day by one that comes later: 11 months of 100.00 less are owed."""
    with world.calm():
        decide(world, "search", 3_900, noon(7, 1), date(2027, 6, 15))
    return world


def unpaid() -> Invoicing:
    return replaced(company())


def declined() -> Invoicing:
    with company(DECLINED).calm() as world:
        collect(world, noon(6))
        return replaced(world)


def charged() -> Invoicing:
    with company().calm() as world:
        collect(world, noon(6))
        return replaced(world)


def transferred() -> Invoicing:
    with company(None).calm() as world:
        context = RequestContext(Actor(ActorKind.STAFF, "staff"), noon(6, 20), world.correlation)
        billing = existing(world.invoicing.billing_context(ACCOUNT))
        record_payment(
            billing, FIRST, date(2026, 6, 20), "E2E", context=context, store=world.invoicing, gateway=world.payments
        )
        return replaced(world)


def of_two_invoices() -> Invoicing:
    """Staff have credited search, so the first invoice has e-mail left, 708.00; the second has 110.00."""
    with company().calm() as world:
        decide(world, "email", 6_900, noon(6, 20), date(2026, 7, 15))
        issue(world, noon(7))
        collect(world, noon(7))
        credit(world, FIRST, (0,), noon(7, 20))
        adjusted(world, -75_000)
        return world


def adjusted(world: Invoicing, amount: int) -> None:
    """As a command of staff will write it: July owes less for e-mail."""
    [item] = world.stored(keys.PAGE_PERIOD)
    stored = body(item)
    stored["adjustments"] = [[1, "email", amount, "Agreed by phone", "staff", "2026-07-20"]]
    changed = {**item, "body": {"S": json.dumps(stored)}}
    world.client.put_item(TableName=TABLE, Item=changed)


def documents(world: Invoicing, prefix: str) -> list[dict[str, Any]]:
    """The stored invoices or credit notes, each with its document."""
    found = [body(item) for item in world.stored("INVOICE#") if f"#{prefix}-" in item["sk"]["S"]]
    said = {item["sk"]["S"].removeprefix("DOCUMENT#"): body(item) for item in world.stored("DOCUMENT#")}
    return [{**each, **said[each["number"]]} for each in found]


def invoice(world: Invoicing, number: str) -> dict[str, Any]:
    [found] = [each for each in documents(world, "LV") if each["number"] == number]
    return found


def in_the_books(world: Invoicing) -> None:
    """Numbers of credit notes without gaps, an event for each, none above its invoice, and the period knows them."""
    notes = documents(world, "CN")
    numbers = sorted(each["number"] for each in notes)
    assert numbers == [f"CN-2026-{count:06}" for count in range(1, len(notes) + 1)]
    assert len(events(world, "credit_note.issued")) == len(notes)
    for each in documents(world, "LV"):
        mine = [note for note in notes if note["corrects"] == each["number"]]
        assert -sum(note["total"]["amount"] for note in mine) <= each["total"]["amount"]
        entries = [kind for kind in each["payment"]["entries"] if {*kind[3:4]} & {note["number"] for note in mine}]
        assert sum(entry[1] for entry in entries) == -sum(note["total"]["amount"] for note in mine)
    period = existing(world.invoicing.billing_context(ACCOUNT)).period
    assert period is not None
    taken = [note for note in notes if note["issued"]["draft"]["occasion"] == "tier_change"]
    assert sorted(each.number for each in period.taken_back if each.number) == sorted(note["number"] for note in taken)
    assert period.invoiced_of("search") in {12 * 4_900, 4_900 + 11 * 14_900}


def run_in_july(world: Invoicing) -> None:
    issue(world, noon(7))


def run_in_august(world: Invoicing) -> None:
    issue(world, noon(8))


def only_note(world: Invoicing) -> dict[str, Any]:
    in_the_books(world)
    [note] = documents(world, "CN")
    assert (note["corrects"], note["total"]["amount"]) == (FIRST, -11 * 10_000 * TAX)
    return note


def test_an_interrupted_run_takes_back_once_what_was_not_paid(faults: Faults) -> None:
    def waived(world: Invoicing) -> None:
        only_note(world)
        payment = invoice(world, FIRST)["payment"]
        assert [entry[1] for entry in payment["entries"] if entry[0] == "waived"] == [11 * 10_000 * TAX]
        assert not world.stored(keys.BALANCE)

    faults.every_cut(world=unpaid, command=run_in_july, invariants=waived)


def test_an_interrupted_run_takes_back_once_from_several_invoices(faults: Faults) -> None:
    def both(world: Invoicing) -> None:
        in_the_books(world)
        found = [(each["corrects"], each["issued"]["draft"]["net"]["amount"]) for each in documents(world, "CN")]
        assert sorted(found[1:]) == [(FIRST, -64_000), (SECOND, -11_000)]

    faults.every_cut(world=of_two_invoices, command=run_in_august, invariants=both)


def test_two_runs_at_once_take_back_once(faults: Faults) -> None:
    faults.every_race(world=charged, first=run_in_july, second=run_in_july, invariants=only_note)


@pytest.mark.parametrize("made", [charged, transferred], ids=["charged", "transferred"])
def test_what_was_charged_is_refunded_and_what_was_transferred_is_credit(made: Callable[[], Invoicing]) -> None:
    world = made()
    with world.calm():
        assert issue(world, noon(7)) == ("CN-2026-000001",)
        note = only_note(world)
        draft = note["issued"]["draft"]
        assert (draft["tax"], draft["tax_point"]) == (
            invoice(world, FIRST)["issued"]["draft"]["tax"],
            "2026-06-15",
        )
        if made is transferred:
            assert [body(each)["credit"] for each in world.stored(keys.BALANCE)] == [11 * 10_000 * TAX]
            return
        collect(world, noon(7))
        assert [each["amount"] for each in world.stripe.objects["refund"].values()] == [11 * 10_000 * TAX]
        assert only_note(world)["status"] == "paid"


@pytest.mark.parametrize("made", [charged, transferred], ids=["charged", "transferred"])
@pytest.mark.usefixtures("connection")
def test_the_close_of_the_books_takes_back_what_is_still_due(made: Callable[[], Invoicing]) -> None:
    """The hourly run is off from June on. The contract of a year ends."""
    world = made()
    ended = datetime(2027, 6, 16, 12, tzinfo=UTC)
    with world.calm():
        cancel_account(
            existing(world.cancellations.state(ACCOUNT)),
            CancellationRequest(Reason.OTHER, "We close the shop.", date(2027, 6, 15)),
            retention_days=14,
            seller=SETTINGS.seller,
            policy=None,
            context=RequestContext(Actor(ActorKind.CUSTOMER, "ada"), noon(7, 2), "cancel"),
            store=world.cancellations,
        )
        books = close_books(
            ACCOUNT,
            context=by_system(ended, "close"),
            settings=SETTINGS,
            store=world.invoicing,
            gateway=world.payments,
        )

        [note] = documents(world, "CN")
        assert (note["corrects"], note["total"]["amount"]) == (FIRST, -11 * 10_000 * TAX)
        assert books is not None
        assert (books.open.to_pay.amount, books.open.not_invoiced) == (0, ())
        assert books.open.to_repay.amount == 11 * 10_000 * TAX
        [still_open] = books.open.documents
        # What was charged goes back by the refund of the credit note. A transfer is repaid by hand: it is credit.
        assert still_open.number == (note["number"] if made is charged else FIRST)


def test_a_charge_that_was_begun_is_cancelled_before_it_takes_too_much() -> None:
    """The first charge has failed, and is tried again: with the amount that is left, or not at all."""
    with declined().calm() as world:
        issue(world, noon(7))
        pays(world, VISA, noon(7))
        collect_payments(
            ACCOUNT,
            at_once=True,
            now=noon(7),
            correlation=world.correlation,
            settings=SETTINGS,
            consent_page="https://billing.example",
            store=world.invoicing,
            gateway=world.payments,
        )
        paid = [each for each in world.stripe.objects["payment_intent"].values() if each["status"] == "succeeded"]
        assert [each["amount"] for each in paid] == [12 * 10_800 * TAX]
        assert invoice(world, FIRST)["status"] == "paid"
        assert not world.stored(keys.BALANCE)


def test_staff_credit_what_is_left_and_no_more() -> None:
    with charged().calm() as world:
        issue(world, noon(7))
        credit(world, FIRST, (1,), noon(7, 20))
        credit(world, FIRST, None, noon(7, 21))
        notes = documents(world, "CN")
        assert [each["issued"]["draft"]["net"]["amount"] for each in notes] == [-110_000, -70_800, -12 * 4_900]
        assert sum(each["total"]["amount"] for each in notes) == -invoice(world, FIRST)["total"]["amount"]
        credit(world, FIRST, None, noon(7, 22))
        assert len(documents(world, "CN")) == 3, "the same again is the same"
        with pytest.raises(AlreadyCredited):
            credit(world, FIRST, (0, 1), noon(7, 22))


def test_what_staff_have_credited_already_is_not_given_back_again() -> None:
    with charged().calm() as world:
        credit(world, FIRST, None, noon(7, 10))
        assert issue(world, noon(7)) == ()
        in_the_books(world)
        assert len(documents(world, "CN")) == 1
        period = existing(world.invoicing.billing_context(ACCOUNT)).period
        assert period is not None
        assert [(each.number, each.amounts) for each in period.taken_back] == [(None, (("search", -110_000),))]
        assert issue(world, noon(8)) == ()


def test_a_month_that_takes_back_is_no_invoice_to_come() -> None:
    with unpaid().calm() as world:
        following = upcoming(existing(world.invoicing.billing_context(ACCOUNT)), date(2026, 7, 2), SETTINGS)
        assert following is not None
        on, draft = following
        assert (on, draft.net.amount) == (date(2027, 6, 15), 12 * (3_900 + 5_900))


def test_the_period_is_rebuilt_with_what_was_taken_back() -> None:
    """An old worker has fixed a month meanwhile, and left the period's item behind."""
    with charged().calm() as world:
        issue(world, noon(7))
        known = existing(world.invoicing.billing_context(ACCOUNT)).period
        world.client.delete_item(
            TableName=TABLE, Key={"pk": {"S": keys.account(ACCOUNT)}, "sk": {"S": keys.PAGE_PERIOD}}
        )
        assert issue(world, noon(8)) == ()
        built = existing(world.invoicing.billing_context(ACCOUNT)).period
        assert known is not None
        assert built is not None
        assert (built.invoiced, built.taken_back) == (known.invoiced, known.taken_back)
