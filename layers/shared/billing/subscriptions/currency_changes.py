"""A running contract in another currency: what of a subscription is in its way, and the prices then (decision 0045).

The prices are those of the same tiers in the version of the catalogue that holds then. Only what is agreed, or fixed in
the old currency, has no price in the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from billing.accounts.terms import NewCurrency, TermChange, TierPrices
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.changes import tiers_of
from billing.subscriptions.rules import Line, Subscription, TierChange
from billing.subscriptions.subscriber import Subscriber
from billing.subscriptions.version_changes import RepricedLine, repriced
from billing.subscriptions.versions import ProductTiers, VersionChange, VersionTier


class ObstacleCode(StrEnum):
    """What is left in the old currency, or has no price in the new one."""

    CANCELLED = "cancelled"
    CREDIT = "credit"
    UNPAID_INVOICE = "unpaid-invoice"
    REFUND = "refund-under-way"
    DISPUTE = "disputed-payment"
    ONE_OFF = "one-off"
    AGREED_PRICE = "agreed-price"
    FIXED_DISCOUNT = "fixed-discount"
    PAYMENT_METHOD = "payment-method"
    NO_PRICE = "no-price"
    CATALOGUE_VERSION = "catalogue-version"


CAN_GO = frozenset(
    {
        ObstacleCode.CREDIT,
        ObstacleCode.UNPAID_INVOICE,
        ObstacleCode.REFUND,
        ObstacleCode.DISPUTE,
        ObstacleCode.ONE_OFF,
    }
)
"""What invoices and payments until the renewal take away: it does not hinder staff from proposing another currency."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing in the way of another currency. `subject` names an invoice, a product or a one-off; None for none."""

    code: ObstacleCode
    subject: str | None
    detail: str

    @property
    def stays(self) -> bool:
        """Whether it is still there on the day, unless somebody changes the account."""
        return self.code not in CAN_GO


class CurrencyPending(Conflict):
    """The change would stand in the way of another currency that is to come."""

    code = "currency-change-pending"

    def __init__(self, currency: str, obstacle: Obstacle) -> None:
        super().__init__(
            f"The contract is to be paid in {currency}. {obstacle.detail} Take the change of the currency back first."
        )


def new_currency(subscription: Subscription, catalogue: Catalogue, currency: str) -> NewCurrency:
    """Another currency with the catalogue's prices of the account's products. Those it does not have are left out."""
    products = [catalogue.product(line.product) for line in subscription.lines]
    prices = tuple((each.id, _prices(tiers_of(each, currency))) for each in products if each is not None)
    return NewCurrency(currency, catalogue.version, prices)


def version_then(subscription: Subscription, day: date, today: date) -> int:
    """The version of the catalogue that holds on `day` if a move that is still to come is announced in time."""
    holding = [
        each
        for each in subscription.versions
        if each.effective_on <= day and (each.announced_on is not None or each.effective_on > today)
    ]
    newest = max(holding, key=lambda each: each.effective_on, default=None)
    return subscription.catalogue_version if newest is None else newest.version


def obstacles_in(
    subscription: Subscription, into: NewCurrency, day: date, today: date = date.min
) -> Iterator[Obstacle]:
    """What of a subscription stands in the way of another currency from `day` on, the first day of a paid period.

    A move to another version of the catalogue counts as announced in time if its day is after `today`.
    """
    later = [each for each in subscription.versions if each.effective_on > day]
    if later or version_then(subscription, day, today) != into.catalogue_version:
        detail = "The catalogue's version is not the one that the prices are of."
        yield Obstacle(ObstacleCode.CATALOGUE_VERSION, None, detail)
    for line in subscription.lines:
        if not line.ends_by(day) and not line.never_costs:
            begun = max(day, line.valid_from or day)
            days = [begun, *(each.effective_on for each in subscription.changes if each.product == line.product)]
            shown = [subscription.line_on(line, each) for each in sorted({each for each in days if each >= begun})]
            yield from _of_line(shown, into)
    for discount in subscription.discounts:
        if discount.amount is not None and (discount.valid_until is None or discount.valid_until > day):
            detail = f"A discount of a fixed amount lasts beyond that day: {discount.reason}."
            yield Obstacle(ObstacleCode.FIXED_DISCOUNT, discount.product, detail)


def in_currency(subscription: Subscription, change: TermChange, contract: Contract) -> Subscription:
    """The subscription at the prices of a change's new currency, from its renewal on.

    What is decided already for a day from then on gets them too. `contract` is without the change.
    """
    if change.into is None:
        return subscription
    day = contract.month_start(change.from_month)
    products = tuple(_tiers(*each, change.into.currency) for each in change.into.prices)
    decided_on = contract.today(change.agreed_at or change.proposed_at)
    version = VersionChange(
        version=change.into.catalogue_version,
        effective_on=day,
        cancel_by=contract.last_day_to_avoid(day),
        decided_on=decided_on,
        decision=change.id,
        products=products,
        announced_on=decided_on,
    )
    lines = (_priced(each, version) if (each.valid_from or date.min) >= day else each for each in subscription.lines)
    return replace(
        subscription,
        lines=tuple(lines),
        changes=tuple(_moved(each, version) for each in subscription.changes),
        replaced=tuple(replace(each, change=_moved(each.change, version)) for each in subscription.replaced),
        versions=(*subscription.versions, version),
    )


def as_agreed(subscriber: Subscriber, change: TermChange | None) -> Subscriber | None:
    """The account with the other currency that is agreed and to come; None without one, or where it will lapse.

    A cancelled account keeps its currency.
    """
    account, subscription = subscriber.account, subscriber.subscription
    if change is None or change.into is None or not change.awaits(account.contract) or account.ending is not None:
        return None
    day = account.contract.month_start(change.from_month)
    if any(obstacles_in(subscription, change.into, day)):
        return None
    return with_currency(subscriber, change)


def with_currency(subscriber: Subscriber, change: TermChange) -> Subscriber:
    """The account after a change into another currency: its contract has the term, its lines the prices."""
    account, contract = subscriber.account, subscriber.account.contract
    term = change.term_of(contract, change.agreed_at or change.proposed_at)
    return replace(
        subscriber,
        account=replace(account, contract=contract.with_term(term)),
        subscription=in_currency(subscriber.subscription, change, contract),
    )


def lines_in_currency(subscription: Subscription, change: TermChange, contract: Contract) -> tuple[RepricedLine, ...]:
    """The lines that a change into another currency concerns, before and after it, on its first day."""
    if change.into is None:
        return ()
    day = contract.month_start(change.from_month)
    after = in_currency(subscription, change, contract)
    before = {line.product: subscription.line_on(line, day) for line in subscription.lines}
    return tuple(replace(each, before=before[each.after.product]) for each in repriced(after, after.versions[-1]))


def require_no_new_obstacle(before: Subscription, after: Subscription, change: TermChange, contract: Contract) -> None:
    """Raises CurrencyPending where a change of the subscription would let another currency lapse that is to come."""
    into = change.into
    if into is None or not (change.is_open or change.awaits(contract)):
        return
    day = contract.month_start(change.from_month)
    known = [*obstacles_in(before, into, day)]
    for each in obstacles_in(after, into, day):
        if each not in known:
            raise CurrencyPending(into.currency, each)


def _of_line(shown: list[Line], into: NewCurrency) -> Iterator[Obstacle]:
    tiers = dict(into.prices)
    for line in shown:
        if line.agreed:
            detail = f"The price of {line.name} is agreed with the customer."
            yield Obstacle(ObstacleCode.AGREED_PRICE, line.product, detail)
            return
        if dict(tiers.get(line.product, ())).get(line.up_to) is None:
            detail = f"The tier of {line.name} has no price in {into.currency} in version {into.catalogue_version}."
            yield Obstacle(ObstacleCode.NO_PRICE, line.product, detail)
            return


def _prices(of: ProductTiers) -> TierPrices:
    return tuple((each.up_to, None if each.price is None else each.price.amount) for each in of.tiers)


def _tiers(product: str, prices: TierPrices, currency: str) -> ProductTiers:
    tiers = (VersionTier(up_to, None if amount is None else Money(amount, currency)) for up_to, amount in prices)
    return ProductTiers(product, tuple(tiers))


def _priced(line: Line, version: VersionChange) -> Line:
    price = _price(line.product, line.up_to, version)
    return line if line.agreed or price is None else replace(line, price=price)


def _moved(change: TierChange, version: VersionChange) -> TierChange:
    price = _price(change.product, change.up_to, version)
    if change.agreed or price is None or change.effective_on < version.effective_on:
        return change
    return replace(change, price=price)


def _price(product: str, up_to: int | None, version: VersionChange) -> Money | None:
    tiers = next((each for each in version.products if each.product == product), None)
    return None if tiers is None else next((each.price for each in tiers.tiers if each.up_to == up_to), None)
