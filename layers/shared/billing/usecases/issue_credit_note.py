"""Staff take an issued invoice back, or some of its lines: by a credit note, with what becomes of the money.

What was not paid need not be; what was charged goes back by itself, by a worker, once; the rest is carried to the next
invoices. The credit note, its number and where the invoice stands then are one transaction.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date

from billing.domain.collection import UNPAID, AlreadyPaid, Payment
from billing.domain.corrections import AlreadyCredited, Settled, credit_note_draft, lines_to_credit, settled
from billing.domain.errors import AccountNotFound
from billing.domain.events import EventType, Facts, Occasion
from billing.domain.invoices import Correction, DocumentKind, InvoiceStatus, IssuedInvoice, document_key
from billing.domain.money import Money
from billing.domain.terms import Terms
from billing.gateways.payments import PaymentGateway
from billing.store.invoice_store import BillingContext, InvoiceRecord, InvoiceStore
from billing.usecases.events import new_event
from billing.usecases.invoice_words import described
from billing.usecases.issue_invoices import numbered


def issue_credit_note(
    account: str,
    number: str,
    wanted: tuple[int, ...] | None,
    reason: str,
    *,
    occasion: Occasion,
    terms: Terms,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """The credit note of these lines of an invoice, by position; with None of all that are left. The same again is the
    one that there is.

    What was begun at the payment service is cancelled first, so that nobody pays what they need not. Raises NotFound,
    RuleViolation, AlreadyCredited, NotCorrectable, AlreadyPaid when it was paid meanwhile, ConcurrentChange,
    SeriesExhausted, UpstreamFailed.
    """
    billed = store.billing_context(account)
    if billed is None:
        raise AccountNotFound
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
    today = billed.subscriber.account.contract.today(occasion.time)
    correction = Correction(number, corrected.invoice.produced_on, lines, reason)
    if known.payment is not None and known.status in UNPAID:
        key = f"cancel/{known.payment}/{occasion.correlation}"
        if not gateway.cancel(known.payment, key):
            raise AlreadyPaid
    note = replace(
        corrected.invoice,
        number="",
        produced_on=today,
        due_on=today,
        draft=draft,
        seller=terms.seller,
        language=billed.billing.language,
        corrects=correction,
    )
    made: list[InvoiceRecord] = []

    def write(credit_number: str, count: int) -> None:
        issued = replace(note, number=credit_number)
        money = settled(corrected.invoice, known, correction, credit_number, -draft.total.amount, today)
        kept = InvoiceRecord(issued, _payment(known, money, today), 0)
        event = new_event(
            EventType.CREDIT_NOTE_ISSUED, occasion, account=account, before=None, after=_facts(issued, money)
        )
        store.correct(
            billed,
            corrected,
            money.payment,
            kept,
            terms.credit_series,
            count,
            billed.credit + money.carried,
            _look(billed, kept),
            event,
        )
        made.append(replace(kept, version=1))

    numbered(terms.credit_series, today.year, write, store)
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


def _payment(known: Payment, money: Settled, today: date) -> Payment:
    """Where a new credit note stands: done, unless money is to go back to where it came from."""
    if not money.refunded:
        return Payment(InvoiceStatus.PAID, paid_on=today)
    return Payment(
        InvoiceStatus.OPEN,
        method=known.method,
        payment=known.payment,
        next_attempt_on=today,
        to_refund=money.refunded,
    )


def _look(billed: BillingContext, note: InvoiceRecord) -> date | None:
    """When the account's payments are looked at: for a refund at once."""
    if note.payment.next_attempt_on is None:
        return billed.collect_on
    days = [day for day in (billed.collect_on, note.payment.next_attempt_on) if day is not None]
    return min(days)


def _facts(note: IssuedInvoice, money: Settled) -> Facts:
    draft, correction = note.draft, note.corrects
    if correction is None:
        raise ValueError("a credit note corrects something")
    currency = draft.total.currency
    return {
        "number": note.number,
        "corrects": correction.number,
        "reason": correction.reason,
        "produced_on": note.produced_on,
        "lines": [{"description": described(line, note.language), "amount": asdict(line.net)} for line in draft.lines],
        "net": asdict(draft.net),
        "tax": asdict(draft.tax_amount),
        "total": asdict(draft.total),
        "waived": asdict(Money(money.waived, currency)),
        "refunded": asdict(Money(money.refunded, currency)),
        "carried": asdict(Money(money.carried, currency)),
        "document": document_key(note.account, note.number, DocumentKind.PDF),
    }
