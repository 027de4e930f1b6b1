"""The events that follow from a new state of an invoice's payment, and the facts of a credit note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from billing.invoicing.credit_notes import CreditNoteAllocation
from billing.invoicing.dunning import reminded_of
from billing.invoicing.entries import EntryKind, received, sum_of
from billing.invoicing.invoices import DocumentKind, InvoiceStatus, IssuedInvoice, document_key
from billing.invoicing.records import PaymentChange
from billing.invoicing.remind import new_reminder
from billing.invoicing.wording import describe_line
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.kernel.page_addresses import Screen, screen_address
from billing.payments.methods import Method, PaymentFailure
from billing.platform.events.new_event import new_event

CHARGED_BACK = "charged_back"
"""Why an invoice is past due whose payment the bank has taken back."""


def payment_events(changes: Iterable[PaymentChange], context: RequestContext, consent_page: str) -> list[Event]:
    """What is published of these changes. `consent_page` is the origin of the page on which a bank
    asks its customer, "" without."""
    return [
        new_event(kind, context, account=change.record.invoice.account, before=None, after=facts)
        for change in changes
        for kind, facts in _facts(change, consent_page)
    ]


def written_off_events(changes: Iterable[PaymentChange], reason: str, context: RequestContext) -> list[Event]:
    """What is published of the invoices among these changes that were written off."""
    events = []
    for change in changes:
        invoice = change.record.invoice
        written_off = sum_of(change.new_entries, EntryKind.WRITTEN_OFF)
        if written_off:
            facts = {
                "number": invoice.number,
                "due_on": reminded_of(change.payment, invoice),
                "written_off": asdict(Money(written_off, invoice.total.currency)),
                "reason": reason,
            }
            kind = EventType.INVOICE_WRITTEN_OFF
            events.append(new_event(kind, context, account=invoice.account, before=None, after=facts))
    return events


def credit_note_facts(note: IssuedInvoice, money: CreditNoteAllocation, currency_now: str | None = None) -> Facts:
    """The facts of a new credit note for its event, with what became of its money.

    `currency_now` is that of the contract where it may be another one by now: what is carried then pays no next
    invoice, and is repaid by hand.
    """
    draft, correction = note.draft, note.corrects
    if correction is None:
        raise ValueError("a credit note corrects something")
    currency = draft.total.currency
    return {
        "number": note.number,
        "corrects": correction.number,
        "replaced_by": correction.replaced_by,
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
        "refunded": asdict(Money(money.refunded_before + money.refunded, currency)),
        "carried": asdict(Money(money.credit_balance, currency)),
        "document": document_key(note.account, note.number, DocumentKind.PDF),
        **({} if currency_now in {None, currency} else {"is_repaid_by_hand": True}),
    }


def _facts(change: PaymentChange, consent_page: str) -> Iterator[tuple[EventType, Facts]]:
    before, payment, invoice = change.record.payment, change.payment, change.record.invoice
    left, due_on = asdict(Money(payment.left, invoice.total.currency)), reminded_of(payment, invoice)
    yield from _by_chance(change)
    if invoice.corrects is None:
        yield from _credit_refunds(change)
    if payment.status is InvoiceStatus.PAID and before.status is not InvoiceStatus.PAID:
        if invoice.corrects is not None:
            yield _refunded(change)
        elif payment.entries[-1].kind is not EntryKind.SET_OFF:  # its own credit note has settled it: nobody has paid
            yield _paid(change)
        return
    if payment.attempts > before.attempts and invoice.corrects is None:
        sent = new_reminder(change)
        is_asked = payment.failure is PaymentFailure.AUTHENTICATION_REQUIRED and consent_page != ""
        address = screen_address(consent_page, invoice.account, Screen.INVOICES, invoice.number)
        yield (
            EventType.PAYMENT_FAILED,
            {
                "number": invoice.number,
                "due_on": due_on,
                "total": left,
                "reason": payment.failure,
                "next_attempt_on": payment.retried_on,
                "authenticate_at": address if is_asked else None,
                "reminder": None if sent is None else {"number": sent.number, "days_past_due": (sent.on - due_on).days},
            },
        )
    if payment.status is InvoiceStatus.PAST_DUE and before.status is not InvoiceStatus.PAST_DUE:
        yield (
            EventType.PAYMENT_PAST_DUE,
            {
                "number": invoice.number,
                "corrects": invoice.corrects,
                "due_on": due_on,
                "due": left,
                "reason": CHARGED_BACK if _is_charged_back(change) else payment.failure,
            },
        )


def _by_chance(change: PaymentChange) -> Iterator[tuple[EventType, Facts]]:
    """What staff are told of money that nobody has asked for or given back here."""
    entries, number = change.new_entries, change.record.invoice.number
    currency = change.record.invoice.total.currency
    too_much = [each for each in entries if each.kind is EntryKind.OVERPAID]
    if too_much:
        yield (
            EventType.PAYMENT_UNEXPECTED,
            {
                "number": number,
                "payment": too_much[0].payment or too_much[0].reference or "",
                "received": asdict(Money(received(entries), currency)),
                "credit": asdict(Money(sum_of(too_much, EntryKind.OVERPAID), currency)),
            },
        )
    for state, kinds in _OUTSIDE.items():
        refunds = [each for each in entries if each.kind in kinds]
        if refunds:
            yield (
                EventType.PAYMENT_REFUNDED_OUTSIDE,
                {
                    "number": number,
                    "refund": refunds[0].reference or "",
                    "refunded": asdict(Money(sum_of(refunds, *kinds), currency)),
                    "credit": asdict(Money(sum_of(refunds, kinds[1]), currency)),
                    "state": state,
                },
            )


_OUTSIDE = {
    "made": (EntryKind.REFUNDED_OUTSIDE, EntryKind.CREDIT_REFUNDED),
    "failed": (EntryKind.REFUND_OUTSIDE_FAILED, EntryKind.CREDIT_REFUND_FAILED),
}


def _credit_refunds(change: PaymentChange) -> Iterator[tuple[EventType, Facts]]:
    kinds = {
        EntryKind.REFUND_DONE: EventType.CREDIT_REFUNDED,
        EntryKind.REFUND_FAILED: EventType.CREDIT_REFUND_FAILED,
    }
    invoice = change.record.invoice
    for entry in change.new_entries:
        if entry.kind in kinds:
            amount = Money(entry.amount, invoice.total.currency)
            yield kinds[entry.kind], {"number": invoice.number, "refunded": asdict(amount)}


def _paid(change: PaymentChange) -> tuple[EventType, Facts]:
    invoice, payment = change.record.invoice, change.payment
    is_by_credit = payment.entries[-1].kind is EntryKind.CREDIT_APPLIED
    is_by_transfer = any(each.kind is EntryKind.TRANSFERRED for each in change.new_entries)
    return EventType.INVOICE_PAID, {
        "number": invoice.number,
        "paid_on": payment.paid_on,
        "total": asdict(invoice.total),
        "method": None if is_by_credit else Method.BANK_TRANSFER if is_by_transfer else payment.method,
    }


def _refunded(change: PaymentChange) -> tuple[EventType, Facts]:
    invoice = change.record.invoice
    return EventType.CREDIT_NOTE_REFUNDED, {
        "number": invoice.number,
        "corrects": invoice.corrects or "",
        "refunded": asdict(Money(change.payment.owed, invoice.total.currency)),
    }


def _is_charged_back(change: PaymentChange) -> bool:
    return any(each.kind is EntryKind.CHARGED_BACK for each in change.new_entries)
