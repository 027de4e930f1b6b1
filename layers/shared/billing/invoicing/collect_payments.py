"""Invoices are paid: charged when they are due, tried again when that fails, looked after while they are on their way.

The payment service has one payment for each invoice, kept here before it is charged, and a payment can succeed once.
So whatever is cut off or repeated, an invoice is never charged twice; and what stands there is what is kept here.

The payment service answers in three ways. Done, and never, are facts about one payment, and the next one's turn comes.
Later is an error (UpstreamFailed): it holds up its own invoice alone, and is raised after the others had their turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from billing.invoicing.dunning import (
    UNPAID,
    AlreadyPaid,
    InvoicePayment,
    after_charge,
    after_failure,
    is_due,
    is_news,
    is_retried_at_once,
    mark_past_due,
    mark_received,
    next_attempt,
    too_small,
)
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.errors import AnswerLost, RuleViolation, UpstreamFailed, Violation
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.gateway import AmountRefused, CustomerDeleted, KeySpent, NewSetup, PaymentGateway, RequestRefused
from billing.payments.methods import Charge, ChargeState, Method, PaymentFailure
from billing.platform.events.new_event import new_event

HOUR = "%Y-%m-%dT%H"
"""See billing.payments.replace_payment_method."""

ANSWERS_LOST_MAX = 2
"""How often a run waits in vain for the payment service. Each time costs seconds, and the next may be no better."""

PAYMENTS_BEGUN_MAX = 2
"""How many payments of one invoice a run tries: the one that there is and, where that was cancelled, a new one."""


@dataclass(frozen=True, slots=True)
class Collector:
    """What an account's payments are dealt with by. `consent_page` is where a customer's bank can ask its customer."""

    context: RequestContext
    settings: InvoicingSettings
    consent_page: str
    store: InvoiceStore
    gateway: PaymentGateway


def collect_payments(
    account: str,
    *,
    at_once: bool,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    consent_page: str,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> int:
    """How many payments were dealt with: those that are due, and `at_once`, because the account pays in another way
    now, all that are not paid and were not tried so.

    One read and one query; for each payment one or two writes and as many requests. Nothing for an account that is
    gone. Raises ConcurrentChange; UpstreamFailed when some payment could not be dealt with, the first of their reasons,
    after all others were.
    """
    billed = store.billing_context(account)
    if billed is None:
        return 0
    occasion = by_system(now, correlation)
    collector = Collector(occasion, settings, consent_page, store, gateway)
    today = billed.subscriber.account.contract.today(now)
    unpaid = [*store.unpaid(account)]
    dealt = 0
    failures: list[UpstreamFailed] = []
    for position, kept in enumerate(unpaid):
        if not _is_due(billed, kept, today, at_once=at_once):
            continue
        try:
            standing, payment = _collect_one(billed, kept, today, collector)
        except UpstreamFailed as failure:
            failures.append(failure)
            if sum(isinstance(each, AnswerLost) for each in failures) >= ANSWERS_LOST_MAX:
                break
            continue
        others = [*unpaid[:position], *unpaid[position + 1 :]]
        billed = _save_result(billed, standing, payment, others, collector)
        unpaid[position] = replace(standing, payment=payment, version=standing.version + 1)
        dealt += 1
    look = next_attempt([each.payment for each in unpaid])
    if look != billed.collect_on:
        store.collect_on(billed, look)
    if failures:
        raise failures[0]
    return dealt


def sync_payment(
    payment: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
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
    kept = next((each for each in unpaid if each.payment.payment_intent_id == payment), None)
    if kept is None:
        return False
    charge = gateway.payment(payment)
    if charge is None or not is_news(charge, kept.payment):
        return False
    occasion = by_system(now, correlation)
    collector = Collector(occasion, settings, consent_page, store, gateway)
    today = billed.subscriber.account.contract.today(now)
    method = kept.payment.method or _method(billed)
    after = after_charge(kept.payment, charge, method, today, settings.retry_days)
    others = [each for each in unpaid if each is not kept]
    _save_result(billed, kept, after, others, collector)
    return True


def record_payment(
    billing: BillingContext,
    number: str,
    paid_on: date,
    reference: str,
    *,
    context: RequestContext,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """The invoice that staff have found paid on the bank account. The same again changes nothing.

    What was begun at the payment service is cancelled first, so that nobody pays twice. Two queries and one
    transaction. Raises NotFound, AlreadyPaid, RuleViolation for a day to come or before the invoice, ConcurrentChange
    when the payment, or what is due, has changed since it was read, UpstreamFailed.
    """
    account = billing.subscriber.account.id
    kept = store.invoice(account, number)
    known = kept.payment
    if known.status is InvoiceStatus.PAID and (known.reference, known.paid_on) == (reference, paid_on):
        return kept
    if paid_on > billing.subscriber.account.contract.today(context.time):
        raise RuleViolation(Violation(("paid_on",), "It must not be a day to come."))
    if paid_on < kept.invoice.produced_on:
        raise RuleViolation(Violation(("paid_on",), "The invoice was not issued before that day."))
    payment = mark_received(known, paid_on, Method.BANK_TRANSFER, reference)
    if known.payment_intent_id is not None and not gateway.cancel(
        known.payment_intent_id, f"cancel/{known.payment_intent_id}/{context.correlation}"
    ):
        raise AlreadyPaid
    others = [each for each in store.unpaid(account) if each.invoice.number != number]
    look = next_attempt([each.payment for each in others])
    store.settle(billing, kept, payment, look, _events(kept, payment, context, ""))
    return replace(kept, payment=payment, version=kept.version + 1)


def begin_consent(account: str, number: str, *, store: InvoiceStore, gateway: PaymentGateway) -> NewSetup:
    """What a browser needs so that the customer's bank can ask its customer for an invoice that it wants that for.

    Raises NotFound, AlreadyPaid, UpstreamFailed.
    """
    kept = store.invoice(account, number)
    if kept.payment.status not in UNPAID or kept.payment.payment_intent_id is None:
        raise AlreadyPaid
    secret = gateway.consent_secret(kept.payment.payment_intent_id)
    if secret is None:
        raise AlreadyPaid
    return secret


def _is_due(billing: BillingContext, record: InvoiceRecord, today: date, *, at_once: bool) -> bool:
    if is_due(record.payment, today):
        return True
    corrects, method = record.invoice.corrects is not None, billing.profile.charged
    return at_once and is_retried_at_once(record.payment, corrects, method)


def _collect_one(
    billing: BillingContext, record: InvoiceRecord, today: date, collector: Collector
) -> tuple[InvoiceRecord, InvoicePayment]:
    """The invoice as it stands now, and its payment after it was dealt with."""
    payment, gateway = record.payment, collector.gateway
    retry_days = collector.settings.retry_days
    if record.invoice.corrects is not None:
        return record, _refund(record, today, collector)
    if payment.status is InvoiceStatus.IN_TRANSIT and payment.payment_intent_id is not None:
        standing = gateway.payment(payment.payment_intent_id)
        if standing is None:
            raise RequestRefused("Stripe does not know a payment that it has begun for us.")
        if standing.state in {ChargeState.IN_TRANSIT, ChargeState.WAITING}:
            return record, replace(payment, next_attempt_on=today + timedelta(days=1))
        return record, after_charge(payment, standing, payment.method or _method(billing), today, retry_days)
    shown, method = billing.profile.shown, billing.profile.payment_method
    if shown is not None and shown.method is Method.BANK_TRANSFER:
        last = record.invoice.due_on
        return record, mark_past_due(payment) if last < today else replace(
            payment, next_attempt_on=last + timedelta(days=1)
        )
    if method is None or billing.profile.customer is None or shown is None:
        return record, after_failure(payment, PaymentFailure.NO_PAYMENT_METHOD, today, retry_days)
    refused = charge_obstacle(record.left, shown.method)
    if refused is ChargeObstacle.TOO_SMALL:
        return record, too_small(payment, today)
    tried_with = billing.profile.charged
    if refused is not None:
        return record, _never(record.payment, PaymentFailure.FAILED, tried_with, today)
    try:
        record, charge = _charged(record, billing.profile.customer, method, shown.method, collector)
    except CustomerDeleted:
        # With all its methods: whoever sets up another one becomes a new customer (replace_payment_method).
        return record, after_failure(record.payment, PaymentFailure.NO_PAYMENT_METHOD, today, retry_days)
    except AmountRefused as amount:
        return record, too_small(payment, today) if amount.too_small else _never(
            record.payment, PaymentFailure.FAILED, tried_with, today
        )
    after = after_charge(record.payment, charge, shown.method, today, retry_days)
    return record, replace(after, tried_with=tried_with)


def _never(payment: InvoicePayment, failure: PaymentFailure, tried_with: str | None, today: date) -> InvoicePayment:
    """Where a payment stands that cannot be made so, today or later."""
    return replace(after_failure(payment, failure, today, (), hard=True), tried_with=tried_with)


def _charged(
    record: InvoiceRecord, customer: str, payment_method: str, method: Method, collector: Collector
) -> tuple[InvoiceRecord, Charge]:
    """The invoice with its one payment, and what became of that. One that can never succeed is begun anew."""
    charge = Charge("", ChargeState.CANCELLED, None, hard=False)
    for _ in range(PAYMENTS_BEGUN_MAX):
        record, begun = _with_payment_intent(record, customer, method, collector)
        attempt = f"charge/{record.invoice.account}/{record.invoice.number}/{begun}/{record.payment.attempts + 1}"
        charge = collector.gateway.charge(begun, payment_method, method, f"{attempt}/{collector.context.correlation}")
        if charge.state is not ChargeState.CANCELLED:
            break
        # By somebody who was cut off, or at the payment service, or it is one of a customer that is no more.
        record = replace(record, payment=replace(record.payment, payment_intent_id=None))
    return record, charge


def _refund(record: InvoiceRecord, today: date, collector: Collector) -> InvoicePayment:
    """Where a credit note stands whose money goes back. The payment service knows it by its number: it goes once."""
    invoice, payment = record.invoice, record.payment
    # Of the version, not of the hour: two workers at once have one key, and the payment service refunds once.
    key = f"refund/{invoice.account}/{invoice.number}/{record.version}"
    with _another_key_next_time(record, collector):
        done = collector.gateway.refund(str(payment.payment_intent_id), invoice.number, record.left, key)
    if done:
        return replace(payment, status=InvoiceStatus.PAID, paid_on=today, next_attempt_on=None, failure=None)
    return after_failure(payment, PaymentFailure.FAILED, today, (), hard=True)


def _with_payment_intent(
    record: InvoiceRecord, customer: str, method: Method, collector: Collector
) -> tuple[InvoiceRecord, str]:
    """The invoice with its one payment. It is kept before it is charged: one that is not kept never is."""
    if record.payment.payment_intent_id is not None:
        return record, record.payment.payment_intent_id
    invoice = record.invoice
    # With all that may change before the answer is here: a key goes with the same parameters only.
    key = f"payment/{invoice.account}/{invoice.number}/{record.version}/{customer}/{method}"
    with _another_key_next_time(record, collector):
        begun = collector.gateway.new_payment(customer, invoice.account, invoice.number, record.left, method, key)
    return collector.store.save_payment(record, replace(record.payment, payment_intent_id=begun)), begun


@contextmanager
def _another_key_next_time(record: InvoiceRecord, collector: Collector) -> Iterator[None]:
    """Keys hold the version of the invoice: one that is spent is left behind by a version that is kept first."""
    try:
        yield
    except KeySpent:
        collector.store.save_payment(record, record.payment)
        raise


def _save_result(
    billing: BillingContext,
    record: InvoiceRecord,
    payment: InvoicePayment,
    others: Sequence[InvoiceRecord],
    collector: Collector,
) -> BillingContext:
    """Keeps what became of a payment; the account as it stands then."""
    look = next_attempt([payment, *(each.payment for each in others)])
    events = _events(record, payment, collector.context, collector.consent_page)
    collector.store.settle(billing, record, payment, look, events)
    return replace(billing, collect_on=look)


def _events(record: InvoiceRecord, payment: InvoicePayment, context: RequestContext, consent_page: str) -> list[Event]:
    invoice, before = record.invoice, record.payment
    due = asdict(record.left)
    facts: Facts
    if invoice.corrects is not None and payment.status is InvoiceStatus.PAID:
        facts = {"number": invoice.number, "corrects": invoice.corrects.number, "refunded": due}
        return [new_event(EventType.CREDIT_NOTE_REFUNDED, context, account=invoice.account, before=None, after=facts)]
    if payment.status is InvoiceStatus.PAID:
        facts = {
            "number": invoice.number,
            "paid_on": payment.paid_on,
            "total": asdict(invoice.draft.total),
            "method": payment.method,
        }
        return [new_event(EventType.INVOICE_PAID, context, account=invoice.account, before=None, after=facts)]
    events = []
    if payment.attempts > before.attempts and invoice.corrects is None:
        asked = payment.failure is PaymentFailure.AUTHENTICATION_REQUIRED and consent_page
        facts = {
            "number": invoice.number,
            "due_on": invoice.due_on,
            "total": due,
            "reason": payment.failure,
            "next_attempt_on": payment.next_attempt_on,
            "authenticate_at": f"{consent_page}/invoices/{invoice.number}" if asked else None,
        }
        events.append(new_event(EventType.PAYMENT_FAILED, context, account=invoice.account, before=None, after=facts))
    if payment.status is InvoiceStatus.PAST_DUE and before.status is not InvoiceStatus.PAST_DUE:
        facts = {"number": invoice.number, "due_on": invoice.due_on, "due": due, "reason": payment.failure}
        events.append(new_event(EventType.PAYMENT_PAST_DUE, context, account=invoice.account, before=None, after=facts))
    return events


def _method(billing: BillingContext) -> Method:
    return Method.CARD if billing.profile.shown is None else billing.profile.shown.method
