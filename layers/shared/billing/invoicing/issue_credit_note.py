"""Staff take an issued invoice back, or some of its lines: by a credit note, with what becomes of the money.

What was not paid need not be; what was charged goes back by itself, by a worker, once; the rest is carried to the next
invoices. The credit note, its number and where the invoice stands then are one transaction.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date

from billing.invoicing.credit_notes import (
    AlreadyCredited,
    CreditNoteAllocation,
    allocate,
    credit_note_draft,
    lines_to_credit,
)
from billing.invoicing.dunning import UNPAID, AlreadyPaid, InvoicePayment
from billing.invoicing.invoices import Correction, DocumentKind, InvoiceStatus, IssuedInvoice, document_key
from billing.invoicing.issue_invoices import with_next_number
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.wording import describe_line
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
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
    day has changed since the account was read, SeriesExhausted, UpstreamFailed.
    """
    account = billing.subscriber.account.id
    corrected = store.invoice(account, number)
    known = corrected.payment
    try:
        lines = lines_to_credit(corrected.invoice, known, wanted)
    except AlreadyCredited:
        standing = _standing(corrected, wanted, reason, account, store)
        if standing is None:
            raise
        return standing
    draft = credit_note_draft(corrected.invoice, known, lines)
    today = billing.subscriber.account.contract.today(context.time)
    correction = Correction(number, corrected.invoice.produced_on, lines, reason)
    if known.payment_intent_id is not None and known.status in UNPAID:
        key = f"cancel/{known.payment_intent_id}/{context.correlation}"
        if not gateway.cancel(known.payment_intent_id, key):
            raise AlreadyPaid
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

    def write(credit_number: str, count: int) -> None:
        issued = replace(note, number=credit_number)
        money = allocate(corrected.invoice, known, correction, credit_number, -draft.total.amount, today)
        record = InvoiceRecord(issued, _payment(known, money, today), 0)
        event = new_event(
            EventType.CREDIT_NOTE_ISSUED, context, account=account, before=None, after=_facts(issued, money)
        )
        store.correct(
            billing,
            corrected,
            money.payment,
            record,
            settings.credit_series,
            count,
            billing.credit + money.credit_balance,
            _look(billing, record),
            event,
        )
        made.append(replace(record, version=1))

    with_next_number(settings.credit_series, today.year, write, store)
    return made[-1]


def _standing(
    corrected: InvoiceRecord, wanted: tuple[int, ...] | None, reason: str, account: str, store: InvoiceStore
) -> InvoiceRecord | None:
    """The credit note that this very request has made before, if it has."""
    credited = dict(corrected.payment.credited)
    numbers = {*credited.values()} if wanted is None else {credited.get(position) for position in wanted}
    for number in sorted(filter(None, numbers), reverse=True):
        kept = store.invoice(account, number)
        correction = kept.invoice.corrects
        same_lines = correction is not None and (wanted is None or {*wanted} == {*correction.lines})
        if correction is not None and same_lines and correction.reason == reason:
            return kept
    return None


def _payment(known: InvoicePayment, money: CreditNoteAllocation, today: date) -> InvoicePayment:
    """Where a new credit note stands: done, unless money is to go back to where it came from."""
    if not money.refunded:
        return InvoicePayment(InvoiceStatus.PAID, paid_on=today)
    return InvoicePayment(
        InvoiceStatus.OPEN,
        method=known.method,
        payment_intent_id=known.payment_intent_id,
        next_attempt_on=today,
        to_refund=money.refunded,
    )


def _look(billing: BillingContext, note: InvoiceRecord) -> date | None:
    """When the account's payments are looked at: for a refund at once."""
    if note.payment.next_attempt_on is None:
        return billing.collect_on
    days = [day for day in (billing.collect_on, note.payment.next_attempt_on) if day is not None]
    return min(days)


def _facts(note: IssuedInvoice, money: CreditNoteAllocation) -> Facts:
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
        "total": asdict(draft.total),
        "waived": asdict(Money(money.pre_payment, currency)),
        "refunded": asdict(Money(money.refunded, currency)),
        "carried": asdict(Money(money.credit_balance, currency)),
        "document": document_key(note.account, note.number, DocumentKind.PDF),
    }
