"""Interfaces to the payment service and to the queue of its webhook notices (Stripe, Amazon SQS)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from billing.kernel.errors import UpstreamFailed

if TYPE_CHECKING:  # keeps cold starts short: few functions need these values
    from billing.kernel.money import Money
    from billing.payments.methods import Charge, ChosenMethod, Dispute, Method, Refund, Setup


KEYS_RELIED_ON = timedelta(hours=23)
"""How long a repeated request may rely on its idempotency key: the payment service forgets keys that are a day old
(docs.stripe.com/api/idempotent_requests)."""


class MethodRefused(Exception):
    """The payment service refuses this payment method for good."""


class CustomerDeleted(Exception):
    """The customer was deleted at the payment service, with all its payment methods."""


class AmountRefused(Exception):
    """The payment service charges this amount to no payment method. `too_small` says that it is below its minimum."""

    def __init__(self, *, too_small: bool) -> None:
        super().__init__(too_small)
        self.too_small = too_small


class RequestRefused(UpstreamFailed):
    """The payment service refuses a request because of a fault in Livello or its configuration.

    Examples: an unknown parameter, an error code that we do not know, an object of another account or mode. It starts
    no dunning; the request is repeated, and the alarm informs an operator.
    """


class KeySpent(UpstreamFailed):
    """The payment service has failed, and returns the same failure to every request with the same idempotency key.

    Where a repetition would charge or refund twice, the gateway has checked that the failed request had no effect. The
    next attempt needs another key.
    """


class NoKey(UpstreamFailed):
    """The deployment has no key of the payment service: it was not asked. So it is where all pay by transfer."""


class OtherMerchant(RequestRefused):
    """The API key belongs to another account or mode of the payment service than the one that this deployment uses."""


class KeyReused(Exception):
    """The idempotency key was used before with other parameters."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """The vendor's own account at the payment service, in live or in test mode."""

    id: str
    livemode: bool

    def __str__(self) -> str:
        return f"{self.id} in {'live' if self.livemode else 'test'} mode"

    def require(self, kept: Merchant) -> None:
        """Raises OtherMerchant unless this is the merchant that the deployment has kept."""
        if self != kept:
            raise OtherMerchant(
                f"The API key belongs to {self}, but this deployment uses {kept}. See docs/operate.md, Stripe."
            )


@dataclass(frozen=True, slots=True)
class NewSetup:
    """What a browser needs to confirm a SetupIntent or PaymentIntent. The client secret is valid for this one only."""

    setup: str
    client_secret: str
    publishable_key: str


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """A webhook event of the payment service: its id, its type, the changed object, and the customer if it names one.

    Notices arrive in any order and more than once. So they carry no state: the worker reads the object from Stripe.
    `account` is our account id in the metadata of a deleted customer, which Stripe shows nowhere else.
    """

    notice: str
    type: str
    object: str
    customer: str | None
    account: str | None = None


class PaymentNotices(Protocol):
    """The queue of notices."""

    def put(self, notice: PaymentNotice) -> None:
        """Puts a notice on the queue. Raises UpstreamFailed."""
        ...


class PaymentGateway(Protocol):
    """The service that stores payment methods and charges them.

    Every method raises UpstreamFailed when the service did not do its part, and AnswerLost when its answer is unknown;
    RequestRefused, OtherMerchant and KeySpent give the reason. `key` is the idempotency key: a repeated request with
    the same key has no second effect, for a day (KEYS_RELIED_ON).
    """

    def new_customer(self, account: str, key: str) -> str:
        """Creates a customer that holds only our account id. Returns the id of the customer."""
        ...

    def new_setup(self, customer: str, account: str, user: str, method: Method, key: str) -> NewSetup:
        """Creates a SetupIntent for a payment method. Raises KeyReused, CustomerDeleted."""
        ...

    def setup(self, setup: str) -> Setup | None:
        """The current state of a SetupIntent, None without it."""
        ...

    def attach(self, payment_method: str, customer: str, key: str) -> None:
        """Attaches a payment method to a customer. Raises MethodRefused."""
        ...

    def make_default(self, customer: str, payment_method: str, key: str) -> None:
        """Makes it the customer's default. Raises MethodRefused when it is no longer the customer's."""
        ...

    def method(self, payment_method: str) -> ChosenMethod | None:
        """The current state of a payment method, None without it."""
        ...

    def revoked_method(self, mandate: str) -> str | None:
        """The payment method of a mandate that no longer allows a debit; None if it does, or is unknown."""
        ...

    def methods(self, customer: str) -> Sequence[ChosenMethod]:
        """All payment methods of a customer; none of a deleted one."""
        ...

    def detach(self, payment_method: str, key: str) -> None:
        """Detaches a payment method for good; no change if it is detached."""
        ...

    def customers_of(self, account: str, customer: str | None) -> Sequence[str]:
        """The ids of all customers of an account, with `customer`, the one in our own records. Raises NoKey."""
        ...

    def delete_customer(self, customer: str, key: str) -> None:
        """Deletes a customer with all its payment methods; no change if it does not exist."""
        ...

    def dispute(self, dispute: str) -> Dispute | None:
        """The current state of a dispute, None without it."""
        ...

    def new_payment(self, customer: str, account: str, invoice: str, amount: Money, method: Method, key: str) -> str:
        """Creates the PaymentIntent of an invoice without a charge. Returns its id. It succeeds at most once.

        `method` is the kind of payment method that will be charged. Raises CustomerDeleted, AmountRefused.
        """
        ...

    def earlier_payment(
        self, customer: str, account: str, invoice: str, amount: Money, known: Collection[str]
    ) -> Charge | None:
        """The PaymentIntent that an earlier run has created for an invoice and not kept, None without one.

        One that is not `known`, and has succeeded, is in transit, or is for this amount and may still succeed. Reads a
        list, which does not lag. One request for each 100 PaymentIntents of the customer. Raises CustomerDeleted.
        """
        ...

    def charge(self, payment: str, payment_method: str, method: Method, key: str) -> Charge:
        """Charges a PaymentIntent off-session. Returns the result; SUCCEEDED also if it had succeeded before.

        CANCELLED when it can no longer succeed: it was cancelled, it belongs to a former customer of the account, or it
        is one of a former account of the vendor.
        """
        ...

    def payment(self, payment: str) -> Charge | None:
        """The current state of a PaymentIntent, None without it."""
        ...

    def cancel(self, payment: str, key: str) -> bool:
        """Cancels a PaymentIntent. Returns False where it has succeeded or is in transit.

        One of a former account of the vendor counts as cancelled: nothing charges it here any more.
        """
        ...

    def refund(self, payment: str, credit_note: str, attempt: str, amount: Money, key: str) -> Refund:
        """Refunds an amount of a PaymentIntent for a credit note, once for each attempt however often it is called.

        Returns its current state, FAILED without an id where the service refuses it.
        """
        ...

    def refund_of(self, refund: str) -> Refund | None:
        """The current state of a refund, None without it."""
        ...

    def consent_secret(self, payment: str) -> NewSetup | None:
        """What a browser needs for the customer's consent (3-D Secure); None if the payment is over or in transit."""
        ...

    def invoice_of(self, payment: str) -> tuple[str, str] | None:
        """The account and the invoice number of a PaymentIntent, None if it has none."""
        ...

    def account_of(self, customer: str) -> str | None:
        """The account of a customer, None without the customer or if it has no account of ours."""
        ...
