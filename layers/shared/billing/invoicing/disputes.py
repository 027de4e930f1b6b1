"""What a dispute does to an invoice's money, step by step (DESIGN 3.3.10)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date

from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, attempt_under_way, charged_back
from billing.payments.methods import DisputeState


def dispute_steps(state: DisputeState, known: AbstractSet[EntryKind]) -> list[EntryKind]:
    """The entries that a dispute in this state still lacks. One that is won before it is lost has taken nothing."""
    if state is DisputeState.OPEN:
        steps = [EntryKind.DISPUTED]
    elif state is DisputeState.LOST:
        steps = [EntryKind.DISPUTED, EntryKind.CHARGED_BACK]
    elif EntryKind.CHARGED_BACK in known:
        steps = [EntryKind.CHARGE_BACK_WON]
    else:
        steps = [EntryKind.DISPUTE_CLOSED] if EntryKind.DISPUTED in known else []
    return [each for each in steps if each not in known]


@dataclass(frozen=True, slots=True)
class SetOff:
    """The money of a credit note and of its invoice after the refund of the one was set off with a charge-back of the
    other. `amount` is in minor units."""

    credit_note: InvoicePayment
    invoice: InvoicePayment
    amount: int


def set_off(credit_note: tuple[str, InvoicePayment], invoice: tuple[str, InvoicePayment], today: date) -> SetOff | None:
    """Sets off what a credit note has yet to refund with what the bank has taken back of the same payment.

    The customer has that money already, and owes it as little as the vendor does. Both are given with their numbers.
    None where nothing is to be set off: a refund that is under way may still succeed, and so may a charge of the
    invoice; then the customer would have the money twice, or have paid again.
    """
    (note_number, note), (number, payment) = credit_note, invoice
    refunded = note.payment_intent_id
    is_moving = note.is_in_transit or payment.is_in_transit or attempt_under_way(note.entries) is not None
    if refunded is None or is_moving or payment.has_live_intent:
        return None
    amount = min(note.left, payment.balance, charged_back(payment.entries, refunded))
    if amount <= 0:
        return None
    of_note = Entry(EntryKind.SET_OFF, amount, today, number)
    of_invoice = Entry(EntryKind.SET_OFF, amount, today, note_number, refunded)
    return SetOff(note.with_entries(of_note), payment.with_entries(of_invoice), amount)
