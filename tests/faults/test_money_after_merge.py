"""A charge collects what is left when it is made. A bad item, a full transaction, a stale read stop nothing else."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.invoicing.credit_notes import allocate_taken_back, taken_back_draft
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.records import InvoiceStore, WholeInvoice, write_invoice
from billing.invoicing.sync_payments import sync_payment
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import text

from tests.aws import TABLE
from tests.faults.company import SETTINGS, body
from tests.faults.test_due_invoices import Stale
from tests.faults.test_invoices import ACCOUNT
from tests.faults.till import DECLINED, FIRST, PAGE, SECOND, THIRD, VISA, Till

pytestmark = pytest.mark.usefixtures("connection")

TOTAL = 36_328


def _settle(till: Till, *, succeed: bool) -> None:
    for each in till.objects("payment_intent", "processing"):
        till.world.stripe.settle(each["id"], succeed=succeed)


def _of(till: Till, number: str, status: str | None = None) -> list[Any]:
    return [each for each in till.objects("payment_intent", status) if each["metadata"]["invoice"] == number]


def test_a_dispute_that_is_won_leaves_no_charge_of_what_it_has_given_back() -> None:
    till = Till()
    till.card()
    [paid] = _of(till, FIRST)
    for amount in (20_000, TOTAL - 20_000):
        dispute = till.world.stripe.dispute(paid["id"], amount)
        till.world.stripe.close_dispute(dispute["id"], won=False)
        till.hear()
    assert till[FIRST] == ("past_due", TOTAL)
    till.card(DECLINED)
    dispute["status"] = "won"
    till.hear()
    assert till[FIRST][1] == 20_000

    till.card(VISA)

    assert till[FIRST] == ("paid", 0)
    assert till.of_kind("overpaid") == []


def test_a_debit_that_fails_after_a_payment_by_hand_is_not_repeated_in_full() -> None:
    till = Till()
    till.debit()
    till.paid_at_stripe(FIRST, 10_000)
    till.hear_payments()
    for each in till.objects("payment_intent", "processing"):
        till.world.stripe.settle(each["id"], succeed=each["metadata"]["invoice"] == FIRST and each["amount"] == 10_000)
    till.hear()
    for _ in range(3):
        till.next_day(3)
        till.collect()
        _settle(till, succeed=True)
        till.hear()

    assert till[FIRST] == ("paid", 0)
    assert till.of_kind("overpaid") == []


def test_a_late_run_takes_no_payment_of_another_currency() -> None:
    till = Till()
    till.card(collect=False)
    till.paid_at_stripe(FIRST, TOTAL, "DKK")
    till.next_day()
    till.collect()

    assert sum(amount for number, amount in till.of_kind("charged") if number == FIRST) == TOTAL
    assert [each["currency"] for each in _of(till, FIRST, "succeeded")] == ["dkk", "eur"]
    till.hear()
    assert till[FIRST] == ("paid", 0)
    assert till.of_kind("overpaid") == []


def _as_one_item(world: Any, made: WholeInvoice) -> None:
    """As an earlier release has stored it: the summary and the document are one item."""
    [item] = [each for each in world.stored("INVOICE#") if each["sk"]["S"].endswith(made.invoice.number)]
    [document] = [each for each in world.stored("DOCUMENT#") if each["sk"]["S"].endswith(made.invoice.number)]
    stored = {**body(item), **body(document)}
    stored["payment"].setdefault("entries", [])
    world.client.put_item(TableName=TABLE, Item={**item, "body": {"S": text(stored)}})
    world.client.delete_item(TableName=TABLE, Key={name: document[name] for name in ("pk", "sk")})


def more(till: Till, count: int, owed: int, *, whole: bool = False) -> list[str]:
    """More invoices like the third one, of which `owed` is owed."""
    numbers = []
    with till.world.calm() as world:
        account = existing(world.invoicing.billing_context(ACCOUNT)).subscriber.account
        pattern = world.invoicing.invoice(ACCOUNT, THIRD)
        for place in range(count):
            number = f"LV-2026-{100 + place:06}"
            made = WholeInvoice.new(
                replace(pattern.invoice, number=number),
                InvoicePayment(till.day.date(), owed, next_attempt_on=till.day.date()),
            )
            with world.invoicing._transaction() as write:
                write_invoice(write, account, made.record)
            if whole:
                _as_one_item(world, made)
            numbers.append(number)
    return numbers


def test_more_small_invoices_than_a_transaction_has_room_for_are_collected() -> None:
    till = Till()
    numbers = more(till, 60, 30)
    till.card()
    for _ in range(3):
        till.next_day(31)
        till.collect()

    assert {till[number] for number in numbers} == {("paid", 0)}
    assert sum(each["amount"] for each in till.objects("payment_intent", "succeeded")) == 3 * TOTAL + 60 * 30
    assert till.of_kind("overpaid") == []


def test_credit_pays_more_invoices_than_a_transaction_has_room_for() -> None:
    till = Till()
    numbers = more(till, 60, 30)
    till.by_transfer()
    till.transferred(FIRST)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, TOTAL * 2 + 60 * 30)
    till.by_transfer()
    till.hear()
    for _ in range(3):
        till.collect_when_due()

    assert {till[number] for number in numbers} == {("paid", 0)}
    assert till.balance == 0


class _FirstStale(Stale):
    """Only the first query misses the last moment's changes."""

    asked = 0

    def query(self, **request: Any) -> Any:
        self.asked += 1
        return super().query(**request) if self.asked == 1 else self._client.query(**request)


def test_a_payment_is_credit_once_although_a_query_misses_it() -> None:
    """A payment of an invoice that is not known here is credit of the newest one, once."""
    till = Till()
    till.by_transfer()
    till.transferred(FIRST)
    till.transferred(SECOND)
    till.transferred(THIRD)
    till.card(VISA, collect=False)
    payment = till.paid_at_stripe("LV-2026-000099", 1_000)
    with till.world.calm() as world:
        before = deepcopy(world)
        till.hear_payments()
        assert till.balance == 1_000

        sync_payment(
            payment,
            now=till.day,
            correlation="again",
            settings=SETTINGS,
            consent_page=PAGE,
            store=InvoiceStore(TABLE, _FirstStale(world, before)),
            gateway=world.payments,
        )
    assert till.balance == 1_000


def test_one_invoice_that_cannot_be_read_holds_up_only_itself() -> None:
    """It has an entry of a kind that this release does not know."""
    till = Till()
    till.card(collect=False)
    [item] = [each for each in till.world.stored("INVOICE#") if SECOND in each["sk"]["S"]]
    stored = body(item)
    stored["payment"]["entries"] = [["unheard_of", 1, "2026-07-15"]]
    with till.world.calm() as world:
        world.client.put_item(TableName=TABLE, Item={**item, "body": {"S": text(stored)}})
        with pytest.raises(ValueError, match="unheard_of"):
            till.collect()
        world.client.put_item(TableName=TABLE, Item=item)

    assert till[FIRST] == till[THIRD] == ("paid", 0)
    assert till[SECOND] == ("open", TOTAL)


def test_a_customer_who_tries_again_pays_with_their_credit_first() -> None:
    till = Till()
    till.card(DECLINED)
    till.transferred(FIRST)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, TOTAL)
    till.hear()
    assert till.balance == TOTAL
    till.try_again(SECOND)
    till.collect_when_due()
    assert till[SECOND] == ("paid", 0)
    assert till.balance == 0
    assert _of(till, SECOND, "succeeded") == []


def test_credit_that_a_run_finds_pays_what_is_past_due() -> None:
    """The late run takes in a payment by hand, which is more than its invoice; the others have no attempt to come."""
    till = Till()
    till.card(DECLINED)
    for _ in range(12):
        till.next_day(2)
        till.collect_when_due()
    assert till[SECOND] == till[THIRD] == ("past_due", TOTAL)
    number = more(till, 1, TOTAL)[0]
    till.next_day()
    till.card(VISA, collect=False)
    till.paid_at_stripe(number, 2 * TOTAL)
    till.next_day()
    till.collect_when_due()
    assert till[number] == ("paid", 0)

    for _ in range(2):
        till.collect_when_due()

    assert till.balance == 0
    assert [till[each][0] for each in (FIRST, SECOND, THIRD)].count("paid") == 1


def test_what_a_debit_on_its_way_collects_is_not_charged_again_although_the_debit_is_not_owed() -> None:
    """A paid period takes back all of an invoice whose debit is on its way, and collects a small one."""
    till = Till(issued=False)
    till.set_balance(TOTAL - 20)
    till.issue()
    till.debit()
    [both] = [each for each in till.objects("payment_intent") if each["amount"] == TOTAL + 20]
    with till.world.calm() as world:
        account = existing(world.invoicing.billing_context(ACCOUNT)).subscriber.account
        whole = world.invoicing.invoice(ACCOUNT, SECOND)
        lines = tuple(replace(each, net=Money(-each.net.amount, "EUR")) for each in whole.invoice.draft.lines)
        draft = taken_back_draft(whole.invoice, whole.payment, whole.invoice.draft.since, lines)
        taken = allocate_taken_back(whole.invoice, whole.payment, draft, "CN-2026-000001", till.day.date())
        assert taken.payment.left == 0
        world.invoicing.save_payment(account, whole.record, taken.payment)
    more(till, 1, TOTAL)
    till.card()
    for each in till.objects("payment_intent", "processing"):
        till.world.stripe.settle(each["id"], succeed=True)
    till.hear()

    assert both["status"] == "succeeded"
    assert [each for each in till.of_kind("overpaid") if each[0] == FIRST] == []
    assert till[FIRST] == ("paid", 0)


def test_credit_pays_many_invoices_of_an_earlier_release() -> None:
    """Each of them needs three writes: its summary, its document, and the event."""
    till = Till()
    till.by_transfer()
    till.transferred(FIRST)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, 2 * TOTAL + 45 * 30)
    till.by_transfer()
    numbers = more(till, 45, 30, whole=True)
    till.hear()
    for _ in range(5):
        till.collect_when_due()

    assert {till[number] for number in numbers} == {("paid", 0)}
    assert till.balance == 0


def test_a_refund_by_hand_of_more_than_a_credit_note_waits_for_is_counted_wholly() -> None:
    """Staff credit one line, and refund the whole payment in Stripe's dashboard before the worker refunds the line."""
    till = Till()
    till.card()
    [paid] = _of(till, FIRST)
    note = till.credit(FIRST, (0,))
    waiting = till[note][1]
    till.refunded_at_stripe(paid["id"], TOTAL)
    till.hear()
    till.hear()
    till.collect_when_due()

    assert till[note] == ("paid", 0)
    assert till.of_kind("refunded_outside") == [(FIRST, TOTAL - waiting)]
    assert till.of_kind("refund_failed") == []

    [refund] = till.objects("refund")
    till.world.stripe.settle_refund(refund["id"], succeed=False)
    till.hear()
    till.hear()

    assert till[note][1] == waiting
    assert till.of_kind("refund_outside_failed") == [(FIRST, TOTAL - waiting)]


def test_credit_pays_what_a_query_still_knows_as_paid() -> None:
    """A charge-back and a second payment are told at once: the query that the second one relies on is older."""
    till = Till()
    till.card()
    [paid] = _of(till, FIRST)
    dispute = till.world.stripe.dispute(paid["id"], TOTAL)
    till.world.stripe.close_dispute(dispute["id"], won=False)
    payment = till.paid_at_stripe(SECOND, TOTAL)
    with till.world.calm() as world:
        before = deepcopy(world)
        till.hear_disputes()
        assert till[FIRST] == ("past_due", TOTAL)
        sync_payment(
            payment,
            now=till.day,
            correlation="at once",
            settings=SETTINGS,
            consent_page=PAGE,
            store=InvoiceStore(TABLE, Stale(world, before)),
            gateway=world.payments,
        )
    till.collect_when_due()

    assert till[FIRST] == ("paid", 0)
    assert till.balance == 0


def _another_account(till: Till) -> None:
    """The operator has changed the account at Stripe. Stripe has copied the customers, and no payments."""
    for kind in ("payment_intent", "charge"):
        till.world.stripe.objects[kind].clear()


def test_an_invoice_that_was_charged_at_a_former_account_of_stripe_is_charged_anew() -> None:
    till = Till()
    till.card(DECLINED)
    _another_account(till)
    till.transferred(FIRST)
    till.write_off(SECOND)
    till.card()

    assert [till[number][0] for number in (FIRST, SECOND, THIRD)] == ["paid", "uncollectible", "paid"]
    assert [each["amount"] for each in till.objects("payment_intent", "succeeded")] == [TOTAL]


def test_a_refund_of_a_payment_at_a_former_account_of_stripe_is_repaid_by_hand() -> None:
    till = Till()
    till.card()
    note = till.credit(FIRST)
    _another_account(till)
    till.collect_when_due()
    assert till[note] == ("past_due", TOTAL)

    till.repay(note, TOTAL)

    assert till[note] == ("paid", 0)
