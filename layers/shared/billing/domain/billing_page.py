"""The billing page: an account with its subscription, billing information, payment method and newest invoices."""

from __future__ import annotations

from dataclasses import dataclass

from billing.domain.account import Account
from billing.domain.information import BillingInformation
from billing.domain.invoices import Invoice
from billing.domain.payment import PaymentMethod
from billing.domain.subscription import Subscription


@dataclass(frozen=True, slots=True)
class BillingPage:
    """Everything of an account that its billing page shows. `invoices` are the newest, newest first."""

    account: Account
    subscription: Subscription
    information: BillingInformation
    payment_method: PaymentMethod | None
    invoices: tuple[Invoice, ...]
