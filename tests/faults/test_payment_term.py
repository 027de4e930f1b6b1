"""The payment term of an account: it holds for the next invoices, and for those that a transfer takes over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from billing.accounts.rules import existing
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.payments.change_payment_term import change_payment_term
from billing.payments.methods import PaymentProfile

from tests.faults.company import events
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing
from tests.faults.till import DECLINED, FIRST, Till

pytestmark = pytest.mark.usefixtures("connection")


def give(days: int, till: Till) -> None:
    with till.world.calm() as world:
        change_to(days, world, till.staff)


def change_to(days: int, world: Invoicing, context: RequestContext) -> PaymentProfile:
    payer = existing(world.paying.payer(ACCOUNT))
    return change_payment_term(
        payer,
        days,
        "Agreed",
        payer.profile.version,
        deployed_days=14,
        is_preview=False,
        context=context,
        store=world.paying,
    )


def days_to_pay(till: Till, number: str = FIRST) -> int:
    invoice = till.documents()[number].invoice
    return (invoice.due_on - invoice.produced_on).days


def test_the_next_invoice_has_the_term_and_an_issued_one_keeps_its_day() -> None:
    till = Till(issued=False)
    till.by_transfer()
    give(30, till)
    till.issue()
    give(60, till)

    assert days_to_pay(till) == 30
    for _ in range(31):
        till.next_day()
        till.collect_when_due()
    assert till[FIRST][0] == "past_due"


def test_an_account_that_pays_by_card_uses_the_term_once_it_pays_by_transfer() -> None:
    till = Till(issued=False)
    give(30, till)
    till.card(DECLINED)
    till.issue()
    till.collect()
    assert days_to_pay(till) == 0
    for _ in range(10):
        till.next_day()
        till.collect_when_due()
    till.by_transfer()
    give(90, till)

    payment = till.documents()[FIRST].payment
    assert payment.transfer_by == till.day.date() + timedelta(days=30)
    for _ in range(31):
        till.next_day()
        till.collect_when_due()
    assert till[FIRST][0] == "past_due", "a later term does not move the day that was given"


def test_a_change_to_transfers_on_the_day_of_issue_gives_the_whole_term() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    till.by_transfer()
    agreed_on = till.day.date()
    till.next_day()
    till.collect_when_due()

    assert till[FIRST][0] == "open"
    assert till.documents()[FIRST].payment.transfer_by == agreed_on + timedelta(days=14)


def test_a_term_that_grows_on_the_day_of_issue_moves_no_due_day() -> None:
    till = Till(issued=False)
    till.by_transfer()
    till.issue()
    give(90, till)
    till.next_day(15)
    till.collect_when_due()

    assert till[FIRST][0] == "past_due"


def test_a_change_to_transfers_on_the_day_of_an_announced_debit_gives_the_whole_term() -> None:
    till = Till(issued=False, notice=5)
    till.debit()
    till.issue()
    till.by_transfer()
    agreed_on = till.day.date()
    till.next_day(8)
    till.collect_when_due()

    assert till[FIRST][0] == "open"
    assert till.documents()[FIRST].payment.transfer_by == agreed_on + timedelta(days=14)


def test_a_term_that_changes_after_an_account_pays_by_transfer_moves_no_due_day() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    till.by_transfer()
    agreed_on = till.day.date()
    give(90, till)
    till.next_day()
    till.collect_when_due()

    assert till.documents()[FIRST].payment.transfer_by == agreed_on + timedelta(days=14)


def test_a_transfer_that_is_due_on_its_day_of_issue_keeps_that_day() -> None:
    till = Till(issued=False)
    till.by_transfer()
    give(0, till)
    till.issue()
    give(90, till)
    till.next_day()
    till.collect_when_due()

    assert till[FIRST][0] == "past_due"


def test_a_change_to_transfers_gives_the_whole_term_where_the_sellers_day_is_one_ahead() -> None:
    till = Till(issued=False)
    till.settings = replace(till.settings, time_zone="Pacific/Kiritimati")
    till.card(DECLINED)
    till.issue()
    till.collect()
    till.by_transfer()
    agreed_on, invoice = till.day.date(), till.documents()[FIRST].invoice
    assert (invoice.produced_on, invoice.due_on) == (agreed_on + timedelta(days=1), agreed_on)
    till.next_day(3)
    till.collect_when_due()

    assert till[FIRST][0] == "open"
    assert till.documents()[FIRST].payment.transfer_by == agreed_on + timedelta(days=14)


def test_no_transfer_is_due_before_the_day_that_its_invoice_says() -> None:
    till = Till(issued=False)
    till.settings = replace(till.settings, time_zone="Pacific/Kiritimati")
    till.by_transfer()
    give(0, till)
    till.issue()

    assert days_to_pay(till) == 0
    till.next_day()
    till.collect_when_due()
    assert till[FIRST][0] == "open", "it is the due day"
    till.next_day()
    till.collect_when_due()
    assert till[FIRST][0] == "past_due"


def test_a_term_that_grows_moves_no_due_day_of_a_transfer_of_an_earlier_release() -> None:
    till = Till(issued=False)
    till.by_transfer()
    till.issue()
    with till.world.calm() as world:
        record = world.invoicing.record(ACCOUNT, FIRST)
        older = replace(record.payment, transfer_by=None, transfer_agreed_on=None)
        account = existing(world.invoicing.billing_context(ACCOUNT)).subscriber.account
        world.invoicing.save_payment(account, record, older)
    give(90, till)
    till.next_day(15)
    till.collect_when_due()

    assert till[FIRST][0] == "past_due"


def test_an_invoice_whose_transfer_is_taken_back_keeps_the_day_that_it_was_given() -> None:
    till = Till(issued=False)
    give(60, till)
    till.card(DECLINED)
    till.issue()
    till.collect()
    till.by_transfer()
    till.next_day(10)
    till.collect_when_due()
    until = till.documents()[FIRST].payment.transfer_by
    left = till[FIRST][1]
    transfer = till.pays(left, (FIRST, left))
    till.next_day(20)
    give(14, till)
    till.takes_back(transfer)

    assert till[FIRST][0] == "open"
    assert till.documents()[FIRST].payment.transfer_by == until
    give(90, till)
    for _ in range(60):
        till.next_day()
        till.collect_when_due()
    assert till[FIRST][0] == "past_due"


def test_a_card_keeps_the_term_of_the_account() -> None:
    till = Till(issued=False)
    give(30, till)
    till.card()

    with till.world.calm() as world:
        assert existing(world.paying.payer(ACCOUNT)).profile.term_days == 30


def company() -> Invoicing:
    return Till(issued=False).world


def context(world: Invoicing) -> RequestContext:
    return RequestContext(Actor(ActorKind.STAFF, "staff"), JULY, world.correlation)


def thirty(world: Invoicing) -> None:
    change_to(30, world, context(world))


def sixty(world: Invoicing) -> None:
    change_to(60, world, context(world))


def agrees(world: Invoicing) -> None:
    """The term is what the last event says."""
    with world.calm():
        kept = existing(world.paying.payer(ACCOUNT)).profile.term_days
    changes = events(world, "payment_term.changed")
    assert kept == (changes[-1]["after"]["days"] if changes else None)


def test_a_change_that_is_cut_off_is_one(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        agrees(world)
        assert len(events(world, "payment_term.changed")) == 1

    faults.every_cut(world=company, command=thirty, invariants=once, always=agrees)


def test_two_changes_at_once(faults: Faults) -> None:
    faults.every_race(world=company, first=thirty, second=sixty, invariants=agrees, may_lose=(StaleVersion,))
