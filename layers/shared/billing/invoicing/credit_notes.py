"""Credit notes: an issued invoice never changes; a credit note takes back all or some of it (DESIGN 3.3.7).

Staff take back lines. A run of invoicing takes back what a paid period does not owe any more (decision 0018).

The money of a credit note goes one way: cancelled, refunded, or to the credit balance (DESIGN 3.3.8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, refundable, refunded_outside, sum_of
from billing.invoicing.exchange_rates.rules import SellerTax
from billing.invoicing.invoices import (
    BillingReason,
    Correction,
    CreditedPart,
    InvoiceDraft,
    InvoiceStatus,
    IssuedInvoice,
)
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money, charged_units, decimal_text
from billing.subscriptions.pricing import InvoiceLine, amount_of_last, last_months


class AlreadyCredited(Conflict):
    """A line was credited before: a line is credited once."""

    code = "already-credited"

    def __init__(self) -> None:
        super().__init__("What is to be credited was credited before.")


class NotCorrectable(Conflict):
    """The invoice is itself a credit note, its payment is in transit, or its state allows no other one in its place."""

    code = "not-correctable"


@dataclass(frozen=True, slots=True)
class RequestedPart:
    """A part of a line to credit: the position of the line, and either a net amount in minor units or a number of
    months, its last ones."""

    line: int
    amount: int | None = None
    months: int | None = None


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


def to_credit(
    invoice: IssuedInvoice,
    payment: InvoicePayment,
    requested: tuple[int, ...] | None,
    parts: tuple[RequestedPart, ...] = (),
) -> tuple[tuple[int, ...], tuple[CreditedPart, ...]]:
    """What to credit: the positions of the requested lines, or with None and no parts of all that are left; and the
    requested parts of other lines. A part that is all that is left of its line is that line.

    What is taken off the whole goes back in shares with the products' lines, so it cannot be requested alone; with the
    last product's line it is credited too. Raises RuleViolation for a position that does not exist, is named twice, or
    is such a discount, and for a part that is more than is left of its line; AlreadyCredited; NotCorrectable.
    """
    require_correctable(invoice, payment)
    positions = range(len(invoice.draft.lines))
    credited = {position for position, _ in payment.credited}
    if payment.taken_back and creditable(invoice, payment) <= 0:
        raise AlreadyCredited
    if requested is None:
        requested = () if parts else tuple(position for position in positions if position not in credited)
    _check_positions(invoice, requested, parts)
    if not (requested or parts) or credited & {*requested, *(part.line for part in parts)}:
        raise AlreadyCredited
    on_the_whole = {position for position in positions if invoice.draft.lines[position].product is None}
    for place, part in enumerate(parts):
        if part.line in on_the_whole:
            raise RuleViolation(Violation(("parts", place, "line"), _HAS_SHARES, FieldCode.UNSUPPORTED))
    known = [_part(invoice, payment, part, place) for place, part in enumerate(parts)]
    rest = _rest_of_lines(invoice, payment)
    whole = {part.line for part in known if part.amount == rest[part.line]}
    requested = (*requested, *sorted(whole))
    only_parts = tuple(part for part in known if part.line not in whole)
    if credited | {*requested} | on_the_whole == {*positions}:
        return tuple(sorted({*requested} | (on_the_whole - credited))), only_parts
    for place, position in enumerate(requested):
        if position in on_the_whole:
            raise RuleViolation(Violation(("lines", place), _HAS_SHARES, FieldCode.UNSUPPORTED))
    return requested, only_parts


def lines_to_credit(
    invoice: IssuedInvoice, payment: InvoicePayment, requested: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The positions of the lines to credit, without parts of others. See to_credit."""
    return to_credit(invoice, payment, requested)[0]


def require_correctable(invoice: IssuedInvoice, payment: InvoicePayment) -> None:
    """Raises NotCorrectable for a credit note, and while the invoice's payment is in transit."""
    if invoice.corrects is not None:
        raise NotCorrectable("A credit note is not corrected: issue what is right by another invoice.")
    if payment.status is InvoiceStatus.IN_TRANSIT:
        raise NotCorrectable("Its payment is on its way. Wait until it has arrived, or failed.")


_HAS_SHARES = "What is taken off the whole goes back with the other lines: each has its share."


def _check_positions(invoice: IssuedInvoice, lines: Sequence[int], parts: Sequence[RequestedPart]) -> None:
    named = [(("lines", place), position) for place, position in enumerate(lines)]
    last = len(invoice.draft.lines) - 1
    seen: set[int] = set()
    for path, position in [*named, *((("parts", place, "line"), part.line) for place, part in enumerate(parts))]:
        if not 0 <= position <= last:
            detail = f"The invoice has the lines 0 to {last}."
            raise RuleViolation(Violation(path, detail, FieldCode.UNKNOWN, {"min": 0, "max": last}))
        if position in seen:
            raise RuleViolation(Violation(path, "This line stands here twice.", FieldCode.DUPLICATE))
        seen.add(position)


def _part(invoice: IssuedInvoice, payment: InvoicePayment, part: RequestedPart, place: int) -> CreditedPart:
    """The net amount of a requested part. Raises RuleViolation where the line has less, AlreadyCredited for nothing."""
    line, most = invoice.draft.lines[part.line], _rest_of_lines(invoice, payment)[part.line]
    if most <= 0:
        raise AlreadyCredited
    amount, field = part.amount or 0, "amount"
    if part.months is not None:
        field, in_all = "months", sum(step.months for step in line.steps)
        if part.months > in_all:
            detail = f"The line has {in_all} months."
            raise RuleViolation(Violation(("parts", place, field), detail, FieldCode.TOO_LARGE, {"max": in_all}))
        amount = amount_of_last(line, part.months)
    if amount > most:
        detail = f"{decimal_text(Money(most, line.net.currency))} {line.net.currency} is left of this line."
        limits = {"max": most} if part.months is None else {}  # of an amount, and not of months
        raise RuleViolation(Violation(("parts", place, field), detail, FieldCode.TOO_LARGE, limits))
    if amount <= 0:
        detail = "These months cost nothing."
        raise RuleViolation(Violation(("parts", place, field), detail, FieldCode.TOO_SMALL, {"min": 1}))
    return CreditedPart(part.line, amount, part.months)


def credit_note_draft(
    invoice: IssuedInvoice,
    payment: InvoicePayment,
    lines: tuple[int, ...],
    parts: tuple[CreditedPart, ...] = (),
    start: date | None = None,
) -> InvoiceDraft:
    """The draft of a credit note of what is left of the lines at these positions, and of parts of other lines; its
    amounts are negative. `start` is that of the contract, whose months the parts may be.

    Each line has its share of what is taken off the whole. The credit notes of an invoice never exceed its total, and
    those of all of its lines add up to it, tax included. Raises AlreadyCredited where nothing is left of these lines;
    RuleViolation where discounts make their sum negative, or that of parts nothing.
    """
    net = payment.credited_net - _credited_net(invoice, payment, {*lines}, parts)
    remaining, rest = _lines_left(invoice, payment), _rest_of_lines(invoice, payment)
    products = [
        replace(remaining[position], net=Money(rest[position], remaining[position].net.currency))
        for position in sorted(lines)
        if remaining[position].product is not None
    ]
    products += [_line_of(part, remaining[part.line], start or invoice.draft.since) for part in parts]
    reversed_lines = [replace(line, net=_negative(line.net)) for line in products]
    currency = invoice.draft.total.currency
    share = net - sum(line.net.amount for line in reversed_lines)
    if share:
        on_the_whole = [line for line in remaining if line.product is None]
        if on_the_whole:
            reversed_lines += _shares(on_the_whole, share)
        elif reversed_lines:
            last = reversed_lines[-1]
            reversed_lines[-1] = replace(last, net=Money(last.net.amount + share, currency))
    if payment.taken_back and net == 0:
        raise AlreadyCredited
    if parts and net == 0:
        detail = "With its share of what is taken off the whole, this comes to nothing."
        raise RuleViolation(Violation(("parts",), detail, FieldCode.TOO_SMALL, {"min": 1}))
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
    lines, rest = _lines_left(invoice, payment), _rest_of_lines(invoice, payment)
    charges = {
        position: rest[position]
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
    invoice: IssuedInvoice,
    payment: InvoicePayment,
    correction: Correction,
    credit_note: str,
    total: int,
    today: date,
    kept: int = 0,
) -> CreditNoteAllocation:
    """Divides the `total` of a credit note, in minor units, at least 0.

    What was paid stays as credit up to `kept`: the invoice that is issued in its place takes it.

    The unpaid part is cancelled, what was refunded without a credit note is explained, the charged part is refunded,
    and the rest goes to the credit balance, such as what was paid by transfer or with earlier credit. An invoice
    credited wholly before it is paid is void.
    """
    divided = _divided(
        replace(
            payment,
            credited=(*payment.credited, *((position, credit_note) for position in correction.lines)),
            credited_parts=(
                *payment.credited_parts,
                *((part.line, credit_note, part.amount) for part in correction.parts),
            ),
            credited_net=_credited_net(invoice, payment, {*correction.lines}, correction.parts),
        ),
        Money(-total, invoice.draft.total.currency),
        credit_note,
        today,
        kept,
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


def _divided(payment: InvoicePayment, of: Money, credit_note: str, today: date, kept: int = 0) -> CreditNoteAllocation:
    total = -of.amount
    waived = min(total, max(0, payment.balance))
    source, most = refundable(payment.entries) or (None, 0)
    before = min(total - waived, refunded_outside(payment.entries))
    refunded = min(max(0, total - waived - before - kept), most)
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
    """What became of the money of a credit note, in minor units: see CreditNoteAllocation.

    `is_former` says whether the contract has another currency by now: no next invoice takes what is `carried`.
    """

    waived: int
    refunded: int
    carried: int
    is_former: bool = False


def credit_outcome(
    corrected: InvoicePayment, credit_note: IssuedInvoice, currency_now: str | None = None
) -> CreditOutcome | None:
    """What a credit note has done with its money, by the entries of the invoice that it corrects. `currency_now` is
    the contract's.

    None where the entries do not say: several credit notes of the first milestone are one entry.
    """
    entries = [each for each in corrected.entries if each.reference == credit_note.number]
    outcome = CreditOutcome(
        sum_of(entries, EntryKind.WAIVED),
        sum_of(entries, EntryKind.RETURNED),
        sum_of(entries, EntryKind.CARRIED),
        is_former=currency_now not in {None, credit_note.draft.total.currency},
    )
    total = outcome.waived + outcome.refunded + outcome.carried
    return outcome if total == -credit_note.draft.total.amount else None


def _credited_net(
    invoice: IssuedInvoice,
    payment: InvoicePayment,
    positions: AbstractSet[int],
    parts: Sequence[CreditedPart] = (),
) -> int:
    """What all credit notes come to before tax, in minor units, when the lines at these positions, and these parts, are
    credited too.

    With the last line it is the invoice: what paid periods have taken back is no part of the lines any more.
    """
    credited = {position for position, _ in payment.credited} | positions
    remaining = _lines_left(invoice, payment)
    of_parts = {position: _in_parts(payment, position) for position, _, _ in payment.credited_parts}
    for part in parts:
        of_parts[part.line] = of_parts.get(part.line, 0) + part.amount
    # A paid period may have taken back meanwhile what a part was of.
    gross = {position: min(amount, max(0, remaining[position].net.amount)) for position, amount in of_parts.items()}
    gross |= {position: remaining[position].net.amount for position in credited}
    net = sum(amount for _, amount in payment.taken_back) + _net_of(remaining, gross)
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


def _rest_of_lines(invoice: IssuedInvoice, payment: InvoicePayment) -> list[int]:
    """What is left of each line, in minor units: without what paid periods and credit notes of parts have taken back.
    That of a line that was credited as a whole has no meaning."""
    return [
        line.net.amount - _in_parts(payment, position) for position, line in enumerate(_lines_left(invoice, payment))
    ]


def _shares(on_the_whole: Sequence[InvoiceLine], share: int) -> list[InvoiceLine]:
    """The lines of a share of what is taken off the whole: one of the discounts, and one of each goodwill.

    Paid periods know of the discounts only, so these have what the rounding leaves.
    """
    discounts = [line for line in on_the_whole if line.one_off is None]
    goodwill = [line for line in on_the_whole if line.one_off is not None]
    total = sum(line.net.amount for line in on_the_whole)
    nets = [round(Fraction(share * line.net.amount, total)) if total else 0 for line in goodwill]
    rest = share - sum(nets)
    if discounts:
        steps = tuple(step for line in discounts for step in line.steps)
        lines = [(replace(discounts[0], steps=steps), rest), *zip(goodwill, nets, strict=True)]
    else:
        lines = [*zip(goodwill, [nets[0] + rest, *nets[1:]], strict=True)]
    return [replace(line, net=Money(net, line.net.currency)) for line, net in lines if net]


def _in_parts(payment: InvoicePayment, position: int) -> int:
    return sum(amount for line, _, amount in payment.credited_parts if line == position)


def _line_of(part: CreditedPart, line: InvoiceLine, start: date) -> InvoiceLine:
    """The line of a part: with the steps of its months, or without any for an amount that staff have named."""
    steps = () if part.months is None else last_months(line.steps, part.months, start)
    return replace(line, steps=steps, instead_of=(), net=Money(part.amount, line.net.currency))


def _net_of(lines: Sequence[InvoiceLine], credited: Mapping[int, int]) -> int:
    """What is credited of the lines at these positions before tax, in minor units, with its share of what is taken off
    the whole. The share is rounded as one, so that all lines together have the whole of it.
    """
    on_the_whole = sum(line.net.amount for line in lines if line.product is None)
    products = sum(line.net.amount for line in lines if line.product is not None)
    net = sum(amount for position, amount in credited.items() if lines[position].product is not None)
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
