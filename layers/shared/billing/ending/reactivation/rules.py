"""Taking a deactivated account up again: a new contract from that day on, on the prices of that day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from billing.accounts.rules import Account, Status
from billing.invoicing.invoices import IssuedInvoice
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict
from billing.payments.methods import PaymentFailure
from billing.subscriptions.catalogue import Catalogue, Product, Tier, price_per_month
from billing.subscriptions.rules import Order, Subscription, subscribe


class ReactivationState(StrEnum):
    """Where a reactivation stands. Of one that has succeeded nothing is left: the account is active."""

    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reactivation:
    """A reactivation as it was asked for, with all that it will come to: nothing of it changes until it is paid.

    `invoice` is the first of the new contract, without its number. `payment` is the one at the payment service, kept
    before it is charged. `version` counts the changes.
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
    """Only what is deactivated, and not yet being deleted, can be taken up again."""

    code = "not-deactivated"

    def __init__(self) -> None:
        super().__init__("This account is not deactivated, or its days to be reactivated are over.")


class NothingSold(Conflict):
    """None of what the account had is sold any more, in its currency."""

    code = "nothing-sold"

    def __init__(self) -> None:
        super().__init__("Nothing of what this account had is sold any more. Ask the vendor for a new account.")


class NoPaymentMethod(Conflict):
    """The first charge needs a payment method."""

    code = "no-payment-method"

    def __init__(self) -> None:
        super().__init__("The account has no payment method that can be charged. Add one first, then reactivate.")


class QuoteChanged(Conflict):
    """What it costs is not what the admin was shown."""

    code = "reactivation-changed"

    def __init__(self) -> None:
        super().__init__("What it costs has changed since you were shown it. Look at it again, then confirm.")


def require_deactivated(account: Account, today: date) -> None:
    """Raises NotDeactivated unless the account can be taken up again today."""
    ending = account.ending
    if account.status is not Status.DEACTIVATED or ending is None or today >= ending.purge_on:
        raise NotDeactivated


def new_contract(contract: Contract, today: date) -> Contract:
    """The new contract: it starts today, all else is as it was."""
    return replace(contract, start=today)


def resubscribe(subscription: Subscription, catalogue: Catalogue, currency: str, today: date) -> Subscription:
    """What was subscribed to, on today's prices; a tier that is no longer sold is replaced by the next larger one.

    Products that are no longer sold are left out, and discounts ended with the contract. Raises NothingSold.
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
    """The smallest tier with a price in this currency that holds as much; the largest where none does. They rise."""
    sold = [tier for tier in product.tiers if price_per_month(tier, currency) is not None]
    holding = (tier for tier in sold if tier.up_to is None or (up_to is not None and tier.up_to >= up_to))
    return next(holding, sold[-1] if sold else None)
