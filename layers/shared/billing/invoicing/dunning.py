"""How an invoice is paid: attempts on the payment method, and what follows from each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.invoicing.invoices import InvoiceStatus, IssuedInvoice
from billing.kernel.errors import Conflict
from billing.kernel.events import EventType
from billing.payments.methods import CHARGED, Charge, ChargeState, Method, PaymentFailure

SMALL_AMOUNT_RETRIED_AFTER = timedelta(days=30)
"""When an amount that is too small to be charged is looked at again: by then the account may pay in another way."""


@dataclass(frozen=True, slots=True)
class InvoicePayment:
    """Where the payment of an invoice stands.

    `payment` is the one at the payment service, which can succeed once and never twice; `tried_with` was charged last
    (PaymentProfile.charged). `attempts` have failed, the first on `first_failed_on`; `next_attempt_on` is None
    where none is to come by itself. `reference` is by which the customer's own transfer is known.

    In minor units: `waived` by credit notes, so that it need not be paid; `refunded` by them; of a credit note itself,
    `to_refund`. `credited` are the lines that were taken back, each with its credit note.
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
"""After these events all that is unpaid is tried at once, due or not."""


UNPAID = frozenset({InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE})
"""What may still be tried."""


class AlreadyPaid(Conflict):
    """An invoice is paid once."""

    code = "already-paid"

    def __init__(self) -> None:
        super().__init__("This invoice is paid, or its payment is on its way.")


def due_on(method: Method | None, today: date, term_days: int) -> date:
    """The day by which an invoice of today is due: today if it is charged, otherwise after the payment term."""
    return today if method in CHARGED else today + timedelta(days=term_days)


def charge_on(invoice: IssuedInvoice) -> date | None:
    """The day on which an invoice is charged first; None where nothing is due, or the customer transfers it."""
    return invoice.produced_on if invoice.method in CHARGED and invoice.draft.due.amount else None


def initial_payment(invoice: IssuedInvoice) -> InvoicePayment:
    """Where a new invoice stands. One of which nothing is due is paid."""
    if not invoice.draft.due.amount:
        return InvoicePayment(InvoiceStatus.PAID, paid_on=invoice.produced_on)
    by_transfer = invoice.method is Method.BANK_TRANSFER
    # Whoever transfers the money themselves is only looked at when it should be there.
    looked_at = invoice.due_on + timedelta(days=1) if by_transfer else invoice.produced_on
    return InvoicePayment(InvoiceStatus.OPEN, next_attempt_on=looked_at)


def after_charge(
    payment: InvoicePayment, charge: Charge, method: Method, today: date, retry_days: tuple[int, ...]
) -> InvoicePayment:
    """Where the payment stands after an attempt, which is tried again so many days after the first that failed."""
    attempted = replace(payment, payment_intent_id=charge.payment_intent_id)
    if charge.state is ChargeState.SUCCEEDED:
        return replace(
            attempted, status=InvoiceStatus.PAID, paid_on=today, method=method, next_attempt_on=None, failure=None
        )
    if charge.state is ChargeState.IN_TRANSIT:
        # Looked at again should nobody tell what has become of it.
        return replace(
            attempted,
            status=InvoiceStatus.IN_TRANSIT,
            method=method,
            next_attempt_on=today + timedelta(days=1),
            failure=None,
        )
    if charge.state is ChargeState.CANCELLED:
        # It can never succeed any more: the next attempt is one of another payment.
        attempted = replace(payment, payment_intent_id=None)
    return after_failure(attempted, charge.failure or PaymentFailure.FAILED, today, retry_days, hard=charge.hard)


def after_failure(
    payment: InvoicePayment, failure: PaymentFailure, today: date, retry_days: tuple[int, ...], *, hard: bool = False
) -> InvoicePayment:
    """Where the payment stands after an attempt that has failed."""
    first = payment.first_failed_on or today
    later = [] if hard else [first + timedelta(days=days) for days in retry_days]
    following = next((day for day in later if day > today), None)
    return replace(
        payment,
        status=InvoiceStatus.OPEN if following else InvoiceStatus.PAST_DUE,
        attempts=payment.attempts + 1,
        first_failed_on=first,
        next_attempt_on=following,
        failure=failure,
    )


def too_small(payment: InvoicePayment, today: date) -> InvoicePayment:
    """Where the payment of an amount stands that is too small to be charged: it stays owed, and nothing has failed."""
    return replace(payment, next_attempt_on=today + SMALL_AMOUNT_RETRIED_AFTER)


def mark_past_due(payment: InvoicePayment) -> InvoicePayment:
    """What was to be transferred by its day and was not."""
    return replace(payment, status=InvoiceStatus.PAST_DUE, next_attempt_on=None)


def mark_received(payment: InvoicePayment, on: date, method: Method, reference: str) -> InvoicePayment:
    """What staff have found on the bank account. Raises AlreadyPaid."""
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
    """Whether a payment is to be looked at today."""
    return payment.next_attempt_on is not None and payment.next_attempt_on <= today


def is_retried_at_once(payment: InvoicePayment, corrects: bool, method: str | None) -> bool:
    """Whether an unpaid invoice is tried at once because the account pays by another `method` now.

    `corrects` says that it is a credit note, which a payment method cannot pay; a method that was tried is not again.
    """
    return not corrects and payment.status in UNPAID and method is not None and payment.tried_with != method


def next_attempt(payments: Iterable[InvoicePayment]) -> date | None:
    """The earliest day on which one of these payments is to be looked at."""
    return min((each.next_attempt_on for each in payments if each.next_attempt_on is not None), default=None)


def is_news(charge: Charge, payment: InvoicePayment) -> bool:
    """Whether the payment service knows more than what is kept here.

    A failed attempt is recorded by the run that made it; only a payment that was in transit fails by itself, or is
    cancelled.
    """
    if charge.state is ChargeState.SUCCEEDED:
        return True
    if charge.state is ChargeState.IN_TRANSIT:
        return payment.status is not InvoiceStatus.IN_TRANSIT
    ended = charge.state in {ChargeState.FAILED, ChargeState.CANCELLED}
    return ended and payment.status is InvoiceStatus.IN_TRANSIT
