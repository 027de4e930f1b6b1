"""The stored form of an invoice's payment: its entries, and the state of collecting it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from billing.invoicing.credit_notes import tax_on
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import InvoiceStatus, InvoiceSummary, IssuedInvoice
from billing.invoicing.reminders import Reminder, ReminderPause, Reminders
from billing.kernel.fields import fields_of
from billing.payments.methods import CHARGED, Method, PaymentFailure

Body = dict[str, Any]


def payment_body(payment: InvoicePayment) -> Body:
    """The payment. What is not set is left out: an account's page and collection read many of these."""
    body = {
        "method": payment.method,
        "payment": payment.payment_intent_id,
        "tried_with": payment.tried_with,
        "attempts": payment.attempts,
        "first_failed_on": payment.first_failed_on,
        "next_attempt_on": payment.next_attempt_on,
        "credit_on": payment.credit_on,
        "failure": payment.failure,
        "reference": payment.reference,
        "credited": payment.credited,
        "credited_parts": payment.credited_parts,
        "credited_net": payment.credited_net,
        "owed": payment.owed,
        "entries": [_entry_body(each) for each in payment.entries],
        "allocations": payment.allocations,
        "is_in_transit": payment.is_in_transit,
        "is_past_due": payment.is_past_due,
        "is_exhausted": payment.is_exhausted,
        "taken_back": payment.taken_back,
        "reminders": _reminders_body(payment.reminders),
        "transfer_by": payment.transfer_by,
        "transfer_agreed_on": payment.transfer_agreed_on,
    }
    return {name: value for name, value in body.items() if value}


def payment_from(body: Body, invoice: InvoiceSummary) -> InvoicePayment:
    """The payment of an invoice, by its entries."""
    return _payment(body, invoice.produced_on, _kept(body), is_credit_note=invoice.corrects is not None)


def older_payment_from(body: Body, invoice: IssuedInvoice) -> InvoicePayment:
    """The payment in an item that holds the whole invoice. One without entries has them derived from its figures."""
    money = _kept(body) if "entries" in body else _derived(body, invoice)
    return _payment(body, invoice.produced_on, money, is_credit_note=invoice.corrects is not None)


def payment_alone_from(body: Body, issued_on: date) -> InvoicePayment:
    """The money of a claim that has no document (billing.ending.deletion.claims)."""
    return _payment(body, issued_on, _kept(body), is_credit_note=False)


def _payment(body: Body, issued_on: date, money: Body, *, is_credit_note: bool) -> InvoicePayment:
    method, failure = body.get("method"), body.get("failure")
    return InvoicePayment(
        issued_on=issued_on,
        is_credit_note=is_credit_note,
        method=None if method is None else Method(method),
        payment_intent_id=body.get("payment"),
        tried_with=body.get("tried_with"),
        attempts=body.get("attempts", 0),
        first_failed_on=_day(body.get("first_failed_on")),
        next_attempt_on=_day(body.get("next_attempt_on")),
        credit_on=_day(body.get("credit_on")),
        failure=None if failure is None else PaymentFailure(failure),
        reference=body.get("reference"),
        credited=tuple((position, number) for position, number in body.get("credited", ())),
        reminders=_reminders(body.get("reminders", {})),
        transfer_by=_day(body.get("transfer_by")),
        transfer_agreed_on=_day(body.get("transfer_agreed_on")),
        credited_parts=tuple((position, number, amount) for position, number, amount in body.get("credited_parts", ())),
        **money,
    )


def _reminders_body(reminders: Reminders) -> Body:
    body = {**fields_of(reminders), "sent": [[each.number, each.on] for each in reminders.sent]}
    return {name: value for name, value in body.items() if value}


def _reminders(body: Body) -> Reminders:
    pause = body.get("pause")
    return Reminders(
        sent=tuple(Reminder(number, date.fromisoformat(on)) for number, on in body.get("sent", ())),
        since=_day(body.get("since")),
        next_on=_day(body.get("next_on")),
        are_over=body.get("are_over", False),
        waited_days=body.get("waited_days", 0),
        pause=None
        if pause is None
        else ReminderPause(
            date.fromisoformat(pause["since"]), _day(pause["until"]), pause["reason"], pause["held_days"]
        ),
    )


def _entry_body(entry: Entry) -> list[object]:
    """An entry: its kind, amount and day, and its reference and payment where it has them."""
    body: list[object] = [entry.kind, entry.amount, entry.on, entry.reference, entry.payment]
    while body[-1] is None:
        body.pop()
    return body


def _entry(kind: str, amount: int, on: str, reference: str | None = None, payment: str | None = None) -> Entry:
    return Entry(EntryKind(kind), amount, date.fromisoformat(on), reference, payment)


def _kept(body: Body) -> Body:
    return {
        "owed": body.get("owed", 0),
        "entries": tuple(_entry(*each) for each in body.get("entries", ())),
        "allocations": tuple((number, amount) for number, amount in body.get("allocations", ())),
        "is_in_transit": body.get("is_in_transit", False),
        "is_past_due": body.get("is_past_due", False),
        "is_exhausted": body.get("is_exhausted", False),
        "credited_net": body.get("credited_net", 0),
        "taken_back": tuple((product, amount) for product, amount in body.get("taken_back", ())),
    }


def _derived(body: Body, invoice: IssuedInvoice) -> Body:
    """What the entries say, of figures that were written without them."""
    is_credit_note = invoice.corrects is not None
    status = InvoiceStatus(body["status"])
    credited_net = sum(invoice.draft.lines[position].net.amount for position, _ in body.get("credited", ()))
    entries = _refund_entries(body, invoice) if is_credit_note else _entries(body, invoice, credited_net)
    return {
        "owed": body.get("to_refund", 0) if is_credit_note else max(0, invoice.draft.total.amount),
        "entries": tuple(each for each in entries if each.amount),
        "is_in_transit": status is InvoiceStatus.IN_TRANSIT,
        "is_past_due": status is InvoiceStatus.PAST_DUE,
        "is_exhausted": status is InvoiceStatus.PAST_DUE,
        "credited_net": credited_net,
    }


def _entries(body: Body, invoice: IssuedInvoice, credited_net: int) -> Iterator[Entry]:
    draft, issued_on, paid_on = invoice.draft, invoice.produced_on, _day(body["paid_on"])
    waived, refunded = body.get("waived", 0), body.get("refunded", 0)
    notes = [number for _, number in body.get("credited", ())]
    credit_note = notes[-1] if notes else None
    yield Entry(EntryKind.CREDIT_APPLIED, draft.credit.amount, issued_on)
    yield Entry(EntryKind.CARRIED, max(0, -draft.total.amount), issued_on)
    paid = draft.due.amount - waived if paid_on is not None else 0
    waived_on = issued_on if paid_on is None or paid else paid_on
    yield Entry(EntryKind.WAIVED, waived, waived_on, credit_note)
    payment = body["payment"]
    if paid_on is not None and body["method"] in CHARGED:
        yield Entry(EntryKind.CHARGED, paid, paid_on, payment)
    elif paid_on is not None:
        yield Entry(EntryKind.TRANSFERRED, paid, paid_on, body["reference"])
    last_day = paid_on or issued_on
    yield Entry(EntryKind.RETURNED, refunded, last_day, credit_note, payment)
    if notes:
        credited = credited_net + tax_on(invoice, credited_net)
        yield Entry(EntryKind.CARRIED, credited - waived - refunded, last_day, credit_note)


def _refund_entries(body: Body, invoice: IssuedInvoice) -> Iterator[Entry]:
    """A refund of that time had one attempt. One that is not known to be done is asked for again as the first one."""
    amount, paid_on = body.get("to_refund", 0), _day(body["paid_on"])
    if paid_on is not None or body["status"] == InvoiceStatus.PAST_DUE:
        yield Entry(EntryKind.REFUND_BEGUN, amount, invoice.produced_on, "1")
    if paid_on is not None:
        yield Entry(EntryKind.REFUND_DONE, amount, paid_on)
    elif body["status"] == InvoiceStatus.PAST_DUE:
        yield Entry(EntryKind.REFUND_FAILED, amount, _day(body["first_failed_on"]) or invoice.produced_on)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
