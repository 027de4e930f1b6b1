"""The payments of a customer as the payment service has them, for the comparison of the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing.kernel.money import Money
from billing.payments.methods import ChargeState, Dispute, Refund


@dataclass(frozen=True, slots=True)
class LedgerRefund:
    """A refund, and when it was made."""

    refund: Refund
    made_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerDispute:
    """A dispute, and when it was opened."""

    dispute: Dispute
    made_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerPayment:
    """A PaymentIntent. `account` and `invoice` are our metadata, None without it.

    `customer_account` is our metadata of its customer, None where the customer is deleted. `amount` is what was
    received, or what is asked for. `made_at` is when the last charge was made; without one, when it was created.
    `has_refunds` and `has_disputes` say whether its charge names any: a refund that has failed is not named.
    """

    id: str
    account: str | None
    invoice: str | None
    customer_account: str | None
    amount: Money
    state: ChargeState
    made_at: datetime
    has_refunds: bool = False
    has_disputes: bool = False
    refunds: tuple[LedgerRefund, ...] = ()
    disputes: tuple[LedgerDispute, ...] = ()


class PaymentLedger(Protocol):
    """Reads of the payment service in lists. Each raises UpstreamFailed, also where a rate limit is reached."""

    def customers_of(self, account: str, customer: str | None) -> Sequence[str]:
        """The ids of all customers of an account, with `customer`, the one in our own records. One search."""
        ...

    def payments_of(self, customer: str, limit: int) -> Sequence[LedgerPayment]:
        """The newest PaymentIntents of a customer, at most `limit`, without refunds and disputes.

        One list per hundred. Empty for a customer that the payment service does not know.
        """
        ...

    def payment_in_ledger(self, payment: str) -> LedgerPayment | None:
        """One PaymentIntent, without refunds and disputes; None without it. One request."""
        ...

    def refunds_of(self, payment: str, limit: int) -> Sequence[LedgerRefund]:
        """The newest refunds of a PaymentIntent, at most `limit`. One list per hundred."""
        ...

    def disputes_of(self, payment: LedgerPayment, limit: int) -> Sequence[LedgerDispute]:
        """The newest disputes of a PaymentIntent, at most `limit`. One list per hundred."""
        ...
