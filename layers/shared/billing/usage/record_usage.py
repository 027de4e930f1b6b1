"""Counts the usage that the vendor's product reports, each event exactly once: DESIGN 3.5, docs/decisions/0008."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.accounts.rules import Account
from billing.kernel.errors import ConcurrentChange, Path, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event
from billing.platform.retry import RetryBudget
from billing.subscriptions.subscriber import Subscriber
from billing.usage.backlog import UsageBacklog
from billing.usage.records import ACTIONS_MAX, UsageStore, counters
from billing.usage.refusal import (
    refusal_alert_key,
    source_refusal,
    stores_still_reporting,
    time_refusal,
    unknown_account,
)
from billing.usage.rules import UsageEvent, marker_expiry


class IngestResult(StrEnum):
    """The result of a reported event. A QUEUED event is durable, and is counted within moments."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUEUED = "queued"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class UsageReport:
    """A valid report of usage. Its account, store and product may not exist. For its fields see UsageEvent."""

    source: str
    id: str
    product: str
    account: str
    store: str
    content: str | None
    time: datetime | None
    """None if the report names no time: then it happened when it is reported."""
    quantity: Decimal
    conversions: int
    revenue: Money | None


Result = IngestResult | Violation
"""The result of an event; a violation says why it is rejected."""

_ATTRIBUTES: dict[str, Path] = {"account": ("subject",), "store": ("subject",), "product": ("type",)}
"""The CloudEvents attribute that holds each argument of the rules."""


def record_usage(
    reports: Sequence[UsageReport],
    *,
    context: RequestContext,
    reported_within: timedelta,
    budget: RetryBudget,
    store: UsageStore,
    backlog: UsageBacklog,
    whole: bool = False,
    spoiled: bool = False,
) -> list[Result | None]:
    """Counts reports; returns a result for each, in their order, once all results are durable.

    If they are to be counted as a `whole`, none is counted when one is rejected, or when the batch that they come from
    is `spoiled` by another one; the results of the others are then None.

    An event is accepted until `reported_within` after it happened, and a duplicate is recognised for as long. One read
    for every fifty accounts, then one transaction for about a hundred events and counters. Events go to the backlog
    when other writers hold their counters for longer than `budget` lasts. One transaction more for each deactivated
    account, whose admins get one mail. Safe to repeat. Raises UpstreamFailed, and ConcurrentChange if that transaction
    collides.
    """
    subscribers = store.subscribers(sorted({each.account for each in reports}))
    results: list[Result | None] = [None] * len(reports)
    places: defaultdict[tuple[str, str], list[tuple[int, UsageEvent]]] = defaultdict(list)
    for place, report in enumerate(reports):
        event = _event(report, subscribers.get(report.account), context.time, reported_within)
        if isinstance(event, Violation):
            results[place] = event
        else:
            places[event.account, event.identity].append((place, event))
    if whole and (spoiled or any(isinstance(each, Violation) for each in results)):
        _record_refused_usage(reports, subscribers, context, store)
        return results
    for batch in batches(same[0][1] for same in places.values()):
        fingerprints = count(batch, lambda _: marker_expiry(context.time, reported_within), budget, store)
        if fingerprints is None:
            backlog.put(batch)
        for event in batch:
            first = True
            for place, each in places[event.account, event.identity]:
                results[place] = outcome(each, event, fingerprints, first)
                first = False
    _record_refused_usage(reports, subscribers, context, store)
    return results


def batches(events: Iterable[UsageEvent]) -> Iterator[list[UsageEvent]]:
    """Splits events into batches of one transaction each: a marker for each event, and the counters they share."""
    batch: list[UsageEvent] = []
    touched: set[tuple[str, str]] = set()
    # Sorted by counter: events of a batch then share counters, so fewer transactions are needed.
    for adds_to, _, event in sorted((counters(each), each.identity, each) for each in events):
        more = touched.union(adds_to)
        if len(batch) + 1 + len(more) > ACTIONS_MAX:
            yield batch
            batch, more = [], set(adds_to)
        batch.append(event)
        touched = more
    if batch:
        yield batch


def count(
    batch: Sequence[UsageEvent],
    expires: Callable[[UsageEvent], datetime | None],
    budget: RetryBudget,
    store: UsageStore,
) -> Mapping[UsageEvent, str] | None:
    """Counts the events of a batch that are not counted yet; returns the fingerprints of those counted before.

    None when other writers hold the counters for longer than `budget` lasts; then no event of the batch was counted
    by this call. `expires` gives the end of an event's marker, None for never. One transaction, and one more for each
    retry or group of events counted before.
    """
    fingerprints: dict[UsageEvent, str] = {}
    attempt = 0
    while fresh := [event for event in batch if event not in fingerprints] if fingerprints else list(batch):
        try:
            counted_before = store.count(fresh, expires)
        except ConcurrentChange:
            attempt += 1
            if not budget.lasts(attempt):
                return None
            continue
        if not counted_before:
            break
        fingerprints |= counted_before
    return fingerprints


def outcome(
    event: UsageEvent, counted: UsageEvent, fingerprints: Mapping[UsageEvent, str] | None, first: bool
) -> IngestResult:
    """The result of an event, from the outcome of its batch.

    `counted` is the first event of this identity in the request, and `first` says whether it is `event` itself.
    `fingerprints` are those of the events that were counted before; None if the batch was queued.
    """
    fingerprint = counted.fingerprint if fingerprints is None else fingerprints.get(counted, counted.fingerprint)
    if event.fingerprint != fingerprint:
        return IngestResult.CONFLICT
    if not first or (fingerprints and counted in fingerprints):
        return IngestResult.DUPLICATE
    return IngestResult.QUEUED if fingerprints is None else IngestResult.ACCEPTED


def account_of(account: str, store: str, product: str, subscriber: Subscriber | None) -> Account | Violation:
    """The account that usage counts for, or why it does not count. The violation's path is an argument's name.

    The time of the usage is not checked.
    """
    if subscriber is None:
        return unknown_account(account)
    refused = source_refusal(subscriber.account, subscriber.subscription, store, product)
    return refused or subscriber.account


def _event(
    report: UsageReport, subscriber: Subscriber | None, now: datetime, reported_within: timedelta
) -> UsageEvent | Violation:
    """The event to count, or why the report is rejected. The violation's path is a CloudEvents attribute."""
    account = account_of(report.account, report.store, report.product, subscriber)
    if isinstance(account, Violation):
        return Violation(_ATTRIBUTES[str(account.path[0])], account.detail, account.code, account.limits)
    time = now if report.time is None else report.time
    refused = time_refusal(time, now, reported_within)
    if refused is not None:
        return refused
    return UsageEvent(
        account=report.account,
        source=report.source,
        id=report.id,
        product=report.product,
        store=report.store,
        content=report.content,
        time=time,
        day=account.contract.today(time),
        quantity=report.quantity,
        conversions=report.conversions,
        revenue=report.revenue,
        is_timed=report.time is not None,
    )


def _record_refused_usage(
    reports: Sequence[UsageReport], subscribers: Mapping[str, Subscriber], context: RequestContext, usage: UsageStore
) -> None:
    for account, subscriber in subscribers.items():
        stores = stores_still_reporting(subscriber.account, (each.store for each in reports if each.account == account))
        if stores is None:
            continue
        event = new_event(EventType.USAGE_REFUSED, context, account=account, before=None, after={"stores": stores})
        usage.record_once(account, refusal_alert_key(subscriber.account), event)
