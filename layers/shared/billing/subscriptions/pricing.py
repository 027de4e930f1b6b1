"""Prices a subscription: what its contract months contain, and the lines of a paid period.

Invoices, previews and the billing page's next charge use the same functions (DESIGN 3.3.9).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise

from billing.kernel.contract_calendar import Contract, months_after
from billing.kernel.money import Money, rounded
from billing.subscriptions.rules import Discount, Line, Subscription, discounted, line_on

_Cost = tuple[int | None, Money, str | None, tuple[Discount, ...]]
"""What a month of a product costs: the fields of a Step after its days."""


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

    `steps` explain the amount. `instead_of` are the steps that an earlier invoice has for the same months. `one_off` is
    the id of a one-off charge or a goodwill, None for a line of contract months. A charge is `quantity` pieces, and has
    a `product` of its own (billing.invoicing.one_offs); a goodwill has none, because it is taken off the whole.
    """

    product: str | None
    name: str
    unit: str
    steps: tuple[Step, ...]
    instead_of: tuple[Step, ...]
    net: Money
    one_off: str | None = None
    quantity: int = 1

    @property
    def price(self) -> Money | None:
        """The price of one piece of a one-off charge; None where the line is not so many whole prices."""
        each, rest = divmod(self.net.amount, self.quantity)
        return None if self.one_off is None or rest else Money(each, self.net.currency)


@dataclass(frozen=True, slots=True)
class ProductMonths:
    """The contract months of one product as runs of equal months, or the discounts on the whole (`product` None).

    `steps` are in the order of time, and no two neighbours are equal. Those of a product have no gap; those of the
    discounts on the whole leave out the months without a discount.
    """

    product: str | None
    name: str
    unit: str
    steps: tuple[Step, ...]


def contract_months(
    subscription: Subscription, contract: Contract, first_month: int, until_month: int
) -> tuple[ProductMonths, ...]:
    """Returns what the contract months from `first_month` and before `until_month` contain, by product.

    Each contract month has the tiers and discounts of its first day. All of them are paid in one currency.
    """
    days = [contract.month_start(month) for month in range(first_month, until_month + 1)]
    found = [
        ProductMonths(line.product, line.name, line.unit, steps)
        for line in subscription.lines
        if (steps := _product_steps(subscription, line, days))
    ]
    on_the_whole = _steps_on_the_whole(subscription, contract.currency_of(first_month), days)
    if on_the_whole:
        found.append(ProductMonths(None, "", "", on_the_whole))
    return tuple(found)


def joined(earlier: tuple[ProductMonths, ...], later: tuple[ProductMonths, ...]) -> tuple[ProductMonths, ...]:
    """Returns months with those that follow them, under the names of the latter. Products of only one are kept."""
    following = {each.product: each for each in later}
    both = []
    for each in earlier:
        more = following.pop(each.product, None)
        both.append(each if more is None else replace(more, steps=_merged([*each.steps, *more.steps])))
    both.extend(following.values())
    return tuple(sorted(both, key=lambda each: each.product is None))


def months_before(months: tuple[ProductMonths, ...], day: date) -> tuple[ProductMonths, ...]:
    """Returns the months that begin before `day`, the first day of a contract month."""
    cut = (
        replace(
            each,
            steps=tuple(
                step if step.until <= day else replace(step, until=day, months=_months_between(step.since, day))
                for step in each.steps
                if step.since < day
            ),
        )
        for each in months
    )
    return tuple(each for each in cut if each.steps)


def steps_from(day: date, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Returns the steps from `day` on, the first day of a contract month. A step across `day` is cut."""
    return tuple(
        step if step.since >= day else replace(step, since=day, months=_months_between(day, step.until))
        for step in steps
        if step.until > day
    )


def last_months(steps: Sequence[Step], months: int, start: date) -> tuple[Step, ...]:
    """Returns the steps of the last `months` contract months of these steps, which have at least as many.

    `start` is the first day of the contract, whose day of the month its contract months begin on.
    """
    kept: list[Step] = []
    for step in reversed(steps):
        if months > 0:
            taken = min(months, step.months)
            since = (
                step.since if taken == step.months else months_after(start, _months_between(start, step.until) - taken)
            )
            kept.append(replace(step, since=since, months=taken))
            months -= taken
    return tuple(reversed(kept))


def amount_of_last(line: InvoiceLine, months: int) -> int:
    """Returns what the last `months` contract months of a line cost of its amount before tax, in minor units, rounded
    once.

    They have the share of the amount that they have of its months' prices; of a difference, and of months without a
    price, that of its months.
    """
    in_all, part = _price_of(line.steps), _price_of(last_months(line.steps, months, line.steps[0].since))
    if line.instead_of or not in_all:
        in_all, part = Decimal(sum(step.months for step in line.steps)), Decimal(months)
    return rounded(line.net.amount * part / in_all)


def lines_of(months: tuple[ProductMonths, ...], contract: Contract) -> tuple[InvoiceLine, ...]:
    """Returns what these months cost: a line per product, and one for the discounts on the whole (DESIGN 3.3.2).

    Amounts are rounded once per line. Their currency is that of the steps: the contract may have another one since.
    """
    lines: list[InvoiceLine] = []
    for each in months:
        if each.product is None:
            total = sum(line.net.amount for line in lines)
            # Lines are rounded one by one. Without the limit a free month could get a negative amount.
            net = -min(total, rounded(_off_the_whole(each, months, contract)))
        else:
            net = rounded(_price_of(each.steps))
        lines.append(InvoiceLine(each.product, each.name, each.unit, each.steps, (), Money(net, currency_of(each))))
    return tuple(lines)


def currency_of(months: ProductMonths) -> str:
    """The currency in which months of a product are paid."""
    return months.steps[0].price.currency


def period_lines(subscription: Subscription, contract: Contract, first_month: int) -> tuple[InvoiceLine, ...]:
    """Returns the lines of the paid period that begins with contract month `first_month`."""
    _, until_month = contract.paid_period(first_month)
    return lines_of(contract_months(subscription, contract, first_month, until_month), contract)


def amount_per_charge(subscription: Subscription, contract: Contract, first_month: int) -> Money:
    """Returns the net amount of the paid period that begins with contract month `first_month`."""
    net = sum(line.net.amount for line in period_lines(subscription, contract, first_month))
    return Money(net, contract.currency_of(first_month))


def changes_within(subscription: Subscription, contract: Contract, first_month: int) -> tuple[str, ...]:
    """Returns the decisions whose changes take effect within a paid period, after its first day.

    The period begins with contract month `first_month`.
    """
    starts, ends = (contract.month_start(month) for month in contract.paid_period(first_month))
    return tuple(each.decision for each in subscription.changes if starts < each.effective_on < ends)


def changes_on(subscription: Subscription, day: date) -> tuple[str, ...]:
    """Returns the decisions whose changes take effect on `day`."""
    return tuple(each.decision for each in subscription.changes if each.effective_on == day)


def _product_steps(subscription: Subscription, line: Line, days: Sequence[date]) -> tuple[Step, ...]:
    discounts = subscription.discounts_of(line.product)

    def cost(day: date) -> _Cost | None:
        if not line.is_served_on(day):
            return None
        current, decision = line_on(subscription, line, day)
        return current.up_to, current.price, decision, tuple(each for each in discounts if each.applies_on(day))

    return _runs(days, cost)


def _steps_on_the_whole(subscription: Subscription, currency: str, days: Sequence[date]) -> tuple[Step, ...]:
    discounts = subscription.discounts_of(None)
    if not discounts:
        return ()

    def cost(day: date) -> _Cost | None:
        active = tuple(each for each in discounts if each.applies_on(day))
        return (None, Money(0, currency), None, active) if active else None

    return _runs(days, cost)


def _runs(days: Sequence[date], cost: Callable[[date], _Cost | None]) -> tuple[Step, ...]:
    """A step for each run of months with the same cost. The last of the `days` is the end; None is left out."""
    steps = []
    for each, months in groupby(pairwise(days), key=lambda month: cost(month[0])):
        run = [*months]
        if each is not None:
            steps.append(Step(run[0][0], run[-1][1], len(run), *each))
    return tuple(steps)


def _merged(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with equal neighbours made one."""
    merged: list[Step] = []
    for step in steps:
        last = merged[-1] if merged else None
        if last is not None and last.until == step.since and _cost_the_same(last, step):
            merged[-1] = replace(last, until=step.until, months=last.months + step.months)
        else:
            merged.append(step)
    return tuple(merged)


def _off_the_whole(whole: ProductMonths, months: tuple[ProductMonths, ...], contract: Contract) -> Decimal:
    off = Decimal(0)
    for step in whole.steps:
        first = contract.month_of(step.since)
        for month in range(first, first + step.months):
            price = _price_on(contract.month_start(month), months)
            off += price - discounted(price, step.discounts)
    return off


def _price_on(day: date, months: tuple[ProductMonths, ...]) -> Decimal:
    """What all products cost in the month that begins on `day`, less their own discounts."""
    return sum(
        (
            _month_price(step)
            for each in months
            if each.product is not None
            for step in each.steps
            if step.since <= day < step.until
        ),
        Decimal(0),
    )


def _price_of(steps: Sequence[Step]) -> Decimal:
    """The exact price of these steps, less the discounts on the product."""
    return sum((_month_price(step) * step.months for step in steps), Decimal(0))


def _month_price(step: Step) -> Decimal:
    """The exact price of one month of a step, less the discounts on the product."""
    return discounted(Decimal(step.price.amount), step.discounts)


def _cost_the_same(one: Step, other: Step) -> bool:
    """Whether two steps have the same tier, price, decision and discounts."""
    return (one.up_to, one.price, one.decision, one.discounts) == (
        other.up_to,
        other.price,
        other.decision,
        other.discounts,
    )


def _months_between(first: date, until: date) -> int:
    """The number of contract months between two of their first days."""
    return (until.year - first.year) * 12 + until.month - first.month
