"""Usage that the vendor's product reports is counted exactly once: DESIGN 6, docs/decisions/0008."""

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
    refusal_told_as,
    source_refusal,
    stores_still_reporting,
    time_refusal,
    unknown_account,
)
from billing.usage.rules import UsageEvent, known_until


class IngestResult(StrEnum):
    """What becomes of a reported event. QUEUED: kept, and counted in a moment."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUEUED = "queued"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What is reported, before anybody has looked whether there is such an account. See UsageEvent."""

    source: str
    id: str
    product: str
    account: str
    store: str
    content: str | None
    time: datetime
    quantity: Decimal
    conversions: int
    revenue: Money | None


Result = IngestResult | Violation
"""A violation says why an event is rejected."""

_ATTRIBUTES: dict[str, Path] = {"account": ("subject",), "store": ("subject",), "product": ("type",)}
"""Where an event says what the rules name."""


def record_usage(
    reports: Sequence[UsageReport],
    *,
    context: RequestContext,
    reported_within: timedelta,
    budget: RetryBudget,
    store: UsageStore,
    backlog: UsageBacklog,
) -> list[Result]:
    """Counts what is reported; returns what became of each report, in their order, once that is durable.

    An event is taken until `reported_within` after it happened, and known again for as long. One read for every
    fifty accounts, then a transaction for about a hundred events and counters. What finds its counters taken for
    longer than its `budget` lasts goes through the backlog. Safe to repeat. Raises UpstreamFailed.
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
    for batch in batches(same[0][1] for same in places.values()):
        standing = count(batch, lambda _: known_until(context.time, reported_within), budget, store)
        if standing is None:
            backlog.put(batch)
        for event in batch:
            first = True
            for place, each in places[event.account, event.identity]:
                results[place] = outcome(each, event, standing, first)
                first = False
    _tell_of_refused_usage(reports, subscribers, context, store)
    return [result for result in results if result is not None]


def batches(events: Iterable[UsageEvent]) -> Iterator[list[UsageEvent]]:
    """The events in parts that fit into one transaction each: a marker for each event, and their counters."""
    batch: list[UsageEvent] = []
    touched: set[tuple[str, str]] = set()
    # Neighbours share counters, so that there are few of them, and few transactions.
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
    """Counts those of a batch that are not counted yet; None when the counters are taken for too long.

    Returns the fingerprints of those that were counted before. It is all or none: without an answer nothing of
    the batch is counted that was not counted before.
    """
    standing: dict[UsageEvent, str] = {}
    attempt = 0
    while fresh := [event for event in batch if event not in standing] if standing else list(batch):
        try:
            found = store.count(fresh, expires)
        except ConcurrentChange:
            attempt += 1
            if not budget.lasts(attempt):
                return None
            continue
        if not found:
            break
        standing |= found
    return standing


def outcome(
    event: UsageEvent, counted: UsageEvent, standing: Mapping[UsageEvent, str] | None, first: bool
) -> IngestResult:
    """What becomes of an event when `counted`, the first of its identity in the request, met what was standing."""
    fingerprint = counted.fingerprint if standing is None else standing.get(counted, counted.fingerprint)
    if event.fingerprint != fingerprint:
        return IngestResult.CONFLICT
    if not first or (standing and counted in standing):
        return IngestResult.DUPLICATE
    return IngestResult.QUEUED if standing is None else IngestResult.ACCEPTED


def account_of(account: str, store: str, product: str, subscriber: Subscriber | None) -> Account | Violation:
    """The account that usage counts for, whenever it was, or why it does not: the path is the wrong argument's name."""
    if subscriber is None:
        return unknown_account(account)
    refused = source_refusal(subscriber.account, subscriber.subscription, store, product)
    return refused or subscriber.account


def _event(
    report: UsageReport, subscriber: Subscriber | None, now: datetime, reported_within: timedelta
) -> UsageEvent | Violation:
    """The event that is to be counted, or why it is not."""
    account = account_of(report.account, report.store, report.product, subscriber)
    if isinstance(account, Violation):
        return Violation(_ATTRIBUTES[str(account.path[0])], account.detail)
    refused = time_refusal(report.time, now, reported_within)
    if refused is not None:
        return refused
    return UsageEvent(
        account=report.account,
        source=report.source,
        id=report.id,
        product=report.product,
        store=report.store,
        content=report.content,
        time=report.time,
        day=account.contract.today(report.time),
        quantity=report.quantity,
        conversions=report.conversions,
        revenue=report.revenue,
    )


def _tell_of_refused_usage(
    reports: Sequence[UsageReport], subscribers: Mapping[str, Subscriber], context: RequestContext, usage: UsageStore
) -> None:
    for account, subscriber in subscribers.items():
        sending = stores_still_reporting(
            subscriber.account, (each.store for each in reports if each.account == account)
        )
        if sending is None:
            continue
        event = new_event(EventType.USAGE_REFUSED, context, account=account, before=None, after={"stores": sending})
        usage.record_once(account, refusal_told_as(subscriber.account), event)
