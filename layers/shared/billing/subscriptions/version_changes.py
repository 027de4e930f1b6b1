"""Moves a running account to another version of the catalogue, with the notice that was promised (decision 0038)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.events import Facts
from billing.kernel.field_codes import FieldCode
from billing.subscriptions.catalogue import Catalogue, Product, price_per_month
from billing.subscriptions.changes import Changed, has_place_for, tiers_of
from billing.subscriptions.rules import Line, Subscription, TierChange
from billing.subscriptions.subscriber import Subscriber
from billing.subscriptions.versions import VersionChange, first_renewal_with_notice

DAY = timedelta(days=1)


class NoVersionPending(Conflict):
    """There is no move to another version of the catalogue to withdraw, or it has taken effect."""

    code = "no-version-pending"

    def __init__(self) -> None:
        super().__init__("The account does not move to another version of the catalogue, or has moved already.")


class VersionDayChanged(Conflict):
    """The version would hold from another day than the one that was shown."""

    code = "version-day-changed"

    def __init__(self, effective_on: date) -> None:
        super().__init__(f"It would hold from {effective_on} now. Look at it again, then confirm.")


class VersionBetweenRenewals(Conflict):
    """The prices change on a day that would be no renewal any more."""

    code = "version-between-renewals"

    def __init__(self, effective_on: date) -> None:
        super().__init__(f"The prices change on {effective_on}, which would be no renewal: withdraw that change first.")


class ProductOfVersion(Conflict):
    """A product was added that only the version has which is to be withdrawn."""

    code = "product-of-version"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is only in the version that would be withdrawn. End it first.")


@dataclass(frozen=True, slots=True)
class VersionOrder:
    """A move to the catalogue `wanted`. `confirmed` is the day that staff were shown, None for any.

    `decision` is the id of the move. A mail about it gives `notice_days` of notice. `is_announced` says that no mail is
    awaited: on a test clock a mail goes out on the day of its event.
    """

    wanted: Catalogue
    decision: str
    notice_days: int
    confirmed: date | None = None
    is_announced: bool = False


@dataclass(frozen=True, slots=True)
class RepricedLine:
    """A product before and after a move to another version of the catalogue."""

    before: Line
    after: Line


def with_version(subscriber: Subscriber, order: VersionOrder, current: Catalogue, today: date) -> Changed:
    """Moves an account to another version of the catalogue, `current` being the one of today.

    It holds from the first renewal whose last day to avoid it gives the notice. It takes the place of a move that is
    still to come. Each line keeps its tier, or takes the smallest one that holds as much; an agreed price stays. A move
    that was announced already, or that still can be, is not changed. Raises VersionDayChanged, and RuleViolation at
    "version" for each line that the version has no tier for.
    """
    contract, pending = subscriber.account.contract, subscriber.subscription.pending_version(today)
    wanted, version = order.wanted, ("version",)
    if pending is not None and pending.version == wanted.version:
        if pending.announced_on is not None or pending.may_be_announced_on(today, order.notice_days):
            if order.confirmed not in {None, pending.effective_on}:
                raise VersionDayChanged(pending.effective_on)
            return Changed(subscriber.subscription, None)
    elif wanted.version == current.version:
        if pending is None:
            return Changed(subscriber.subscription, None)
        detail = f"The account has version {current.version}. Withdraw the move to version {pending.version} instead."
        raise RuleViolation(Violation(version, detail, FieldCode.NO_CHANGE))
    base = _without_pending(subscriber, current, today)
    effective_on, cancel_by = first_renewal_with_notice(
        contract, subscriber.next_open_renewal(today), today, order.notice_days
    )
    if order.confirmed not in {None, effective_on}:
        raise VersionDayChanged(effective_on)
    lines = [base.line_on(line, effective_on) for line in base.lines if not line.ends_by(effective_on)]
    violations = [*_violations(lines, wanted, contract.currency)]
    if violations:
        raise RuleViolation(*violations)
    # A line whose end is taken back later keeps its price: no mail has named another one.
    products = [wanted.product(line.product) for line in lines]
    change = VersionChange(
        version=wanted.version,
        effective_on=effective_on,
        cancel_by=cancel_by,
        decided_on=today,
        decision=order.decision,
        products=tuple(tiers_of(each, contract.currency) for each in products if each is not None),
        announced_on=today if order.is_announced else None,
    )
    return _changed(base, change, today)


def with_version_withdrawn(subscriber: Subscriber, current: Catalogue, today: date) -> Changed:
    """Withdraws a move to another version of the catalogue before its day, `current` being the one of today.

    What was decided at the prices of that version gets those of today's. Raises NoVersionPending, ProductOfVersion.
    """
    pending = subscriber.subscription.pending_version(today)
    if pending is None:
        raise NoVersionPending
    return Changed(_without_pending(subscriber, current, today), pending.effective_on)


def require_renewal_of_version(subscription: Subscription, contract: Contract, today: date) -> None:
    """Raises VersionBetweenRenewals unless the prices change with a renewal of a contract.

    A paid period has one version: its months were paid, or can be avoided, at the prices of its first day.
    """
    pending = subscription.pending_version(today)
    if pending is None:
        return
    month = contract.month_of(pending.effective_on)
    if contract.paid_period(month)[0] != month:
        raise VersionBetweenRenewals(pending.effective_on)


def with_version_put_off(subscriber: Subscriber, decision: str, today: date, notice_days: int) -> Changed:
    """Moves the day of a version whose mail did not go out in time. `decision` is the id of the new announcement.

    Raises NoVersionPending.
    """
    subscription = subscriber.subscription
    pending = subscription.pending_version(today) or _lapsed(subscription)
    if pending is None:
        raise NoVersionPending
    effective_on, cancel_by = first_renewal_with_notice(
        subscriber.account.contract, subscriber.next_open_renewal(today), today, notice_days
    )
    base = replace(subscription, versions=tuple(each for each in subscription.versions if each is not pending))
    moved = replace(pending, effective_on=effective_on, cancel_by=cancel_by, decided_on=today, decision=decision)
    return _changed(base, moved, today)


def with_version_announced(subscription: Subscription, decision: str, day: date) -> Subscription:
    """The subscription after the mail about a move went out on `day`."""
    return replace(
        subscription,
        versions=tuple(each.announced(day) if each.decision == decision else each for each in subscription.versions),
    )


def move_of(subscription: Subscription, decision: str) -> VersionChange | None:
    """The move with this id; None where it was withdrawn, or another one took its place."""
    return next((each for each in subscription.versions if each.decision == decision), None)


def repriced(subscription: Subscription, change: VersionChange) -> tuple[RepricedLine, ...]:
    """The lines that a move concerns, before and after it, on its first day."""
    day = change.effective_on
    shown = with_version_announced(subscription, change.decision, change.announced_on or change.decided_on)
    return tuple(
        RepricedLine(shown.line_on(line, day, day - DAY), shown.line_on(line, day))
        for line in shown.lines
        if not line.ends_by(day)
    )


def version_facts(subscription: Subscription, change: VersionChange) -> Facts:
    """A move to another version, as events have it."""
    return {
        "decision": change.decision,
        "version": change.version,
        "effective_on": change.effective_on,
        "last_day_to_avoid_it": change.cancel_by,
        "lines": line_facts(repriced(subscription, change)),
    }


def line_facts(lines: tuple[RepricedLine, ...]) -> list[Facts]:
    """Lines before and after a change of their prices, as events have them."""
    return [
        {
            "product": {"product": each.before.product, "name": each.before.name, "unit": each.before.unit},
            "before": _tier_facts(each.before),
            "after": _tier_facts(each.after),
            "agreed": each.after.agreed,
        }
        for each in lines
    ]


def _tier_facts(line: Line) -> Facts:
    return {name: line.facts[name] for name in ("up_to", "price")}


def _changed(base: Subscription, change: VersionChange, today: date) -> Changed:
    changed = replace(base, versions=(*base.versions, change))
    shown = with_version_announced(changed, change.decision, change.announced_on or today)
    return Changed(changed, change.effective_on, shown=shown)


def _lapsed(subscription: Subscription) -> VersionChange | None:
    return next((each for each in subscription.versions if each.announced_on is None), None)


def _without_pending(subscriber: Subscriber, current: Catalogue, today: date) -> Subscription:
    """The subscription without a move that is still to come, and without what only that version has.

    A tier that was decided for a later day is looked up in `current`: one that it does not have is taken back, and
    autoscaling decides again.
    """
    subscription, pending = subscriber.change_tiers((), today), subscriber.subscription.pending_version(today)
    earlier = tuple(each for each in subscription.versions if each.effective_on <= today and each.announced_on)
    base = replace(subscription, versions=earlier)
    if pending is None:
        return base
    currency, day = subscriber.account.contract.currency, pending.effective_on
    lines = [
        _line_in(line, current, currency) if line.valid_from is not None and line.valid_from >= day else line
        for line in base.lines
    ]
    changes = [
        _change_in(each, current.product(each.product), currency) if each.effective_on >= day else each
        for each in base.changes
    ]
    return replace(base, lines=tuple(lines), changes=tuple(each for each in changes if each is not None))


def _line_in(line: Line, current: Catalogue, currency: str) -> Line:
    product = current.product(line.product)
    if line.agreed:
        return line
    tier = None if product is None else tiers_of(product, currency).holding(line.up_to)
    if tier is None or tier.price is None:
        raise ProductOfVersion(line.name)
    return replace(line, up_to=tier.up_to, price=tier.price)


def _change_in(change: TierChange, product: Product | None, currency: str) -> TierChange | None:
    if change.agreed:
        return change
    tier = None if product is None else product.tier(change.up_to)
    price = None if tier is None else price_per_month(tier, currency)
    return None if price is None else replace(change, price=price)


def _violations(lines: list[Line], wanted: Catalogue, currency: str) -> Iterator[Violation]:
    """One violation for each line that a version of the catalogue has no place for.

    Nothing takes the place of a product that is not sold any more: it is ended first, with its own notice. A tier that
    is too small would give the customer less than they have.
    """
    if not any(price_per_month(tier, currency) for product in wanted.products for tier in product.tiers):
        detail = f"Version {wanted.version} has no prices in {currency}."
        yield Violation(("version",), detail, FieldCode.UNSUPPORTED)
        return
    for line in lines:
        product, limits = wanted.product(line.product), {"product": line.product}
        place = f"version {wanted.version}"
        if product is None:
            detail = f"{line.name} is not in {place}. End the product first, or leave it in the catalogue."
            yield Violation(("version",), detail, FieldCode.UNUSABLE, limits)
        elif not line.agreed and all(price_per_month(each, currency) is None for each in product.tiers):
            detail = f"{line.name} has no price in {currency} in {place}."
            yield Violation(("version",), detail, FieldCode.UNUSABLE, limits)
        elif not has_place_for(line, product, currency):
            held = "all usage" if line.up_to is None else f"{line.up_to} {line.unit}"
            why = "the tier whose price is agreed" if line.agreed else "a tier with a price that holds as much"
            detail = f"{line.name} holds {held}: {place} does not have {why}."
            yield Violation(("version",), detail, FieldCode.UNUSABLE, limits)
