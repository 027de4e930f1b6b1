"""Each rule of the comparison finds what was broken for it, and only that; and a comparison that is cut off is one.

Something is broken behind the back of the commands: in the table, or at Stripe's stand-in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from billing.invoicing.administer_one_offs import NewOneOff, add_one_off
from billing.invoicing.one_off_records import OneOffStore
from billing.invoicing.one_offs import OneOffKind
from billing.invoicing.reconciliation.commands import DOCUMENTS_COMPARED, FINDINGS_MAX, Comparison, reconcile_account
from billing.invoicing.reconciliation.records import REGISTER
from billing.invoicing.reconciliation.rules import ROUND, Rule
from billing.invoicing.record_transfer import record_transfer
from billing.invoicing.reissue_invoice import RightAmount, reissue_invoice
from billing.invoicing.transfers import BankTransfer
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import ConcurrentChange, UpstreamFailed
from billing.kernel.money import Money, charged_money, charged_units
from billing.kernel.schedules import Job, start_of
from billing.payments.methods import Method
from billing.platform.dynamodb import keys

from tests.aws import TABLE
from tests.faults.books import ACCOUNT, SLOW_REFUNDS, Living, sold
from tests.faults.company import ADA, SETTINGS, body, events
from tests.faults.cuts import Faults
from tests.faults.test_invoices import DECLINED
from tests.faults.values import Item

START = date(2026, 1, 15)
QUARTERLY = Contract(START, 3, "EUR", "Europe/Copenhagen")
FIRST, NOTE = "LV-2026-000001", "CN-2026-000001"
Break = Callable[[Living], object]


def company(number: str = "4242424242424242") -> Living:
    """The sample company after its first quarter, with two paid invoices."""
    world = sold(QUARTERLY, number)
    with world.calm():
        for month in (2, 3, 4):
            world.move_to(QUARTERLY.month_start(month - 1))
            world.work()
        world.pass_days(3)
        world.reconcile()
    return world


def by_debit() -> Living:
    """The company's second invoice is being debited."""
    world = company()
    with world.calm():
        world.pay_by(Method.SEPA_DEBIT)
        world.move_to(QUARTERLY.month_start(6))
        world.work()
    return world


def unpaid() -> Living:
    """The company's card is declined: its invoices wait for the next attempt."""
    return sold(QUARTERLY, DECLINED)


def credited() -> Living:
    """The first invoice was credited and refunded."""
    world = company()
    with world.calm():
        world.credit(FIRST)
        world.work()
    return world


def disputed() -> Living:
    """The bank has taken back what was paid for the first invoice."""
    world = company()
    with world.calm():
        world.stripe.close_dispute(world.stripe.dispute(intent(world)["id"])["id"], won=False)
        world.hear()
    return world


def taken_back() -> Living:
    """A tier has become cheaper within the first quarter: a credit note takes back what was invoiced too much."""
    world = sold(QUARTERLY)
    with world.calm():
        world.move_tier(100)
        world.move_to(QUARTERLY.month_start(1))
        world.work()
        world.pass_days(3)
    return world


def refunded_outside() -> Living:
    """Staff have refunded some of the first invoice at Stripe itself, and Livello has heard of it."""
    world = company()
    with world.calm():
        world.refund_at_stripe(intent(world)["id"], 500)
        world.hear()
    return world


def credit_refunded() -> Living:
    """What was paid twice was credit, and was refunded when the account ended. The refund names the invoice."""
    world = company()
    with world.calm():
        world.pay_at_stripe(FIRST, Money(12_000, "EUR"))
        world.hear()
        world.cancel()
        world.move_to(QUARTERLY.month_start(6))
        world.work()
        [refund] = world.stripe.objects["refund"].values()
        assert (refund["metadata"]["credit_note"], refund["amount"]) == (FIRST, 12_000)
    return world


def transferred() -> Living:
    """A transfer for an invoice that a card has paid: it is credit."""
    world = company()
    with world.calm():
        record_transfer(
            world.billing(),
            BankTransfer("4711", Money(700, "EUR"), world.day),
            context=world.context(),
            store=world.invoicing,
            gateway=world.payments,
        )
        [record] = world.invoicing.transfers(ACCOUNT, limit=10, after=None).items
        assert [each.invoice for each in record.shares] == ["LV-2026-000002"]
    return world


# ---- What is broken ----


def intent(world: Living, number: str = FIRST) -> dict[str, Any]:
    [found] = [each for each in world.intents() if each["metadata"]["invoice"] == number]
    return found


def stored(world: Living, number: str) -> Item:
    [found] = [each for each in world.stored(keys.INVOICE) if each["sk"]["S"].endswith(number)]
    return found


def change_payment(world: Living, number: str, change: Callable[[dict[str, Any]], object]) -> None:
    item = stored(world, number)
    content = body(item)
    change(content["payment"])
    world.rewrite(item, json.dumps(content))


def change_item(world: Living, key: str, change: Callable[[dict[str, Any]], object]) -> None:
    item = world.item(key)
    content = body(item)
    change(content)
    world.rewrite(item, json.dumps(content))


def more_at_stripe(world: Living) -> None:
    intent(world)["amount_received"] += 100


def never_heard_of(world: Living) -> None:
    """Money that came for no invoice: a notice that was lost, and an intent that nobody knows."""
    paid = intent(world)
    world.stripe.objects["payment_intent"]["pi_lost"] = {**paid, "id": "pi_lost"}


def in_another_currency(world: Living) -> None:
    intent(world)["currency"] = "usd"


def of_another_account(world: Living) -> None:
    intent(world)["metadata"] = {"account": "somebody-else", "invoice": FIRST}


def of_another_customer(world: Living) -> None:
    customer = intent(world)["customer"]
    world.stripe.objects["customer"]["cus_other"] = {
        **world.stripe.objects["customer"][customer],
        "id": "cus_other",
        "metadata": {"account": "somebody-else"},
    }
    intent(world)["customer"] = "cus_other"


def in_transit_for_weeks(world: Living) -> None:
    """The looks go on, and the bank never answers."""
    world.pass_days(15)


def unknown_refund(world: Living) -> None:
    """Staff refund by hand in Stripe's dashboard, and record nothing."""
    world.stripe._refund({"payment_intent": intent(world)["id"], "amount": "500"})
    world.stripe.undelivered.clear()


def refund_that_failed(world: Living) -> None:
    """The notice of its failure is lost."""
    [refund] = world.stripe.objects["refund"]
    world.stripe.settle_refund(refund, succeed=False)
    world.stripe.undelivered.clear()


def refund_that_is_gone(world: Living) -> None:
    world.stripe.objects["refund"].clear()


def refund_outside_that_failed(world: Living) -> None:
    """The notice of its failure is lost."""
    refund_that_failed(world)


def refund_outside_that_is_gone(world: Living) -> None:
    refund_that_is_gone(world)


def credit_refund_that_failed(world: Living) -> None:
    refund_that_failed(world)


def credit_refund_that_is_gone(world: Living) -> None:
    refund_that_is_gone(world)


def credit_refund_that_took_no_credit(world: Living) -> None:
    change_item(world, keys.BALANCE, lambda balance: balance.update(credit=12_000))


def money_in_another_currency(world: Living) -> None:
    """No invoice keeps it. Staff are told of it, and have to refund it."""
    world.pay_at_stripe(FIRST, Money(12_000, "USD"))
    world.hear()
    assert len(events(world, "payment.unexpected")) == 1


def unknown_dispute(world: Living) -> None:
    world.stripe.dispute(intent(world)["id"])
    world.stripe.undelivered.clear()


def dispute_that_was_won(world: Living) -> None:
    [dispute] = world.stripe.objects["dispute"].values()
    dispute["status"] = "won"


def charge_that_is_gone(world: Living) -> None:
    del world.stripe.objects["payment_intent"][intent(world)["id"]]


def charge_that_did_not_succeed(world: Living) -> None:
    intent(world)["status"] = "requires_payment_method"


def debit_that_was_cancelled(world: Living) -> None:
    [debit] = [each for each in world.intents() if each["status"] == "processing"]
    world.stripe.cancel_processing(debit["id"])
    world.stripe.undelivered.clear()


def no_worker_for_days(world: Living) -> None:
    world.move_to(world.day + timedelta(days=3))


def look_that_is_lost(world: Living) -> None:
    def forget(payment: dict[str, Any]) -> None:
        payment["next_attempt_on"] = None

    change_payment(world, FIRST, forget)


def look_that_no_planner_sees(world: Living) -> None:
    """The invoice is not in the index of due work."""
    item = {name: value for name, value in stored(world, FIRST).items() if not name.startswith(keys.INDEX)}
    world.table.answer("PutItem", {"TableName": TABLE, "Item": item})


def month_that_is_lost(world: Living) -> None:
    world.rewrite(world.item(keys.due("renewal")), None)


def month_that_is_skipped(world: Living) -> None:
    def skip(due: dict[str, Any]) -> None:
        due["month"] += 1

    change_item(world, keys.due("renewal"), skip)


def month_that_is_not_invoiced(world: Living) -> None:
    world.move_to(QUARTERLY.month_start(4) + timedelta(days=3))


def closed_period_that_owes_more(world: Living) -> None:
    """One of its months cost more than was invoiced."""

    def dearer(period: dict[str, Any]) -> None:
        period["content"][0][3][0][3] += 100

    change_item(world, keys.PERIOD, dearer)


def period_without_its_invoice(world: Living) -> None:
    """The running period knows another amount than its invoice says, and would invoice the difference."""

    def less(period: dict[str, Any]) -> None:
        period["invoiced"][0][2][0][1] -= 100

    change_item(world, keys.PAGE_PERIOD, less)


def closed_period_with_an_adjustment(world: Living) -> None:
    """Nothing was invoiced for it, and the period has ended."""

    def adjust(period: dict[str, Any]) -> None:
        period["adjustments"] = [[1, "search", 100, "An upgrade that was not counted", ADA, str(world.day)]]

    change_item(world, keys.PERIOD, adjust)


def period_with_less_of_its_credit_note(world: Living) -> None:
    """The running period knows another amount than its credit note says."""

    def less(period: dict[str, Any]) -> None:
        period["taken_back"][0][2][0][1] += 100

    change_item(world, keys.PAGE_PERIOD, less)


def period_without_its_credit_note(world: Living) -> None:
    """The running period does not know its credit note, and would issue it again."""
    change_item(world, keys.PAGE_PERIOD, lambda period: period.pop("taken_back"))


def invoice_of_no_period(world: Living) -> None:
    """An invoice was issued that no paid period knows."""
    number = "LV-2026-000009"
    summary, document = stored(world, FIRST), world.item(keys.document(FIRST))
    content, said = body(summary), body(document)
    content["number"] = said["issued"]["number"] = number
    content |= {"status": "open", "paid_on": None}
    content["payment"]["entries"] = []
    content["payment"] |= {"payment": None, "next_attempt_on": str(world.day), "allocations": []}
    due = keys.shard_of(Job.COLLECTION, ACCOUNT), keys.instant(start_of(world.day, QUARTERLY))
    copies = [
        {
            **summary,
            "sk": {"S": summary["sk"]["S"].replace(FIRST, number)},
            "body": {"S": json.dumps(content)},
            "gsi1pk": {"S": due[0]},
            "gsi1sk": {"S": due[1]},
        },
        {**document, "sk": {"S": keys.document(number)}, "body": {"S": json.dumps(said)}},
    ]
    for copied in copies:
        world.table.answer("PutItem", {"TableName": TABLE, "Item": copied})


def with_one_offs() -> Living:
    """The company has a training and a goodwill on its third invoice, and a setup on one of its own."""
    world = company()
    with world.calm():
        for identity, kind, at_once in (
            ("training", OneOffKind.CHARGE, False),
            ("sorry", OneOffKind.GOODWILL, False),
            ("setup", OneOffKind.CHARGE, True),
        ):
            new = NewOneOff(identity, kind, "Extra", (), Money(5_000, "EUR"), 1, at_once, "Agreed")
            store = OneOffStore(TABLE, world.client)
            add_one_off(world.billing(), new, is_preview=False, context=world.context(), settings=SETTINGS, store=store)
        world.move_to(QUARTERLY.month_start(6))
        world.work()
        world.pass_days(3)
        world.reconcile()
    return world


EXTRA = "LV-2026-000004"


def one_off_that_is_lost(world: Living) -> None:
    """Its invoice has a line that nobody has asked for."""
    [item] = world.stored(keys.one_off("sorry"))
    world.table.answer("DeleteItem", {"TableName": TABLE, "Key": {"pk": item["pk"], "sk": item["sk"]}})


def one_off_of_another_invoice(world: Living) -> None:
    """It names no invoice."""
    change_item(world, keys.one_off("sorry"), lambda extra: extra["uses"][0].__setitem__(0, None))


def credit_from_nowhere(world: Living) -> None:
    balance = {
        "pk": {"S": keys.account(ACCOUNT)},
        "sk": {"S": keys.BALANCE},
        "body": {"S": json.dumps({"credit": 100})},
        "version": {"N": "1"},
    }
    world.table.answer("PutItem", {"TableName": TABLE, "Item": balance})


def transfer_without_its_entry(world: Living) -> None:
    def lost(payment: dict[str, Any]) -> None:
        payment["entries"] = [each for each in payment["entries"] if each[0] not in {"transferred", "overpaid"}]

    change_payment(world, "LV-2026-000002", lost)
    [balance] = world.stored(keys.BALANCE)
    world.rewrite(balance, json.dumps({"credit": 0}))


def transfer_of_less_than_it_pays(world: Living) -> None:
    change_item(world, keys.TRANSFER, lambda transfer: transfer["amount"].update(amount=1))


DEBIT = "LV-2026-000003"
BROKEN: list[tuple[Callable[[], Living], Break, Rule, str | None]] = [
    (company, more_at_stripe, Rule.PAYMENT_NOT_BOOKED, FIRST),
    (company, never_heard_of, Rule.PAYMENT_NOT_BOOKED, FIRST),
    (company, in_another_currency, Rule.PAYMENT_FOREIGN, FIRST),
    (company, of_another_account, Rule.PAYMENT_FOREIGN, FIRST),
    (company, of_another_customer, Rule.PAYMENT_FOREIGN, FIRST),
    (by_debit, in_transit_for_weeks, Rule.PAYMENT_STUCK, DEBIT),
    (company, unknown_refund, Rule.REFUND_NOT_BOOKED, None),
    (credited, refund_that_failed, Rule.REFUND_NOT_BOOKED, NOTE),
    (credited, refund_that_is_gone, Rule.REFUND_NOT_BOOKED, NOTE),
    (refunded_outside, refund_outside_that_failed, Rule.REFUND_NOT_BOOKED, FIRST),
    (refunded_outside, refund_outside_that_is_gone, Rule.REFUND_NOT_BOOKED, FIRST),
    (credit_refunded, credit_refund_that_failed, Rule.REFUND_NOT_BOOKED, FIRST),
    (credit_refunded, credit_refund_that_is_gone, Rule.REFUND_NOT_BOOKED, FIRST),
    (credit_refunded, credit_refund_that_took_no_credit, Rule.CREDIT_DIFFERS, None),
    (company, money_in_another_currency, Rule.PAYMENT_NOT_BOOKED, FIRST),
    (company, unknown_dispute, Rule.DISPUTE_NOT_BOOKED, FIRST),
    (disputed, dispute_that_was_won, Rule.DISPUTE_NOT_BOOKED, FIRST),
    (company, charge_that_is_gone, Rule.CHARGE_NOT_CONFIRMED, FIRST),
    (company, charge_that_did_not_succeed, Rule.CHARGE_NOT_CONFIRMED, FIRST),
    (by_debit, debit_that_was_cancelled, Rule.TRANSIT_NOT_CONFIRMED, DEBIT),
    (unpaid, no_worker_for_days, Rule.LOOK_OVERDUE, FIRST),
    (unpaid, look_that_is_lost, Rule.LOOK_MISSING, FIRST),
    (unpaid, look_that_no_planner_sees, Rule.LOOK_MISSING, FIRST),
    (company, month_that_is_lost, Rule.MONTH_NOT_DUE, None),
    (company, month_that_is_skipped, Rule.MONTH_NOT_DUE, None),
    (company, month_that_is_not_invoiced, Rule.MONTH_NOT_DUE, None),
    (company, closed_period_that_owes_more, Rule.OWED_DIFFERS, None),
    (company, closed_period_with_an_adjustment, Rule.OWED_DIFFERS, None),
    (taken_back, period_with_less_of_its_credit_note, Rule.OWED_DIFFERS, NOTE),
    (taken_back, period_without_its_credit_note, Rule.OWED_DIFFERS, NOTE),
    (company, period_without_its_invoice, Rule.OWED_DIFFERS, "LV-2026-000002"),
    (company, invoice_of_no_period, Rule.OWED_DIFFERS, "LV-2026-000009"),
    (with_one_offs, one_off_that_is_lost, Rule.ONE_OFF_DIFFERS, EXTRA),
    (with_one_offs, one_off_of_another_invoice, Rule.ONE_OFF_DIFFERS, EXTRA),
    (company, credit_from_nowhere, Rule.CREDIT_DIFFERS, None),
    (transferred, transfer_without_its_entry, Rule.TRANSFER_DIFFERS, "LV-2026-000002"),
    (transferred, transfer_of_less_than_it_pays, Rule.TRANSFER_DIFFERS, None),
]


def findings(world: Living) -> list[dict[str, Any]]:
    return [body(item) for item in world.stored(keys.FINDING)]


WORLDS = [
    company,
    by_debit,
    unpaid,
    credited,
    disputed,
    taken_back,
    refunded_outside,
    credit_refunded,
    transferred,
    with_one_offs,
]


@pytest.mark.parametrize("make", WORLDS)
def test_nothing_differs_before_something_is_broken(connection: None, make: Callable[[], Living]) -> None:
    with make().calm() as world:
        assert world.compare(later=timedelta()) is Comparison.AGREES
        assert world.compare() is Comparison.AGREES
        assert world.stored(keys.FINDING) == events(world, "reconciliation.") == []


@pytest.mark.parametrize(
    ("make", "breaks", "rule", "invoice"), BROKEN, ids=[f"{rule} {breaks.__name__}" for _, breaks, rule, _ in BROKEN]
)
def test_each_rule_finds_what_was_broken_and_nothing_else(
    connection: None, make: Callable[[], Living], breaks: Break, rule: Rule, invoice: str | None
) -> None:
    with make().calm() as world:
        breaks(world)

        # What is due is due today: a comparison days later would find that nobody has worked.
        assert world.compare(later=timedelta(days=1, hours=2)) is Comparison.DIFFERS

        [finding] = findings(world)
        assert (finding["rule"], finding["account"], finding["invoice"]) == (rule, ACCOUNT, invoice)
        [event] = events(world, "reconciliation.differed")
        assert [each["rule"] for each in event["after"]["findings"]] == [rule]


def test_an_invoice_with_one_offs_that_is_corrected_changes_nothing_of_what_months_owe(connection: None) -> None:
    """A training has another amount on the invoice in its place. The discount and the goodwill stay what they were."""
    with with_one_offs().calm() as world:
        before = world.invoicing.invoice(ACCOUNT, EXTRA).invoice
        [position] = [place for place, line in enumerate(before.draft.lines) if line.one_off == "training"]
        reissue_invoice(
            world.billing(),
            EXTRA,
            [RightAmount(position, 4_000)],
            "One hour less",
            keeps_tax=True,
            context=world.context(),
            settings=SETTINGS,
            store=world.invoicing,
            gateway=world.payments,
        )
        again = world.invoicing.invoice(ACCOUNT, "LV-2026-000005").invoice

        off = [(line.product, line.one_off, line.net.amount) for line in before.draft.lines if line.product is None]
        assert len(off) == 2
        assert [(ln.product, ln.one_off, ln.net.amount) for ln in again.draft.lines if ln.product is None] == off
        assert again.draft.net.amount == before.draft.net.amount - 1_000
        world.work()
        assert world.compare(later=timedelta(hours=2)) is Comparison.AGREES
        world.move_to(QUARTERLY.month_start(7))
        world.work()
        assert len(world.documents()) == 6  # the next month owes nothing more


def test_every_rule_was_broken() -> None:
    assert {rule for _, _, rule, _ in BROKEN} == {*Rule} - {Rule.REGISTER_BROKEN}


def test_what_no_invoice_keeps_is_found_until_all_of_it_was_refunded(connection: None) -> None:
    with company().calm() as world:
        money_in_another_currency(world)
        [payment] = [each["id"] for each in world.intents() if each["currency"] == "usd"]
        for part in (5_000, 7_000):
            assert world.compare(later=timedelta(days=1, hours=2)) is Comparison.DIFFERS
            assert world.found() == [("payment-not-booked", payment)]
            world.refund_at_stripe(payment, part)
            world.hear()

        assert world.compare() is Comparison.AGREES


def test_a_refund_outside_is_booked_before_it_has_arrived(connection: None) -> None:
    with sold(QUARTERLY, SLOW_REFUNDS).calm() as world:
        refund = world.refund_at_stripe(intent(world)["id"], 500)
        world.hear()
        assert refund["status"] == "pending"
        assert world.compare(later=timedelta(days=1, hours=2)) is Comparison.AGREES

        world.stripe.settle_refund(refund["id"], succeed=False)
        world.hear()

        assert world.compare(later=timedelta(days=1, hours=2)) is Comparison.AGREES


def test_a_refund_outside_that_arrives_later_is_not_taken_for_one_of_a_credit_note(connection: None) -> None:
    """The credit note gives back the rest, and its own refund has failed: it is still to be repaid."""
    with sold(QUARTERLY, SLOW_REFUNDS).calm() as world:
        paid = intent(world)
        outside = world.refund_at_stripe(paid["id"], 500)
        world.hear()
        world.credit(FIRST)
        world.work()
        _, own = world.stripe.objects["refund"].values()
        world.stripe.settle_refund(own["id"], succeed=False)
        world.hear()

        world.stripe.settle_refund(outside["id"], succeed=True)
        world.hear()

        [note] = [each for each in world.documents() if each.invoice.corrects is not None]
        assert note.left == Money(paid["amount"] - 500, "EUR")
        assert world.compare(later=timedelta(days=1, hours=2)) is Comparison.AGREES


def test_a_credit_refund_that_has_failed_is_credit_again(connection: None) -> None:
    with credit_refunded().calm() as world:
        [refund] = world.stripe.objects["refund"]
        world.stripe.settle_refund(refund, succeed=False)
        world.hear()

        assert body(world.item(keys.BALANCE)) == {"credit": 12_000}
        assert world.compare() is Comparison.AGREES


@pytest.mark.parametrize("currency", ["KWD", "MGA"])
def test_what_stripe_rounds_down_is_no_difference(connection: None, currency: str) -> None:
    """5.124 KWD are paid by 5.120 KWD, and given back by them."""
    with sold(replace(QUARTERLY, currency=currency)).calm() as world:
        [invoice] = world.documents()
        charged, paid = charged_units(invoice.invoice.total), invoice.payment.entries
        assert charged_money(charged, currency) != invoice.invoice.total
        assert [each.amount for each in paid] == [invoice.invoice.total.amount]
        assert world.compare() is Comparison.AGREES

        world.credit(FIRST)
        world.work()

        assert world.compare() is Comparison.AGREES
        [payment] = world.intents()
        payment["amount_received"] -= 10
        assert world.compare() is Comparison.DIFFERS


def test_credit_below_the_smallest_unit_of_stripe_is_not_refunded(connection: None) -> None:
    """It came with the charge of another invoice, and a credit note has carried it. Once begun, a refund of it would be
    refused at each step of the end."""
    monthly, second = Contract(START, 1, "MGA", "Europe/Copenhagen"), "LV-2026-000002"
    with sold(monthly).calm() as world:
        [first] = world.documents()
        world.pay_at_stripe(FIRST, first.invoice.total)
        world.hear()
        for month in (1, 2):
            world.move_to(monthly.month_start(month))
            world.work()
        parts = [(each.kind, each.amount) for each in world.documents()[1].payment.entries]
        assert [kind for kind, _ in parts] == ["credit_applied", "charged"]
        assert not charged_units(Money(parts[1][1], "MGA"))
        world.cancel()
        world.move_to(monthly.month_start(3))
        world.work()
        world.credit(second)

        world.move_to(monthly.month_start(4))
        world.work()

        of_second = world.documents()[1].payment.entries
        assert [each.amount for each in of_second if each.kind == "refund_begun"] == [parts[0][1]]
        assert world.billing().credit == parts[1][1]
        assert world.compare() is Comparison.AGREES


def test_a_payment_is_found_by_what_it_has_paid(connection: None) -> None:
    """An invoice forgets a payment that has left a rest: another one collects that."""
    for make in (company, credited, disputed):
        with make().calm() as world:
            change_payment(world, FIRST, lambda payment: payment.pop("payment", None))

            assert world.compare() is Comparison.AGREES


def test_an_adjustment_of_the_running_period_is_to_come(connection: None) -> None:
    with company().calm() as world:

        def adjust(period: dict[str, Any]) -> None:
            period["adjustments"] = [[4, "search", -100, "An upgrade that was counted twice", ADA, str(world.day)]]

        change_item(world, keys.PAGE_PERIOD, adjust)

        assert world.compare() is Comparison.AGREES


def test_a_month_that_waits_for_an_exchange_rate_is_not_overdue(connection: None) -> None:
    with company().calm() as world:
        month_that_is_not_invoiced(world)
        rate = {"day": str(world.day), "currency": "DKK"}
        change_item(world, keys.due("renewal"), lambda due: due.update(awaits_rate=rate))

        assert world.compare(later=timedelta()) is Comparison.AGREES


def test_a_document_of_long_ago_is_not_read_again(connection: None) -> None:
    """It never changes. The paid period of its day is still compared with itself."""
    with company().calm() as world:
        world.rewrite(world.item(keys.document(FIRST)), None)
        later = datetime(2027, 5, 1, 12, tzinfo=UTC)
        assert later.date() - START > DOCUMENTS_COMPARED

        recorded = world.reconciliation.books(ACCOUNT, later.date() - DOCUMENTS_COMPARED)

        assert recorded is not None
        assert [each.lines is None for each in recorded.documents] == [True, False]


# ---- The register of numbers ----


def registered() -> Living:
    """The company's three invoices; the register is due."""
    world = company()
    with world.calm():
        world.pay_by(Method.CARD)
        world.move_to(QUARTERLY.month_start(6))
        world.work()
        world.compare()
    return world


def number_item(world: Living, count: int) -> Item:
    return world.item(keys.number("LV", 2026, count))


def a_gap(world: Living) -> None:
    world.rewrite(number_item(world, 2), None)


def a_day_that_falls(world: Living) -> None:
    item = number_item(world, 3)
    world.rewrite(item, json.dumps({**body(item), "day": "2026-01-01"}))


def a_number_twice(world: Living) -> None:
    item = number_item(world, 2)
    world.rewrite(number_item(world, 3), json.dumps({**body(item), "count": 2}))


@pytest.mark.parametrize("breaks", [a_gap, a_day_that_falls, a_number_twice])
def test_a_broken_register_is_found(connection: None, breaks: Callable[[Living], None]) -> None:
    with registered().calm() as world:
        tomorrow = world.now + timedelta(days=3)
        assert world.reconcile_register(tomorrow) is Comparison.AGREES
        breaks(world)

        assert world.reconcile_register(tomorrow) is Comparison.NOT_DUE
        assert world.reconcile_register(tomorrow + timedelta(days=1)) is Comparison.DIFFERS

        [finding] = findings(world)
        assert (finding["rule"], finding["account"], finding["subject"]) == ("register-broken", None, "LV-2026")
        [event] = events(world, "reconciliation.differed")
        assert event["account"] is None
        assert world.reconcile_register(tomorrow + timedelta(days=2)) is Comparison.DIFFERS
        assert len(events(world, "reconciliation.differed")) == 1


def test_the_register_gets_its_due_item_with_the_first_comparison(connection: None) -> None:
    with company().calm() as world:
        assert world.reconcile_register() is Comparison.NOT_DUE
        world.compare()

        [due] = [item for item in world.stored(keys.due("reconciliation")) if item["pk"]["S"] == REGISTER]
        assert due["gsi1pk"]["S"].startswith("DUE#reconciliation#")


# ---- When, how often, and for how long ----


def due_on(world: Living) -> date:
    [due] = [item for item in world.stored(keys.due("reconciliation")) if item["pk"]["S"] != REGISTER]
    return date.fromisoformat(body(due)["on"])


def test_a_new_account_is_compared_in_its_first_night(connection: None) -> None:
    with sold(QUARTERLY, None).calm() as world:
        assert due_on(world) == START + timedelta(days=1)


def test_an_account_is_compared_every_night_for_forty_days_then_every_four_weeks(connection: None) -> None:
    with company().calm() as world:
        nights = []
        world.move_to(due_on(world))
        for _ in range(70):
            if world.reconcile() is not Comparison.NOT_DUE:
                nights.append(world.day)
            world.move_to(world.day + timedelta(days=1))
            world.work()
        charged_on = QUARTERLY.month_start(3)
        assert nights[-2:] == [charged_on + timedelta(days=40), charged_on + timedelta(days=40) + ROUND]
        steps = {later - earlier for earlier, later in pairwise(nights[:-1])}
        assert steps == {timedelta(days=1)}


def test_money_that_moves_makes_an_account_due_again(connection: None) -> None:
    with company().calm() as world:
        world.move_to(QUARTERLY.month_start(3) + timedelta(days=50))
        world.work()
        world.compare(later=timedelta())
        assert due_on(world) == world.day + ROUND

        world.credit(FIRST)

        assert due_on(world) == world.day


def test_an_account_of_an_earlier_release_is_due_with_its_next_month(connection: None) -> None:
    """Each contract month is fixed, also one without an invoice: so each account is reached within a month."""
    yearly = Contract(START, 12, "EUR", "Europe/Copenhagen")
    with sold(yearly).calm() as world:
        world.rewrite(world.item(keys.due("reconciliation")), None)
        assert world.reconcile() is Comparison.NOT_DUE

        world.move_to(yearly.month_start(1))
        world.work()

        assert due_on(world) == world.day
        assert world.reconcile() is Comparison.AGREES


def test_a_comparison_that_is_delivered_twice_is_one(connection: None) -> None:
    with company().calm() as world:
        world.move_to(world.day + timedelta(days=1))
        assert world.reconcile() is Comparison.AGREES
        assert world.reconcile() is Comparison.NOT_DUE


def test_a_finding_is_told_once_and_goes_when_it_is_mended(connection: None) -> None:
    with company().calm() as world:
        credit_from_nowhere(world)
        world.compare()
        [first] = findings(world)
        world.move_to(world.day + timedelta(days=1))
        assert due_on(world) <= world.day + timedelta(days=2)
        world.compare()
        assert findings(world) == [first]
        assert len(events(world, "reconciliation.differed")) == 1

        world.rewrite(world.item(keys.BALANCE), None)
        world.compare()

        assert findings(world) == []
        assert len(events(world, "reconciliation.differed")) == 1


def test_a_comparison_changes_nothing_else(connection: None) -> None:
    with company().calm() as world:
        credit_from_nowhere(world)
        families = (keys.FINDING, keys.EVENT, keys.due("reconciliation"))

        def others() -> list[Item]:
            items = [item for item in world.table.items() if not item["sk"]["S"].startswith(families)]
            # The account's item has the place of its last event, which moves on with the event of a difference.
            return [{name: value for name, value in item.items() if name != "last_event"} for item in items]

        before, sent = others(), len(world.stripe.requests)
        world.compare()

        assert others() == before
        assert {each["method"] for each in world.stripe.requests[sent:]} == {"GET"}


def test_what_stripe_did_today_is_not_judged_yet(connection: None) -> None:
    with company().calm() as world:
        unknown_refund(world)
        unknown_dispute(world)

        assert world.compare(later=timedelta(hours=6)) is Comparison.AGREES


def test_what_carries_none_of_our_metadata_is_not_compared(connection: None) -> None:
    with company().calm() as world:
        other = {**intent(world), "id": "pi_other", "metadata": {}}
        world.stripe.objects["payment_intent"]["pi_other"] = other

        assert world.compare() is Comparison.AGREES


def test_the_list_of_payments_is_read_to_its_end(connection: None) -> None:
    with company().calm() as world:
        paid = intent(world)
        never_heard_of(world)
        for count in range(230):
            newer = {**paid, "id": f"pi_{count}", "status": "canceled"}
            world.stripe.objects["payment_intent"][newer["id"]] = newer

        world.compare()

        assert [each["subject"] for each in findings(world)] == ["pi_lost"]


def test_no_more_findings_are_kept_than_a_transaction_holds(connection: None) -> None:
    with company().calm() as world:
        paid = intent(world)
        lost = {f"pi_{count:03}": {**paid, "id": f"pi_{count:03}"} for count in range(FINDINGS_MAX + 5)}
        world.stripe.objects["payment_intent"] |= lost
        world.compare()
        assert len(findings(world)) == FINDINGS_MAX

        for each in [*lost][:FINDINGS_MAX]:
            del world.stripe.objects["payment_intent"][each]
        world.compare()

        assert len(findings(world)) == 5


def test_money_of_a_former_customer_is_still_compared(connection: None) -> None:
    """The customer was deleted at Stripe. What was charged to it is read by its id."""
    with company().calm() as world:
        world.stripe._delete_customer(intent(world)["customer"])
        world.stripe.undelivered.clear()
        assert world.compare() is Comparison.AGREES

        charge_that_did_not_succeed(world)
        world.compare()

        assert [each["rule"] for each in findings(world)] == [Rule.CHARGE_NOT_CONFIRMED]


def test_an_account_without_a_customer_costs_no_request(connection: None) -> None:
    with sold(QUARTERLY, None).calm() as world:
        world.move_to(START + timedelta(days=1))
        sent = len(world.stripe.requests)

        assert world.reconcile() is Comparison.AGREES
        assert len(world.stripe.requests) == sent


@pytest.mark.parametrize("fault", ["429", "lock_timeout", "500", "timeout"])
def test_stripe_in_trouble_is_later(connection: None, fault: str) -> None:
    with company().calm() as world:
        before = due_on(world)
        world.move_to(before)
        world.stripe.faults.append({"kind": fault, "path": "payment_intents", "count": 1})

        with pytest.raises(UpstreamFailed):
            world.reconcile()

        assert due_on(world) == before
        assert world.reconcile() is Comparison.AGREES


def test_a_change_between_the_reads_is_no_finding(connection: None) -> None:
    """The charge succeeds after the invoices were read, and before Stripe is asked."""
    with unpaid().calm() as world:
        world.move_to(START + timedelta(days=1))
        world.stripe.numbers = dict.fromkeys(world.stripe.numbers, "4242424242424242")
        ledger = world.ledger

        class Meanwhile:
            def __getattr__(self, name: str) -> Any:
                if name == "payments_of":
                    world.work()
                return getattr(ledger, name)

        later = world.now + timedelta(days=1, hours=1)
        with pytest.raises(ConcurrentChange):
            reconcile_account(
                ACCOUNT,
                now=later,
                correlation="run",
                settings=SETTINGS,
                store=world.reconciliation,
                ledger=Meanwhile(),
            )
        assert world.reconcile(later) is Comparison.AGREES


def test_a_repayment_by_hand_is_the_refund_that_staff_made_at_stripe(connection: None) -> None:
    with credited().calm() as world:
        refund_that_failed(world)
        world.stripe.undelivered.append(
            next(each["id"] for each in world.stripe.objects["event"].values() if each["type"] == "refund.failed")
        )
        world.hear()
        total = intent(world)["amount"]
        world.stripe._refund({"payment_intent": intent(world)["id"]})
        world.stripe.undelivered.clear()
        world.repay(NOTE, Money(total, "EUR"))

        assert world.compare() is Comparison.AGREES


# ---- Cut off ----


def told_once(world: Living) -> None:
    [finding] = findings(world)
    assert finding["rule"] == Rule.CREDIT_DIFFERS
    assert len(events(world, "reconciliation.differed")) == 1
    assert due_on(world) > world.day, "not moved on"


def broken_and_due() -> Living:
    world = company()
    with world.calm():
        credit_from_nowhere(world)
        world.move_to(due_on(world))
    return world


def still_due_or_told(world: Living) -> None:
    """A finding, its event and the next day are one transaction."""
    told = len(findings(world))
    assert told == len(events(world, "reconciliation.differed"))
    assert (due_on(world) > world.day) == bool(told)


def test_an_interrupted_comparison_tells_once(faults: Faults) -> None:
    def reconcile(world: Living) -> None:
        world.reconcile()

    faults.every_cut(world=broken_and_due, command=reconcile, invariants=told_once, always=still_due_or_told)
    faults.every_race(world=broken_and_due, first=reconcile, second=reconcile, invariants=told_once)


def test_a_comparison_meets_a_charge(faults: Faults) -> None:
    """Neither is lost, and nothing is found that is only on its way."""

    def make() -> Living:
        world = unpaid()
        with world.calm():
            world.move_to(START + timedelta(days=1))
            world.stripe.numbers = dict.fromkeys(world.stripe.numbers, "4242424242424242")
        return world

    def work(world: Living) -> None:
        world.work()

    def reconcile(world: Living) -> None:
        world.reconcile()

    def agrees(world: Living) -> None:
        assert findings(world) == []
        assert due_on(world) == world.day + timedelta(days=1)
        assert body(stored(world, FIRST))["status"] == "paid"

    faults.every_race(world=make, first=reconcile, second=work, invariants=agrees)


def test_an_interrupted_comparison_of_the_register_tells_once(faults: Faults) -> None:
    def make() -> Living:
        world = registered()
        with world.calm():
            a_gap(world)
            world.move_to(world.day + timedelta(days=4))
        return world

    def reconcile(world: Living) -> None:
        world.reconcile_register()

    def once(world: Living) -> None:
        [finding] = findings(world)
        assert finding["rule"] == Rule.REGISTER_BROKEN
        assert len(events(world, "reconciliation.differed")) == 1

    def together(world: Living) -> None:
        assert len(findings(world)) == len(events(world, "reconciliation.differed"))

    faults.every_cut(world=make, command=reconcile, invariants=once, always=together)
