"""Credit notes: an issued invoice never changes; a credit note takes back all or some of its lines (DESIGN 3.3.7).

The money of a credit note goes one way: cancelled, refunded, or to the credit balance (DESIGN 3.3.8).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from billing.invoicing.dunning import UNPAID, InvoicePayment
from billing.invoicing.invoices import BillingReason, Correction, InvoiceDraft, InvoiceStatus, IssuedInvoice
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.money import Money
from billing.payments.methods import CHARGED


class AlreadyCredited(Conflict):
    """A line was credited before: a line is credited once."""

    code = "already-credited"

    def __init__(self) -> None:
        super().__init__("What is to be credited was credited before.")


class NotCorrectable(Conflict):
    """The invoice is itself a credit note, or its payment is in transit."""

    code = "not-correctable"


@dataclass(frozen=True, slots=True)
class CreditNoteAllocation:
    """How the total of a credit note is divided, in minor units.

    `pre_payment` reduces what is still to be paid, `refunded` goes back to the payment method, `credit_balance` is
    taken off the next invoices. `payment` is the new state of the corrected invoice's payment.
    """

    pre_payment: int
    refunded: int
    credit_balance: int
    payment: InvoicePayment


def lines_to_credit(
    invoice: IssuedInvoice, payment: InvoicePayment, requested: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The positions of the lines to credit: the requested ones, or with None all that are not credited yet.

    Raises RuleViolation for a position that does not exist or is named twice, AlreadyCredited, NotCorrectable.
    """
    if invoice.corrects is not None:
        raise NotCorrectable("A credit note is not corrected: issue what is right by another invoice.")
    if payment.status is InvoiceStatus.IN_TRANSIT:
        raise NotCorrectable("Its payment is on its way. Wait until it has arrived, or failed.")
    positions = range(len(invoice.draft.lines))
    credited = {position for position, _ in payment.credited}
    if requested is None:
        requested = tuple(position for position in positions if position not in credited)
    for place, position in enumerate(requested):
        if position not in positions:
            raise RuleViolation(Violation(("lines", place), f"The invoice has the lines 0 to {len(positions) - 1}."))
        if position in requested[:place]:
            raise RuleViolation(Violation(("lines", place), "This line stands here twice."))
    if not requested or credited & {*requested}:
        raise AlreadyCredited
    return requested


def credit_note_draft(invoice: IssuedInvoice, payment: InvoicePayment, lines: tuple[int, ...]) -> InvoiceDraft:
    """The draft of a credit note of the lines at these positions; its amounts are negative.

    The credit notes of all lines of an invoice add up to its total, tax included. Raises RuleViolation where discounts
    make the sum of the lines negative.
    """
    draft = invoice.draft
    credited = frozenset(position for position, _ in payment.credited)
    reversed_lines = tuple(
        replace(draft.lines[position], net=_negative(draft.lines[position].net)) for position in sorted(lines)
    )
    net = sum(line.net.amount for line in reversed_lines)
    tax = _tax_on(invoice, credited) - _tax_on(invoice, credited | {*lines})
    if net + tax > 0:
        raise RuleViolation(Violation(("lines",), "Together these lines come to less than nothing."))
    currency = draft.total.currency
    zero = Money(0, currency)
    return InvoiceDraft(
        occasion=BillingReason.CORRECTION,
        since=draft.since,
        until=draft.until,
        lines=reversed_lines,
        net=Money(net, currency),
        tax=draft.tax,
        tax_amount=Money(tax, currency),
        total=Money(net + tax, currency),
        credit=zero,
        due=zero,
        tax_point=draft.tax_point or invoice.produced_on,
    )


def allocate(
    invoice: IssuedInvoice, payment: InvoicePayment, correction: Correction, credit_note: str, total: int, today: date
) -> CreditNoteAllocation:
    """Divides the `total` of a credit note, in minor units above zero.

    The unpaid part is cancelled, the charged part is refunded, and the rest goes to the credit balance, such as what
    was paid by transfer or with earlier credit. An invoice credited wholly before it is paid is void.
    """
    credited = (*payment.credited, *((position, credit_note) for position in correction.lines))
    is_whole = len(credited) == len(invoice.draft.lines)
    charged = invoice.draft.due.amount - payment.waived
    if payment.status in UNPAID:
        waived = min(total, charged)
        updated = replace(payment, waived=payment.waived + waived, credited=credited, payment_intent_id=None)
        if is_whole or waived == charged:
            updated = replace(
                updated,
                status=InvoiceStatus.VOID if is_whole else InvoiceStatus.PAID,
                paid_on=None if is_whole else today,
                next_attempt_on=None,
                failure=None,
            )
        return CreditNoteAllocation(waived, 0, total - waived, updated)
    refundable = 0
    if payment.method in CHARGED and payment.payment_intent_id is not None:
        refundable = charged - payment.refunded
    refunded = min(total, refundable)
    updated = replace(payment, refunded=payment.refunded + refunded, credited=credited)
    return CreditNoteAllocation(0, refunded, total - refunded, updated)


def _tax_on(invoice: IssuedInvoice, lines: frozenset[int]) -> int:
    """The tax on the lines at these positions, in minor units; on all of them it is the invoice's own.

    The first invoices were rounded half to even. Their credit notes are rounded in the same way: otherwise the parts
    could add up to more than the whole.
    """
    draft = invoice.draft
    if len(lines) == len(draft.lines):
        return draft.tax_amount.amount
    net = sum(draft.lines[position].net.amount for position in lines)
    is_half_up = draft.tax.of(draft.net.amount) == draft.tax_amount.amount
    return draft.tax.of(net) if is_half_up else draft.tax.of_half_even(net)


def _negative(money: Money) -> Money:
    return Money(-money.amount, money.currency)
