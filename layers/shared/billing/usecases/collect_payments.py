"""Invoices are paid: charged when they are due, tried again when that fails, looked after while they are on their way.

The payment service has one payment for each invoice, kept here before it is charged, and a payment can succeed once.
So whatever is cut off or repeated, an invoice is never charged twice; and what stands there is what is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from billing.domain.collection import (
    UNPAID,
    AlreadyPaid,
    Payment,
    after_charge,
    failed,
    is_due,
    is_news,
    is_tried_at_once,
    next_look,
    overdue,
    received,
)
from billing.domain.errors import AccountNotFound, RuleViolation, Violation
from billing.domain.events import Event, EventType, Facts, Occasion, by_system
from billing.domain.invoices import InvoiceStatus
from billing.domain.payment import ChargeState, Failure, Method
from billing.domain.terms import Terms
from billing.gateways.payments import NewSetup, PaymentGateway
from billing.store.invoice_store import BillingContext, InvoiceRecord, InvoiceStore
from billing.usecases.events import new_event

HOUR = "%Y-%m-%dT%H"
"""See billing.usecases.replace_payment_method."""


@dataclass(frozen=True, slots=True)
class Collector:
    """What an account's payments are dealt with by. `consent_page` is where a customer's bank can ask its customer."""

    occasion: Occasion
    terms: Terms
    consent_page: str
    store: InvoiceStore
    gateway: PaymentGateway


def collect_payments(
    account: str,
    *,
    at_once: bool,
    now: datetime,
    correlation: str,
    terms: Terms,
    consent_page: str,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> int:
    """How many payments were dealt with: those that are due, and `at_once`, because the account pays in another way
    now, all that are not paid and were not tried so.

    One read and one query; for each payment one or two writes and as many requests. Nothing for an account that is
    gone. Raises ConcurrentChange, UpstreamFailed.
    """
    billed = store.billing_context(account)
    if billed is None:
        return 0
    occasion = by_system(now, correlation)
    collector = Collector(occasion, terms, consent_page, store, gateway)
    today = billed.subscriber.account.contract.today(now)
    unpaid = [*store.unpaid(account)]
    dealt = 0
    for position, kept in enumerate(unpaid):
        if not _is_due(billed, kept, today, at_once=at_once):
            continue
        standing, payment = _dealt_with(billed, kept, today, collector)
        others = [*unpaid[:position], *unpaid[position + 1 :]]
        billed = _settle(billed, standing, payment, others, collector)
        unpaid[position] = replace(standing, payment=payment, version=standing.version + 1)
        dealt += 1
    look = next_look([each.payment for each in unpaid])
    if look != billed.collect_on:
        store.collect_on(billed, look)
    return dealt


def note_payment(
    payment: str,
    *,
    now: datetime,
    correlation: str,
    terms: Terms,
    consent_page: str,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> bool:
    """Brings an invoice in line with its payment at the payment service; whether anything was changed."""
    named = gateway.invoice_of(payment)
    billed = None if named is None else store.billing_context(named[0])
    if named is None or billed is None:
        return False
    # By the payment itself: that of a reactivation is older than its invoice's number.
    unpaid = store.unpaid(named[0])
    kept = next((each for each in unpaid if each.payment.payment == payment), None)
    if kept is None:
        return False
    charge = gateway.payment(payment)
    if charge is None or not is_news(charge, kept.payment):
        return False
    occasion = by_system(now, correlation)
    collector = Collector(occasion, terms, consent_page, store, gateway)
    today = billed.subscriber.account.contract.today(now)
    method = kept.payment.method or _method(billed)
    after = after_charge(kept.payment, charge, method, today, terms.retry_days)
    others = [each for each in unpaid if each is not kept]
    _settle(billed, kept, after, others, collector)
    return True


def record_payment(
    account: str,
    number: str,
    paid_on: date,
    reference: str,
    *,
    occasion: Occasion,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """The invoice that staff have found paid on the bank account. The same again changes nothing.

    What was begun at the payment service is cancelled first, so that nobody pays twice. Raises NotFound, AlreadyPaid,
    RuleViolation for a day to come or before the invoice, ConcurrentChange, UpstreamFailed.
    """
    billed = store.billing_context(account)
    if billed is None:
        raise AccountNotFound
    kept = store.invoice(account, number)
    known = kept.payment
    if known.status is InvoiceStatus.PAID and (known.reference, known.paid_on) == (reference, paid_on):
        return kept
    if paid_on > billed.subscriber.account.contract.today(occasion.time):
        raise RuleViolation(Violation(("paid_on",), "It must not be a day to come."))
    if paid_on < kept.invoice.produced_on:
        raise RuleViolation(Violation(("paid_on",), "The invoice was not issued before that day."))
    payment = received(known, paid_on, Method.BANK_TRANSFER, reference)
    if known.payment is not None and not gateway.cancel(
        known.payment, f"cancel/{known.payment}/{occasion.correlation}"
    ):
        raise AlreadyPaid
    others = [each for each in store.unpaid(account) if each.invoice.number != number]
    look = next_look([each.payment for each in others])
    store.settle(billed, kept, payment, look, _events(kept, payment, occasion, ""))
    return replace(kept, payment=payment, version=kept.version + 1)


def begin_consent(account: str, number: str, *, store: InvoiceStore, gateway: PaymentGateway) -> NewSetup:
    """What a browser needs so that the customer's bank can ask its customer for an invoice that it wants that for.

    Raises NotFound, AlreadyPaid, UpstreamFailed.
    """
    kept = store.invoice(account, number)
    if kept.payment.status not in UNPAID or kept.payment.payment is None:
        raise AlreadyPaid
    secret = gateway.consent_secret(kept.payment.payment)
    if secret is None:
        raise AlreadyPaid
    return secret


def _is_due(billed: BillingContext, kept: InvoiceRecord, today: date, *, at_once: bool) -> bool:
    if is_due(kept.payment, today):
        return True
    corrects, method = kept.invoice.corrects is not None, billed.profile.payment_method
    return at_once and is_tried_at_once(kept.payment, corrects, method)


def _dealt_with(
    billed: BillingContext, kept: InvoiceRecord, today: date, collector: Collector
) -> tuple[InvoiceRecord, Payment]:
    """The invoice as it stands now, and its payment after it was dealt with."""
    payment, gateway = kept.payment, collector.gateway
    retry_days = collector.terms.retry_days
    if kept.invoice.corrects is not None:
        return kept, _refunded(kept, today, collector)
    if payment.status is InvoiceStatus.IN_TRANSIT and payment.payment is not None:
        standing = gateway.payment(payment.payment)
        if standing is None or standing.state in {ChargeState.IN_TRANSIT, ChargeState.WAITING, ChargeState.CANCELLED}:
            return kept, replace(payment, next_attempt_on=today + timedelta(days=1))
        return kept, after_charge(payment, standing, payment.method or _method(billed), today, retry_days)
    shown, method = billed.profile.shown, billed.profile.payment_method
    if shown is not None and shown.method is Method.BANK_TRANSFER:
        last = kept.invoice.due_on
        return kept, overdue(payment) if last < today else replace(payment, next_attempt_on=last + timedelta(days=1))
    if method is None or billed.profile.customer is None or shown is None:
        return kept, failed(payment, Failure.NO_PAYMENT_METHOD, today, retry_days)
    kept, begun = _begun(kept, billed.profile.customer, collector)
    attempt = f"charge/{kept.invoice.account}/{kept.invoice.number}/{kept.payment.attempts + 1}"
    charge = gateway.charge(begun, method, f"{attempt}/{collector.occasion.correlation}")
    if charge.state is ChargeState.CANCELLED:
        # By somebody who was cut off, or at the payment service: it is begun anew, with the next look at it.
        return kept, replace(kept.payment, payment=None)
    after = after_charge(kept.payment, charge, shown.method, today, retry_days)
    return kept, replace(after, tried_with=method)


def _refunded(kept: InvoiceRecord, today: date, collector: Collector) -> Payment:
    """Where a credit note stands whose money goes back. The payment service knows it by its number: it goes once."""
    invoice, payment = kept.invoice, kept.payment
    key = f"refund/{invoice.account}/{invoice.number}/{collector.occasion.time:{HOUR}}"
    if collector.gateway.refund(str(payment.payment), invoice.number, kept.left, key):
        return replace(payment, status=InvoiceStatus.PAID, paid_on=today, next_attempt_on=None, failure=None)
    return failed(payment, Failure.FAILED, today, (), hard=True)


def _begun(kept: InvoiceRecord, customer: str, collector: Collector) -> tuple[InvoiceRecord, str]:
    """The invoice with its one payment. It is kept before it is charged: one that is not kept never is."""
    if kept.payment.payment is not None:
        return kept, kept.payment.payment
    invoice = kept.invoice
    key = f"payment/{invoice.account}/{invoice.number}/{kept.version}/{collector.occasion.time:{HOUR}}"
    begun = collector.gateway.new_payment(customer, invoice.account, invoice.number, kept.left, key)
    return collector.store.keep_payment(kept, replace(kept.payment, payment=begun)), begun


def _settle(
    billed: BillingContext, kept: InvoiceRecord, payment: Payment, others: Sequence[InvoiceRecord], collector: Collector
) -> BillingContext:
    """Keeps what became of a payment; the account as it stands then."""
    look = next_look([payment, *(each.payment for each in others)])
    events = _events(kept, payment, collector.occasion, collector.consent_page)
    collector.store.settle(billed, kept, payment, look, events)
    return replace(billed, collect_on=look)


def _events(kept: InvoiceRecord, payment: Payment, occasion: Occasion, consent_page: str) -> list[Event]:
    invoice, before = kept.invoice, kept.payment
    due = asdict(kept.left)
    facts: Facts
    if invoice.corrects is not None and payment.status is InvoiceStatus.PAID:
        facts = {"number": invoice.number, "corrects": invoice.corrects.number, "refunded": due}
        return [new_event(EventType.CREDIT_NOTE_REFUNDED, occasion, account=invoice.account, before=None, after=facts)]
    if payment.status is InvoiceStatus.PAID:
        facts = {
            "number": invoice.number,
            "paid_on": payment.paid_on,
            "total": asdict(invoice.draft.total),
            "method": payment.method,
        }
        return [new_event(EventType.INVOICE_PAID, occasion, account=invoice.account, before=None, after=facts)]
    events = []
    if payment.attempts > before.attempts and invoice.corrects is None:
        asked = payment.failure is Failure.AUTHENTICATION_REQUIRED and consent_page
        facts = {
            "number": invoice.number,
            "due_on": invoice.due_on,
            "total": due,
            "reason": payment.failure,
            "next_attempt_on": payment.next_attempt_on,
            "authenticate_at": f"{consent_page}/invoices/{invoice.number}" if asked else None,
        }
        events.append(new_event(EventType.PAYMENT_FAILED, occasion, account=invoice.account, before=None, after=facts))
    if payment.status is InvoiceStatus.PAST_DUE and before.status is not InvoiceStatus.PAST_DUE:
        facts = {"number": invoice.number, "due_on": invoice.due_on, "due": due, "reason": payment.failure}
        events.append(
            new_event(EventType.PAYMENT_PAST_DUE, occasion, account=invoice.account, before=None, after=facts)
        )
    return events


def _method(billed: BillingContext) -> Method:
    return Method.CARD if billed.profile.shown is None else billed.profile.shown.method
