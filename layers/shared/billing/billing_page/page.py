"""The billing page: an account with its subscription, billing information, payment method and newest invoices."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.information import BillingInformation
from billing.accounts.rules import Account
from billing.invoicing.invoices import Invoice
from billing.payments.methods import PaymentMethod
from billing.subscriptions.rules import Subscription


@dataclass(frozen=True, slots=True)
class BillingPage:
    """The content of an account's billing page. `invoices` are the newest ones, newest first."""

    account: Account
    subscription: Subscription
    information: BillingInformation
    payment_method: PaymentMethod | None
    invoices: tuple[Invoice, ...]
