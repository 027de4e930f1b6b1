"""The money of an invoice as entries: nothing is lost and nothing is credited twice, in any order of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from billing.invoicing.apply_credit import apply_credit
from billing.invoicing.credit_notes import (
    AlreadyCredited,
    NotCorrectable,
    allocate,
    credit_note_draft,
    lines_to_credit,
)
from billing.invoicing.dunning import InvoicePayment, initial_payment, transferred_by
from billing.invoicing.entries import (
    Entry,
    EntryKind,
    overpaid,
    received,
    refundable,
    refundable_of,
    refunded_outside,
    sum_of,
)
from billing.invoicing.invoices import Correction, InvoiceStatus, IssuedInvoice
from billing.invoicing.records import InvoiceRecord
from billing.invoicing.transfers import after_transfer
from billing.kernel.errors import RuleViolation
from billing.kernel.money import Money
from billing.payments.methods import Method
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.samples import STARTS, invoice

TODAY = date(2026, 5, 4)


def of_lines(*nets: int, whole: int = 0, credit: int = 0) -> IssuedInvoice:
    """An invoice of products with these net amounts, and with `whole` taken off all of them."""
    sample = invoice(len(nets), whole=True)
    amounts = [*nets, -whole]
    lines = tuple(replace(line, net=Money(net, "EUR")) for line, net in zip(sample.draft.lines, amounts, strict=True))
    net = sum(amounts)
    tax = sample.draft.tax.of(net)
    draft = replace(
        sample.draft,
        lines=lines,
        net=Money(net, "EUR"),
        tax_amount=Money(tax, "EUR"),
        total=Money(net + tax, "EUR"),
        credit=Money(credit, "EUR"),
        due=Money(net + tax - credit, "EUR"),
    )
    return replace(sample, draft=draft)


def charged(payment: InvoicePayment, amount: int, intent: str = "pi_1") -> InvoicePayment:
    entry = Entry(EntryKind.CHARGED, amount, TODAY, intent)
    return replace(payment, method=Method.CARD, payment_intent_id=intent).with_entries(entry)


def credited(issued: IssuedInvoice, payment: InvoicePayment, lines: tuple[int, ...] | None, note: str) -> Any:
    positions = lines_to_credit(issued, payment, lines)
    total = -credit_note_draft(issued, payment, positions).total.amount
    return allocate(issued, payment, Correction("", STARTS, positions, "wrong"), note, total, TODAY)


def test_each_line_is_credited_with_its_share_of_what_is_taken_off_the_whole() -> None:
    """M12: 50 % off the whole; 49.00 and 79.00 less 64.00, with tax 80.00."""
    issued = of_lines(4_900, 7_900, whole=6_400)
    payment = initial_payment(issued, issued.produced_on)

    first = credited(issued, payment, (0,), "CN-1")
    second = credited(issued, first.payment, (1,), "CN-2")

    assert issued.draft.total.amount == 8_000
    assert (first.pre_payment, second.pre_payment) == (3_063, 4_937)
    assert (first.credit_balance, second.credit_balance) == (0, 0)
    assert second.payment.status is InvoiceStatus.VOID
    assert [position for position, _ in second.payment.credited] == [0, 1, 2]


def test_what_is_taken_off_the_whole_is_not_credited_apart_from_the_lines() -> None:
    issued = of_lines(4_900, 7_900, whole=6_400)

    with pytest.raises(RuleViolation):
        credited(issued, initial_payment(issued, issued.produced_on), (0, 2), "CN-1")


def test_a_charge_back_is_owed_again_and_a_won_one_pays() -> None:
    issued = of_lines(10_000)
    paid = charged(initial_payment(issued, issued.produced_on), 12_500)

    lost = paid.with_entries(Entry(EntryKind.CHARGED_BACK, 5_000, TODAY, "du_1", "pi_1"))
    won = lost.with_entries(Entry(EntryKind.CHARGE_BACK_WON, 5_000, TODAY, "du_1", "pi_1"))

    assert (paid.left, paid.status) == (0, InvoiceStatus.PAID)
    assert (lost.left, lost.status, lost.paid_on) == (5_000, InvoiceStatus.OPEN, None)
    assert (won.left, won.status) == (0, InvoiceStatus.PAID)


def test_a_payment_is_not_refunded_while_another_dispute_of_it_is_open() -> None:
    issued = of_lines(10_000)
    paid = charged(initial_payment(issued, issued.produced_on), 12_500)
    first = paid.with_entries(
        Entry(EntryKind.DISPUTED, 5_000, TODAY, "du_1", "pi_1"),
        Entry(EntryKind.DISPUTE_CLOSED, 5_000, TODAY, "du_1", "pi_1"),
    )

    second = first.with_entries(Entry(EntryKind.DISPUTED, 5_000, TODAY, "du_2", "pi_1"))

    assert (refundable(first.entries), refundable(second.entries)) == (("pi_1", 12_500), None)


def test_money_for_a_settled_invoice_is_credit() -> None:
    issued = of_lines(10_000)
    opened = initial_payment(issued, issued.produced_on)
    by_transfer = after_transfer(opened, opened.left, TODAY, "4711", is_awaited=True)

    twice = charged(by_transfer, 12_500)

    assert (twice.status, twice.left, twice.credit) == (InvoiceStatus.PAID, 0, 12_500)


def test_a_doubled_payment_that_was_refunded_outside_leaves_the_other_refundable() -> None:
    issued = of_lines(10_000)
    paid = charged(initial_payment(issued, issued.produced_on), 12_500)
    twice = charged(paid, 12_500, "pi_2")
    assert (twice.credit, overpaid(twice.entries, "pi_2"), overpaid(twice.entries, "pi_1")) == (12_500, 12_500, 0)

    refunded = twice.with_entries(Entry(EntryKind.CREDIT_REFUNDED, 12_500, TODAY, "re_1", "pi_2"))
    failed = refunded.with_entries(Entry(EntryKind.CREDIT_REFUND_FAILED, 12_500, TODAY, "re_1", "pi_2"))

    assert (refunded.credit, refunded.left, refundable(refunded.entries)) == (0, 0, ("pi_1", 12_500))
    assert (failed.credit, overpaid(failed.entries, "pi_2")) == (12_500, 12_500)


def test_a_refund_outside_is_counted_by_the_next_credit_note_once() -> None:
    issued = of_lines(10_000, 10_000)
    paid = charged(initial_payment(issued, issued.produced_on), 25_000)
    outside = paid.with_entries(Entry(EntryKind.REFUNDED_OUTSIDE, 15_000, TODAY, "re_1", "pi_1"))

    first = credited(issued, outside, (0,), "CN-1")
    second = credited(issued, first.payment, (1,), "CN-2")

    assert (outside.left, outside.refunded, outside.status) == (0, 15_000, InvoiceStatus.PAID)
    assert (first.refunded_before, first.refunded, first.refunded_payment) == (12_500, 0, None)
    assert (second.refunded_before, second.refunded, second.refunded_payment) == (2_500, 10_000, "pi_1")
    assert (second.payment.refunded, second.payment.credit) == (25_000, 0)


def test_what_is_written_off_is_paid_by_money_that_arrives_nevertheless() -> None:
    issued = of_lines(10_000)
    written_off = initial_payment(issued, issued.produced_on).with_entries(
        Entry(EntryKind.WRITTEN_OFF, 12_500, TODAY, "staff")
    )

    paid = charged(written_off, 12_500)

    assert (written_off.status, written_off.left, written_off.next_attempt_on) == (
        InvoiceStatus.UNCOLLECTIBLE,
        0,
        None,
    )
    assert (paid.status, paid.credit) == (InvoiceStatus.PAID, 0)


def test_credit_pays_the_oldest_first_and_leaves_a_live_charge_alone() -> None:
    records = [
        InvoiceRecord(
            replace(of_lines(net).summary, number=f"LV-{net}"),
            initial_payment(of_lines(net), (of_lines(net)).produced_on),
            1,
            None,
        )
        for net in (1_000, 2_000, 4_000)
    ]
    records[0] = replace(records[0], payment=replace(records[0].payment, payment_intent_id="pi_1"))

    changes = apply_credit(Money(3_000, "EUR"), records, TODAY)

    assert [(each.record.invoice.number, -each.credit, each.payment.left) for each in changes] == [
        ("LV-2000", 2_500, 0),
        ("LV-4000", 500, 4_500),
    ]


def test_a_transfer_that_is_agreed_later_has_its_whole_term() -> None:
    issued = of_lines(1_000).summary

    assert transferred_by(issued, None, 14) == issued.due_on
    assert transferred_by(issued, issued.produced_on, 14) == issued.due_on
    assert transferred_by(issued, date(2026, 5, 20), 14) == date(2026, 6, 3)


@given(
    st.lists(st.integers(1, 50_000), min_size=1, max_size=4),
    st.floats(0, 0.9),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.floats(0, 1)), max_size=12),
)
def test_money_is_conserved_whatever_happens(
    nets: list[int], off: float, share: float, history: list[tuple[int, int, float]]
) -> None:
    """Σ in = what the invoice is worth and got + what went back + credit; nothing is ever below zero."""
    issued = of_lines(*nets, whole=int(sum(nets) * off))
    credit_used = int(issued.draft.total.amount * share)
    issued = of_lines(*nets, whole=int(sum(nets) * off), credit=credit_used)
    payment, arrived = initial_payment(issued, issued.produced_on), 0
    for step, (what, line, part) in enumerate(history):
        day = TODAY + timedelta(days=step)
        known = received(payment.entries)
        if what in {0, 1}:
            amount = payment.left if what else 1 + int(issued.draft.total.amount * part)
            payment = charged(payment, amount, f"pi_{step}") if amount else payment
            arrived += amount
        elif what == 2 and known > 0:
            taken = int(known * part)
            payment = payment.with_entries(Entry(EntryKind.CHARGED_BACK, taken, day, f"du_{step}", "pi_0"))
            arrived -= taken
        elif what == 3 and payment.left:
            payment = payment.with_entries(Entry(EntryKind.WRITTEN_OFF, payment.left, day, "staff"))
        elif what == 4 and payment.left:
            payment = payment.with_entries(Entry(EntryKind.CREDIT_APPLIED, int(payment.left * part), day))
        elif what == 7:
            outside = int(refundable_of(payment.entries, f"pi_{line}") * part)
            refunded = Entry(EntryKind.REFUNDED_OUTSIDE, outside, day, f"re_{step}", f"pi_{line}")
            payment = payment.with_entries(refunded)
        else:
            before = payment
            try:
                money = credited(issued, payment, None if what == 6 else (line,), f"CN-{step}")
            except (AlreadyCredited, NotCorrectable, RuleViolation):
                continue
            payment = money.payment
            gained = money.refunded + money.credit_balance
            assert min(money.pre_payment, money.refunded, money.credit_balance, money.refunded_before) >= 0
            assert money.refunded_before <= refunded_outside(before.entries), "counted once"
            source = money.refunded_payment
            assert source is None or money.refunded <= refundable_of(before.entries, source), "refunded twice"
            assert gained <= max(0, received(before.entries)) + sum_of(before.entries, EntryKind.CREDIT_APPLIED)
        entries = payment.entries
        assert min([each.amount for each in entries], default=0) >= 0
        assert payment.credited_total <= issued.draft.total.amount, "never more credited than invoiced"
        assert payment.balance >= 0, "what comes in beyond what is owed is credit"
        assert payment.balance == payment.owed - payment.waived - sum_of(entries, EntryKind.CREDIT_APPLIED) - received(
            entries
        ) + sum_of(entries, EntryKind.OVERPAID)
        assert received(entries) == arrived
        assert (payment.paid_on is not None) == (payment.status is InvoiceStatus.PAID)
        assert 0 <= payment.left <= payment.balance
