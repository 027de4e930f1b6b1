"""Reminders of past-due invoices, with workers that are late, cut off, or meet a payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.open_money import open_money
from billing.invoicing.pause_reminders import NothingToRemind, pause_reminders, resume_reminders
from billing.invoicing.record_transfer import record_payment
from billing.invoicing.reminders import NOT_REMINDED
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext

from tests.faults.company import SETTINGS, events
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, JULY, Invoicing
from tests.faults.till import DECLINED, FIRST, PAGE, Till

pytestmark = pytest.mark.usefixtures("connection")

TERM = 14


def by_transfer() -> Till:
    till = Till(issued=False)
    till.by_transfer()
    till.issue()
    return till


def days_lived(till: Till, days: int) -> None:
    for _ in range(days):
        till.next_day()
        till.collect_when_due()


def of_first(world: Invoicing, kind: str = "invoice.reminded") -> list[dict[str, Any]]:
    """The events about the first invoice, which is as old as the second and the third."""
    return [each for each in events(world, kind) if each["after"]["number"] == FIRST]


def reminded(till: Till) -> list[tuple[int, int]]:
    """The reminders so far: the number, and the days past due."""
    return [(each["after"]["reminder"], each["after"]["days_past_due"]) for each in of_first(till.world)]


def pause(till: Till, until: date | None, *, number: str = FIRST) -> None:
    with till.world.calm() as world:
        record = world.invoicing.record(ACCOUNT, number)
        pause_reminders(
            existing(world.invoicing.billing_context(ACCOUNT)),
            number,
            until,
            "They dispute the amount.",
            record.version,
            is_preview=False,
            context=till.staff,
            store=world.invoicing,
        )


def resume(till: Till) -> None:
    with till.world.calm() as world:
        resume_reminders(
            existing(world.invoicing.billing_context(ACCOUNT)), FIRST, None, context=till.staff, store=world.invoicing
        )


def test_an_invoice_that_is_not_transferred_is_reminded_of_three_times() -> None:
    till = by_transfer()
    days_lived(till, TERM + 60)

    assert reminded(till) == [(1, 7), (2, 14), (3, 28)]
    first, second, _ = of_first(till.world)
    assert first["before"] is None
    assert first["after"]["method"] == "bank_transfer"
    assert second["before"]["reminder"] == 1
    assert till.documents()[FIRST].payment.next_look_on is None, "nothing follows"


def test_a_late_worker_sends_one() -> None:
    till = by_transfer()
    till.next_day(TERM + 20)
    till.collect_when_due()
    till.collect()

    assert reminded(till) == [(2, 20)]
    days_lived(till, 40)
    assert reminded(till) == [(2, 20), (3, 28)]


def test_what_is_paid_written_off_or_credited_is_not_reminded_of() -> None:
    for settle in (Till.transferred, Till.write_off, Till.credit):
        till = by_transfer()
        days_lived(till, TERM + 8)
        settle(till, FIRST)
        days_lived(till, 40)

        assert reminded(till) == [(1, 7)]
        assert len(till.documents()[FIRST].payment.reminders.sent) == 1, "it is kept"


def test_the_mail_about_the_last_attempt_gives_the_reminder_of_that_day() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 40)

    [*_, failed] = of_first(till.world, "payment.failed")
    assert reminded(till) == [(1, 7), (2, 14), (3, 28)]
    assert failed["after"]["reminder"] == {"number": 1, "days_past_due": 7}
    first, *later = of_first(till.world)
    assert first["after"]["mailed_with"] == "payment.failed"
    assert {each["after"]["mailed_with"] for each in later} == {None}
    days = [each["time"][:10] for each in of_first(till.world, "payment.failed")]
    assert not {*days} & {each["time"][:10] for each in later}


def test_no_reminder_is_sent_in_a_pause_nor_at_once_after_it() -> None:
    till = by_transfer()
    days_lived(till, TERM + 10)
    pause(till, None)
    days_lived(till, 50)
    assert reminded(till) == [(1, 7)]

    resume(till)
    till.collect()
    assert reminded(till) == [(1, 7)]
    days_lived(till, 30)
    assert reminded(till) == [(1, 7), (2, 64), (3, 78)]
    paused, resumed = till.events("invoice.reminders_changed")
    assert paused["before"]["pause"] is None
    assert paused["after"]["pause"]["reason"] == "They dispute the amount."
    assert resumed["after"]["pause"] is None


def test_a_pause_that_has_a_last_day_ends_by_itself() -> None:
    till = by_transfer()
    days_lived(till, TERM + 10)
    pause(till, till.day.date() + timedelta(days=30))
    days_lived(till, 60)

    assert reminded(till) == [(1, 7), (2, 44), (3, 58)]


def test_a_pause_from_before_the_due_day_may_be_given_an_end() -> None:
    till = by_transfer()
    days_lived(till, 3)
    pause(till, None)
    days_lived(till, TERM + 37)
    pause(till, till.day.date() + timedelta(days=3))
    days_lived(till, 40)

    assert reminded(till) == [(1, 50), (2, 57), (3, 71)]


def test_two_pauses_while_a_card_is_retried_both_count() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 1)
    pause(till, None)
    days_lived(till, 2)
    resume(till)
    days_lived(till, 1)
    pause(till, None)
    days_lived(till, 20)
    resume(till)
    days_lived(till, 40)

    assert reminded(till) == [(1, 29), (2, 36), (3, 50)]


def test_a_paused_invoice_is_still_charged() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 9)
    pause(till, None)
    till.card()

    assert till[FIRST] == ("paid", 0)
    with pytest.raises(NothingToRemind):
        pause(till, None)


def test_a_payment_that_a_bank_takes_back_is_reminded_of_from_the_first_one_on() -> None:
    till = Till(issued=False)
    till.card()
    till.issue()
    till.collect()
    days_lived(till, 60)
    [intent, *_] = [each for each in till.objects("payment_intent") if each["metadata"]["invoice"] == FIRST]
    dispute = till.world.stripe.dispute(intent["id"], None)
    till.world.stripe.close_dispute(dispute["id"], won=False)
    till.hear_disputes()
    assert till[FIRST][0] == "past_due"
    assert reminded(till) == []
    days_lived(till, 30)

    assert [number for number, _ in reminded(till)] == [1, 2, 3]
    assert of_first(till.world)[0]["after"]["charged_back"]


def test_a_payment_that_a_bank_takes_back_before_the_due_day_is_not_reminded_of_before_it() -> None:
    till = Till(issued=False)
    till.settings = replace(till.settings, term_days=60)
    till.by_transfer()
    till.issue()
    days_lived(till, 3)
    till.card()
    assert till[FIRST] == ("paid", 0)
    days_lived(till, 5)
    [intent, *_] = [each for each in till.objects("payment_intent") if each["metadata"]["invoice"] == FIRST]
    dispute = till.world.stripe.dispute(intent["id"], None)
    till.world.stripe.close_dispute(dispute["id"], won=False)
    till.hear_disputes()
    days_lived(till, 90)

    assert reminded(till) == [(1, 7), (2, 14), (3, 28)]


def test_a_change_to_transfers_gives_the_whole_term_before_the_first_reminder() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    assert reminded(till) == [(1, 7)]
    till.by_transfer()
    days_lived(till, TERM + 40)

    assert reminded(till) == [(1, 7), (1, 7), (2, 14), (3, 28)]


def test_an_invoice_whose_transfer_is_taken_back_and_whose_card_fails_begins_with_the_first_one() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    left = till[FIRST][1]
    transfer = till.pays(left, (FIRST, left))
    days_lived(till, 100)
    till.takes_back(transfer)
    days_lived(till, 40)

    assert [number for number, _ in reminded(till)] == [1, 2, 3]


def test_a_transfer_that_is_taken_back_before_the_invoice_is_due_has_no_reminder_before_it() -> None:
    till = Till(issued=False)
    till.settings = replace(till.settings, term_days=60)
    till.issue()
    left = till[FIRST][1]
    transfer = till.pays(left, (FIRST, left))
    days_lived(till, 3)
    till.card(DECLINED)
    till.takes_back(transfer)
    days_lived(till, 100)

    assert reminded(till) == [(1, 7), (2, 14), (3, 28)]


def test_nothing_is_reminded_of_while_a_debit_is_announced() -> None:
    till = Till(issued=False, notice=5)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    till.debit()
    payment = till.documents()[FIRST].payment
    assert till[FIRST][0] == "open", "it is tried again"
    assert payment.retried_on == till.day.date() + timedelta(days=5)
    days_lived(till, 5)

    assert till[FIRST][0] == "in_transit"
    assert reminded(till) == [(1, 7)], "the second one was due in the days of the notice"


def test_a_mail_about_a_failed_charge_counts_the_days_of_its_reminder_from_the_day_that_it_names() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    till.by_transfer()
    days_lived(till, TERM + 11)
    till.card(DECLINED)
    days_lived(till, 7)

    [*_, failed] = of_first(till.world, "payment.failed")
    [*_, last] = of_first(till.world)
    assert last["after"]["mailed_with"] == "payment.failed"
    assert failed["after"]["reminder"] == {"number": 2, "days_past_due": last["after"]["days_past_due"]}
    assert failed["after"]["due_on"] == last["after"]["due_on"]


def test_a_card_that_fails_before_the_day_that_was_given_for_a_transfer_makes_nothing_past_due() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    till.by_transfer()
    given = till.day.date() + timedelta(days=TERM)
    days_lived(till, 2)
    till.card(DECLINED)
    days_lived(till, TERM - 2)
    assert till.day.date() == given
    assert till[FIRST][0] == "open"
    days_lived(till, 1)

    assert till[FIRST][0] == "past_due"
    days_lived(till, 40)
    assert reminded(till) == [(1, 7), (1, 7), (2, 14), (3, 28)]


def test_a_transfer_that_is_taken_back_before_the_day_that_was_given_has_no_reminder_before_it() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    till.by_transfer()
    left = till[FIRST][1]
    transfer = till.pays(left, (FIRST, left))
    days_lived(till, 1)
    till.card(DECLINED)
    days_lived(till, 1)
    till.takes_back(transfer)
    days_lived(till, 50)

    assert reminded(till) == [(1, 7), (1, 7), (2, 14), (3, 28)]


def test_what_is_told_of_a_transfer_has_the_due_day_of_the_reminders() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    till.by_transfer()
    due = str(till.day.date() + timedelta(days=TERM))
    transfer = till.pays(100, (FIRST, 100))
    taken = till.takes_back(transfer)
    days_lived(till, TERM + 7)

    [[part]] = [each["after"]["invoices"] for each in till.events("transfer.recorded")]
    [[again]] = [each["after"]["invoices"] for each in till.events("transfer.taken_back")]
    assert [part["due_on"], again["due_on"], str(taken.invoices[0].due_on)] == [due] * 3
    assert of_first(till.world)[-1]["after"]["due_on"] == due


def test_whatever_is_told_of_an_unpaid_invoice_has_the_day_that_was_given_for_its_transfer() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 10)
    till.by_transfer()
    given = till.day.date() + timedelta(days=TERM)
    days_lived(till, TERM + 8)
    till.card(DECLINED)
    with till.world.calm() as world:
        whole = world.invoicing.invoice(ACCOUNT, FIRST)
    [document] = open_money([(whole.invoice, whole.payment)], {}, (), "EUR", till.day.date()).documents
    till.write_off(FIRST)

    kinds = ("invoice.reminded", "payment.past_due", "payment.failed", "invoice.written_off")
    assert [of_first(till.world, kind)[-1]["after"]["due_on"] for kind in kinds] == [str(given)] * 4
    assert document.due_on == given


def debits_fail(till: Till, days: int) -> None:
    """The days, on each fifth of which the debits that are on their way fail."""
    for _ in range(days):
        days_lived(till, 1)
        if (till.day - JULY).days % 5 == 0:
            for each in till.objects("payment_intent", "processing"):
                till.world.stripe.settle(each["id"], succeed=False)
        till.hear_payments()


def test_a_debit_that_fails_after_the_first_reminders_day_begins_with_the_first_one() -> None:
    till = Till(issued=False)
    till.debit()
    till.issue()
    till.collect()
    debits_fail(till, 70)

    first, second, third = reminded(till)
    assert (first[0], second[0], third[0]) == (1, 2, 3)
    assert first[1] > 14, "the day of the second one was over, too"
    assert (second[1] - first[1], third[1] - second[1]) == (7, 14)


def test_an_invoice_that_is_tried_over_the_day_of_the_second_reminder_does_not_skip_it() -> None:
    till = Till(issued=False)
    till.card(DECLINED)
    till.issue()
    till.collect()
    days_lived(till, 13)
    till.settings = replace(till.settings, retry_days=(16,))
    till.card(DECLINED)
    days_lived(till, 60)

    assert reminded(till) == [(1, 7), (2, 29), (3, 43)]


def test_an_invoice_that_is_past_due_since_an_earlier_release_begins_with_the_first_one() -> None:
    till = by_transfer()
    days_lived(till, TERM + 2)
    with till.world.calm() as world:
        record = world.invoicing.record(ACCOUNT, FIRST)
        world.invoicing.save_payment(
            existing(world.invoicing.billing_context(ACCOUNT)).subscriber.account,
            record,
            replace(record.payment, reminders=NOT_REMINDED),
        )
    till.next_day(200)
    days_lived(till, 30)

    assert [number for number, _ in reminded(till)] == [1, 2, 3]


# ---- Cut off, and at the same moment ----


def past_due() -> Invoicing:
    """The day of the first reminder, before the worker has run."""
    till = by_transfer()
    days_lived(till, TERM + 6)
    return till.world


MORNING = JULY + timedelta(days=TERM + 7)


def remind(world: Invoicing) -> None:
    collect_payments(
        ACCOUNT,
        at_once=False,
        now=MORNING,
        correlation=world.correlation,
        settings=SETTINGS,
        consent_page=PAGE,
        store=world.invoicing,
        gateway=world.payments,
    )


def paused(world: Invoicing) -> None:
    pause_reminders(
        existing(world.invoicing.billing_context(ACCOUNT)),
        FIRST,
        None,
        "They dispute the amount.",
        world.invoicing.record(ACCOUNT, FIRST).version,
        is_preview=False,
        context=RequestContext(Actor(ActorKind.STAFF, "staff"), MORNING, world.correlation),
        store=world.invoicing,
    )


def transferred(world: Invoicing) -> None:
    record_payment(
        existing(world.invoicing.billing_context(ACCOUNT)),
        FIRST,
        MORNING.date(),
        "E2E",
        context=RequestContext(Actor(ActorKind.STAFF, "staff"), MORNING, world.correlation),
        store=world.invoicing,
        gateway=world.payments,
    )


def sent(world: Invoicing) -> list[Any]:
    """The reminders on the invoice. Each has its event."""
    with world.calm():
        record = world.invoicing.record(ACCOUNT, FIRST)
    kept = record.payment.reminders.sent
    assert len(kept) == len(of_first(world))
    assert record.payment.next_look_on is not None or record.payment.reminders.pause or not record.payment.left
    return [each.number for each in kept]


def test_a_reminder_that_is_cut_off_is_sent_once(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        assert sent(world) == [1]

    faults.every_cut(world=past_due, command=remind, invariants=once, always=sent)
    faults.every_race(world=past_due, first=remind, second=remind, invariants=once)


def test_a_pause_that_is_cut_off_is_one(faults: Faults) -> None:
    def once(world: Invoicing) -> None:
        assert sent(world) == []
        assert len(events(world, "invoice.reminders_changed")) == 1

    faults.every_cut(world=past_due, command=paused, invariants=once, always=sent)


def test_a_reminder_meets_a_pause_or_a_payment(faults: Faults) -> None:
    def either(world: Invoicing) -> None:
        assert sent(world) in ([], [1])

    faults.every_race(world=past_due, first=remind, second=paused, invariants=either, may_lose=(StaleVersion,))
    faults.every_race(world=past_due, first=remind, second=transferred, invariants=either)
