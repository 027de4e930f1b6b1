"""Money that comes, goes back or is disputed in an order that nobody planned. Each case was counted wrongly before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.invoicing.dunning import AlreadyPaid

from tests.faults.till import DECLINED, FIRST, REFUND_TAKES_DAYS, SECOND, THIRD, VISA, Till

pytestmark = pytest.mark.usefixtures("connection")

TOTAL = 36_328


def paid_with_a_small_one(rest: int = 20) -> tuple[Till, dict[str, Any]]:
    """The first invoice has a small rest, which the second one's charge collects; the payment of both."""
    till = unpaid_with_a_small_one(rest)
    till.card()
    [both] = [each for each in till.objects("payment_intent") if each["amount"] == TOTAL + rest]
    return till, both


def unpaid_with_a_small_one(rest: int = 20) -> Till:
    till = Till(issued=False)
    till.set_balance(TOTAL - rest)
    till.issue()
    return till


def lost(till: Till, payment: str, amount: int | None = None) -> str:
    dispute = till.world.stripe.dispute(payment, amount)["id"]
    till.world.stripe.close_dispute(dispute, won=False)
    till.hear_disputes()
    return str(dispute)


# ---- Amounts that Stripe rounds ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "price"), [("KWD", 3_333), ("MGA", 3_333_333), ("JPY", 3_333), ("ISK", 3_333), ("UGX", 33_333)]
)
def test_an_invoice_of_any_currency_is_paid_once_and_given_back(currency: str, price: int) -> None:
    """Stripe charges and refunds fils in tens, and no fifths of an ariary."""
    till = Till(currency, price)
    till.card()
    assert [till[number] for number in (FIRST, SECOND, THIRD)] == [("paid", 0)] * 3
    till.next_day()
    till.card(VISA)
    till.hear()
    assert len(till.of_kind("charged")) == 3
    assert till.of_kind("overpaid") == []

    notes = [till.credit(FIRST, (0,)), till.credit(FIRST)]
    till.collect_when_due()

    assert [till[each] for each in notes] == [("paid", 0)] * 2
    assert till.balance == 0
    assert len(till.objects("refund")) == 2


# ---- Payments that Livello has not made --------------------------------------------------------------


def test_a_part_that_was_paid_by_hand_is_counted_once_and_the_rest_is_charged() -> None:
    till = Till()
    till.card(DECLINED)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, 1_000)
    till.hear()
    for _ in range(3):
        till.next_day(2)
        till.collect()
        till.hear()

    assert till[FIRST] == ("paid", 0)
    charges = [amount for number, amount in till.of_kind("charged") if number == FIRST]
    assert charges == [1_000, TOTAL - 1_000]
    of_it = [each for each in till.objects("payment_intent") if each["metadata"]["invoice"] == FIRST]
    assert sorted(each["status"] for each in of_it) == ["canceled", "succeeded", "succeeded"]


def test_money_of_another_currency_pays_nothing() -> None:
    till = Till()
    till.card(DECLINED)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, TOTAL, "DKK")
    till.hear()

    assert till[FIRST] == ("open", TOTAL)


def test_a_void_invoice_stays_void_and_its_money_is_credit() -> None:
    till = Till()
    till.card(DECLINED)
    till.credit(FIRST)
    till.card(VISA, collect=False)
    till.by_transfer()
    till.write_off(SECOND)
    till.write_off(THIRD)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, TOTAL)
    till.hear()

    assert (till[FIRST][0], till.balance) == ("void", TOTAL)
    assert till.events("invoice.paid") == []


def test_a_payment_for_a_paid_invoice_leaves_the_first_one_refundable() -> None:
    till = Till()
    till.card()
    till.paid_at_stripe(FIRST, TOTAL)
    till.hear()
    assert till.balance == TOTAL

    note = till.credit(FIRST)

    assert till[note] == ("open", TOTAL)
    assert till.balance == TOTAL


def test_a_transfer_for_what_was_written_off_is_recorded() -> None:
    till = Till()
    till.by_transfer()
    till.write_off(FIRST)
    for _ in range(2):
        till.transferred(FIRST)

    assert till[FIRST] == ("paid", 0)
    assert till.of_kind("transferred") == [(FIRST, TOTAL)]


# ---- Credit pays at once -----------------------------------------------------------------------------


def overpaid_by_transfer() -> Till:
    """Two invoices are open. The first one was transferred, and its payment by hand is known at Stripe only."""
    till = Till()
    till.by_transfer()
    till.transferred(FIRST)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, TOTAL)
    till.by_transfer()
    return till


def test_what_came_in_twice_pays_what_is_open_at_once() -> None:
    """M33 again, with money instead of a credit note."""
    till = overpaid_by_transfer()
    till.hear()

    assert till[SECOND] == ("paid", 0)
    assert till[THIRD] == ("open", TOTAL)
    assert till.balance == 0
    assert {each["after"]["number"] for each in till.events("invoice.paid")} == {FIRST, SECOND}


def test_what_came_in_twice_waits_until_a_live_charge_is_cancelled_today() -> None:
    till = Till()
    till.card(DECLINED)
    till.transferred(FIRST)
    till.card(VISA, collect=False)
    till.paid_at_stripe(FIRST, TOTAL)
    till.hear()
    assert till[SECOND] == ("open", TOTAL)

    till.collect_when_due()

    assert till[SECOND] == ("paid", 0)
    assert till.of_kind("credit_applied") == [(SECOND, TOTAL)]


def test_a_charge_back_is_settled_by_credit_before_anybody_is_dunned() -> None:
    till = Till()
    till.card()
    twice = till.paid_at_stripe(FIRST, TOTAL)
    till.hear()
    assert till.balance == TOTAL

    lost(till, twice)

    assert (till[FIRST], till.balance) == (("paid", 0), 0)
    assert till.events("payment.past_due") == []


# ---- A refund that is refused after the bank has taken the payment back --------------------------------


def refunding(lines: tuple[int, ...] | None = None) -> tuple[Till, str, str, str]:
    """A credit note whose refund is pending at Stripe; the payment, the note and the refund."""
    till = Till()
    till.card(REFUND_TAKES_DAYS)
    [payment] = [each["id"] for each in till.objects("payment_intent") if each["metadata"]["invoice"] == FIRST]
    note = till.credit(FIRST, lines)
    till.collect_when_due()
    [refund] = till.objects("refund", "pending")
    return till, payment, note, refund["id"]


def refused(till: Till, refund: str) -> None:
    till.world.stripe.settle_refund(refund, succeed=False)
    till.hear_refunds()


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_lost_dispute_and_a_refused_refund_leave_nobody_owing(lost_first: bool) -> None:
    """The customer has the money by the charge-back. It was owed twice: by the vendor, and by the customer."""
    till, payment, note, refund = refunding()
    if lost_first:
        lost(till, payment)
        refused(till, refund)
    else:
        refused(till, refund)
        lost(till, payment)

    assert (till[FIRST], till[note], till.balance) == (("paid", 0), ("paid", 0), 0)
    assert {*till.of_kind("set_off")} == {(note, TOTAL), (FIRST, TOTAL)}
    assert len(till.events("credit_note.refunded")) == 1
    # Its credit note has settled it: nobody has paid a second time.
    assert [each["after"]["number"] for each in till.events("invoice.paid")].count(FIRST) == 1
    till.hear()
    till.next_day(40)
    till.collect()
    assert (till[FIRST], till[note]) == (("paid", 0), ("paid", 0))


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_dispute_of_a_part_settles_that_part_of_the_refund(lost_first: bool) -> None:
    till, payment, note, refund = refunding()
    if lost_first:
        lost(till, payment, 10_000)
        refused(till, refund)
    else:
        refused(till, refund)
        lost(till, payment, 10_000)

    assert (till[FIRST], till[note]) == (("paid", 0), ("past_due", TOTAL - 10_000))
    till.repay(note, TOTAL - 10_000)
    assert till[note] == ("paid", 0)


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_charge_back_of_more_than_the_refund_is_owed_as_far_as_it_exceeds_it(lost_first: bool) -> None:
    till, payment, note, refund = refunding((0,))
    part = till.documents()[note].payment.owed
    assert 0 < part < TOTAL
    if lost_first:
        lost(till, payment)
        refused(till, refund)
    else:
        refused(till, refund)
        lost(till, payment)

    assert (till[FIRST], till[note]) == (("past_due", TOTAL - part), ("paid", 0))
    assert till.documents()[FIRST].payment.credit == 0


def test_a_refund_that_succeeds_after_a_lost_dispute_is_owed_by_the_customer() -> None:
    till, payment, note, refund = refunding()
    lost(till, payment)
    till.world.stripe.settle_refund(refund, succeed=True)
    till.hear_refunds()

    assert (till[FIRST], till[note]) == (("past_due", TOTAL), ("paid", 0))
    assert till.of_kind("set_off") == []


def test_a_refund_that_fails_days_after_it_was_done_is_set_off_too() -> None:
    till, payment, note, refund = refunding()
    till.world.stripe.settle_refund(refund, succeed=True)
    till.hear_refunds()
    lost(till, payment)
    assert till[FIRST] == ("past_due", TOTAL)

    refused(till, refund)

    assert (till[FIRST], till[note]) == (("paid", 0), ("paid", 0))


def test_a_dispute_that_is_won_after_the_set_off_is_credit() -> None:
    """The vendor has the money again, and has refunded nothing."""
    till, payment, _, refund = refunding()
    dispute = lost(till, payment)
    refused(till, refund)

    till.world.stripe.objects["dispute"][dispute]["status"] = "won"
    till.hear_disputes()

    assert till[FIRST] == ("paid", 0)
    assert till.balance == TOTAL


def test_a_charge_back_that_was_written_off_is_set_off_with_the_refund() -> None:
    till, payment, note, refund = refunding()
    lost(till, payment)
    till.write_off(FIRST)

    refused(till, refund)

    assert (till[FIRST], till[note]) == (("paid", 0), ("paid", 0))


def test_a_charge_back_that_the_customer_has_paid_again_leaves_the_refund_owed() -> None:
    till, payment, note, refund = refunding()
    lost(till, payment)
    till.transferred(FIRST)

    refused(till, refund)

    assert (till[FIRST], till[note]) == (("paid", 0), ("past_due", TOTAL))


# ---- A charge of several invoices --------------------------------------------------------------------


def test_two_charges_never_collect_the_same_small_invoice() -> None:
    """The first small rest goes with the charge of the second invoice, which is declined. Then there is another one."""
    till = unpaid_with_a_small_one(30)
    till.card(DECLINED)
    [both] = [each for each in till.objects("payment_intent") if each["amount"] == TOTAL + 30]
    assert both["status"] == "requires_payment_method"
    _left(till, THIRD, 30)

    till.card(VISA)
    for _ in range(3):
        till.next_day(31)
        till.collect()

    assert till.of_kind("overpaid") == []
    assert (till[FIRST], till[SECOND]) == (("paid", 0), ("paid", 0))
    assert sum(each["amount"] for each in till.objects("payment_intent", "succeeded")) <= TOTAL + 60


def _left(till: Till, number: str, rest: int) -> None:
    """Of an invoice all is paid by transfer but a rest, as a correction leaves it."""
    with till.world.calm() as world:
        account = existing(world.invoicing.billing_context("nordlys-kaffe")).subscriber.account
        record = world.invoicing.record("nordlys-kaffe", number)
        payment = replace(record.payment, owed=rest, payment_intent_id=None)
        world.invoicing.save_payment(account, record, payment)


def test_a_small_invoice_waits_while_a_debit_that_collects_it_is_on_its_way() -> None:
    """The account has agreed on bank transfers meanwhile: no run fails, and nothing is collected twice."""
    till = unpaid_with_a_small_one()
    till.debit()
    till.next_day(31)
    till.by_transfer()
    till.collect()
    with pytest.raises(AlreadyPaid):
        till.transferred(FIRST)
    for each in till.objects("payment_intent", "processing"):
        till.world.stripe.settle(each["id"], succeed=True)
    till.hear()

    assert [till[number] for number in (FIRST, SECOND, THIRD)] == [("paid", 0)] * 3
    assert till.of_kind("overpaid") == []


@pytest.mark.parametrize("amounts", [(10_000, 10_000), (TOTAL, 20)])
def test_disputes_of_one_payment_take_back_no_more_of_an_invoice_than_it_got(amounts: tuple[int, ...]) -> None:
    till, both = paid_with_a_small_one()
    for amount in amounts:
        lost(till, both["id"], amount)
        till.hear_disputes()

    taken = till.of_kind("charged_back")
    assert sum(amount for _, amount in taken) == sum(amounts)
    assert sum(amount for number, amount in taken if number == FIRST) == 20


def test_a_dispute_after_a_refund_is_of_the_invoice_that_was_not_refunded() -> None:
    till, both = paid_with_a_small_one()
    till.credit(FIRST)
    till.collect_when_due()
    refunded = sum(each["amount"] for each in till.objects("refund"))
    assert refunded == 20

    dispute = lost(till, both["id"], TOTAL)
    assert till.of_kind("charged_back") == [(SECOND, TOTAL)]
    till.world.stripe.objects["dispute"][dispute]["status"] = "won"
    till.hear_disputes()
    assert till.of_kind("charge_back_won") == [(SECOND, TOTAL)]


# ---- Disputes and refunds in another order -----------------------------------------------------------


def test_a_dispute_that_is_told_before_its_payment_is_taken_in() -> None:
    till = Till()
    till.card(VISA, collect=False)
    payment = till.paid_at_stripe(FIRST, TOTAL)
    lost(till, payment)
    till.hear_payments()

    assert till[FIRST] == ("past_due", TOTAL)


def test_a_debit_is_followed_to_its_end_although_an_older_payment_is_disputed_again() -> None:
    till = Till()
    till.card()
    [payment, *_] = [each["id"] for each in till.objects("payment_intent", "succeeded")]
    lost(till, payment, 10_000)
    till.debit(collect=False)
    till.try_again(FIRST)
    lost(till, payment, 5_000)
    assert till[FIRST] == ("in_transit", 15_000)

    [debit] = [each["id"] for each in till.objects("payment_intent", "processing")]
    till.world.stripe.settle(debit, succeed=False)
    till.hear()

    assert till[FIRST] == ("open", 15_000)


def test_a_refund_by_hand_that_fails_is_owed_again() -> None:
    till = Till()
    till.card(REFUND_TAKES_DAYS)
    note = till.credit(FIRST)
    till.collect_when_due()
    [refund] = till.objects("refund")
    till.world.stripe.settle_refund(refund["id"], succeed=False)
    till.hear()
    by_hand = till.refunded_at_stripe(refund["payment_intent"], TOTAL)
    till.world.stripe.settle_refund(by_hand, succeed=True)
    till.hear()
    assert till[note] == ("paid", 0)

    till.world.stripe.settle_refund(by_hand, succeed=False)
    till.hear()

    assert till[note] == ("past_due", TOTAL)


def test_a_refund_by_hand_before_the_worker_makes_it_is_the_refund() -> None:
    till = Till()
    till.card()
    note = till.credit(FIRST)
    [payment, *_] = [each["id"] for each in till.objects("payment_intent", "succeeded")]
    till.refunded_at_stripe(payment, TOTAL)
    till.hear()
    till.collect_when_due()

    assert till[note] == ("paid", 0)
    assert len(till.objects("refund")) == 1
