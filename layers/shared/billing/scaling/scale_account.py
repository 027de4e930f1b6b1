"""The monthly run of autoscaling for one account: it decides every due month once, in order.

Each month is one transaction: its decisions, the subscription, the events, and the next due month. So a repeated run
finds nothing to do, and a run that stopped early continues after its last month.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from billing.accounts.rules import Account, Status
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event
from billing.scaling.autoscaling import HISTORY_MONTHS, Decision
from billing.scaling.due import AlertMemory, AutoscalingDue, due_at, first_due_month
from billing.scaling.records import AutoscalingState, AutoscalingStore
from billing.scaling.reviews.rules import (
    FitResult,
    LowerTier,
    LowerTierFit,
    lines_at_renewal,
    lower_tier_fit,
    next_renewal,
    rounded_average,
)
from billing.scaling.tier_changes import (
    ProductDecision,
    TierChangeCost,
    above_all_tiers,
    as_hundredths,
    decide_product,
    decision_name,
    ladder,
    line_after_pending_change,
    next_contract_month,
    tier_change,
    tier_change_cost,
    versions_after,
)
from billing.subscriptions.catalogue import Catalogue, Tier, price_per_month
from billing.subscriptions.currency_changes import as_agreed
from billing.subscriptions.rules import Line, Subscription
from billing.subscriptions.subscriber import Subscriber
from billing.usage.rules import CLOSED_MONTHS, Daily, month_before, month_of

TaxToCome = Callable[[date, int], int]
"""The tax on a net amount that is invoiced for a day, both in minor units. This area knows no taxes."""

BELOW, ABOVE = "below", "above"
"""The kinds of alert about a product: to the account that a lower tier fits, to staff that no tier holds its usage."""


@dataclass(frozen=True, slots=True)
class ScalingResult:
    """The number of months that were decided, and the products that move."""

    months: int
    moved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Catalogues:
    """The catalogue of `month`, in which a move takes effect, and that of the next renewal, which a review changes."""

    month: date
    moves: Catalogue
    renewal: Catalogue


@dataclass(frozen=True, slots=True)
class _MonthResult:
    """The decisions of one month, and the subscription, events and alerts that follow from them."""

    decisions: tuple[ProductDecision, ...]
    subscription: Subscription
    events: tuple[Event, ...]
    alerts: Mapping[str, AlertMemory]


def schedule_account(account: str, *, now: datetime, store: AutoscalingStore) -> bool:
    """Makes autoscaling due for an account, unless it is due already; returns whether it was made due.

    One read, and one transaction if it was not due. Raises ConcurrentChange.
    """
    state = store.state(account)
    if state is None or state.due is not None:
        return False
    contract = state.subscriber.account.contract
    month = first_due_month(contract, contract.today(now))
    store.schedule(account, AutoscalingDue(month, {}), due_at(month, contract))
    return True


def scale_account(
    account: str, *, now: datetime, correlation: str, store: AutoscalingStore, taxes: Callable[[str], TaxToCome]
) -> ScalingResult:
    """Decides all months that are due for an account at the instant `now`.

    `taxes` returns an account's taxes; it is asked only for a move. One read of the state, one of the catalogue (two
    where another version of it holds from the next renewal on), one query of usage, and one transaction for each due
    month; one more read for each event that names the success manager, and what `taxes` costs. An account
    that does not exist or is deactivated gets no decisions. Raises ConcurrentChange.
    """
    state = store.state(account)
    if state is None or state.due is None:
        return ScalingResult(0, ())
    contract = state.subscriber.account.contract
    running = month_of(contract.today(now))
    if state.due.month > running:
        return ScalingResult(0, ())
    if state.subscriber.account.status is Status.DEACTIVATED:
        # No usage is counted, so there is nothing to decide until the account is reactivated.
        after = month_before(running, -1)
        store.decide(state, (), None, (), AutoscalingDue(after, state.due.alerts), due_at(after, contract))
        return ScalingResult(0, ())
    catalogues = _catalogues(state.subscriber, contract.today(now), store)
    first = month_before(state.due.month, HISTORY_MONTHS)
    totals = store.totals(account, first, month_before(running))
    context = by_system(now, correlation)
    months, moved = 0, []
    while state.due is not None and state.due.month <= running:
        result = _decide(state, state.due, totals, catalogues, context, store, taxes)
        after = month_before(state.due.month, -1)
        due = AutoscalingDue(after, result.alerts)
        current = state.subscriber.subscription
        changed = None if result.subscription is current else result.subscription
        store.decide(state, result.decisions, changed, result.events, due, due_at(after, contract))
        if changed is not None:
            current = replace(changed, version=current.version + 1)
        state = replace(state, subscriber=replace(state.subscriber, subscription=current), due=due)
        months += 1
        moved += [each.product for each in result.decisions if each.moves]
    return ScalingResult(months, tuple(moved))


def _catalogues(subscriber: Subscriber, today: date, store: AutoscalingStore) -> _Catalogues:
    """The versions of the catalogue that hold when a move takes effect, and with the next renewal."""
    contract, subscription = subscriber.account.contract, subscriber.subscription
    month = next_contract_month(contract, today, subscriber.fixed.until)
    moves, renewal = subscription.version_on(month), subscription.version_on(next_renewal(contract, today))
    catalogue = store.catalogue(moves)
    return _Catalogues(month, catalogue, catalogue if renewal == moves else store.catalogue(renewal))


def _decide(
    state: AutoscalingState,
    due: AutoscalingDue,
    totals: Mapping[str, Daily],
    catalogues: _Catalogues,
    context: RequestContext,
    store: AutoscalingStore,
    taxes: Callable[[str], TaxToCome],
) -> _MonthResult:
    account, subscription = state.subscriber.account, state.subscriber.subscription
    today = account.contract.today(context.time)
    decided: list[ProductDecision] = []
    events: list[Event] = []
    alerts: dict[str, AlertMemory] = {}
    month, later = catalogues.month, versions_after(subscription, catalogues.month)
    for signed in state.subscriber.subscription.lines:
        if not signed.is_served_on(month):
            continue  # it ends by the day on which a move would take effect
        line = line_after_pending_change(subscription, signed, today, month)
        tiers = ladder(catalogues.moves, line, later)
        daily = totals.get(line.product, {})
        product = decide_product(
            account, line, daily, tiers, due.month, state.settings, context.time, state.subscriber.fixed.until
        )
        decided.append(product)
        if product.effective_on is not None:
            change = tier_change(product, tiers, account.contract)
            after = replace(state.subscriber, subscription=subscription).change_tiers((change,), today)
            facts = _move_facts(product, line, tiers, state, subscription, after, store, taxes(account.id))
            events.append(_account_event(EventType.SUBSCRIPTION_AUTOSCALED, account, facts, context))
            subscription = after
        new_alert = _alert(state, product, signed, daily, catalogues, store)
        before = due.alerts.get(line.product)
        if before is not None and before.holds(due.month) and not product.moves:
            alerts[line.product] = before
        if new_alert is not None:
            name, event_type, facts_of = new_alert
            if line.product not in alerts or alerts[line.product].alert != name:
                events.append(_account_event(event_type, account, facts_of(), context))
            alerts[line.product] = AlertMemory(name, due.month)
    return _MonthResult(tuple(decided), subscription, tuple(events), alerts)


def _alert(
    state: AutoscalingState,
    product: ProductDecision,
    signed: Line,
    daily: Daily,
    catalogues: _Catalogues,
    store: AutoscalingStore,
) -> tuple[str, EventType, Callable[[], Facts]] | None:
    """The alert about a product that does not move, whether or not it was sent before: name, event type, event facts.

    A function returns the facts, because they may cost a read.
    """
    account, subscription = state.subscriber.account, state.subscriber.subscription
    if account.status is not Status.ACTIVE or product.moves:
        return None
    today = account.contract.today(product.decided_at)
    own = line_after_pending_change(subscription, signed, today, catalogues.month)
    tiers = ladder(catalogues.moves, own)
    if above_all_tiers(product.decision, tiers):
        above = partial(_above_facts, product, own, account, tiers)
        return ABOVE, EventType.USAGE_ABOVE_TIERS, above
    renewed = lines_at_renewal(subscription, account.contract, today)
    line = next((each for each in renewed if each.product == signed.product), None)
    if line is None or (signed.added_on is not None and signed.added_on > month_before(product.month, CLOSED_MONTHS)):
        return None  # it ends, or is too new: months without it are no low usage
    below = lower_tier_fit(line, daily, catalogues.renewal, account.contract, product.month)
    if below.fit is not FitResult.FITS or below.fitting is None:
        return None
    return BELOW, EventType.USAGE_BELOW_TIER, partial(_below_facts, below, below.fitting, account, store)


def _account_event(type_: EventType, account: Account, facts: Facts, context: RequestContext) -> Event:
    return new_event(type_, context, account=account.id, before=None, after=facts)


def _move_facts(
    product: ProductDecision,
    line: Line,
    tiers: tuple[Tier, ...],
    state: AutoscalingState,
    before: Subscription,
    after: Subscription,
    store: AutoscalingStore,
    tax: TaxToCome,
) -> Facts:
    if product.effective_on is None:
        raise ValueError("only a move changes the next invoice")
    decision, account = product.decision, state.subscriber.account
    without, moved = (_as_agreed(state, each) for each in (before, after))
    contract = moved.account.contract
    costs = tier_change_cost(without.subscription, moved.subscription, contract, product.effective_on)
    currency = contract.currency_of(contract.month_of(product.effective_on))
    return {
        "decision": decision_name(product.month, product.product),
        "reason": decision.reason,
        "product": _product(line),
        "months": typical_months(decision),
        "left_out": [
            {**asdict(each), "usage": as_hundredths(each.usage), "counted": as_hundredths(each.counted)}
            for each in decision.left_out
        ],
        "weeks": [{"first_day": each.first_day, "pace": as_hundredths(each.pace)} for each in decision.weeks],
        "weeks_above": decision.weeks_above,
        "before": {"up_to": line.up_to, "price": asdict(line.price)},
        "after": _tier(tiers[decision.target], currency),
        "effective_on": product.effective_on,
        "extra": costs.extra and asdict(costs.extra),
        "adds": _adds(costs, product.effective_on, tax),
        "next_invoice": _invoice(costs.next_on, costs.next_amount, tax(costs.next_on, costs.next_amount.amount)),
        "next_invoice_without": asdict(costs.next_without),
        "ask": store.success_manager(account),
        "replaces_agreed": line.agreed,
    }


def _as_agreed(state: AutoscalingState, subscription: Subscription) -> Subscriber:
    """The account with a subscription, as its invoices to come are made: in another currency if that is agreed."""
    subscriber = replace(state.subscriber, subscription=subscription)
    return as_agreed(subscriber, state.term) or subscriber


def _adds(costs: TierChangeCost, effective_on: date, tax: TaxToCome) -> Facts:
    """What the move adds to which invoice: to one of its own on its day, or else to the next regular one."""
    if costs.extra is not None:
        return _invoice(effective_on, costs.extra, tax(effective_on, costs.extra.amount))
    on, more = costs.next_on, Money(costs.next_amount.amount - costs.next_without.amount, costs.next_amount.currency)
    return _invoice(on, more, tax(on, costs.next_amount.amount) - tax(on, costs.next_without.amount))


def _invoice(on: date, net: Money, tax: int) -> Facts:
    total = Money(net.amount + tax, net.currency)
    return {"on": on, "amount": asdict(net), "tax": asdict(Money(tax, net.currency)), "total": asdict(total)}


def _below_facts(below: LowerTierFit, fitting: LowerTier, account: Account, store: AutoscalingStore) -> Facts:
    return {
        "product": _product(below.line),
        "months": [{"month": f"{each.month:%Y-%m}", "usage": each.quantity} for each in below.months],
        "average": rounded_average(below.average),
        "current": {"up_to": below.line.up_to, "price": asdict(below.line.price)},
        "fitting": {"up_to": fitting.up_to, "price": asdict(fitting.price)},
        "ask": store.success_manager(account),
    }


def _above_facts(product: ProductDecision, line: Line, account: Account, tiers: tuple[Tier, ...]) -> Facts:
    return {
        "product": _product(line),
        "months": typical_months(product.decision),
        "current": {"up_to": line.up_to, "price": asdict(line.price)},
        "highest": _tier(tiers[-1], account.contract.currency),
    }


def typical_months(decision: Decision) -> list[dict[str, Any]]:
    """The last closed months, in the form of events."""
    return [
        {"month": f"{each.month:%Y-%m}", "usage": each.usage, "typical": as_hundredths(each.typical)}
        for each in decision.months
    ]


def _product(line: Line) -> dict[str, str]:
    return {"product": line.product, "name": line.name, "unit": line.unit}


def _tier(tier: Tier, currency: str) -> dict[str, Any]:
    price = price_per_month(tier, currency)
    return {"up_to": tier.up_to, "price": price and asdict(price)}
