"""Credit notes: an issued invoice never changes; a credit note takes back all or some of its lines (DESIGN 3.3.7).

The money of a credit note goes one way: cancelled, refunded, or to the credit balance (DESIGN 3.3.8).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, refundable, sum_of
from billing.invoicing.exchange_rates.rules import SellerTax
from billing.invoicing.invoices import BillingReason, Correction, InvoiceDraft, InvoiceStatus, IssuedInvoice
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.money import Money


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

    `pre_payment` reduces what is still to be paid, `refunded` goes back through the payment `refunded_payment`,
    `credit_balance` is taken off the next invoices. `payment` is the new state of the corrected invoice's payment.
    """

    pre_payment: int
    refunded: int
    credit_balance: int
    payment: InvoicePayment
    refunded_payment: str | None = None


def lines_to_credit(
    invoice: IssuedInvoice, payment: InvoicePayment, requested: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The positions of the lines to credit: the requested ones, or with None all that are not credited yet.

    What is taken off the whole goes back in shares with the products' lines, so it cannot be requested alone; with the
    last product's line it is credited too. Raises RuleViolation for a position that does not exist, is named twice, or
    is such a discount; AlreadyCredited; NotCorrectable.
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
    on_the_whole = {position for position in positions if invoice.draft.lines[position].product is None}
    if credited | {*requested} | on_the_whole == {*positions}:
        return tuple(sorted({*requested} | (on_the_whole - credited)))
    for place, position in enumerate(requested):
        if position in on_the_whole:
            reason = "What is taken off the whole goes back with the other lines: each has its share."
            raise RuleViolation(Violation(("lines", place), reason))
    return requested


def credit_note_draft(invoice: IssuedInvoice, payment: InvoicePayment, lines: tuple[int, ...]) -> InvoiceDraft:
    """The draft of a credit note of the lines at these positions; its amounts are negative.

    Each line has its share of what is taken off the whole. The credit notes of all lines of an invoice add up to its
    total, tax included. Raises RuleViolation where discounts make the sum of the lines negative.
    """
    draft = invoice.draft
    net_before = payment.credited_net
    net_after = net_of(invoice, {position for position, _ in payment.credited} | {*lines})
    net = net_before - net_after
    tax_before, tax_after = tax_on(invoice, net_before), tax_on(invoice, net_after)
    tax = tax_before - tax_after
    products = [draft.lines[position] for position in sorted(lines) if draft.lines[position].product is not None]
    reversed_lines = [replace(line, net=_negative(line.net)) for line in products]
    currency = draft.total.currency
    share = net - sum(line.net.amount for line in reversed_lines)
    if share:
        on_the_whole = [line for line in draft.lines if line.product is None]
        steps = tuple(step for line in on_the_whole for step in line.steps)
        reversed_lines += [replace(line, steps=steps, net=Money(share, currency)) for line in on_the_whole[:1]]
    if not products or net + tax > 0:
        raise RuleViolation(Violation(("lines",), "Together these lines come to less than nothing."))
    zero = Money(0, currency)
    return InvoiceDraft(
        occasion=BillingReason.CORRECTION,
        since=draft.since,
        until=draft.until,
        lines=tuple(reversed_lines),
        net=Money(net, currency),
        tax=draft.tax,
        tax_amount=Money(tax, currency),
        total=Money(net + tax, currency),
        credit=zero,
        due=zero,
        tax_point=draft.tax_point or invoice.produced_on,
        seller_tax=seller_tax_between(invoice, tax_before, tax_after),
    )


def allocate(
    invoice: IssuedInvoice, payment: InvoicePayment, correction: Correction, credit_note: str, total: int, today: date
) -> CreditNoteAllocation:
    """Divides the `total` of a credit note, in minor units, at least 0.

    The unpaid part is cancelled, the charged part is refunded, and the rest goes to the credit balance, such as what
    was paid by transfer or with earlier credit. An invoice credited wholly before it is paid is void.
    """
    credited = (*payment.credited, *((position, credit_note) for position in correction.lines))
    updated = replace(payment, credited=credited, credited_net=net_of(invoice, {position for position, _ in credited}))
    waived = min(total, max(0, payment.balance))
    if waived:
        updated = replace(updated, payment_intent_id=None, allocations=())
    source, most = refundable(payment.entries) or (None, 0)
    refunded = min(total - waived, most)
    carried = total - waived - refunded
    updated = updated.with_entries(
        Entry(EntryKind.WAIVED, waived, today, credit_note),
        Entry(EntryKind.RETURNED, refunded, today, credit_note, source),
        Entry(EntryKind.CARRIED, carried, today, credit_note),
    )
    return CreditNoteAllocation(waived, refunded, carried, updated, source if refunded else None)


@dataclass(frozen=True, slots=True)
class CreditOutcome:
    """What became of the money of a credit note, in minor units: see CreditNoteAllocation."""

    waived: int
    refunded: int
    carried: int


def credit_outcome(corrected: InvoicePayment, credit_note: IssuedInvoice) -> CreditOutcome | None:
    """What a credit note has done with its money, by the entries of the invoice that it corrects.

    None where the entries do not say: several credit notes of the first milestone are one entry.
    """
    entries = [each for each in corrected.entries if each.reference == credit_note.number]
    outcome = CreditOutcome(
        sum_of(entries, EntryKind.WAIVED), sum_of(entries, EntryKind.RETURNED), sum_of(entries, EntryKind.CARRIED)
    )
    total = outcome.waived + outcome.refunded + outcome.carried
    return outcome if total == -credit_note.draft.total.amount else None


def net_of(invoice: IssuedInvoice, positions: AbstractSet[int]) -> int:
    """What the lines at these positions come to before tax, in minor units, with their share of what is taken off the
    whole. The share of some lines is rounded as one, so that all lines together have the whole of it.
    """
    lines = invoice.draft.lines
    on_the_whole = sum(line.net.amount for line in lines if line.product is None)
    products = sum(line.net.amount for line in lines if line.product is not None)
    net = sum(lines[position].net.amount for position in positions if lines[position].product is not None)
    if net == products:
        return net + on_the_whole
    return net + (0 if products <= 0 else round(Fraction(on_the_whole * net, products)))


def tax_on(invoice: IssuedInvoice, net: int) -> int:
    """The tax on a part of an invoice, in minor units; on all of it, it is the invoice's own.

    The first invoices were rounded half to even. Their credit notes are rounded in the same way: otherwise the parts
    could add up to more than the whole.
    """
    draft = invoice.draft
    if net == draft.net.amount:
        return draft.tax_amount.amount
    is_half_up = draft.tax.of(draft.net.amount) == draft.tax_amount.amount
    return draft.tax.of(net) if is_half_up else draft.tax.of_half_even(net)


def seller_tax_between(invoice: IssuedInvoice, before: int, after: int) -> SellerTax | None:
    """The tax of a credit note in the seller's currency, below zero, at the rate of its invoice; None without tax.

    `before` and `after` are the invoice's tax, in minor units, that is credited without and with it. So the credit
    notes of all lines add up to what the invoice says, in this currency too.
    """
    of_invoice = invoice.draft.seller_tax
    if of_invoice is None or before == after:
        return None
    currency = of_invoice.amount.currency
    credited = [of_invoice.rate.convert(Money(tax, invoice.draft.total.currency), currency) for tax in (before, after)]
    return replace(of_invoice, amount=Money(credited[0].amount - credited[1].amount, currency))


def _negative(money: Money) -> Money:
    return Money(-money.amount, money.currency)
