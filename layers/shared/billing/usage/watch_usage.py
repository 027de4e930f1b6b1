"""Watches a month's usage as it grows, and alerts the account's admins when it nears its tier's volume."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal

from billing.accounts.rules import Status
from billing.kernel.events import EventType, Facts, by_system
from billing.platform.events.new_event import new_event
from billing.subscriptions.catalogue import Catalogue, Tier, price_per_month
from billing.subscriptions.rules import Line
from billing.usage.records import UsageStore
from billing.usage.rules import month_before, month_of
from billing.usage.thresholds import evaluate_threshold


def watch_usage(
    account: str, product: str, month: date, usage: Decimal, *, now: datetime, correlation: str, store: UsageStore
) -> int | None:
    """Records an alert if the usage has reached a threshold; returns its percentage, else None.

    `usage` is that of the month so far. Months that are over cause no alert. Safe to repeat. One read; one query more
    when the month is new, two reads for an alert, and a transaction when the alert state changes.
    Raises ConcurrentChange.
    """
    watching = store.watching(account, product)
    if watching is None or watching.subscriber.account.status is Status.DEACTIVATED:
        return None
    subscriber, alert = watching.subscriber, watching.alert
    today = subscriber.account.contract.today(now)
    if not subscriber.account.is_served_on(today):
        return None  # its deactivation is late
    line = next((each for each in subscriber.subscription.lines_on(today) if each.product == product), None)
    if line is None or line.up_to is None or month != month_of(today):
        return None
    usage_before = Decimal(0)
    if alert is not None and alert.month < month:
        previous = month_before(month)
        usage_before = sum(store.totals(account, previous, previous).get(product, {}).values(), Decimal(0))
    after, needs_alert = evaluate_threshold(alert, month, usage, line.up_to, usage_before)
    if needs_alert:
        # A correction may have lowered the month since. It also changes the alert state, under which the alert is
        # written. So the state was read before the month is read here.
        current = store.month_usage(account, product, month)
        usage = usage if current is None else current
        after, needs_alert = evaluate_threshold(alert, month, usage, line.up_to, usage_before)
    if after == alert or (alert is None and not needs_alert):
        return None
    event = None
    if needs_alert:
        context = by_system(now, correlation)
        catalogue = store.catalogue(subscriber.subscription.version_on(today))
        facts = _facts(line, after.month, after.percent, usage, _next_tier(catalogue, line))
        event = new_event(EventType.USAGE_THRESHOLD_REACHED, context, account=account, before=None, after=facts)
    store.save_alert_state(account, product, alert, after, event)
    return after.percent if needs_alert else None


def _next_tier(catalogue: Catalogue, line: Line) -> Tier | None:
    """The next larger tier that has a price in the contract's currency."""
    product = catalogue.product(line.product)
    larger = (each for each in product.tiers if each.up_to is None or each.up_to > (line.up_to or 0)) if product else ()
    return next((each for each in larger if price_per_month(each, line.price.currency)), None)


def _facts(line: Line, month: date, percent: int, usage: Decimal, next_tier: Tier | None) -> Facts:
    price = None if next_tier is None else price_per_month(next_tier, line.price.currency)
    return {
        "product": {"product": line.product, "name": line.name, "unit": line.unit},
        "month": f"{month:%Y-%m}",
        "percent": percent,
        "usage": usage,
        "up_to": line.up_to,
        "next_tier": None if next_tier is None or price is None else {"up_to": next_tier.up_to, "price": asdict(price)},
    }
