"""Staff take an issued invoice back, or some of its lines: by a credit note, with what becomes of the money.

What was not paid need not be; what was charged goes back by itself, by a worker, once; the rest is carried to the next
invoices. The credit note, its number and where the invoice stands then are one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date

from billing.invoicing.apply_credit import apply_credit, can_be_settled, may_be_charged
from billing.invoicing.collect_payments import after as after_changes
from billing.invoicing.collect_payments import without_intent
from billing.invoicing.credit_notes import (
    AlreadyCredited,
    CreditNoteAllocation,
    allocate,
    credit_note_draft,
    lines_to_credit,
)
from billing.invoicing.dunning import refund_payment
from billing.invoicing.invoices import Correction, DocumentKind, IssuedInvoice, document_key
from billing.invoicing.issue_invoices import with_next_number
from billing.invoicing.numbering import NextNumber
from billing.invoicing.payment_events import payment_events
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.wording import describe_line
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Method
from billing.platform.events.new_event import new_event


def issue_credit_note(
    billing: BillingContext,
    number: str,
    wanted: tuple[int, ...] | None,
    reason: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """The credit note of these lines of an invoice, by position; with None of all that are left. The same again is the
    one that there is.

    What was begun at the payment service is cancelled first, so that nobody pays what they need not. One query and
    one transaction; a get more for the first number that a process gives. Raises NotFound, RuleViolation,
    AlreadyCredited, NotCorrectable, AlreadyPaid when it was paid meanwhile, ConcurrentChange when the credit or a due
    day has changed since the account was read, UpstreamFailed.
    """
    account = billing.subscriber.account.id
    corrected = store.invoice(account, number)
    payment = corrected.payment
    try:
        lines = lines_to_credit(corrected.invoice, payment, wanted)
    except AlreadyCredited:
        existing = _standing(corrected, wanted, reason, account, store)
        if existing is None:
            raise
        return existing
    draft = credit_note_draft(corrected.invoice, payment, lines)
    today = billing.subscriber.account.contract.today(context.time)
    correction = Correction(number, corrected.invoice.produced_on, lines, reason)
    money = allocate(corrected.invoice, payment, correction, "", -draft.total.amount, today)
    credit = billing.credit + money.credit_balance
    is_small = charge_obstacle(corrected.left, Method.CARD) is ChargeObstacle.TOO_SMALL
    unpaid = store.unpaid(account) if money.credit_balance or (payment.left and is_small) else ()
    others = without_intent(corrected, unpaid, context, gateway)
    open_ones = [each for each in unpaid if each.invoice.number != number]
    paid = apply_credit(credit, after_changes(open_ones, others), today) if money.credit_balance else []
    waits = any(can_be_settled(each) and may_be_charged(each, open_ones) for each in open_ones) and credit > 0
    note = replace(
        corrected.invoice,
        number="",
        produced_on=today,
        due_on=today,
        draft=draft,
        seller=settings.seller,
        language=billing.billing.language,
        corrects=correction,
    )
    made: list[InvoiceRecord] = []

    def write(credit_number: NextNumber) -> None:
        issued = note.issued_as(credit_number)
        money = allocate(corrected.invoice, payment, correction, issued.number, -draft.total.amount, today)
        refunding = refund_payment(today, money.refunded, money.refunded_payment, payment.method)
        record = InvoiceRecord(issued, refunding, 0)
        changes = [PaymentChange(corrected, money.payment), *_merged(others, paid)]
        issued_event = new_event(
            EventType.CREDIT_NOTE_ISSUED, context, account=account, before=None, after=credit_note_facts(issued, money)
        )
        store.correct(
            billing,
            changes,
            record,
            credit_number,
            _look(billing, record, today if waits else None),
            [issued_event, *payment_events(paid, context, "")],
        )
        made.append(replace(record, version=1))

    with_next_number(settings.credit_series, context.time, settings, write, store)
    return made[-1]


def _merged(others: Sequence[PaymentChange], paid: Sequence[PaymentChange]) -> list[PaymentChange]:
    """One change for each invoice. One that lost its PaymentIntent may be paid from credit in the same transaction."""
    settled = {each.record.invoice.number: each for each in paid}
    cancelled = [
        replace(each, payment=settled.pop(each.record.invoice.number).payment)
        if each.record.invoice.number in settled
        else each
        for each in others
    ]
    return [*cancelled, *settled.values()]


def _standing(
    corrected: InvoiceRecord, wanted: tuple[int, ...] | None, reason: str, account: str, store: InvoiceStore
) -> InvoiceRecord | None:
    """The credit note that this very request has made before, if it has.

    What is taken off the whole is credited with the last line, without being requested.
    """
    products = {position for position, line in enumerate(corrected.invoice.draft.lines) if line.product is not None}
    credited = dict(corrected.payment.credited)
    numbers = {*credited.values()} if wanted is None else {credited.get(position) for position in wanted}
    for number in sorted(filter(None, numbers), reverse=True):
        record = store.invoice(account, number)
        correction = record.invoice.corrects
        if correction is None or correction.reason != reason:
            continue
        if wanted is None or {*wanted} & products == {*correction.lines} & products:
            return record
    return None


def _look(billing: BillingContext, note: InvoiceRecord, credit_on: date | None) -> date | None:
    """The next collection day: today for a refund, and for credit that waits until a charge is cancelled."""
    days = (billing.collect_on, note.payment.next_attempt_on, credit_on)
    return min((day for day in days if day is not None), default=None)


def credit_note_facts(note: IssuedInvoice, money: CreditNoteAllocation) -> Facts:
    """The facts of a credit note for its event, with what becomes of its money."""
    draft, correction = note.draft, note.corrects
    if correction is None:
        raise ValueError("a credit note corrects something")
    currency = draft.total.currency
    return {
        "number": note.number,
        "corrects": correction.number,
        "reason": correction.reason,
        "produced_on": note.produced_on,
        "lines": [
            {"description": describe_line(line, note.language), "amount": asdict(line.net)} for line in draft.lines
        ],
        "net": asdict(draft.net),
        "tax": asdict(draft.tax_amount),
        "seller_tax": None if draft.seller_tax is None else asdict(draft.seller_tax.amount),
        "total": asdict(draft.total),
        "waived": asdict(Money(money.pre_payment, currency)),
        "refunded": asdict(Money(money.refunded, currency)),
        "carried": asdict(Money(money.credit_balance, currency)),
        "document": document_key(note.account, note.number, DocumentKind.PDF),
    }
