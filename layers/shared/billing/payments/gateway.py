"""Interfaces to the payment service and to the queue of its webhook notices (Stripe, Amazon SQS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from billing.kernel.errors import UpstreamFailed

if TYPE_CHECKING:  # a function loads only the values that it works with
    from billing.kernel.money import Money
    from billing.payments.methods import Charge, ChosenMethod, Dispute, Method, Setup


class MethodRefused(Exception):
    """The payment service does not take this payment method, and never will."""


class CustomerDeleted(Exception):
    """The payment service says itself that this customer was deleted there, with all its payment methods."""


class AmountRefused(Exception):
    """The payment service does not charge this amount, whoever pays it. `too_small` when it is less than it charges."""

    def __init__(self, *, too_small: bool) -> None:
        super().__init__(too_small)
        self.too_small = too_small


class RequestRefused(UpstreamFailed):
    """The payment service refuses a request for a reason that is no fact about the payment: the fault is ours.

    A parameter that it does not know, a code that we do not know, an object of another account or mode. Nobody is
    dunned for it; it is tried again, and an operator learns of it.
    """


class KeySpent(UpstreamFailed):
    """The payment service has failed, and repeats that failure to whoever comes with the same key.

    What it may have done nevertheless was looked for. The next attempt needs another key.
    """


class KeyReused(Exception):
    """The same idempotency key was used before, for something else."""


@dataclass(frozen=True, slots=True)
class NewSetup:
    """The setting up of a payment method, as a browser needs it. The secret opens this one alone."""

    setup: str
    client_secret: str
    publishable_key: str


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """What the payment service tells: that something has happened to an object of its, and perhaps whose it is.

    It says neither what stands now, nor does it come in order, nor once: what stands is asked for.
    """

    notice: str
    type: str
    object: str
    customer: str | None


class PaymentNotices(Protocol):
    """Where wait what the payment service tells."""

    def put(self, notice: PaymentNotice) -> None:
        """Keeps a notice until it is dealt with. Raises UpstreamFailed."""
        ...


class PaymentGateway(Protocol):
    """The service that keeps payment methods and charges them.

    Every method raises UpstreamFailed when it did not do its part, AnswerLost when nobody can tell; RequestRefused
    and KeySpent say more of why. A `key` is what the same attempt is known again by: repeated with it, nothing happens
    twice.
    """

    def new_customer(self, account: str, key: str) -> str:
        """An account at the payment service, known there by ours alone; returns its id there."""
        ...

    def new_setup(self, customer: str, account: str, user: str, method: Method, key: str) -> NewSetup:
        """Begins to set up a payment method. Raises KeyReused, CustomerDeleted."""
        ...

    def setup(self, setup: str) -> Setup | None:
        """The setting up of a payment method, as it stands."""
        ...

    def attach(self, payment_method: str, customer: str, key: str) -> None:
        """Gives a payment method to its customer; nothing where it is theirs. Raises MethodRefused."""
        ...

    def make_default(self, customer: str, payment_method: str, key: str) -> None:
        """Makes it the one that is charged. Raises MethodRefused when it is not the customer's any more."""
        ...

    def method(self, payment_method: str) -> ChosenMethod | None:
        """A payment method, as it stands."""
        ...

    def methods(self, customer: str) -> Sequence[ChosenMethod]:
        """All payment methods of a customer."""
        ...

    def detach(self, payment_method: str, key: str) -> None:
        """Gives a payment method up for good; nothing where that is done already."""
        ...

    def customers_of(self, account: str, known: str | None) -> Sequence[str]:
        """The ids of all that is kept of an account there; `known` is the one that we know of."""
        ...

    def delete_customer(self, customer: str, key: str) -> None:
        """Deletes a customer with all its payment methods; nothing where that is done."""
        ...

    def dispute(self, dispute: str) -> Dispute | None:
        """A payment that its customer's bank takes back, as it stands."""
        ...

    def new_payment(self, customer: str, account: str, invoice: str, amount: Money, method: Method, key: str) -> str:
        """The payment of an invoice, not charged yet; returns its id. It can succeed once and never twice.

        `method` is what it will be paid by. Raises CustomerDeleted, AmountRefused.
        """
        ...

    def charge(self, payment: str, payment_method: str, method: Method, key: str) -> Charge:
        """Charges a payment without its customer; what became of it. Of one that has succeeded, that it has.

        CANCELLED when it can never succeed any more: by somebody else, or because it is another customer's.
        """
        ...

    def payment(self, payment: str) -> Charge | None:
        """A payment, as it stands."""
        ...

    def cancel(self, payment: str, key: str) -> bool:
        """Whether a payment can never succeed any more: it is cancelled unless it was made, or is on its way."""
        ...

    def refund(self, payment: str, credit_note: str, amount: Money, key: str) -> bool:
        """Whether so much of a payment is refunded, or on its way back, for this credit note: once, however often it is
        asked for."""
        ...

    def consent_secret(self, payment: str) -> NewSetup | None:
        """What a browser needs so that the customer's bank can ask its customer; None if it cannot be paid so."""
        ...

    def invoice_of(self, payment: str) -> tuple[str, str] | None:
        """The account and the invoice that a payment is for, None if it is for none of ours."""
        ...

    def account_of(self, customer: str) -> str | None:
        """Whose a customer is, None if there is no such one or it is nobody's of ours."""
        ...
