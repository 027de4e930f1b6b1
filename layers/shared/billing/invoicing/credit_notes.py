"""Credit notes: an issued invoice never changes; a credit note takes back all or some of it (DESIGN 3.3.7).

Staff take back lines. A run of invoicing takes back what a paid period does not owe any more (decision 0018).

The money of a credit note goes one way: cancelled, refunded, or to the credit balance (DESIGN 3.3.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, refundable, refunded_outside, sum_of
from billing.invoicing.exchange_rates.rules import SellerTax
from billing.invoicing.invoices import BillingReason, Correction, InvoiceDraft, InvoiceStatus, IssuedInvoice
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money, charged_units
from billing.subscriptions.pricing import InvoiceLine


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
    `refunded_before` went back before, by a refund that staff made at the payment service itself, and `credit_balance`
    is taken off the next invoices. `payment` is the new state of the corrected invoice's payment.
    """

    pre_payment: int
    refunded: int
    credit_balance: int
    payment: InvoicePayment
    refunded_payment: str | None = None
    refunded_before: int = 0


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
    if payment.taken_back and creditable(invoice, payment) <= 0:
        raise AlreadyCredited
    if requested is None:
        requested = tuple(position for position in positions if position not in credited)
    for place, position in enumerate(requested):
        if position not in positions:
            raise RuleViolation(
                Violation(
                    ("lines", place),
                    f"The invoice has the lines 0 to {len(positions) - 1}.",
                    FieldCode.UNKNOWN,
                    {"min": 0, "max": len(positions) - 1},
                )
            )
        if position in requested[:place]:
            raise RuleViolation(Violation(("lines", place), "This line stands here twice.", FieldCode.DUPLICATE))
    if not requested or credited & {*requested}:
        raise AlreadyCredited
    on_the_whole = {position for position in positions if invoice.draft.lines[position].product is None}
    if credited | {*requested} | on_the_whole == {*positions}:
        return tuple(sorted({*requested} | (on_the_whole - credited)))
    for place, position in enumerate(requested):
        if position in on_the_whole:
            reason = "What is taken off the whole goes back with the other lines: each has its share."
            raise RuleViolation(Violation(("lines", place), reason, FieldCode.UNSUPPORTED))
    return requested


def credit_note_draft(invoice: IssuedInvoice, payment: InvoicePayment, lines: tuple[int, ...]) -> InvoiceDraft:
    """The draft of a credit note of what is left of the lines at these positions; its amounts are negative.

    Each line has its share of what is taken off the whole. The credit notes of an invoice never exceed its total, and
    those of all of its lines add up to it, tax included. Raises AlreadyCredited where nothing is left of these lines;
    RuleViolation where discounts make their sum negative.
    """
    net = payment.credited_net - _credited_net(invoice, payment, {*lines})
    remaining = _lines_left(invoice, payment)
    products = [remaining[position] for position in sorted(lines) if remaining[position].product is not None]
    reversed_lines = [replace(line, net=_negative(line.net)) for line in products]
    currency = invoice.draft.total.currency
    share = net - sum(line.net.amount for line in reversed_lines)
    if share:
        on_the_whole = [line for line in remaining if line.product is None]
        steps = tuple(step for line in on_the_whole for step in line.steps)
        if on_the_whole:
            reversed_lines.append(replace(on_the_whole[0], steps=steps, net=Money(share, currency)))
        elif reversed_lines:
            last = reversed_lines[-1]
            reversed_lines[-1] = replace(last, net=Money(last.net.amount + share, currency))
    if payment.taken_back and net == 0:
        raise AlreadyCredited
    draft = _reversed_draft(invoice, payment, BillingReason.CORRECTION, tuple(reversed_lines), net)
    if not products or draft.total.amount > 0:
        raise RuleViolation(
            Violation(("lines",), "Together these lines come to less than nothing.", FieldCode.TOO_SMALL, {"min": 0})
        )
    return draft


def creditable(invoice: IssuedInvoice, payment: InvoicePayment) -> int:
    """What credit notes have left of an invoice before tax, in minor units."""
    return invoice.draft.net.amount - payment.credited_net


def creditable_of_months(invoice: IssuedInvoice, payment: InvoicePayment) -> int:
    """What credit notes have left of an invoice before tax for its contract months: its one-off charges are left out.

    Those have their share of what is taken off the whole. In minor units.
    """
    credited = {position for position, _ in payment.credited}
    lines = _lines_left(invoice, payment)
    charges = {
        position
        for position, line in enumerate(lines)
        if line.one_off is not None and line.product is not None and position not in credited
    }
    return creditable(invoice, payment) - _net_of(lines, charges)


def within(lines: Sequence[InvoiceLine], most: int) -> tuple[InvoiceLine, ...]:
    """What a credit note that takes back at most `most`, in minor units, has of lines that come to less than nothing.

    What is owed more nets with what is owed less in the first credit note; the next ones take back the rest.
    """
    room = most + sum(max(0, line.net.amount) for line in lines)
    found = []
    for line in lines:
        net = line.net.amount
        if net < 0:
            net = -min(-net, room)
            room += net
        if net:
            found.append(replace(line, net=Money(net, line.net.currency)))
    return tuple(found)


def taken_back_draft(
    invoice: IssuedInvoice, payment: InvoicePayment, since: date, lines: tuple[InvoiceLine, ...]
) -> InvoiceDraft:
    """The draft of a credit note of lines that a paid period does not owe from `since` on; they come to less than zero.

    It keeps the tax and the tax point of the invoice that it names. `lines` must be within what is creditable.
    """
    net = sum(line.net.amount for line in lines)
    draft = _reversed_draft(invoice, payment, BillingReason.TIER_CHANGE, lines, net)
    return replace(draft, since=max(since, draft.since))


def allocate(
    invoice: IssuedInvoice, payment: InvoicePayment, correction: Correction, credit_note: str, total: int, today: date
) -> CreditNoteAllocation:
    """Divides the `total` of a credit note, in minor units, at least 0.

    The unpaid part is cancelled, what was refunded without a credit note is explained, the charged part is refunded,
    and the rest goes to the credit balance, such as what was paid by transfer or with earlier credit. An invoice
    credited wholly before it is paid is void.
    """
    credited = (*payment.credited, *((position, credit_note) for position in correction.lines))
    credited_net = _credited_net(invoice, payment, {*correction.lines})
    divided = _divided(
        replace(payment, credited=credited, credited_net=credited_net),
        Money(-total, invoice.draft.total.currency),
        credit_note,
        today,
    )
    if not divided.pre_payment:
        return divided
    return replace(divided, payment=divided.payment.without_intent())


def allocate_taken_back(
    invoice: IssuedInvoice, payment: InvoicePayment, draft: InvoiceDraft, credit_note: str, today: date
) -> CreditNoteAllocation:
    """Divides a credit note of what a paid period does not owe, as `allocate` does.

    A charge that was begun is not cancelled here: it keeps the amount that it was begun with as its allocation, so the
    worker that collects sees that it is more than is left. If it succeeds all the same, what it has too much is credit.
    """
    before = payment.left
    taken = (*payment.taken_back, *((line.product, -line.net.amount) for line in draft.lines))
    updated = replace(payment, taken_back=taken, credited_net=payment.credited_net - draft.net.amount)
    divided = _divided(updated, draft.total, credit_note, today)
    if (
        not divided.pre_payment
        or payment.payment_intent_id is None
        or not (payment.has_live_intent or payment.is_in_transit)
    ):
        return divided
    after = replace(divided.payment, allocations=payment.allocations or ((invoice.number, before),))
    if payment.is_in_transit:
        after = replace(after, is_in_transit=True, next_attempt_on=payment.next_attempt_on)
    return replace(divided, payment=after)


def _divided(payment: InvoicePayment, of: Money, credit_note: str, today: date) -> CreditNoteAllocation:
    total = -of.amount
    waived = min(total, max(0, payment.balance))
    source, most = refundable(payment.entries) or (None, 0)
    before = min(total - waived, refunded_outside(payment.entries))
    refunded = min(total - waived - before, most)
    if not charged_units(Money(refunded, of.currency)):
        refunded = 0  # the payment service refunds no such fraction
    carried = total - waived - before - refunded
    updated = payment.with_entries(
        Entry(EntryKind.WAIVED, waived, today, credit_note),
        Entry(EntryKind.RETURNED, before, today, credit_note),
        Entry(EntryKind.RETURNED, refunded, today, credit_note, source),
        Entry(EntryKind.CARRIED, carried, today, credit_note),
    )
    return CreditNoteAllocation(waived, refunded, carried, updated, source if refunded else None, before)


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


def _credited_net(invoice: IssuedInvoice, payment: InvoicePayment, positions: AbstractSet[int]) -> int:
    """What all credit notes come to before tax, in minor units, when the lines at these positions are credited too.

    With the last line it is the invoice: what paid periods have taken back is no part of the lines any more.
    """
    credited = {position for position, _ in payment.credited} | positions
    remaining = _lines_left(invoice, payment)
    net = sum(amount for _, amount in payment.taken_back) + _net_of(remaining, credited)
    products = {position for position, line in enumerate(remaining) if line.product is not None}
    if not payment.taken_back:
        return net
    most = invoice.draft.net.amount
    return most if products <= credited else max(payment.credited_net, min(most, net))


def _lines_left(invoice: IssuedInvoice, payment: InvoicePayment) -> list[InvoiceLine]:
    """The lines of an invoice without what paid periods have taken back of their products."""
    lines = []
    for line in invoice.draft.lines:
        of_months = payment.taken_back if line.one_off is None else ()
        taken = sum(amount for product, amount in of_months if product == line.product)
        lines.append(replace(line, net=Money(line.net.amount - taken, line.net.currency)) if taken else line)
    return lines


def _net_of(lines: Sequence[InvoiceLine], positions: AbstractSet[int]) -> int:
    """What the lines at these positions come to before tax, in minor units, with their share of what is taken off the
    whole. The share of some lines is rounded as one, so that all lines together have the whole of it.
    """
    on_the_whole = sum(line.net.amount for line in lines if line.product is None)
    products = sum(line.net.amount for line in lines if line.product is not None)
    net = sum(lines[position].net.amount for position in positions if lines[position].product is not None)
    if net == products:
        return net + on_the_whole
    return net + (0 if products <= 0 else round(Fraction(on_the_whole * net, products)))


def _reversed_draft(
    invoice: IssuedInvoice, payment: InvoicePayment, occasion: BillingReason, lines: tuple[InvoiceLine, ...], net: int
) -> InvoiceDraft:
    """The draft of a credit note of these lines, which come to `net`, below zero. Its tax is the invoice's."""
    draft, currency = invoice.draft, invoice.draft.total.currency
    tax_before, tax_after = tax_on(invoice, payment.credited_net), tax_on(invoice, payment.credited_net - net)
    tax = tax_before - tax_after
    return InvoiceDraft(
        occasion=occasion,
        since=draft.since,
        until=draft.until,
        lines=lines,
        net=Money(net, currency),
        tax=draft.tax,
        tax_amount=Money(tax, currency),
        total=Money(net + tax, currency),
        credit=Money(0, currency),
        due=Money(0, currency),
        tax_point=draft.tax_point or invoice.produced_on,
        seller_tax=seller_tax_between(invoice, tax_before, tax_after),
    )


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
