"""Changes of a running subscription, each from a day on: nothing that is invoiced changes (decision 0038)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.kernel.errors import Path, RuleViolation, Violation
from billing.subscriptions.rules import Discount, Subscription, remaining_price
from billing.subscriptions.subscriber import Subscriber

AHEAD_DAYS_MAX = 731
"""How far ahead a change can be entered. A later day is a typing error."""

DISCOUNTS_KEPT_MAX = 60
"""Discounts of a subscription, with ended ones that a late invoice may still need."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A subscription after a change, and the first day for which it makes a difference; None without a change."""

    subscription: Subscription
    effective_on: date | None


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
        raise RuleViolation(Violation(("discounts",), f"At most {DISCOUNTS_KEPT_MAX} discounts can be kept."))
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
    seen = set[Discount]()
    for position, each in enumerate(discounts):
        path: Path = ("discounts", position)
        before = stored.get(_identity(each))
        if _identity(each) in seen:
            yield Violation(path, "This discount is listed twice.")
        seen.add(_identity(each))
        if before is None:
            if each.product is not None and each.product not in products:
                yield Violation((*path, "product"), f"The account does not subscribe to {each.product}.")
            if not first <= each.valid_from <= latest:
                detail = f"A new discount begins between {first}, the next renewal that is not invoiced, and {latest}."
                yield Violation((*path, "from"), detail)
        elif before != each and min(_ends(before, each)) < first:
            detail = f"The end of this discount can be moved between days from {first} on: earlier ones are invoiced."
            yield Violation((*path, "until"), detail)


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
                return Violation(("discounts", position, kind), detail)
    return None
