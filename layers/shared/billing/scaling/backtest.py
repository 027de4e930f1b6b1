"""What a rule would have decided of an account, month by month in the past, and what that would have cost.

Nothing is written, and nothing of what was decided then is looked at: only usage, and the tiers and prices that were
signed. With one month it is a dry run of what the next planner would lead to.
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
"""The position of the tier from a month on, and the reason."""


@dataclass(frozen=True, slots=True)
class PastDecision:
    """What would have been decided of a product for a month, before discounts and tax.

    `before` and `after` are the line before and after it; `more` is what that month would have cost more than at the
    tier that the product began with, by all moves up to then.
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
    """All accounts in one month: how many decisions and moves, why, and what was charged more, by currency."""

    month: date
    decisions: int
    moves: int
    reasons: Mapping[str, int]
    more: Mapping[str, int]


def our_rule(account: Account, line: Line, daily: Daily, tiers: tuple[Tier, ...], month: date) -> tuple[int, str]:
    """The rule that decides, for an active account of which staff have set nothing."""
    now = due_at(month, account.contract)
    decided = decide_product(account, line, daily, tiers, month, AutoscalingSettings(), now)
    return decided.decision.target, decided.decision.reason


def mean_of_three_months(
    account: Account, line: Line, daily: Daily, tiers: tuple[Tier, ...], month: date
) -> tuple[int, str]:
    """What most would build: the tier that holds the average of the last three closed months. To compare with."""
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
    """What the rule would have decided for the last so many months up to the running one, oldest first by product.

    It begins with the tier that each product had then. Nothing for an account that is gone. Two reads and one query.
    """
    known = store.state(account)
    if known is None:
        return []
    subscriber, running = known.subscriber, month_of(today)
    first = month_before(running, months - 1)
    totals = store.totals(account, month_before(first, HISTORY_MONTHS), month_before(running))
    catalogue = store.catalogue(subscriber.subscription.catalogue_version)
    found: list[PastDecision] = []
    for signed in subscriber.subscription.lines:
        line = subscriber.subscription.line_on(signed, first)
        daily = totals.get(line.product, {})
        found += _decisions(subscriber.account, line, daily, ladder(catalogue, line), _months(first, running), rule)
    return found


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
        known = {day: quantity for day, quantity in daily.items() if month_before(month, HISTORY_MONTHS) <= day < month}
        target, reason = rule(account, line, known, tiers, month)
        price = price_per_month(tiers[target], line.price.currency)
        moved = line if price is None else replace(line, up_to=tiers[target].up_to, price=price)
        after = line if moved.up_to == line.up_to else moved
        more = Money(after.price.amount - signed.price.amount, signed.price.currency)
        yield PastDecision(account.id, line.product, month, reason, line, after, more)
        line = after


def summaries(decisions: Sequence[PastDecision]) -> list[MonthSummary]:
    """By month, oldest first."""
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
