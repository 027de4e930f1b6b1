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

from billing.domain.charge_limits import Obstacle, obstacle
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
    too_small,
)
from billing.domain.errors import AccountNotFound, AnswerLost, RuleViolation, UpstreamFailed, Violation
from billing.domain.events import Event, EventType, Facts, Occasion, by_system
from billing.domain.invoices import InvoiceStatus
from billing.domain.payment import Charge, ChargeState, Failure, Method
from billing.domain.terms import Terms
from billing.gateways.payments import AmountRefused, CustomerDeleted, KeySpent, NewSetup, PaymentGateway, RequestRefused
from billing.store.invoice_store import BillingContext, InvoiceRecord, InvoiceStore
from billing.usecases.events import new_event

HOUR = "%Y-%m-%dT%H"
"""See billing.usecases.replace_payment_method."""

ANSWERS_LOST_MAX = 2
"""How often a run waits in vain for the payment service. Each time costs seconds, and the next may be no better."""

PAYMENTS_BEGUN_MAX = 2
"""How many payments of one invoice a run tries: the one that there is and, where that was cancelled, a new one."""


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
    gone. Raises ConcurrentChange; UpstreamFailed when some payment could not be dealt with, the first of their reasons,
    after all others were.
    """
    billed = store.billing_context(account)
    if billed is None:
        return 0
    occasion = by_system(now, correlation)
    collector = Collector(occasion, terms, consent_page, store, gateway)
    today = billed.subscriber.account.contract.today(now)
    unpaid = [*store.unpaid(account)]
    dealt = 0
    failures: list[UpstreamFailed] = []
    for position, kept in enumerate(unpaid):
        if not _is_due(billed, kept, today, at_once=at_once):
            continue
        try:
            standing, payment = _dealt_with(billed, kept, today, collector)
        except UpstreamFailed as failure:
            failures.append(failure)
            if sum(isinstance(each, AnswerLost) for each in failures) >= ANSWERS_LOST_MAX:
                break
            continue
        others = [*unpaid[:position], *unpaid[position + 1 :]]
        billed = _settle(billed, standing, payment, others, collector)
        unpaid[position] = replace(standing, payment=payment, version=standing.version + 1)
        dealt += 1
    look = next_look([each.payment for each in unpaid])
    if look != billed.collect_on:
        store.collect_on(billed, look)
    if failures:
        raise failures[0]
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
    corrects, method = kept.invoice.corrects is not None, billed.profile.charged
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
        if standing is None:
            raise RequestRefused("Stripe does not know a payment that it has begun for us.")
        if standing.state in {ChargeState.IN_TRANSIT, ChargeState.WAITING}:
            return kept, replace(payment, next_attempt_on=today + timedelta(days=1))
        return kept, after_charge(payment, standing, payment.method or _method(billed), today, retry_days)
    shown, method = billed.profile.shown, billed.profile.payment_method
    if shown is not None and shown.method is Method.BANK_TRANSFER:
        last = kept.invoice.due_on
        return kept, overdue(payment) if last < today else replace(payment, next_attempt_on=last + timedelta(days=1))
    if method is None or billed.profile.customer is None or shown is None:
        return kept, failed(payment, Failure.NO_PAYMENT_METHOD, today, retry_days)
    refused = obstacle(kept.left, shown.method)
    if refused is Obstacle.TOO_SMALL:
        return kept, too_small(payment, today)
    tried_with = billed.profile.charged
    if refused is not None:
        return kept, _never(kept.payment, Failure.FAILED, tried_with, today)
    try:
        kept, charge = _charged(kept, billed.profile.customer, method, shown.method, collector)
    except CustomerDeleted:
        # With all its methods: whoever sets up another one becomes a new customer (replace_payment_method).
        return kept, failed(kept.payment, Failure.NO_PAYMENT_METHOD, today, retry_days)
    except AmountRefused as amount:
        return kept, too_small(payment, today) if amount.too_small else _never(
            kept.payment, Failure.FAILED, tried_with, today
        )
    after = after_charge(kept.payment, charge, shown.method, today, retry_days)
    return kept, replace(after, tried_with=tried_with)


def _never(payment: Payment, failure: Failure, tried_with: str | None, today: date) -> Payment:
    """Where a payment stands that cannot be made so, today or later."""
    return replace(failed(payment, failure, today, (), hard=True), tried_with=tried_with)


def _charged(
    kept: InvoiceRecord, customer: str, payment_method: str, method: Method, collector: Collector
) -> tuple[InvoiceRecord, Charge]:
    """The invoice with its one payment, and what became of that. One that can never succeed is begun anew."""
    charge = Charge("", ChargeState.CANCELLED, None, hard=False)
    for _ in range(PAYMENTS_BEGUN_MAX):
        kept, begun = _begun(kept, customer, method, collector)
        attempt = f"charge/{kept.invoice.account}/{kept.invoice.number}/{begun}/{kept.payment.attempts + 1}"
        charge = collector.gateway.charge(begun, payment_method, method, f"{attempt}/{collector.occasion.correlation}")
        if charge.state is not ChargeState.CANCELLED:
            break
        # By somebody who was cut off, or at the payment service, or it is one of a customer that is no more.
        kept = replace(kept, payment=replace(kept.payment, payment=None))
    return kept, charge


def _refunded(kept: InvoiceRecord, today: date, collector: Collector) -> Payment:
    """Where a credit note stands whose money goes back. The payment service knows it by its number: it goes once."""
    invoice, payment = kept.invoice, kept.payment
    # Of the version, not of the hour: two workers at once have one key, and the payment service refunds once.
    key = f"refund/{invoice.account}/{invoice.number}/{kept.version}"
    with _another_key_next_time(kept, collector):
        done = collector.gateway.refund(str(payment.payment), invoice.number, kept.left, key)
    if done:
        return replace(payment, status=InvoiceStatus.PAID, paid_on=today, next_attempt_on=None, failure=None)
    return failed(payment, Failure.FAILED, today, (), hard=True)


def _begun(kept: InvoiceRecord, customer: str, method: Method, collector: Collector) -> tuple[InvoiceRecord, str]:
    """The invoice with its one payment. It is kept before it is charged: one that is not kept never is."""
    if kept.payment.payment is not None:
        return kept, kept.payment.payment
    invoice = kept.invoice
    # With all that may change before the answer is here: a key goes with the same parameters only.
    key = f"payment/{invoice.account}/{invoice.number}/{kept.version}/{customer}/{method}"
    with _another_key_next_time(kept, collector):
        begun = collector.gateway.new_payment(customer, invoice.account, invoice.number, kept.left, method, key)
    return collector.store.keep_payment(kept, replace(kept.payment, payment=begun)), begun


@contextmanager
def _another_key_next_time(kept: InvoiceRecord, collector: Collector) -> Iterator[None]:
    """Keys hold the version of the invoice: one that is spent is left behind by a version that is kept first."""
    try:
        yield
    except KeySpent:
        collector.store.keep_payment(kept, kept.payment)
        raise


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
