"""Staff take an issued invoice back, or some of its lines, or parts of them: by a credit note, with what becomes of the
money.

What was not paid need not be; what was charged goes back by itself, by a worker, once; the rest is carried to the next
invoices. The credit note, its number and where the invoice stands then are one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.invoicing.apply_credit import apply_credit, wait_for_credit
from billing.invoicing.collect_payments import after as after_changes
from billing.invoicing.collect_payments import merged, without_intent
from billing.invoicing.credit_notes import (
    AlreadyCredited,
    CreditNoteAllocation,
    RequestedPart,
    allocate,
    credit_note_draft,
    to_credit,
)
from billing.invoicing.dunning import refund_payment
from billing.invoicing.invoices import Correction, CreditedPart, InvoiceDraft
from billing.invoicing.issue_invoices import with_next_number
from billing.invoicing.numbering import NextNumber
from billing.invoicing.payment_events import credit_note_facts, payment_events
from billing.invoicing.records import BillingContext, InvoiceStore, PaymentChange, WholeInvoice
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.events import EventType, RequestContext
from billing.kernel.money import Money
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Method
from billing.platform.events.new_event import new_event


@dataclass(frozen=True, slots=True)
class PlannedCreditNote:
    """A credit note that has no number yet: what it says, which lines it takes back, and what becomes of its money."""

    corrected: WholeInvoice
    draft: InvoiceDraft
    correction: Correction
    money: CreditNoteAllocation


def plan_credit_note(
    billing: BillingContext,
    corrected: WholeInvoice,
    wanted: tuple[int, ...] | None,
    parts: tuple[RequestedPart, ...],
    reason: str,
    today: date,
) -> PlannedCreditNote:
    """The credit note of these lines of an invoice, by position, and of parts of others; with neither of all that are
    left. Raises RuleViolation, AlreadyCredited, NotCorrectable."""
    invoice, payment = corrected.invoice, corrected.payment
    lines, credited = to_credit(invoice, payment, wanted, parts)
    draft = credit_note_draft(invoice, payment, lines, credited, billing.subscriber.account.contract.start)
    correction = Correction(invoice.number, invoice.produced_on, lines, reason, credited)
    money = allocate(invoice, payment, correction, "", -draft.total.amount, today)
    return PlannedCreditNote(corrected, draft, correction, money)


def preview_credit_note(
    billing: BillingContext,
    number: str,
    wanted: tuple[int, ...] | None,
    parts: tuple[RequestedPart, ...],
    reason: str,
    *,
    now: datetime,
    store: InvoiceStore,
) -> PlannedCreditNote:
    """What `issue_credit_note` would issue now. Two reads. Raises NotFound, RuleViolation, AlreadyCredited,
    NotCorrectable."""
    account = billing.subscriber.account
    corrected = store.invoice(account.id, number)
    return plan_credit_note(billing, corrected, wanted, parts, reason, account.contract.today(now))


def issue_credit_note(
    billing: BillingContext,
    number: str,
    wanted: tuple[int, ...] | None,
    reason: str,
    *,
    parts: tuple[RequestedPart, ...] = (),
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> WholeInvoice:
    """The credit note of these lines of an invoice, by position, and of parts of others; with neither of all that are
    left. The same again, with the same reason, is the one that there is.

    What was begun at the payment service is cancelled first, so that nobody pays what they need not. Two reads and
    one transaction; a read more for the first number that a process gives, and two for each earlier credit note of the
    lines that `parts` name. Raises NotFound, RuleViolation, AlreadyCredited, NotCorrectable, AlreadyPaid when it was
    paid meanwhile, ConcurrentChange when the credit has changed since the account was read, UpstreamFailed.
    """
    account = billing.subscriber.account.id
    corrected = store.invoice(account, number)
    payment = corrected.payment
    if parts and (existing := _standing(corrected, wanted, parts, reason, account, store)) is not None:
        return existing
    today = billing.subscriber.account.contract.today(context.time)
    try:
        planned = plan_credit_note(billing, corrected, wanted, parts, reason, today)
    except AlreadyCredited:
        existing = _standing(corrected, wanted, parts, reason, account, store)
        if existing is None:
            raise
        return existing
    draft, correction, money = planned.draft, planned.correction, planned.money
    currency = draft.total.currency
    credit = Money(billing.credit_in(currency) + money.credit_balance, currency)
    is_small = charge_obstacle(corrected.record.left, Method.CARD) is ChargeObstacle.TOO_SMALL
    pays = money.credit_balance or (payment.left and is_small)
    unpaid = store.unpaid(account, consistent=True) if pays else ()
    others = without_intent(corrected.record, unpaid, context, gateway)
    open_ones = [each for each in unpaid if each.invoice.number != number]
    still_open = after_changes(open_ones, others)
    paid = apply_credit(credit, still_open, today) if money.credit_balance else []
    left = Money(credit.amount + sum(each.credit for each in paid), currency)
    waiting = wait_for_credit(left, after_changes(still_open, paid), today) if money.credit_balance else []
    made: list[WholeInvoice] = []

    def write(credit_number: NextNumber) -> None:
        issued = corrected.invoice.credit_note(
            draft, correction, credit_number, settings.seller, billing.billing.language, today
        )
        money = allocate(corrected.invoice, payment, correction, issued.number, -draft.total.amount, today)
        refunding = refund_payment(today, money.refunded, money.refunded_payment, payment.method)
        whole = WholeInvoice.new(issued, refunding)
        changes = [PaymentChange(corrected.record, money.payment), *merged(others, [*paid, *waiting])]
        issued_event = new_event(
            EventType.CREDIT_NOTE_ISSUED,
            context,
            account=account,
            before=None,
            after=credit_note_facts(issued, money, billing.currency),
        )
        store.correct(
            billing,
            changes,
            whole,
            credit_number,
            [issued_event, *payment_events(paid, context, "")],
        )
        made.append(whole.written)

    with_next_number(settings.credit_series_of(account), context.time, settings, write, store)
    return made[-1]


def _standing(
    corrected: WholeInvoice,
    wanted: tuple[int, ...] | None,
    parts: tuple[RequestedPart, ...],
    reason: str,
    account: str,
    store: InvoiceStore,
) -> WholeInvoice | None:
    """The credit note that this very request has made before, if it has.

    What is taken off the whole is credited with the last line, without being requested.
    """
    products = {position for position, line in enumerate(corrected.invoice.draft.lines) if line.product is not None}
    credited, everything = corrected.payment.credited, wanted is None and not parts
    named = {*(wanted or ()), *(part.line for part in parts)}
    numbers = {number for position, number in credited if everything or position in named}
    numbers |= {number for position, number, _ in corrected.payment.credited_parts if position in named}
    for number in sorted(numbers, reverse=True):
        whole = store.invoice(account, number)
        correction = whole.invoice.corrects
        if correction is None or correction.reason != reason:
            continue
        taken_back = {*correction.lines} & products | {part.line for part in correction.parts}
        if everything and not correction.parts:
            return whole
        if taken_back == named & products and all(_is_of(part, parts) for part in correction.parts):
            return whole
    return None


def _is_of(part: CreditedPart, requested: tuple[RequestedPart, ...]) -> bool:
    return any(
        each.line == part.line and each.months == part.months and each.amount in {None, part.amount}
        for each in requested
    )
