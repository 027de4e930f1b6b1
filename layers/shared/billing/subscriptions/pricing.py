"""What the months of a subscription cost: the priced lines of a paid period, and of a tier change within one.

One generator serves what is invoiced, what is previewed, and what the billing page shows as the next charge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money, rounded
from billing.subscriptions.rules import Discount, Line, Subscription, apply_discounts, line_on, month_price


@dataclass(frozen=True, slots=True)
class Step:
    """Contract months in a row that cost the same: part of how a line's amount came about.

    `price` is per month. `decision` names what led to the tier, None for the tier that was signed; `discounts` are
    those that were active on the product.
    """

    since: date
    until: date
    months: int
    up_to: int | None
    price: Money
    decision: str | None
    discounts: tuple[Discount, ...]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One product, or with `product` None what is taken off the whole; `net` is rounded once, before tax.

    `steps` say how the amount came about, and `instead_of` what was invoiced already for the same months.
    """

    product: str | None
    name: str
    unit: str
    steps: tuple[Step, ...]
    instead_of: tuple[Step, ...]
    net: Money


def period_lines(subscription: Subscription, contract: Contract, first_month: int) -> tuple[InvoiceLine, ...]:
    """The lines of the paid period that begins with contract month `first_month`.

    Each contract month counts with the tiers and discounts of its first day. Rounded once per product
    and once for what is taken off the whole (DESIGN 3.3).
    """
    months = range(first_month, first_month + contract.interval_months)
    days = [contract.month_start(month) for month in months]
    ends = contract.month_start(first_month + contract.interval_months)
    lines = [_product_line(subscription, line, days, ends) for line in subscription.lines]
    return _with_subscription_discounts(subscription, contract.currency, days, ends, lines)


def change_lines(
    subscription: Subscription, contract: Contract, month: int, changed: Sequence[str]
) -> tuple[InvoiceLine, ...]:
    """What the changes of tier named by their decisions add to a paid period, from contract month `month` on.

    The difference of what the whole period comes to with them and without, so that it is rounded as the period's own
    invoice was.
    """
    first = month - month % contract.interval_months
    without = replace(
        subscription, changes=tuple(each for each in subscription.changes if each.decision not in changed)
    )
    after, before = (period_lines(each, contract, first) for each in (subscription, without))
    starts = contract.month_start(month)
    found = []
    for new, old in zip(_by_product(after), _by_product(before), strict=True):
        net = new.net.amount - old.net.amount
        if net:
            steps, instead_of = ((_steps_from(starts, each.steps)) for each in (new, old))
            found.append(replace(new, steps=steps, instead_of=instead_of, net=Money(net, contract.currency)))
    return tuple(found)


def amount_per_charge(subscription: Subscription, contract: Contract, first_month: int) -> Money:
    """What the paid period that begins with contract month `first_month` costs, before tax."""
    return Money(sum(line.net.amount for line in period_lines(subscription, contract, first_month)), contract.currency)


def changes_within(subscription: Subscription, contract: Contract, first_month: int) -> tuple[str, ...]:
    """The decisions whose changes take effect inside the paid period that begins there, after its first day."""
    starts, ends = (contract.month_start(first_month + months) for months in (0, contract.interval_months))
    return tuple(each.decision for each in subscription.changes if starts < each.effective_on < ends)


def changes_on(subscription: Subscription, day: date) -> tuple[str, ...]:
    """The decisions whose changes take effect on a day."""
    return tuple(each.decision for each in subscription.changes if each.effective_on == day)


def _product_line(subscription: Subscription, line: Line, days: Sequence[date], ends: date) -> InvoiceLine:
    discounts = subscription.discounts_of(line.product)
    steps: list[Step] = []
    amount = Decimal(0)
    for day, until in zip(days, [*days[1:], ends], strict=True):
        standing, decision = line_on(subscription, line, day)
        active = tuple(each for each in discounts if each.applies_on(day))
        amount += month_price(standing, active, day)
        step = Step(day, until, 1, standing.up_to, standing.price, decision, active)
        if steps and _cost_the_same(steps[-1], step):
            steps[-1] = replace(steps[-1], until=until, months=steps[-1].months + 1)
        else:
            steps.append(step)
    net = Money(rounded(amount), line.price.currency)
    return InvoiceLine(line.product, line.name, line.unit, tuple(steps), (), net)


def _with_subscription_discounts(
    subscription: Subscription, currency: str, days: Sequence[date], ends: date, lines: list[InvoiceLine]
) -> tuple[InvoiceLine, ...]:
    on_the_whole = subscription.discounts_of(None)
    if not on_the_whole:
        return tuple(lines)
    total = sum(line.net.amount for line in lines)
    off = Decimal(0)
    steps: list[Step] = []
    for day, until in zip(days, [*days[1:], ends], strict=True):
        month = sum(
            (
                month_price(line_on(subscription, line, day)[0], subscription.discounts_of(line.product), day)
                for line in subscription.lines
            ),
            Decimal(0),
        )
        off += month - apply_discounts(month, on_the_whole, day)
        active = tuple(each for each in on_the_whole if each.applies_on(day))
        step = Step(day, until, 1, None, Money(0, currency), None, active)
        if active and steps and steps[-1].discounts == active and steps[-1].until == day:
            steps[-1] = replace(steps[-1], until=until, months=steps[-1].months + 1)
        elif active:
            steps.append(step)
    # The lines are rounded and this is not: without the limit a free month could cost less than nothing.
    net = -min(total, rounded(off))
    return (*lines, InvoiceLine(None, "", "", tuple(steps), (), Money(net, currency))) if steps else tuple(lines)


def _cost_the_same(one: Step, other: Step) -> bool:
    """Whether two steps cost the same for the same reason."""
    return (one.up_to, one.price, one.decision, one.discounts) == (
        other.up_to,
        other.price,
        other.decision,
        other.discounts,
    )


def _by_product(lines: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    return sorted(lines, key=lambda line: (line.product is None, line.product or ""))


def _steps_from(day: date, steps: Sequence[Step]) -> tuple[Step, ...]:
    """What of the steps lies on a day or after it, the first day of a contract month."""
    return tuple(
        step if step.since >= day else replace(step, since=day, months=_months_between(day, step.until))
        for step in steps
        if step.until > day
    )


def _months_between(first: date, until: date) -> int:
    """Between two first days of contract months."""
    return (until.year - first.year) * 12 + until.month - first.month
