"""Prices a subscription: the lines of a paid period, and of a tier change within one.

Invoices, previews and the billing page's next charge use the same functions (DESIGN 3.3.9).
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
    """Consecutive contract months with the same price: one part of the explanation of a line's amount.

    It covers `months` contract months, from `since` and before `until`. `price` is per month. `decision` is the id of
    the decision that chose the tier, None for the signed tier. `discounts` were active in these months.
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
    """One product, or the discounts on the whole subscription (`product` None). `net` is before tax, rounded once.

    `steps` explain the amount. `instead_of` are the steps that an earlier invoice has for the same months.
    """

    product: str | None
    name: str
    unit: str
    steps: tuple[Step, ...]
    instead_of: tuple[Step, ...]
    net: Money


def period_lines(subscription: Subscription, contract: Contract, first_month: int) -> tuple[InvoiceLine, ...]:
    """Returns the lines of the paid period that begins with contract month `first_month`.

    Each contract month has the tiers and discounts of its first day. Amounts are rounded once per product, and once
    for the discounts on the whole subscription (DESIGN 3.3.2).
    """
    months = range(first_month, first_month + contract.interval_months)
    days = [contract.month_start(month) for month in months]
    ends = contract.month_start(first_month + contract.interval_months)
    lines = [_product_line(subscription, line, days, ends) for line in subscription.lines]
    return _with_subscription_discounts(subscription, contract.currency, days, ends, lines)


def change_lines(
    subscription: Subscription, contract: Contract, month: int, changed: Sequence[str]
) -> tuple[InvoiceLine, ...]:
    """Returns the lines that tier changes add to a paid period, from contract month `month` on.

    `changed` has the ids of their decisions. Each amount is the whole period's amount with the changes, less its amount
    without them. So both are rounded like the invoice of the period.
    """
    first = month - month % contract.interval_months
    without = replace(
        subscription, changes=tuple(each for each in subscription.changes if each.decision not in changed)
    )
    after, before = (period_lines(each, contract, first) for each in (subscription, without))
    starts = contract.month_start(month)
    lines = []
    for new, old in zip(_by_product(after), _by_product(before), strict=True):
        net = new.net.amount - old.net.amount
        if net:
            steps, instead_of = ((_steps_from(starts, each.steps)) for each in (new, old))
            lines.append(replace(new, steps=steps, instead_of=instead_of, net=Money(net, contract.currency)))
    return tuple(lines)


def amount_per_charge(subscription: Subscription, contract: Contract, first_month: int) -> Money:
    """Returns the net amount of the paid period that begins with contract month `first_month`."""
    return Money(sum(line.net.amount for line in period_lines(subscription, contract, first_month)), contract.currency)


def changes_within(subscription: Subscription, contract: Contract, first_month: int) -> tuple[str, ...]:
    """Returns the decisions whose changes take effect within a paid period, after its first day.

    The period begins with contract month `first_month`.
    """
    starts, ends = (contract.month_start(first_month + months) for months in (0, contract.interval_months))
    return tuple(each.decision for each in subscription.changes if starts < each.effective_on < ends)


def changes_on(subscription: Subscription, day: date) -> tuple[str, ...]:
    """Returns the decisions whose changes take effect on `day`."""
    return tuple(each.decision for each in subscription.changes if each.effective_on == day)


def _product_line(subscription: Subscription, line: Line, days: Sequence[date], ends: date) -> InvoiceLine:
    discounts = subscription.discounts_of(line.product)
    steps: list[Step] = []
    amount = Decimal(0)
    for day, until in zip(days, [*days[1:], ends], strict=True):
        current, decision = line_on(subscription, line, day)
        active = tuple(each for each in discounts if each.applies_on(day))
        amount += month_price(current, active, day)
        step = Step(day, until, 1, current.up_to, current.price, decision, active)
        if steps and _cost_the_same(steps[-1], step):
            steps[-1] = replace(steps[-1], until=until, months=steps[-1].months + 1)
        else:
            steps.append(step)
    net = Money(rounded(amount), line.price.currency)
    return InvoiceLine(line.product, line.name, line.unit, tuple(steps), (), net)


def _with_subscription_discounts(
    subscription: Subscription, currency: str, days: Sequence[date], ends: date, lines: list[InvoiceLine]
) -> tuple[InvoiceLine, ...]:
    discounts = subscription.discounts_of(None)
    if not discounts:
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
        off += month - apply_discounts(month, discounts, day)
        active = tuple(each for each in discounts if each.applies_on(day))
        step = Step(day, until, 1, None, Money(0, currency), None, active)
        if active and steps and steps[-1].discounts == active and steps[-1].until == day:
            steps[-1] = replace(steps[-1], until=until, months=steps[-1].months + 1)
        elif active:
            steps.append(step)
    # Lines are rounded one by one. Without the limit a free month could get a negative amount.
    net = -min(total, rounded(off))
    return (*lines, InvoiceLine(None, "", "", tuple(steps), (), Money(net, currency))) if steps else tuple(lines)


def _cost_the_same(one: Step, other: Step) -> bool:
    """Whether two steps have the same tier, price, decision and discounts."""
    return (one.up_to, one.price, one.decision, one.discounts) == (
        other.up_to,
        other.price,
        other.decision,
        other.discounts,
    )


def _by_product(lines: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    return sorted(lines, key=lambda line: (line.product is None, line.product or ""))


def _steps_from(day: date, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps from `day` on, the first day of a contract month. A step across `day` is cut."""
    return tuple(
        step if step.since >= day else replace(step, since=day, months=_months_between(day, step.until))
        for step in steps
        if step.until > day
    )


def _months_between(first: date, until: date) -> int:
    """The number of contract months between two of their first days."""
    return (until.year - first.year) * 12 + until.month - first.month
