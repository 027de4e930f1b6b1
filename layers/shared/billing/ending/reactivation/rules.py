"""The rules of reactivation: a new contract that starts today, at today's prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.accounts.rules import Account, Status
from billing.invoicing.invoices import IssuedInvoice
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict
from billing.payments.methods import PaymentFailure
from billing.subscriptions.catalogue import Catalogue, Product, Tier, price_per_month
from billing.subscriptions.rules import Order, Subscription, subscribe


class ReactivationState(StrEnum):
    """The state of a reactivation. A successful one is deleted: the account is active again."""

    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reactivation:
    """A requested reactivation with its contract, subscription and first invoice. They do not change until it is paid.

    `invoice` is the first invoice of the new contract, still without a number. `payment_intent_id` is saved before the
    payment is charged. `version` counts the changes.
    """

    id: str
    requested_at: datetime
    requested_by: str
    state: ReactivationState
    contract: Contract
    subscription: Subscription
    invoice: IssuedInvoice
    payment_intent_id: str | None
    failure: PaymentFailure | None
    version: int = 0


class NotDeactivated(Conflict):
    """Only a deactivated account can be reactivated, before the day of its deletion."""

    code = "not-deactivated"

    def __init__(self) -> None:
        super().__init__("This account is not deactivated, or its days to be reactivated are over.")


class NothingSold(Conflict):
    """The catalogue no longer sells any of the account's products in its currency."""

    code = "nothing-sold"

    def __init__(self) -> None:
        super().__init__("Nothing of what this account had is sold any more. Ask the vendor for a new account.")


class NoPaymentMethod(Conflict):
    """The first charge needs a payment method."""

    code = "no-payment-method"

    def __init__(self) -> None:
        super().__init__("The account has no payment method that can be charged. Add one first, then reactivate.")


class QuoteChanged(Conflict):
    """The price differs from the one shown to the admin."""

    code = "reactivation-changed"

    def __init__(self) -> None:
        super().__init__("What it costs has changed since you were shown it. Look at it again, then confirm.")


def require_deactivated(account: Account, today: date) -> None:
    """Raises NotDeactivated unless the account can be reactivated today."""
    ending = account.ending
    if account.status is not Status.DEACTIVATED or ending is None or today >= ending.purge_on:
        raise NotDeactivated


def new_contract(contract: Contract, ended: date, today: date) -> Contract:
    """The old contract with today as its start, paid as the old one was paid last: it has one term.

    `ended` is the first day that was not served: a term that begins on it or later never began.
    """
    month = max(0, contract.month_of(ended - timedelta(days=1)))
    return replace(
        contract,
        start=today,
        interval_months=contract.interval_of(month),
        currency=contract.currency_of(month),
        terms=(),
        first_currency=None,
    )


def resubscribe(subscription: Subscription, catalogue: Catalogue, currency: str, today: date) -> Subscription:
    """The old subscription at today's prices. The next larger tier replaces one that is no longer sold.

    Products that are no longer sold are left out. Discounts ended with the old contract. Raises NothingSold if no
    product is left.
    """
    orders = []
    for line in subscription.lines_on(today):
        product = catalogue.product(line.product)
        tier = None if product is None else _fitting(product, line.up_to, currency)
        if tier is not None:
            orders.append(Order(line.product, tier.up_to))
    if not orders:
        raise NothingSold
    return replace(subscribe(tuple(orders), (), catalogue, currency), version=subscription.version)


def _fitting(product: Product, up_to: int | None, currency: str) -> Tier | None:
    """The smallest priced tier of at least `up_to`, or the largest priced one. None if no tier has a price."""
    sold = [tier for tier in product.tiers if price_per_month(tier, currency) is not None]
    large_enough = (tier for tier in sold if tier.up_to is None or (up_to is not None and tier.up_to >= up_to))
    return next(large_enough, sold[-1] if sold else None)
