"""A subscription: the tier and price of each product, its discounts and its tier changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.kernel.errors import Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money, rounded
from billing.subscriptions.catalogue import Catalogue, Translation, price_per_month

HUNDRED_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a subscription, with its tier and price.

    `up_to` is the tier's monthly volume, None if it is open-ended. `price` is per month. `name` and `unit` are in the
    account's language; where that is one of the `translations`, `untranslated` are those of the catalogue.
    """

    product: str
    name: str
    unit: str
    up_to: int | None
    price: Money
    translations: tuple[Translation, ...] = ()
    untranslated: tuple[str, str] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """The line as events have it, with its names in the account's language."""
        return {
            "product": self.product,
            "name": self.name,
            "unit": self.unit,
            "up_to": self.up_to,
            "price": asdict(self.price),
        }

    @property
    def own_names(self) -> tuple[str, str]:
        """The name and the unit as the catalogue has them."""
        return self.untranslated or (self.name, self.unit)

    def in_language(self, language: str) -> Line:
        """Returns the line with its names in a language, or with those of the catalogue where it has none in it."""
        found = next((each for each in self.translations if each.language == language), None)
        if found is not None:
            return replace(self, name=found.name, unit=found.unit, untranslated=self.own_names)
        if self.untranslated is None:
            return self
        name, unit = self.untranslated
        return replace(self, name=name, unit=unit, untranslated=None)


@dataclass(frozen=True, slots=True)
class Discount:
    """A discount from `valid_from` and before `valid_until` (None: without end), see DESIGN 3.3.4.

    It reduces one product, or the whole subscription if `product` is None. It has either a `percent`, or an `amount`
    per month in minor units of the contract's currency.
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
    """Why a tier changed."""

    AUTOSCALING = "autoscaling"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class TierChange:
    """A product's move to another tier and its price per month, in effect from `effective_on` on.

    `decision` is the id of the review, or of the autoscaling decision, that caused it, and `decided_on` the account's
    day on which it was made. None was known at all times: older changes were written without that day.
    """

    product: str
    up_to: int | None
    price: Money
    effective_on: date
    cause: Cause
    decision: str
    decided_on: date | None = None

    def is_known_on(self, day: date) -> bool:
        """Whether the change was decided before `day`, or is in effect by then."""
        return self.decided_on is None or self.decided_on < day or self.effective_on <= day


@dataclass(frozen=True, slots=True)
class ReplacedChange:
    """A tier change that another decision replaced on a day before it took effect."""

    change: TierChange
    replaced_on: date

    def was_known_on(self, day: date) -> bool:
        """Whether the change was decided before `day`, and was still to come when that day began."""
        return self.change.is_known_on(day) and day <= self.replaced_on


@dataclass(frozen=True, slots=True)
class Subscription:
    """The lines, one per product, with their discounts, at the prices of one version of the catalogue.

    `lines` are as signed. Each of the later `changes` takes effect on its own day. `replaced` changes never do: a late
    invoice says what was known when its period began. `version` counts the writes.
    """

    catalogue_version: int
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...]
    changes: tuple[TierChange, ...] = ()
    version: int = 0
    replaced: tuple[ReplacedChange, ...] = ()

    def in_language(self, language: str) -> Subscription:
        """Returns the subscription with the names of its products in a language, see Line.in_language."""
        if not any(each.translations for each in self.lines):
            return self
        return replace(self, lines=tuple(each.in_language(language) for each in self.lines))

    def lines_on(self, day: date) -> tuple[Line, ...]:
        """The lines with the tiers and prices of `day`."""
        return tuple(self.line_on(line, day) for line in self.lines) if self.changes else self.lines

    def line_on(self, line: Line, day: date) -> Line:
        """One of the lines with its tier and price of `day`."""
        in_effect = [each for each in self.changes if each.product == line.product and each.effective_on <= day]
        if not in_effect:
            return line
        newest = max(in_effect, key=lambda each: each.effective_on)
        return replace(line, up_to=newest.up_to, price=newest.price)

    def pending_change(self, product: str, today: date) -> TierChange | None:
        """The product's next tier change after `today`, or None."""
        pending = [each for each in self.changes if each.product == product and each.effective_on > today]
        return min(pending, key=lambda each: each.effective_on, default=None)

    def changed(self, changes: tuple[TierChange, ...], today: date, settled: date) -> Subscription:
        """Returns the subscription with these changes. They replace pending changes of the same products.

        No invoice bills days before `settled` any more. So changes in effect by then move into the lines.
        """
        products = {each.product for each in changes}
        replaced = [each for each in self.changes if each.effective_on > today and each.product in products]
        remaining = [each for each in self.changes if each.effective_on > settled and each not in replaced]
        earlier = [each for each in self.replaced if each.replaced_on > settled]
        later = [ReplacedChange(each, today) for each in replaced if each.decided_on != today]
        return replace(self, lines=self.lines_on(settled), changes=(*remaining, *changes), replaced=(*earlier, *later))

    def known_on(self, day: date) -> Subscription:
        """Returns the subscription as it was known when `day` began, without later decisions.

        So what is invoiced for a day does not depend on when the invoice is made.
        """
        if not self.replaced and all(each.is_known_on(day) for each in self.changes):
            return self
        known = [each for each in self.changes if each.is_known_on(day)]
        known += [each.change for each in self.replaced if each.was_known_on(day)]
        return replace(self, changes=tuple(known), replaced=())

    def discounts_of(self, product: str | None) -> tuple[Discount, ...]:
        """All discounts on one product, or on the whole subscription (None), active or not."""
        return tuple(each for each in self.discounts if each.product == product)

    def discounts_on(self, day: date, product: str | None) -> tuple[Discount, ...]:
        """The discounts of `discounts_of` that are active on `day`."""
        return tuple(each for each in self.discounts_of(product) if each.applies_on(day))


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a product in the tier with the monthly volume `up_to`, None for the open-ended tier."""

    product: str
    up_to: int | None


def subscribe(
    orders: tuple[Order, ...], discounts: tuple[Discount, ...], catalogue: Catalogue, currency: str
) -> Subscription:
    """Returns the subscription of these orders at the catalogue's prices.

    Raises RuleViolation with the path of every fault: a product that is not in the catalogue or is ordered twice, a
    tier that does not exist or has no price in this currency, a discount on a product that is not ordered, and
    discounts that exceed the price.
    """
    violations: list[Violation] = []
    lines: list[Line] = []
    for position, order in enumerate(orders):
        path: Path = ("lines", position)
        if order.product in {earlier.product for earlier in orders[:position]}:
            violations.append(Violation((*path, "product"), f"{order.product} is ordered twice.", FieldCode.DUPLICATE))
        line = _line(order, path, catalogue, currency)
        if isinstance(line, Line):
            lines.append(line)
        else:
            violations.append(line)
    subscription = Subscription(catalogue.version, tuple(lines), discounts)
    if not violations:  # discounts are checked against valid lines only
        violations.extend(_discount_violations(subscription))
    if violations:
        raise RuleViolation(*violations)
    return subscription


def price_after_discounts(subscription: Subscription, line: Line, day: date) -> Money:
    """The price per month of `line` less its own discounts on `day`, rounded once. `line` must be that of `day`."""
    return Money(rounded(month_price(line, subscription.discounts_of(line.product), day)), line.price.currency)


def line_on(subscription: Subscription, line: Line, day: date) -> tuple[Line, str | None]:
    """The line with its tier and price of `day`, and the decision that chose the tier, None for the signed tier."""
    in_effect = [each for each in subscription.changes if each.product == line.product and each.effective_on <= day]
    if not in_effect:
        return line, None
    return subscription.line_on(line, day), max(in_effect, key=lambda each: each.effective_on).decision


def month_price(line: Line, discounts: tuple[Discount, ...], day: date) -> Decimal:
    """The exact price of a line for the month that begins on `day`, less the `discounts` active on that day."""
    return apply_discounts(Decimal(line.price.amount), discounts, day)


def _line(order: Order, path: Path, catalogue: Catalogue, currency: str) -> Line | Violation:
    product = catalogue.product(order.product)
    if product is None:
        return Violation(
            (*path, "product"),
            f"{order.product} is not in the catalogue.",
            FieldCode.UNKNOWN,
            {"allowed": [each.id for each in catalogue.products]},
        )
    tier = product.tier(order.up_to)
    if tier is None:
        volumes = ", ".join("open-ended" if each.up_to is None else str(each.up_to) for each in product.tiers)
        return Violation(
            (*path, "up_to"),
            f"{product.name} has no such tier; its tiers are up to: {volumes}.",
            FieldCode.NOT_ALLOWED,
            {"allowed": [str(each.up_to) for each in product.tiers if each.up_to is not None]},
        )
    price = price_per_month(tier, currency)
    if price is None:
        return Violation(
            (*path, "up_to"), f"This tier of {product.name} has no price in {currency}.", FieldCode.UNSUPPORTED
        )
    return Line(product.id, product.name, product.unit, tier.up_to, price, product.translations)


def _discount_violations(subscription: Subscription) -> Iterator[Violation]:
    """Total discounts only grow on a day on which a discount begins. So only these days are checked."""
    products = {line.product for line in subscription.lines}
    for position, discount in enumerate(subscription.discounts):
        path: Path = ("discounts", position)
        day = discount.valid_from
        if discount.product is not None and discount.product not in products:
            yield Violation(
                (*path, "product"),
                f"{discount.product} is not ordered.",
                FieldCode.UNKNOWN,
                {"allowed": sorted(products)},
            )
        elif _remaining_price(subscription, discount.product, day) < 0 or (
            # Discounts on the whole may exceed it because of this discount on a product.
            _remaining_price(subscription, None, day) < 0
            and not any(other.product is None and other.valid_from == day for other in subscription.discounts)
        ):
            kind = "percent" if discount.amount is None else "amount"
            yield Violation(
                (*path, kind), "The discounts of that day take off more than there is.", FieldCode.TOO_LARGE
            )


def _remaining_price(subscription: Subscription, product: str | None, day: date) -> Decimal:
    """The price per month of a product, or of the whole, less its discounts; below zero if they exceed it."""
    if product is not None:
        [line] = (line for line in subscription.lines if line.product == product)
        return _after_discount(Decimal(line.price.amount), subscription.discounts_on(day, product))
    lines = (month_price(line, subscription.discounts_of(line.product), day) for line in subscription.lines)
    return _after_discount(sum(lines, Decimal(0)), subscription.discounts_on(day, None))


def apply_discounts(amount: Decimal, discounts: tuple[Discount, ...], day: date) -> Decimal:
    """The amount less the discounts active on `day`, never below zero (DESIGN 3.3.4)."""
    return discounted(amount, tuple(each for each in discounts if each.applies_on(day)))


def discounted(amount: Decimal, active: tuple[Discount, ...]) -> Decimal:
    """The amount less active discounts, never below zero (DESIGN 3.3.4)."""
    return max(Decimal(0), _after_discount(amount, active)) if active else amount


def _after_discount(amount: Decimal, discounts: tuple[Discount, ...]) -> Decimal:
    """The amount less these discounts. Percentages add up and come first, then fixed amounts (DESIGN 3.3.4)."""
    percent = sum((each.percent for each in discounts if each.percent is not None), Decimal(0))
    fixed = sum(each.amount for each in discounts if each.amount is not None)
    return amount * (HUNDRED_PERCENT - percent) / HUNDRED_PERCENT - fixed
