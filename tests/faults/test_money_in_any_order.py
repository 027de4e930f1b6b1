"""Whatever happens to the money of an account, in whatever order: the books agree, and nothing is charged twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from billing.invoicing.credit_refunds import credit_parts
from billing.invoicing.entries import EntryKind, attempt_under_way, charged_back, credit_from, sum_of
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.records import InvoiceRecord
from billing.kernel.errors import Conflict, RuleViolation
from billing.kernel.money import Money, charged_money, charged_units
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.company import nothing_is_forgotten
from tests.faults.test_invoices import ACCOUNT
from tests.faults.till import DECLINED, REFUND_TAKES_DAYS, VISA, Till
from tests.properties import examples

pytestmark = pytest.mark.usefixtures("connection")

REFUSED = (Conflict, RuleViolation)
"""What a command says that must not be done now. An UpstreamFailed is a fault of ours: Stripe is in order here."""

Step = Callable[[Till, int, int], object]


def _one(documents: dict[str, InvoiceRecord], which: int) -> str:
    return [*documents][which % len(documents)]


def _invoice(till: Till, which: int) -> str:
    return [number for number in till.documents() if number.startswith("LV")][which % 3]


def _some(found: list[Any], which: int) -> list[Any]:
    return [found[which % len(found)]] if found else []


def pay_in_another_way(till: Till, which: int, _: int) -> None:
    match which % 5:
        case 0 | 1:
            till.card((VISA, REFUND_TAKES_DAYS)[which % 2])
        case 2:
            till.card(DECLINED)
        case 3 if till.currency == "EUR":
            till.debit()
        case _:
            till.by_transfer()


def days_pass(till: Till, which: int, _: int) -> None:
    for _day in range((1, 2, 8, 31)[which % 4]):
        till.next_day()
        till.collect_when_due()


def months_pass(till: Till, _which: int, _: int) -> None:
    till.next_day(92)
    till.issue()
    till.collect_when_due()


def credit(till: Till, which: int, part: int) -> None:
    till.credit(_invoice(till, which), (None, (0,), (1,))[part % 3])


def transfer(till: Till, which: int, _: int) -> None:
    till.transferred(_invoice(till, which))


def part_transfer(till: Till, which: int, part: int) -> None:
    """A part of an invoice, exactly what is left of two, or too much; for these, or for the oldest first."""
    named = [number for number in till.documents() if number.startswith("LV")][which % 3 :][:2]
    left = [till[number][1] for number in named]
    shares = [max(1, amount // 2) if part % 3 == 0 else max(1, amount) + 700 * (part % 3 - 1) for amount in left]
    given = tuple(zip(named, shares, strict=True)) if which % 2 else ()
    till.pays(sum(shares), *given, reference=f"E2E {which % 4}", key=(None, "bank-1", "bank-2")[part % 3])


def take_transfer_back(till: Till, which: int, _: int) -> None:
    for each in _some([*till.transfers()], which):
        till.takes_back(each)


def write_off(till: Till, which: int, _: int) -> None:
    till.write_off(_invoice(till, which))


def repay(till: Till, which: int, part: int) -> None:
    number = _one(till.documents(), which)
    record = till.documents()[number]
    most = record.payment.left if record.payment.is_credit_note else till.balance
    till.repay(number, max(1, most // (1 + part % 2)), f"E2E {part}")


def try_again(till: Till, which: int, _: int) -> None:
    till.try_again(_one(till.documents(), which))


def dispute(till: Till, which: int, part: int) -> None:
    for payment in _some(till.objects("payment_intent", "succeeded"), which):
        charge = till.world.stripe.objects["charge"][payment["latest_charge"]]
        taken = sum(each["amount"] for each in till.objects("dispute", "lost") if each["charge"] == charge["id"])
        open_ones = [each for each in till.objects("dispute", "needs_response") if each["charge"] == charge["id"]]
        # A refund that is pending may be refused: the bank has taken the money back by then.
        refunded = sum(each["amount"] for each in till.objects("refund", "succeeded") if each["charge"] == charge["id"])
        left = charge["amount"] - refunded - taken
        amount = left // (1 + part % 2)
        if amount and not open_ones:
            till.world.stripe.dispute(payment["id"], amount)


def close(till: Till, which: int, won: int) -> None:
    for each in _some(till.objects("dispute", "needs_response"), which):
        till.world.stripe.close_dispute(each["id"], won=won % 2 == 0)


def win_after_all(till: Till, which: int, _: int) -> None:
    """A lost dispute is won after all (docs.stripe.com/disputes: the networks allow an arbitration)."""
    for each in _some(till.objects("dispute", "lost"), which):
        each["status"] = "won"


def settle(till: Till, which: int, how: int) -> None:
    for each in _some(till.objects("payment_intent", "processing"), which):
        if how % 3 == 2:
            till.world.stripe.cancel_processing(each["id"])
        else:
            till.world.stripe.settle(each["id"], succeed=how % 3 == 0)


def settle_refund(till: Till, which: int, how: int) -> None:
    succeed = how % 2 == 0
    waiting = ["pending"] if succeed else ["pending", "succeeded"]
    for each in _some([each for each in till.objects("refund") if each["status"] in waiting], which):
        till.world.stripe.settle_refund(each["id"], succeed=succeed)


def hear(till: Till, which: int, _: int) -> None:
    for what in ((till.hear_payments,), (till.hear_refunds,), (till.hear_disputes,), (till.hear,))[which % 4]:
        what()


def pay_by_hand(till: Till, which: int, part: int) -> None:
    if [each for each in till.objects("payment_method") if each["customer"]]:
        till.paid_at_stripe(_invoice(till, which), (10_000, 36_330, 150)[part % 3])


def refund_by_hand(till: Till, which: int, part: int) -> None:
    """Staff refund a payment in Stripe's dashboard, or a part of it."""
    for payment in _some(till.objects("payment_intent", "succeeded"), which):
        charge = till.world.stripe.objects["charge"][payment["latest_charge"]]
        left = charge["amount"] - charge["amount_refunded"]
        disputes = [each for each in till.objects("dispute") if each["charge"] == charge["id"]]
        amount = left // (1 + part % 3) // 10 * 10
        if amount and all(each["status"] == "won" for each in disputes):
            till.refunded_at_stripe(payment["id"], amount)


def take_back(till: Till, which: int, part: int) -> None:
    till.take_back(_invoice(till, which), (1, 2, 12)[part % 3])


STEPS: tuple[Step, ...] = (
    refund_by_hand,
    take_back,
    pay_in_another_way,
    days_pass,
    credit,
    transfer,
    part_transfer,
    part_transfer,
    take_transfer_back,
    take_transfer_back,
    write_off,
    repay,
    try_again,
    dispute,
    close,
    win_after_all,
    settle,
    settle_refund,
    hear,
    pay_by_hand,
    months_pass,
)
STEP = st.tuples(st.sampled_from(STEPS), st.integers(0, 11), st.integers(0, 5))


def take(till: Till, step: Step, which: int, part: int) -> None:
    with suppress(*REFUSED):
        step(till, which, part)


def invoices(till: Till) -> list[InvoiceRecord]:
    return [each for each in till.documents().values() if each.invoice.corrects is None]


def notes(till: Till) -> list[InvoiceRecord]:
    return [each for each in till.documents().values() if each.invoice.corrects is not None]


def books_agree(till: Till) -> None:
    """What must hold at every moment, whatever Stripe has not told yet."""
    assert sum(credit_from(each.payment.entries) for each in invoices(till)) == till.balance - till.given >= -till.given
    amounts = {each["id"]: each["amount"] for each in till.objects("payment_intent", "succeeded")}
    taken_in: dict[str | None, int] = {}
    for record in invoices(till):
        payment, total = record.payment, record.invoice.total.amount
        assert payment.balance >= 0, "what comes in beyond what is owed is credit"
        assert payment.credited_total <= total, "the credit notes of an invoice never exceed it"
        is_charged_back = any(entry.kind is EntryKind.CHARGED_BACK for entry in payment.entries)
        assert payment.left <= total - payment.credited_total or is_charged_back, "more is owed than it says"
        assert payment.paid >= 0
        for entry in payment.entries:
            if entry.kind is EntryKind.CHARGED:
                taken_in[entry.reference] = taken_in.get(entry.reference, 0) + entry.amount
        references = [(e.kind, e.reference) for e in payment.entries if e.kind in {EntryKind.CHARGED, EntryKind.WAIVED}]
        assert len(references) == len({*references}), "an entry twice"
    for reference, amount in taken_in.items():
        assert charged_units(Money(amount, till.currency)) == amounts.get(str(reference)), "not what Stripe has charged"
    # What went back by hand before its credit note is no refund of the note.
    returned = {each.invoice.number: each.payment.owed for each in notes(till)}
    by_note: dict[str | None, int] = {}
    for record in invoices(till):
        for entry in record.payment.entries:
            if entry.kind is EntryKind.RETURNED and entry.payment is not None:
                by_note[entry.reference] = by_note.get(entry.reference, 0) + entry.amount
    assert {number: amount for number, amount in returned.items() if amount} == by_note
    for each in till.documents().values():
        _is_looked_at(each)
    standing = sum(each.amount.amount for each in till.transfers() if each.taken_back is None)
    entries = [entry for each in invoices(till) for entry in each.payment.entries]
    assert sum_of(entries, EntryKind.TRANSFERRED) - sum_of(entries, EntryKind.TRANSFER_TAKEN_BACK) == standing
    nothing_is_forgotten(till.world)


def _is_looked_at(record: InvoiceRecord) -> None:
    payment = record.payment
    if payment.status in {InvoiceStatus.OPEN, InvoiceStatus.IN_TRANSIT}:
        assert payment.next_attempt_on is not None, "open, and nobody looks"
    if payment.status in {InvoiceStatus.PAID, InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE}:
        assert payment.next_attempt_on is None


def stripe_agrees(till: Till) -> None:
    """What must hold once all notices have arrived: Livello knows what Stripe has, and has lost nothing of it."""
    entries = [entry for each in invoices(till) for entry in each.payment.entries]
    at_stripe = sum(_money(till, each) for each in till.objects("payment_intent", "succeeded"))
    assert abs(sum_of(entries, EntryKind.CHARGED) - at_stripe) <= _rounding(till)
    lost = sum(_money(till, each) for each in till.objects("dispute", "lost"))
    taken = sum_of(entries, EntryKind.CHARGED_BACK) - sum_of(entries, EntryKind.CHARGE_BACK_WON)
    assert abs(taken - lost) <= _rounding(till)
    # A refund by hand counts from its beginning on, unless a credit note waits for it.
    begun = {each.reference for each in entries if each.kind in {EntryKind.REFUNDED_OUTSIDE, EntryKind.CREDIT_REFUNDED}}
    counts = [each for each in till.objects("refund", "pending") if each["id"] in begun]
    made = sum(_money(till, each) for each in [*till.objects("refund", "succeeded"), *counts])
    given = [entry for each in notes(till) for entry in each.payment.entries]
    by_hand = sum_of(given, EntryKind.REPAID_BY_HAND)
    by_hand += sum_of(given, EntryKind.SET_OFF)
    waits = sum(each.payment.left for each in notes(till))
    outside = sum_of(entries, EntryKind.REFUNDED_OUTSIDE, EntryKind.CREDIT_REFUNDED)
    outside -= sum_of(entries, EntryKind.REFUND_OUTSIDE_FAILED, EntryKind.CREDIT_REFUND_FAILED)
    refunded = sum(each.payment.owed for each in notes(till)) - by_hand - waits
    assert abs(refunded + outside - made) <= _rounding(till)
    assert sum_of(entries, EntryKind.SET_OFF) == sum_of(given, EntryKind.SET_OFF)
    nobody_owes_both_ways(till)


def nobody_owes_both_ways(till: Till) -> None:
    """What the bank has taken back is not refunded as well, and is not owed while its refund is."""
    documents = till.documents()
    for note in notes(till):
        payment, invoice = str(note.payment.payment_intent_id), documents[str(note.invoice.corrects)].payment
        waits = note.payment.left and not note.payment.is_in_transit and attempt_under_way(note.payment.entries) is None
        if waits and not invoice.is_in_transit and not invoice.has_live_intent:
            assert not min(invoice.balance, charged_back(invoice.entries, payment)), "owed in both directions"


def _money(till: Till, found: Any) -> int:
    return charged_money(found["amount"], till.currency).amount


def _rounding(till: Till) -> int:
    return 0 if till.currency == "EUR" else 10 * len(till.objects("payment_intent"))


def charged_once(till: Till) -> None:
    """Nothing that Livello charged itself was more than was owed."""
    overpaid = [number for number, _ in till.of_kind("overpaid")]
    assert not overpaid, "charged for more than is owed"


@examples(25, deep=2_000)
@given(
    st.sampled_from(["EUR", "KWD"]), st.sampled_from([0, 20, 40]), st.sampled_from([0, 5]), st.lists(STEP, max_size=30)
)
def test_the_books_agree_whatever_happens(
    connection: None, currency: str, rest: int, notice: int, steps: list[tuple[Step, int, int]]
) -> None:
    """Each command, each fact at Stripe and each notice, in any order, early, late and twice."""
    till = opened(currency, rest, notice)
    with_own_charges_only = True
    for step, which, part in steps:
        take(till, step, which, part)
        with_own_charges_only &= step not in {pay_by_hand, win_after_all, part_transfer}
        books_agree(till)
        if with_own_charges_only:
            charged_once(till)
    till.hear()
    till.hear()
    books_agree(till)
    stripe_agrees(till)
    credit_is_traced(till)
    its_end(till)


def opened(currency: str, rest: int, notice: int = 0) -> Till:
    """The company with three invoices; of the first one `rest` is left, which is too small to be charged."""
    till = Till(currency, None if currency == "EUR" else 3_333, issued=False, notice=notice)
    if rest:
        till.set_balance((36_328 if currency == "EUR" else 24_998) - rest)
    till.issue()
    return till


def credit_is_traced(till: Till) -> None:
    """The end of an account gives credit back to where it came from: each part is held by an invoice."""
    with till.world.calm() as world:
        documents = [(each.invoice, each.payment) for each in world.invoicing.documents(ACCOUNT)]
    parts = credit_parts(documents, till.balance, till.day.date())
    assert sum(each.amount for each in parts) == till.balance
    assert sum(each.amount for each in parts if each.number is None) <= till.given


def its_end(till: Till) -> None:
    """With a card that works, each invoice comes to its end by itself, but for what staff are told of."""
    for each in till.objects("dispute", "needs_response"):
        till.world.stripe.close_dispute(each["id"], won=True)
    for each in till.objects("payment_intent", "processing"):
        till.world.stripe.settle(each["id"], succeed=True)
    till.hear()
    till.card(VISA)
    for days in (1, 1, 1, 2, 2, 31):
        till.next_day(days)
        till.collect_when_due()
        for each in till.objects("refund", "pending"):
            till.world.stripe.settle_refund(each["id"], succeed=True)
    till.collect()
    till.hear()
    books_agree(till)
    stripe_agrees(till)
    for record in till.documents().values():
        is_small = record.payment.left < 50
        assert record.payment.status not in {InvoiceStatus.OPEN, InvoiceStatus.IN_TRANSIT} or is_small
    open_ones = [each for each in invoices(till) if each.payment.left]
    assert not (till.balance and open_ones), "credit, and an invoice that it could pay"
