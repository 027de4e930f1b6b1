"""Dunning: the attempts to charge an invoice, and the state of its payment after each (DESIGN 3.6.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.invoicing.invoices import InvoiceStatus, IssuedInvoice
from billing.kernel.errors import Conflict
from billing.kernel.events import EventType
from billing.payments.methods import CHARGED, Charge, ChargeState, Method, PaymentFailure

SMALL_AMOUNT_RETRIED_AFTER = timedelta(days=30)
"""When an amount that is too small to be charged is tried again: by then the account may pay in another way."""


@dataclass(frozen=True, slots=True)
class InvoicePayment:
    """The state of an invoice's payment.

    `payment_intent_id` is Stripe's PaymentIntent, which succeeds at most once. `tried_with` is the payment method that
    was charged last (PaymentProfile.charged). `attempts` counts the failed ones; the first was on `first_failed_on`.
    `next_attempt_on` is None where no automatic attempt follows. `reference` is the reference of a bank transfer.

    In minor units: credit notes have cancelled `waived` and refunded `refunded`; a credit note has yet to refund its
    own `to_refund`. `credited` holds the position of each credited line with the number of its credit note.
    """

    status: InvoiceStatus
    paid_on: date | None = None
    method: Method | None = None
    payment_intent_id: str | None = None
    tried_with: str | None = None
    attempts: int = 0
    first_failed_on: date | None = None
    next_attempt_on: date | None = None
    failure: PaymentFailure | None = None
    reference: str | None = None
    waived: int = 0
    refunded: int = 0
    to_refund: int = 0
    credited: tuple[tuple[int, str], ...] = ()


TRIED_AFTER = frozenset({EventType.CARD_UPDATED, EventType.PAYMENT_METHOD_CHANGED})
"""After these events all unpaid invoices are charged at once, due or not."""

UNPAID = frozenset({InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE})
"""The states that a charge or a transfer can still settle."""


class AlreadyPaid(Conflict):
    """The invoice is paid already, or its payment is in transit."""

    code = "already-paid"

    def __init__(self) -> None:
        super().__init__("This invoice is paid, or its payment is on its way.")


def due_on(method: Method | None, today: date, term_days: int) -> date:
    """The due date of an invoice issued today: today if it is charged, otherwise at the end of the payment term."""
    return today if method in CHARGED else today + timedelta(days=term_days)


def charge_on(invoice: IssuedInvoice) -> date | None:
    """The day of the first charge; None where nothing is due, or the customer pays by bank transfer."""
    return invoice.produced_on if invoice.method in CHARGED and invoice.draft.due.amount else None


def initial_payment(invoice: IssuedInvoice) -> InvoicePayment:
    """The payment of a new invoice. An invoice with nothing due is paid at once."""
    if not invoice.draft.due.amount:
        return InvoicePayment(InvoiceStatus.PAID, paid_on=invoice.produced_on)
    by_transfer = invoice.method is Method.BANK_TRANSFER
    # A bank transfer is first checked on the day after the due date.
    checked_on = invoice.due_on + timedelta(days=1) if by_transfer else invoice.produced_on
    return InvoicePayment(InvoiceStatus.OPEN, next_attempt_on=checked_on)


def after_charge(
    payment: InvoicePayment, charge: Charge, method: Method, today: date, retry_days: tuple[int, ...]
) -> InvoicePayment:
    """The payment after an attempt to charge it.

    `retry_days` are counted from the first failed attempt. A hard decline, and the last retry, make it past due.
    """
    attempted = replace(payment, payment_intent_id=charge.payment_intent_id)
    if charge.state is ChargeState.SUCCEEDED:
        return replace(
            attempted, status=InvoiceStatus.PAID, paid_on=today, method=method, next_attempt_on=None, failure=None
        )
    if charge.state is ChargeState.IN_TRANSIT:
        # The notice of its result may be lost: it is read again tomorrow.
        return replace(
            attempted,
            status=InvoiceStatus.IN_TRANSIT,
            method=method,
            next_attempt_on=today + timedelta(days=1),
            failure=None,
        )
    if charge.state is ChargeState.CANCELLED:
        # A cancelled PaymentIntent never succeeds: the next attempt creates another one.
        attempted = replace(payment, payment_intent_id=None)
    return after_failure(attempted, charge.failure or PaymentFailure.FAILED, today, retry_days, hard=charge.hard)


def after_failure(
    payment: InvoicePayment, failure: PaymentFailure, today: date, retry_days: tuple[int, ...], *, hard: bool = False
) -> InvoicePayment:
    """The payment after a failed attempt; after a `hard` one no retry follows."""
    first = payment.first_failed_on or today
    retries = [] if hard else [first + timedelta(days=days) for days in retry_days]
    next_retry = next((day for day in retries if day > today), None)
    return replace(
        payment,
        status=InvoiceStatus.OPEN if next_retry else InvoiceStatus.PAST_DUE,
        attempts=payment.attempts + 1,
        first_failed_on=first,
        next_attempt_on=next_retry,
        failure=failure,
    )


def too_small(payment: InvoicePayment, today: date) -> InvoicePayment:
    """The payment of an amount that is too small to be charged: it stays open, and no attempt has failed."""
    return replace(payment, next_attempt_on=today + SMALL_AMOUNT_RETRIED_AFTER)


def mark_past_due(payment: InvoicePayment) -> InvoicePayment:
    """The payment of a bank transfer that has not arrived by the due date."""
    return replace(payment, status=InvoiceStatus.PAST_DUE, next_attempt_on=None)


def mark_received(payment: InvoicePayment, on: date, method: Method, reference: str) -> InvoicePayment:
    """The payment after staff have recorded the arrival of the money. Raises AlreadyPaid."""
    if payment.status not in UNPAID:
        raise AlreadyPaid
    return replace(
        payment,
        status=InvoiceStatus.PAID,
        paid_on=on,
        method=method,
        reference=reference,
        next_attempt_on=None,
        failure=None,
    )


def is_due(payment: InvoicePayment, today: date) -> bool:
    """Whether the next attempt is due today or overdue."""
    return payment.next_attempt_on is not None and payment.next_attempt_on <= today


def is_retried_at_once(payment: InvoicePayment, corrects: bool, method: str | None) -> bool:
    """Whether an unpaid invoice is charged at once because the account has a new payment `method`.

    Not a credit note (`corrects`), which no payment method pays; nor with the method that was tried last.
    """
    if corrects or payment.status not in UNPAID or method is None:
        return False
    # Records from before cards could be renewed under their id name the method only, without the hash of the card.
    return payment.tried_with not in {method, method.partition("#")[0]}


def next_attempt(payments: Iterable[InvoicePayment]) -> date | None:
    """The earliest day of a next attempt among these payments, None without any."""
    return min((each.next_attempt_on for each in payments if each.next_attempt_on is not None), default=None)


def is_news(charge: Charge, payment: InvoicePayment) -> bool:
    """Whether the payment service has a newer state than the record.

    The run that makes a failed attempt also records it. Only a payment in transit fails, or is cancelled, later.
    """
    if charge.state is ChargeState.SUCCEEDED:
        return True
    if charge.state is ChargeState.IN_TRANSIT:
        return payment.status is not InvoiceStatus.IN_TRANSIT
    ended = charge.state in {ChargeState.FAILED, ChargeState.CANCELLED}
    return ended and payment.status is InvoiceStatus.IN_TRANSIT
