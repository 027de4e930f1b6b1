"""Backtests: what a rule would have decided for an account in past months, and what that would have cost.

It reads usage and the tiers and prices of the first of these months, not the decisions that were made then. It writes
nothing. With one month it is a dry run of the next planner's run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.accounts.rules import Account
from billing.kernel.money import Money
from billing.scaling.autoscaling import HISTORY_MONTHS
from billing.scaling.due import due_at
from billing.scaling.records import AutoscalingStore
from billing.scaling.tier_changes import AutoscalingSettings, decide_product, ladder
from billing.subscriptions.catalogue import Tier, price_per_month
from billing.subscriptions.rules import Line
from billing.usage.rules import CLOSED_MONTHS, Daily, average, closed_months, month_before, month_of

Rule = Callable[[Account, Line, Daily, tuple[Tier, ...], date], tuple[int, str]]
"""Returns the position of the tier from a month on, and the reason."""


@dataclass(frozen=True, slots=True)
class PastDecision:
    """The decision that a rule would have made about a product for a month.

    `before` and `after` are the line before and after it. `more` is how much more that month would have cost than at
    the product's first tier, because of all moves so far, before discounts and tax.
    """

    account: str
    product: str
    month: date
    reason: str
    before: Line
    after: Line
    more: Money

    @property
    def moves(self) -> bool:
        """Whether the product would have moved."""
        return self.before.up_to != self.after.up_to


@dataclass(frozen=True, slots=True)
class MonthSummary:
    """All accounts in one month: decisions, moves, decisions by reason, and additional charges by currency."""

    month: date
    decisions: int
    moves: int
    reasons: Mapping[str, int]
    more: Mapping[str, int]


def our_rule(account: Account, line: Line, daily: Daily, tiers: tuple[Tier, ...], month: date) -> tuple[int, str]:
    """The rule of autoscaling, for an active account without settings of staff."""
    now = due_at(month, account.contract)
    decision = decide_product(account, line, daily, tiers, month, AutoscalingSettings(), now).decision
    return decision.target, decision.reason


def mean_of_three_months(
    account: Account, line: Line, daily: Daily, tiers: tuple[Tier, ...], month: date
) -> tuple[int, str]:
    """The obvious rule, to compare with: the tier that holds the average of the last three closed months."""
    current = [tier.up_to for tier in tiers].index(line.up_to)
    months = closed_months(daily, month, account.contract.start, CLOSED_MONTHS)
    mean = average(months)
    if mean is None or len(months) < CLOSED_MONTHS:
        return current, "too_few_months"
    holding = (position for position, tier in enumerate(tiers) if tier.up_to is None or mean <= tier.up_to)
    target = max(current, next(holding, len(tiers) - 1))
    return target, "moved" if target > current else "fits"


def backtest(
    account: str, *, months: int, today: date, store: AutoscalingStore, rule: Rule = our_rule
) -> list[PastDecision]:
    """The rule's decisions for the last `months` months including the running one, by product and oldest first.

    Each product begins with the tier that it had then. Empty for an account that does not exist. Two reads and one
    query.
    """
    state = store.state(account)
    if state is None:
        return []
    subscriber, running = state.subscriber, month_of(today)
    first = month_before(running, months - 1)
    totals = store.totals(account, month_before(first, HISTORY_MONTHS), month_before(running))
    catalogue = store.catalogue(subscriber.subscription.version_on(first))
    decisions: list[PastDecision] = []
    for signed in subscriber.subscription.lines:
        line = subscriber.subscription.line_on(signed, first)
        daily = totals.get(line.product, {})
        decisions += _decisions(subscriber.account, line, daily, ladder(catalogue, line), _months(first, running), rule)
    return decisions


def _months(first: date, last: date) -> Iterator[date]:
    month = first
    while month <= last:
        yield month
        month = month_before(month, -1)


def _decisions(
    account: Account, signed: Line, daily: Daily, tiers: tuple[Tier, ...], months: Iterator[date], rule: Rule
) -> Iterator[PastDecision]:
    line = signed
    for month in months:
        first = month_before(month, HISTORY_MONTHS)
        history = {day: quantity for day, quantity in daily.items() if first <= day < month}
        target, reason = rule(account, line, history, tiers, month)
        price = price_per_month(tiers[target], line.price.currency)
        moved = line if price is None else replace(line, up_to=tiers[target].up_to, price=price)
        after = line if moved.up_to == line.up_to else moved
        more = Money(after.price.amount - signed.price.amount, signed.price.currency)
        yield PastDecision(account.id, line.product, month, reason, line, after, more)
        line = after


def summaries(decisions: Sequence[PastDecision]) -> list[MonthSummary]:
    """Summaries by month, oldest first."""
    by_month: dict[date, list[PastDecision]] = {}
    for each in decisions:
        by_month.setdefault(each.month, []).append(each)
    return [
        MonthSummary(
            month=month,
            decisions=len(of_month),
            moves=sum(each.moves for each in of_month),
            reasons=_sums((each.reason, 1) for each in of_month),
            more=_sums((each.more.currency, each.more.amount) for each in of_month),
        )
        for month, of_month in sorted(by_month.items())
    ]


def _sums(amounts: Iterator[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, amount in amounts:
        sums[name] = sums.get(name, 0) + amount
    return dict(sorted(sums.items()))
