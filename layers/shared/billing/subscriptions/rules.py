"""A subscription: the tier and price of each product, its discounts and its tier changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.accounts.rules import EarlierProduct
from billing.kernel.errors import Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money, rounded
from billing.subscriptions.catalogue import Catalogue, Translation, price_per_month
from billing.subscriptions.versions import VersionChange, in_order

HUNDRED_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a subscription, with its tier and price.

    `up_to` is the tier's monthly volume, None if it is open-ended. `price` is per month. `name` and `unit` are in the
    account's language; where that is one of the `translations`, `untranslated` are those of the catalogue.

    It costs something from `valid_from` and before `valid_until`. A line that was added to a running subscription was
    `added_on` that day, from which its usage counts. All three are None for a line as signed, without an end.

    A price that is `agreed` with the customer is that of this tier only, and no version of the catalogue replaces it.
    """

    product: str
    name: str
    unit: str
    up_to: int | None
    price: Money
    translations: tuple[Translation, ...] = ()
    untranslated: tuple[str, str] | None = None
    added_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    agreed: bool = False

    def has_begun_by(self, day: date) -> bool:
        """Whether the line costs something on `day`, or did before."""
        return self.valid_from is None or self.valid_from <= day

    def ends_by(self, day: date) -> bool:
        """Whether the line costs nothing any more on `day`."""
        return self.valid_until is not None and self.valid_until <= day

    def is_served_on(self, day: date) -> bool:
        """Whether a contract month that begins on `day` has this line."""
        return self.has_begun_by(day) and not self.ends_by(day)

    @property
    def never_costs(self) -> bool:
        """Whether the line was taken back before it began."""
        return self.valid_from is not None and self.valid_from == self.valid_until

    def counts_on(self, day: date) -> bool:
        """Whether usage of `day` counts: at once when the line is added, and until it ends."""
        return (self.added_on is None or self.added_on <= day) and not self.ends_by(day)

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
    WISH = "wish"


@dataclass(frozen=True, slots=True)
class TierChange:
    """A product's move to another tier and its price per month, in effect from `effective_on` on.

    `decision` is the id of the review, or of the autoscaling decision, that caused it, and `decided_on` the account's
    day on which it was made. None was known at all times: older changes were written without that day. `agreed` says
    that the price is not the catalogue's, but one that is agreed with the customer for this tier.
    """

    product: str
    up_to: int | None
    price: Money
    effective_on: date
    cause: Cause
    decision: str
    decided_on: date | None = None
    agreed: bool = False

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
class FormerLine:
    """A product that was subscribed before `until`, and that no invoice needs any more. Its usage counts `since` then,
    None from the contract's start."""

    product: str
    since: date | None
    until: date


FORMER_LINES_MAX = 60
"""Ended products that a subscription remembers, for usage that is reported or corrected late."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The lines, one per product, with their discounts, at the prices of one version of the catalogue.

    `lines` are as signed, or as added later. Each of the later `changes` takes effect on its own day. `replaced`
    changes never do: a late invoice says what was known when its period began. `version` counts the writes. `former`
    are lines that have ended.

    Each of the later `versions` takes the place of `catalogue_version` on its own day: then a price that is not agreed
    is that version's.
    """

    catalogue_version: int
    lines: tuple[Line, ...]
    discounts: tuple[Discount, ...]
    changes: tuple[TierChange, ...] = ()
    version: int = 0
    replaced: tuple[ReplacedChange, ...] = ()
    former: tuple[FormerLine, ...] = ()
    versions: tuple[VersionChange, ...] = ()

    def in_language(self, language: str) -> Subscription:
        """Returns the subscription with the names of its products in a language, see Line.in_language."""
        if not any(each.translations for each in self.lines):
            return self
        return replace(self, lines=tuple(each.in_language(language) for each in self.lines))

    def lines_on(self, day: date) -> tuple[Line, ...]:
        """The lines that cost something on `day`, with their tiers and prices of that day."""
        return tuple(line for line in self._tiers_on(day) if line.is_served_on(day))

    def lines_not_over(self, day: date) -> tuple[Line, ...]:
        """The lines that have not ended by `day`, those to come included, with their tiers and prices of that day."""
        return tuple(line for line in self._tiers_on(day) if not line.ends_by(day))

    def _tiers_on(self, day: date) -> tuple[Line, ...]:
        if not self.changes and not self.versions:
            return self.lines
        return tuple(self.line_on(line, day) for line in self.lines)

    def begun_by(self, day: date) -> Subscription:
        """Returns the subscription without the lines that begin after `day`.

        A line begins with the first contract month after its decision that is not fixed. So the lines that begin by the
        first day of a paid period are those that were known before it.
        """
        begun = tuple(line for line in self.lines if line.has_begun_by(day))
        return self if len(begun) == len(self.lines) else replace(self, lines=begun)

    def products_on(self, day: date) -> set[str]:
        """The products whose usage of `day` counts."""
        former = (each for each in self.former if (each.since is None or each.since <= day) and day < each.until)
        return {line.product for line in self.lines if line.counts_on(day)} | {each.product for each in former}

    @property
    def remembered(self) -> tuple[tuple[str, ...], tuple[EarlierProduct, ...]]:
        """The products of a contract that has ended: those that it had all the time, and the others with their days."""
        whole = tuple(line.product for line in self.lines if line.added_on is None and line.valid_until is None)
        dated = [
            EarlierProduct(line.product, line.added_on, line.valid_until)
            for line in self.lines
            if line.product not in whole
        ]
        former = [EarlierProduct(each.product, each.since, each.until) for each in self.former]
        return whole, (*former, *dated)

    def without_lines_ended_by(self, day: date) -> Subscription:
        """Returns the subscription whose lines that have ended by `day`, or before they began, are former ones: no
        invoice needs them."""
        over = [line for line in self.lines if line.ends_by(day) or line.never_costs]
        if not over:
            return self
        gone = {line.product for line in over}
        former = [FormerLine(line.product, line.added_on, line.valid_until) for line in over if line.valid_until]
        return replace(
            self,
            lines=tuple(line for line in self.lines if line not in over),
            changes=tuple(each for each in self.changes if each.product not in gone),
            replaced=tuple(each for each in self.replaced if each.change.product not in gone),
            former=(*self.former, *former)[-FORMER_LINES_MAX:],
        )

    def line_on(self, line: Line, day: date, priced_on: date | None = None) -> Line:
        """One of the lines with its tier and price of `day`; in the version of the catalogue that holds on `priced_on`
        where that is given."""
        in_effect = [each for each in self.changes if each.product == line.product and each.effective_on <= day]
        since = line.valid_from or date.min
        if in_effect:
            newest = max(in_effect, key=lambda each: each.effective_on)
            line = replace(line, up_to=newest.up_to, price=newest.price, agreed=newest.agreed)
            since = newest.effective_on
        if line.agreed or not self.versions:
            return line
        for version in in_order(self.versions, since, priced_on or day):
            tier = version.tier(line.product, line.up_to)
            if tier is not None and tier.price is not None:
                line = replace(line, up_to=tier.up_to, price=tier.price)
        return line

    def version_on(self, day: date) -> int:
        """The version of the catalogue whose tiers and prices hold on `day`."""
        holding = [each for each in self.versions if each.holds_on(day)]
        newest = max(holding, key=lambda each: each.effective_on, default=None)
        return self.catalogue_version if newest is None else newest.version

    def pending_version(self, today: date) -> VersionChange | None:
        """The move to another version of the catalogue after `today`, announced or not; None without one."""
        return next((each for each in self.versions if each.effective_on > today), None)

    def prices_change_on(self, today: date) -> date | None:
        """The renewal after `today` with which another version of the catalogue holds, once that is announced."""
        pending = self.pending_version(today)
        return None if pending is None or pending.announced_on is None else pending.effective_on

    def pending_change(self, product: str, today: date) -> TierChange | None:
        """The product's next tier change after `today`, or None. Its tier and price are those of its day."""
        pending = [each for each in self.changes if each.product == product and each.effective_on > today]
        first = min(pending, key=lambda each: each.effective_on, default=None)
        line = next((each for each in self.lines if each.product == product), None)
        if first is None or line is None or not self.versions:
            return first
        line = self.line_on(line, first.effective_on)
        return replace(first, up_to=line.up_to, price=line.price)

    def changed(self, changes: tuple[TierChange, ...], today: date, settled: date) -> Subscription:
        """Returns the subscription with these changes. They replace pending changes of the same products.

        No invoice bills days before `settled` any more. So changes in effect by then move into the lines, and so does
        the version of the catalogue.
        """
        products = {each.product for each in changes}
        replaced = [each for each in self.changes if each.effective_on > today and each.product in products]
        remaining = [each for each in self.changes if each.effective_on > settled and each not in replaced]
        earlier = [each for each in self.replaced if each.replaced_on > settled]
        later = [ReplacedChange(each, today) for each in replaced if each.decided_on != today]
        return replace(
            self,
            catalogue_version=self.version_on(settled),
            lines=self._tiers_on(settled),
            changes=(*remaining, *changes),
            replaced=(*earlier, *later),
            versions=tuple(each for each in self.versions if each.effective_on > settled),
        )

    def known_on(self, day: date) -> Subscription:
        """Returns the subscription as it was known when `day` began, without later decisions.

        So what is invoiced for a day does not depend on when the invoice is made.
        """
        begun = self.begun_by(day)
        if not self.replaced and all(each.is_known_on(day) for each in self.changes):
            return begun
        known = [each for each in self.changes if each.is_known_on(day)]
        known += [each.change for each in self.replaced if each.was_known_on(day)]
        return replace(begun, changes=tuple(known), replaced=())

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
        line = line_of(order, path, catalogue, currency)
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
        return subscription.line_on(line, day), None
    return subscription.line_on(line, day), max(in_effect, key=lambda each: each.effective_on).decision


def month_price(line: Line, discounts: tuple[Discount, ...], day: date) -> Decimal:
    """The exact price of a line for the month that begins on `day`, less the `discounts` active on that day."""
    return apply_discounts(Decimal(line.price.amount), discounts, day)


def line_of(order: Order, path: Path, catalogue: Catalogue, currency: str) -> Line | Violation:
    """The line of an order at the catalogue's price, or why there is none; its path begins with `path`."""
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
        elif remaining_price(subscription, discount.product, day) < 0 or (
            # Discounts on the whole may exceed it because of this discount on a product.
            remaining_price(subscription, None, day) < 0
            and not any(other.product is None and other.valid_from == day for other in subscription.discounts)
        ):
            kind = "percent" if discount.amount is None else "amount"
            yield Violation(
                (*path, kind), "The discounts of that day take off more than there is.", FieldCode.TOO_LARGE
            )


def remaining_price(subscription: Subscription, product: str | None, day: date) -> Decimal:
    """The price per month of a product, or of the whole, less its discounts; below zero if they exceed it.

    It is that of a month that begins on `day`. A product that is not subscribed on that day has nothing to exceed.
    """
    lines = subscription.lines_on(day)
    if product is not None:
        line = next((line for line in lines if line.product == product), None)
        if line is None:
            return Decimal(0)
        return _after_discount(Decimal(line.price.amount), subscription.discounts_on(day, product))
    prices = (month_price(line, subscription.discounts_of(line.product), day) for line in lines)
    return _after_discount(sum(prices, Decimal(0)), subscription.discounts_on(day, None))


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
