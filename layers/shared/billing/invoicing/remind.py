"""Plans and sends the reminders of past-due invoices, in the transaction that changes them (DESIGN 3.6.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date

from billing.invoicing.dunning import InvoicePayment, reminded_of
from billing.invoicing.entries import EntryKind, sum_of
from billing.invoicing.invoices import InvoiceStatus, Seller
from billing.invoicing.records import PaymentChange
from billing.invoicing.reminders import Reminder
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.payments.methods import Method, PaymentMethod
from billing.platform.events.new_event import new_event


def is_reminder_due(payment: InvoicePayment, today: date) -> bool:
    """Whether a past-due invoice is reminded of today, or has no plan yet. Nothing is sent while credit waits to pay
    it."""
    remind_on = payment.remind_on
    return remind_on is not None and remind_on <= today and payment.credit_on is None


def with_reminder(change: PaymentChange, days: tuple[int, ...], today: date, *, is_sent: bool) -> PaymentChange:
    """The change with the plan of its next reminder, and with `is_sent` with the reminder that is due today.

    An invoice that is past due again, because a bank has taken its payment back, begins anew today, but not before its
    due day. So does one of a release before reminders: its customer does not get the last one first.
    """
    payment, before = change.payment, change.record.payment
    if payment.is_credit_note or payment.status is not InvoiceStatus.PAST_DUE:
        return change
    begins_today = before.status is InvoiceStatus.PAST_DUE or not before.left
    due = reminded_of(payment, change.record.invoice)
    due = max(due, today) if begins_today else due
    was_tried = before.status is not InvoiceStatus.PAST_DUE and payment.attempts > before.attempts
    reminders = payment.reminders.planned(due, days, today, was_tried=was_tried)
    if is_sent and payment.credit_on is None and reminders.is_due(today):
        reminders = reminders.with_next(days, today)
    return replace(change, payment=replace(payment, reminders=reminders))


def new_reminder(change: PaymentChange) -> Reminder | None:
    """The reminder that a change sends, None without one."""
    before, after = change.record.payment.reminders.sent, change.payment.reminders.sent
    return after[-1] if len(after) > len(before) else None


def reminder_events(
    changes: Iterable[PaymentChange],
    shown: PaymentMethod | None,
    seller: Seller,
    consent_page: str,
    context: RequestContext,
) -> list[Event]:
    """What is published of the reminders among these changes. `shown` is how the account pays, None without a method.
    The page of an invoice is below `consent_page`, "" without.

    The mail about an attempt that has failed in the same moment says what the reminder says: `mailed_with` names it.
    """
    events = []
    for change in changes:
        sent = new_reminder(change)
        if sent is None:
            continue
        invoice, payment = change.record.invoice, change.payment
        method = None if shown is None else shown.method
        currency, due_on = invoice.total.currency, reminded_of(payment, invoice)
        back = sum_of(payment.entries, EntryKind.CHARGED_BACK) - sum_of(payment.entries, EntryKind.CHARGE_BACK_WON)
        has_failed = payment.attempts > change.record.payment.attempts
        after: Facts = {
            "number": invoice.number,
            "reminder": sent.number,
            "produced_on": invoice.produced_on,
            "due_on": due_on,
            "days_past_due": (sent.on - due_on).days,
            "total": asdict(invoice.total),
            "due": asdict(Money(payment.left, currency)),
            "method": method,
            "transfer_to": {"name": seller.name, "iban": seller.iban} if method is Method.BANK_TRANSFER else None,
            "charged_back": back > 0,
            "next_reminder_on": payment.reminders.next_on,
            "invoice_at": f"{consent_page}/invoices/{invoice.number}" if consent_page else None,
            "mailed_with": EventType.PAYMENT_FAILED if has_failed else None,
        }
        earlier = change.record.payment.reminders.sent
        before = {"reminder": earlier[-1].number, "sent_on": earlier[-1].on} if earlier else None
        events.append(
            new_event(EventType.INVOICE_REMINDED, context, account=invoice.account, before=before, after=after)
        )
    return events
