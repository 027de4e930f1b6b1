"""A subscription: the tier and price of each product, its discounts, and what a paid period costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.kernel.errors import Path, RuleViolation, Violation
from billing.kernel.money import Money, rounded
from billing.subscriptions.catalogue import Catalogue, price_per_month

WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a subscription at the tier and price that were signed.

    `up_to` is the tier's monthly volume, None where it is open-ended; `price` is per month.
    """

    product: str
    name: str
    unit: str
    up_to: int | None
    price: Money


@dataclass(frozen=True, slots=True)
class Discount:
    """Less to pay from `valid_from` and before `valid_until` (None: without end).

    On one product, or on the whole subscription where `product` is None. Either `percent`, or `amount` in
    minor units per month of the contract's currency.
    """

    product: str | None
    percent: Decimal | None
    amount: int | None
    valid_from: date
    valid_until: date | None
    reason: str

    def applies_on(self, day: date) -> bool:
        """Whether the discount is active on `day`."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


class Cause(StrEnum):
    """What has led to a change of tier."""

    AUTOSCALING = "autoscaling"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class TierChange:
    """A product's move to another tier and its price per month, in effect on the day `effective_on` and after it.

    `decision` names what decided it: the review, or autoscaling's decision.
    """

    product: str
    up_to: int | None
    price: Money
    effective_on: date
    cause: Cause
    decision: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """The lines, one per product, with their discounts, on the prices of one version of the catalogue.

    `lines` are what was signed; `changes` of tier that came later take effect by themselves, each on its day.
    `version` counts the times that all this was written.
    """

    catalogue_version: int
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...]
    changes: tuple[TierChange, ...] = ()
    version: int = 0

    def lines_on(self, day: date) -> tuple[Line, ...]:
        """The lines as they stand on `day`."""
        return tuple(self.line_on(line, day) for line in self.lines) if self.changes else self.lines

    def line_on(self, line: Line, day: date) -> Line:
        """One of the lines as it stands on `day`."""
        in_effect = [each for each in self.changes if each.product == line.product and each.effective_on <= day]
        if not in_effect:
            return line
        newest = max(in_effect, key=lambda each: each.effective_on)
        return replace(line, up_to=newest.up_to, price=newest.price)

    def pending_change(self, product: str, today: date) -> TierChange | None:
        """The product's next change of tier after `today`, if one is to come."""
        pending = [each for each in self.changes if each.product == product and each.effective_on > today]
        return min(pending, key=lambda each: each.effective_on, default=None)

    def changed(self, changes: tuple[TierChange, ...], today: date, settled: date) -> Subscription:
        """The subscription with these changes, which replace those of the same products that are still to come.

        Before the day `settled` nothing is charged any more: what is in effect by then is signed into the lines.
        """
        replaced = {each.product for each in changes}
        kept = tuple(
            each
            for each in self.changes
            if each.effective_on > settled and not (each.effective_on > today and each.product in replaced)
        )
        return replace(self, lines=self.lines_on(settled), changes=(*kept, *changes))

    def discounts_of(self, product: str | None) -> tuple[Discount, ...]:
        """All discounts on one product, or with None on the whole subscription, active or not."""
        return tuple(each for each in self.discounts if each.product == product)

    def discounts_on(self, day: date, product: str | None) -> tuple[Discount, ...]:
        """Those of them that are active on `day`."""
        return tuple(each for each in self.discounts_of(product) if each.applies_on(day))


@dataclass(frozen=True, slots=True)
class Order:
    """A product and the tier wanted of it; `up_to` None asks for the open-ended one."""

    product: str
    up_to: int | None


def subscribe(
    orders: tuple[Order, ...], discounts: tuple[Discount, ...], catalogue: Catalogue, currency: str
) -> Subscription:
    """The subscription of these orders at the catalogue's prices.

    Raises RuleViolation, naming every place: a product that is not sold or is ordered twice, a tier that does
    not exist or has no price in this currency, a discount on a product that is not ordered, or larger than
    what it reduces.
    """
    violations: list[Violation] = []
    lines: list[Line] = []
    for position, order in enumerate(orders):
        path: Path = ("lines", position)
        if order.product in {earlier.product for earlier in orders[:position]}:
            violations.append(Violation((*path, "product"), f"{order.product} is ordered twice."))
        line = _line(order, path, catalogue, currency)
        if isinstance(line, Line):
            lines.append(line)
        else:
            violations.append(line)
    subscription = Subscription(catalogue.version, tuple(lines), discounts)
    if not violations:  # a discount can only be judged against lines that stand
        violations.extend(_discount_violations(subscription))
    if violations:
        raise RuleViolation(*violations)
    return subscription


def price_after_discounts(subscription: Subscription, line: Line, day: date) -> Money:
    """What the line, as it stands on `day`, costs per month with its own discounts of that day, rounded once."""
    return Money(rounded(month_price(line, subscription.discounts_of(line.product), day)), line.price.currency)


def line_on(subscription: Subscription, line: Line, day: date) -> tuple[Line, str | None]:
    """The line as it stands on `day`, and the decision that has led to its tier, None for what was signed."""
    in_effect = [each for each in subscription.changes if each.product == line.product and each.effective_on <= day]
    if not in_effect:
        return line, None
    return subscription.line_on(line, day), max(in_effect, key=lambda each: each.effective_on).decision


def month_price(line: Line, discounts: tuple[Discount, ...], day: date) -> Decimal:
    """What a line costs for a month with the discounts of its product that are active on its first day, exactly."""
    return apply_discounts(Decimal(line.price.amount), discounts, day)


def _line(order: Order, path: Path, catalogue: Catalogue, currency: str) -> Line | Violation:
    product = catalogue.product(order.product)
    if product is None:
        return Violation((*path, "product"), f"{order.product} is not in the catalogue.")
    tier = product.tier(order.up_to)
    if tier is None:
        volumes = ", ".join("open-ended" if each.up_to is None else str(each.up_to) for each in product.tiers)
        return Violation((*path, "up_to"), f"{product.name} has no such tier; its tiers are up to: {volumes}.")
    price = price_per_month(tier, currency)
    if price is None:
        return Violation((*path, "up_to"), f"This tier of {product.name} has no price in {currency}.")
    return Line(product.id, product.name, product.unit, tier.up_to, price)


def _discount_violations(subscription: Subscription) -> Iterator[Violation]:
    """More is only taken off from a day on which a discount begins, so those are the days to look at."""
    products = {line.product for line in subscription.lines}
    for position, discount in enumerate(subscription.discounts):
        path: Path = ("discounts", position)
        day = discount.valid_from
        if discount.product is not None and discount.product not in products:
            yield Violation((*path, "product"), f"{discount.product} is not ordered.")
        elif _left(subscription, discount.product, day) < 0 or (
            # What is taken off the whole was right until this discount made the whole less.
            _left(subscription, None, day) < 0
            and not any(other.product is None and other.valid_from == day for other in subscription.discounts)
        ):
            kind = "percent" if discount.amount is None else "amount"
            yield Violation((*path, kind), "The discounts of that day take off more than there is.")


def _left(subscription: Subscription, product: str | None, day: date) -> Decimal:
    """What is left of one product's price per month, or of the whole; below zero if too much is taken off."""
    if product is not None:
        [line] = (line for line in subscription.lines if line.product == product)
        return _after_discount(Decimal(line.price.amount), subscription.discounts_on(day, product))
    lines = (month_price(line, subscription.discounts_of(line.product), day) for line in subscription.lines)
    return _after_discount(sum(lines, Decimal(0)), subscription.discounts_on(day, None))


def apply_discounts(amount: Decimal, discounts: tuple[Discount, ...], day: date) -> Decimal:
    """The amount less what is active on `day`, never below zero."""
    return max(Decimal(0), _after_discount(amount, tuple(each for each in discounts if each.applies_on(day))))


def _after_discount(amount: Decimal, discounts: tuple[Discount, ...]) -> Decimal:
    """The amount less these discounts: percentages add up and come first, then fixed amounts."""
    percent = sum((each.percent for each in discounts if each.percent is not None), Decimal(0))
    fixed = sum(each.amount for each in discounts if each.amount is not None)
    return amount * (WHOLE - percent) / WHOLE - fixed
