"""Changes of a running subscription, each from a day on: nothing that is invoiced changes (decision 0034)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.kernel.contract_calendar import terminated
from billing.kernel.errors import Conflict, NotFound, Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue, Product, price_per_month
from billing.subscriptions.rules import (
    Cause,
    Discount,
    Line,
    Order,
    Subscription,
    TierChange,
    line_of,
    remaining_price,
)
from billing.subscriptions.subscriber import Subscriber
from billing.subscriptions.versions import ProductTiers, VersionTier

AHEAD_DAYS_MAX = 731
"""How far ahead a change can be entered. A later day is a typing error."""

DISCOUNTS_KEPT_MAX = 60
"""Discounts of a subscription, with ended ones that a late invoice may still need."""


LINES_MAX = 30
"""Products of one account."""


class LastProduct(Conflict):
    """The last product of an account does not end by itself: that is a cancellation, which only an admin asks for."""

    code = "last-product"

    def __init__(self) -> None:
        super().__init__("It is the account's last product. Only an admin can end it, by cancelling the account.")


class NotEnding(Conflict):
    """There is no end of this product to take back, or it has taken effect."""

    code = "not-ending"

    def __init__(self) -> None:
        super().__init__("This product does not end, or has ended already.")


class EndChanged(Conflict):
    """The product would end on another day than the one that was shown."""

    code = "end-changed"

    def __init__(self, ends_on: date) -> None:
        super().__init__(f"It would end on {ends_on} now. Look at it again, then confirm.")


@dataclass(frozen=True, slots=True)
class Changed:
    """A subscription after a change, and the first day for which it makes a difference; None without a change.

    `replaces_agreed` is a price agreed with the customer that ends with the change, because it belongs to another tier.
    `shown` is what a preview shows, where that is not what is stored: as if its mail had gone out.
    """

    subscription: Subscription
    effective_on: date | None
    replaces_agreed: Money | None = None
    shown: Subscription | None = None


def with_discounts(subscriber: Subscriber, discounts: Sequence[Discount], today: date) -> Changed:
    """Replaces the discounts of a subscription from the next paid period on, of which no month is fixed.

    `discounts` are all that are wanted. A stored one that is not among them ends with that day, or never begins. One
    that differs in its end alone gets the new end. Raises RuleViolation with the path of each discount, from
    "discounts" on, that would change an earlier day, that begins too far ahead, whose product is not subscribed, or
    that takes off more than there is.
    """
    subscription, first = subscriber.subscription, subscriber.next_open_renewal(today)
    stored = {_identity(each) for each in subscription.discounts}
    violations = [*_discount_violations(discounts, subscription, first, today)]
    if violations:
        raise RuleViolation(*violations)
    wanted = {_identity(each): each for each in discounts}
    settled, result, days = subscriber.open_since(today), list[Discount](), list[date]()
    for each in subscription.discounts:
        new = wanted.get(_identity(each))
        if new is not None:
            result.append(new)
            days += [min(_ends(each, new))] if new != each else []
        elif each.valid_from >= first:
            days.append(each.valid_from)
        elif not _ends_by(each, first):
            result.append(replace(each, valid_until=first))
            days.append(first)
        elif not _ends_by(each, settled):
            result.append(each)
    added = [each for each in discounts if _identity(each) not in stored]
    days += [each.valid_from for each in added]
    if not days:
        return Changed(subscription, None)
    changed = replace(subscription, discounts=(*result, *added))
    exceeded = _exceeded(subscription, changed, discounts, first)
    if exceeded is not None:
        raise RuleViolation(exceeded)
    if len(changed.discounts) > DISCOUNTS_KEPT_MAX:
        raise RuleViolation(
            Violation(("discounts",), f"At most {DISCOUNTS_KEPT_MAX} discounts are kept.", FieldCode.TOO_MANY)
        )
    return Changed(changed, min(days))


def _identity(discount: Discount) -> Discount:
    """A discount without its end, which alone can be changed."""
    return replace(discount, valid_until=None)


def _ends_by(discount: Discount, day: date) -> bool:
    return discount.valid_until is not None and discount.valid_until <= day


def _ends(*discounts: Discount) -> list[date]:
    return [each.valid_until for each in discounts if each.valid_until is not None]


def _discount_violations(
    discounts: Sequence[Discount], subscription: Subscription, first: date, today: date
) -> Iterator[Violation]:
    stored: Mapping[Discount, Discount] = {_identity(each): each for each in subscription.discounts}
    products = {line.product for line in subscription.lines}
    latest = today + timedelta(days=AHEAD_DAYS_MAX)
    seen, known = Counter[Discount](), Counter(_identity(each) for each in subscription.discounts)
    for position, each in enumerate(discounts):
        path: Path = ("discounts", position)
        before = stored.get(_identity(each))
        seen[_identity(each)] += 1
        if seen[_identity(each)] > max(1, known[_identity(each)]):  # an account may have been provisioned with two
            yield Violation(path, "This discount is listed twice.", FieldCode.DUPLICATE)
        if before is None:
            if each.product is not None and each.product not in products:
                yield Violation(
                    (*path, "product"),
                    f"The account does not subscribe to {each.product}.",
                    FieldCode.UNKNOWN,
                    {"allowed": sorted(products)},
                )
            if not first <= each.valid_from <= latest:
                detail = f"A new discount begins between {first}, the next renewal that is not invoiced, and {latest}."
                code = FieldCode.TOO_EARLY if each.valid_from < first else FieldCode.TOO_LATE
                yield Violation((*path, "from"), detail, code, {"min": first, "max": latest})
        elif before != each and min(_ends(before, each)) < first:
            detail = f"The end of this discount can be moved between days from {first} on: earlier ones are invoiced."
            yield Violation((*path, "until"), detail, FieldCode.TOO_EARLY, {"min": first})


def _exceeded(
    before: Subscription, after: Subscription, discounts: Sequence[Discount], first: date
) -> Violation | None:
    """The first discount that takes off more than there is; only of days on which the change makes a difference."""
    marks = {day for each in after.discounts for day in (each.valid_from, each.valid_until) if day is not None}
    for day in sorted({first} | {each for each in marks if each >= first}):
        active = [each for each in after.discounts if each.applies_on(day)]
        if active == [each for each in before.discounts if each.applies_on(day)]:
            continue
        for product in dict.fromkeys([*(each.product for each in active if each.product), None]):
            if remaining_price(after, product, day) < 0:
                position = max(
                    (
                        place
                        for place, each in enumerate(discounts)
                        if each.applies_on(day) and (product is None or each.product == product)
                    ),
                    default=0,
                )
                kind = "percent" if discounts[position].amount is None else "amount"
                detail = f"The discounts of {day} take off more than there is."
                return Violation(("discounts", position, kind), detail, FieldCode.TOO_LARGE)
    return None


# ---- Lines ----


def with_line(
    subscriber: Subscriber,
    order: Order,
    agreed: Money | None,
    catalogue: Catalogue,
    decision: str,
    today: date,
    following: Catalogue | None = None,
) -> Changed:
    """Adds a product, or moves one to a larger tier, on the customer's wish. `decision` is the id of this change.

    `catalogue` is the version that holds with the next contract month that is not fixed, `following` the one that the
    account moves to after that, None without one: what is ordered must be in both.

    The price is the catalogue's, or the `agreed` one, which belongs to this tier: with another one it ends. A new
    product and a larger tier cost from the next contract month
    on that is not fixed; another price for the same tier, and a larger tier that costs less, from the next renewal: a
    paid period that has begun never owes less than was invoiced. Usage of a new product counts at once. Raises
    RuleViolation with a path at "product", "up_to" or "price".
    """
    currency = subscriber.account.contract.currency
    ordered = _ordered(order, agreed, catalogue, currency)
    if following is not None:
        _require_in_next_version(ordered, following, currency)
    subscription = subscriber.subscription
    line = next((each for each in subscription.lines if each.product == order.product), None)
    if line is None:
        return _added(subscriber, ordered, following, today)
    if line.valid_until is not None:
        if not line.never_costs and not line.ends_by(subscriber.open_since(today)):
            detail = f"{line.name} ends on {line.valid_until}: take that back, or add it again when it is invoiced."
            raise RuleViolation(Violation(("product",), detail, FieldCode.DUPLICATE))
        return _added(subscriber, ordered, following, today)
    current = _latest(subscription, line, today, subscriber.next_open_month(today))
    if (current.up_to, current.price, current.agreed) == (ordered.up_to, ordered.price, ordered.agreed):
        return Changed(subscription, None)
    if _is_larger(current.up_to, ordered.up_to):
        detail = f"{line.name} has a larger tier. A smaller one is decided in a review."
        raise RuleViolation(Violation(("up_to",), detail, FieldCode.TOO_SMALL))
    is_dearer = ordered.price.amount >= current.price.amount and current.up_to != ordered.up_to
    effective_on = subscriber.next_open_month(today) if is_dearer else subscriber.next_open_renewal(today)
    if line.valid_from is not None:
        effective_on = max(effective_on, line.valid_from)
    change = TierChange(
        line.product, ordered.up_to, ordered.price, effective_on, Cause.WISH, decision, today, ordered.agreed
    )
    ends = current.agreed and not ordered.agreed
    return Changed(subscriber.change_tiers((change,), today), effective_on, current.price if ends else None)


def with_end(subscriber: Subscriber, product: str, confirmed: date | None, today: date) -> Changed:
    """Ends a product with notice: on the day on which a cancellation of today would end the contract (DESIGN 3.1).

    A product that is still to come ends before it begins. `confirmed` is the day that was shown, None for any. Raises
    NotFound, LastProduct, EndChanged.
    """
    subscription, line = subscriber.subscription, _line_named(subscriber.subscription, product, today)
    if line.valid_until is not None:
        if confirmed not in {None, line.valid_until}:
            raise EndChanged(line.valid_until)
        return Changed(subscription, None)
    if not any(each.valid_until is None for each in subscription.lines if each is not line):
        raise LastProduct
    if line.valid_from is not None and line.valid_from > today:
        ends_on = line.valid_from
    else:
        notice = terminated(subscriber.account.contract, today)
        ends_on = max(notice.active_until, subscriber.next_open_renewal(today))
    if confirmed not in {None, ends_on}:
        raise EndChanged(ends_on)
    return Changed(_with(subscription, replace(line, valid_until=ends_on)), ends_on)


def with_end_taken_back(subscriber: Subscriber, product: str, today: date) -> Changed:
    """Takes the end of a product back, before its day. Raises NotFound, NotEnding where there is none to come."""
    subscription, line = subscriber.subscription, _line_named(subscriber.subscription, product, today)
    if line.valid_until is None:
        raise NotEnding
    return Changed(_with(subscription, replace(line, valid_until=None)), line.valid_until)


def _ordered(order: Order, agreed: Money | None, catalogue: Catalogue, currency: str) -> Line:
    """The line of an order, at the agreed price if there is one: that may be of a tier without a price."""
    if agreed is None:
        line = line_of(order, (), catalogue, currency)
        if isinstance(line, Violation):
            raise RuleViolation(line)
        return line
    if agreed.currency != currency:
        raise RuleViolation(
            Violation(
                ("price", "currency"),
                f"The contract is paid in {currency}.",
                FieldCode.UNSUPPORTED,
                {"allowed": [currency]},
            )
        )
    product = catalogue.product(order.product)
    if product is None:
        raise RuleViolation(
            Violation(("product",), f"{order.product} is not in the account's catalogue.", FieldCode.UNKNOWN)
        )
    if product.tier(order.up_to) is None:
        raise RuleViolation(Violation(("up_to",), f"{product.name} has no such tier.", FieldCode.UNKNOWN))
    return Line(product.id, product.name, product.unit, order.up_to, agreed, product.translations, agreed=True)


def _require_in_next_version(ordered: Line, following: Catalogue, currency: str) -> None:
    """Raises RuleViolation unless the version that the account moves to has what is ordered."""
    product, place = following.product(ordered.product), f"version {following.version} of the catalogue"
    if product is None:
        detail = f"{ordered.name} is not in {place}, to which the account moves."
        raise RuleViolation(Violation(("product",), detail, FieldCode.UNUSABLE))
    if not has_place_for(ordered, product, currency):
        detail = f"{ordered.name} has no tier for it in {place}, to which the account moves."
        raise RuleViolation(Violation(("up_to",), detail, FieldCode.UNUSABLE))


def has_place_for(line: Line, product: Product, currency: str) -> bool:
    """Whether a product of another version of the catalogue has a tier for a line.

    A line with an agreed price keeps its tier; any other takes the smallest one that holds as much.
    """
    if line.agreed:
        return product.tier(line.up_to) is not None
    return tiers_of(product, currency).holding(line.up_to) is not None


def tiers_of(product: Product, currency: str) -> ProductTiers:
    """The tiers of a product with their prices in one currency."""
    return ProductTiers(
        product.id, tuple(VersionTier(each.up_to, price_per_month(each, currency)) for each in product.tiers)
    )


def _added(subscriber: Subscriber, ordered: Line, following: Catalogue | None, today: date) -> Changed:
    subscription = subscriber.subscription.without_lines_ended_by(subscriber.open_since(today))
    if len(subscription.lines) >= LINES_MAX:
        raise RuleViolation(
            Violation(("product",), f"An account has at most {LINES_MAX} products.", FieldCode.TOO_MANY)
        )
    begins = subscriber.next_open_month(today)
    line = replace(ordered, added_on=today, valid_from=begins).in_language(subscriber.language)
    product = None if following is None else following.product(line.product)
    versions = subscription.versions
    if product is not None:
        more = tiers_of(product, subscriber.account.contract.currency)
        versions = tuple(
            replace(each, products=(*(old for old in each.products if old.product != product.id), more))
            if each.effective_on > begins
            else each
            for each in versions
        )
    return Changed(replace(subscription, lines=(*subscription.lines, line), versions=versions), begins)


def _latest(subscription: Subscription, line: Line, today: date, month: date) -> Line:
    """The line after what is decided already, unless that is a lower tier at the next renewal.

    Its tier and price are those of the version of the catalogue that holds in `month`.
    """
    pending = subscription.pending_change(line.product, today)
    if pending is None or pending.cause is Cause.REVIEW:
        return subscription.line_on(line, today, month)
    return subscription.line_on(line, pending.effective_on, max(month, pending.effective_on))


def _is_larger(one: int | None, other: int | None) -> bool:
    """Whether the tier `one` holds more than the tier `other`; None holds all."""
    return other is not None and (one is None or one > other)


def _line_named(subscription: Subscription, product: str, today: date) -> Line:
    """The line of a product as stored. Raises NotFound for one that the account does not have any more."""
    for line in subscription.lines:
        if line.product == product and not line.ends_by(today):
            return line
    raise NotFound(f"The account does not subscribe to {product}.")


def _with(subscription: Subscription, changed: Line) -> Subscription:
    lines = tuple(changed if each.product == changed.product else each for each in subscription.lines)
    return replace(subscription, lines=lines)
