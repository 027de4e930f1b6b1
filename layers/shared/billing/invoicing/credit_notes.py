"""Credit notes: an issued invoice never changes, so what was wrong with it is taken back by another document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from billing.invoicing.dunning import UNPAID, InvoicePayment
from billing.invoicing.invoices import BillingReason, Correction, InvoiceDraft, InvoiceStatus, IssuedInvoice
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.money import Money
from billing.payments.methods import CHARGED


class AlreadyCredited(Conflict):
    """A line is taken back once."""

    code = "already-credited"

    def __init__(self) -> None:
        super().__init__("What is to be credited was credited before.")


class NotCorrectable(Conflict):
    """Some things cannot be taken back, or not now."""

    code = "not-correctable"


@dataclass(frozen=True, slots=True)
class CreditNoteAllocation:
    """What becomes of the money of a credit note, in minor units: what is `waived` of the invoice need not be paid,
    what is `refunded` goes back to where it came from, what is `carried` is taken off the next invoices.

    `payment` is where the invoice stands then.
    """

    pre_payment: int
    refunded: int
    credit_balance: int
    payment: InvoicePayment


def lines_to_credit(invoice: IssuedInvoice, payment: InvoicePayment, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    """Which lines are taken back: those that are wanted, by position, or with None all that were not yet.

    Raises RuleViolation for a position that does not exist or stands twice, AlreadyCredited, NotCorrectable.
    """
    if invoice.corrects is not None:
        raise NotCorrectable("A credit note is not corrected: issue what is right by another invoice.")
    if payment.status is InvoiceStatus.IN_TRANSIT:
        raise NotCorrectable("Its payment is on its way. Wait until it has arrived, or failed.")
    known = range(len(invoice.draft.lines))
    credited = {position for position, _ in payment.credited}
    if wanted is None:
        wanted = tuple(position for position in known if position not in credited)
    for place, position in enumerate(wanted):
        if position not in known:
            raise RuleViolation(Violation(("lines", place), f"The invoice has the lines 0 to {len(known) - 1}."))
        if position in wanted[:place]:
            raise RuleViolation(Violation(("lines", place), "This line stands here twice."))
    if not wanted or credited & {*wanted}:
        raise AlreadyCredited
    return wanted


def credit_note_draft(invoice: IssuedInvoice, payment: InvoicePayment, lines: tuple[int, ...]) -> InvoiceDraft:
    """What a credit note of these lines says; its amounts are below zero.

    All credit notes of an invoice together come to exactly what it says, tax included. Raises RuleViolation where
    discounts make the lines less than nothing.
    """
    draft = invoice.draft
    before = frozenset(position for position, _ in payment.credited)
    taken = tuple(
        replace(draft.lines[position], net=_negative(draft.lines[position].net)) for position in sorted(lines)
    )
    net = sum(line.net.amount for line in taken)
    tax = _tax_on(invoice, before) - _tax_on(invoice, before | {*lines})
    if net + tax > 0:
        raise RuleViolation(Violation(("lines",), "Together these lines come to less than nothing."))
    currency = draft.total.currency
    nothing = Money(0, currency)
    return InvoiceDraft(
        occasion=BillingReason.CORRECTION,
        since=draft.since,
        until=draft.until,
        lines=taken,
        net=Money(net, currency),
        tax=draft.tax,
        tax_amount=Money(tax, currency),
        total=Money(net + tax, currency),
        credit=nothing,
        due=nothing,
    )


def allocate(
    invoice: IssuedInvoice, payment: InvoicePayment, correction: Correction, credit_note: str, total: int, today: date
) -> CreditNoteAllocation:
    """What becomes of the money of a credit note over `total`, in minor units above zero.

    What is not paid need not be; what was charged is refunded; the rest, such as what was paid with credit, is carried.
    """
    credited = (*payment.credited, *((position, credit_note) for position in correction.lines))
    whole = len(credited) == len(invoice.draft.lines)
    charged = invoice.draft.due.amount - payment.waived
    if payment.status in UNPAID:
        waived = min(total, charged)
        standing = replace(payment, waived=payment.waived + waived, credited=credited, payment_intent_id=None)
        if whole or waived == charged:
            standing = replace(
                standing,
                status=InvoiceStatus.VOID if whole else InvoiceStatus.PAID,
                paid_on=None if whole else today,
                next_attempt_on=None,
                failure=None,
            )
        return CreditNoteAllocation(waived, 0, total - waived, standing)
    refundable = 0
    if payment.method in CHARGED and payment.payment_intent_id is not None:
        refundable = charged - payment.refunded
    refunded = min(total, refundable)
    standing = replace(payment, refunded=payment.refunded + refunded, credited=credited)
    return CreditNoteAllocation(0, refunded, total - refunded, standing)


def _tax_on(invoice: IssuedInvoice, lines: frozenset[int]) -> int:
    """The tax on some lines; on all of them it is the invoice's own.

    An invoice whose tax was rounded half to even is taken back as it was rounded. Its parts would come to more than it
    says otherwise.
    """
    draft = invoice.draft
    if len(lines) == len(draft.lines):
        return draft.tax_amount.amount
    net = sum(draft.lines[position].net.amount for position in lines)
    is_new = draft.tax.of(draft.net.amount) == draft.tax_amount.amount
    return draft.tax.of(net) if is_new else draft.tax.of_half_even(net)


def _negative(money: Money) -> Money:
    return Money(-money.amount, money.currency)
