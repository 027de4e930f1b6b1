"""Counts the usage that the vendor's product reports, each event exactly once: DESIGN 3.5, docs/decisions/0008."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.kernel.account_ids import clock_of
from billing.kernel.errors import ConcurrentChange, Path, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.platform.clock import AccountTimes
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

_ATTRIBUTES: dict[str, Path] = {
    "account": ("subject",),
    "store": ("subject",),
    "product": ("type",),
    "day": ("time",),
    "time": ("time",),
}
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
    reported_at: datetime | None = None,
) -> list[Result | None]:
    """Counts reports; returns a result for each, in their order, once all results are durable.

    If they are to be counted as a `whole`, none is counted when one is rejected, or when the batch that they come from
    is `spoiled` by another one; the results of the others are then None.

    An event without a time happened at `reported_at`, or now if that is None; on a test clock at the time there.

    An event is accepted until `reported_within` after it happened, and a duplicate is recognised for as long. One read
    for every fifty accounts, then one transaction for about a hundred events and counters. Events go to the backlog
    when other writers hold their counters for longer than `budget` lasts. One read more if usage of deactivated
    accounts is refused, and one transaction for each of them whose admins were not told yet. Safe to repeat. Raises
    UpstreamFailed.
    """
    subscribers = store.subscribers(sorted({each.account for each in reports}))
    times = AccountTimes(context.time)
    results: list[Result | None] = [None] * len(reports)
    places: defaultdict[tuple[str, str], list[tuple[int, UsageEvent]]] = defaultdict(list)
    for place, report in enumerate(reports):
        now, reported = times(report.account), reported_at if clock_of(report.account) is None else None
        event = _event(report, subscribers.get(report.account), now, reported, reported_within)
        if isinstance(event, Violation):
            results[place] = event
        else:
            places[event.account, event.identity].append((place, event))
    if whole and (spoiled or any(isinstance(each, Violation) for each in results)):
        _tell_of_refused_usage(reports, results, subscribers, context, times, store)
        return results
    for batch in batches(same[0][1] for same in places.values()):
        fingerprints = count(batch, lambda each: expiry_of(each, context.time, reported_within), budget, store)
        if fingerprints is None:
            backlog.put(batch)
        for event in batch:
            first = True
            for place, each in places[event.account, event.identity]:
                results[place] = outcome(each, event, fingerprints, first)
                first = False
    _tell_of_refused_usage(reports, results, subscribers, context, times, store)
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


def expiry_of(event: UsageEvent, now: datetime, reported_within: timedelta) -> datetime | None:
    """When the marker of an event that is counted at `now` expires.

    Never on a test clock, where an event may be reported again at any real time. The purge deletes it.
    """
    return None if clock_of(event.account) else marker_expiry(now, reported_within)


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


def refusal_of(
    account: str,
    store: str,
    product: str,
    day: date,
    subscriber: Subscriber | None,
    now: datetime,
    *,
    with_history: bool = False,
) -> Violation | None:
    """Why usage of a day does not count; None if it does. The violation's path is an argument's name.

    `with_history` also takes days before the account's first contract.
    """
    if subscriber is None:
        return unknown_account(account)
    today = subscriber.account.contract.today(now)
    return source_refusal(
        subscriber.account, subscriber.subscription, store, product, day, today, with_history=with_history
    )


def _event(
    report: UsageReport,
    subscriber: Subscriber | None,
    now: datetime,
    reported_at: datetime | None,
    reported_within: timedelta,
) -> UsageEvent | Violation:
    """The event to count, or why the report is rejected. The violation's path is a CloudEvents attribute."""
    if subscriber is None:
        return _rejected(unknown_account(report.account))
    time = report.time or reported_at or now
    # The time before the day: some times have no day in the account's time zone.
    refused = time_refusal(time, now, reported_within)
    if refused is not None:
        return _rejected(refused)
    day = subscriber.account.contract.today(time)
    refused = refusal_of(report.account, report.store, report.product, day, subscriber, now)
    if refused is not None:
        return _rejected(refused)
    return UsageEvent(
        account=report.account,
        source=report.source,
        id=report.id,
        product=report.product,
        store=report.store,
        content=report.content,
        time=time,
        day=day,
        quantity=report.quantity,
        conversions=report.conversions,
        revenue=report.revenue,
        is_timed=report.time is not None,
    )


def _rejected(refused: Violation) -> Violation:
    return replace(refused, path=_ATTRIBUTES[str(refused.path[0])])


def _is_after_the_end(result: Result | None) -> bool:
    return isinstance(result, Violation) and result.code is FieldCode.DEACTIVATED


def _tell_of_refused_usage(
    reports: Sequence[UsageReport],
    results: Sequence[Result | None],
    subscribers: Mapping[str, Subscriber],
    context: RequestContext,
    times: AccountTimes,
    usage: UsageStore,
) -> None:
    """Tells the admins of deactivated accounts, once, that their shops still report usage."""
    refused = [each for each, result in zip(reports, results, strict=True) if _is_after_the_end(result)]
    if not refused:
        return
    stores_of: dict[str, list[str]] = {}
    for account in dict.fromkeys(each.account for each in refused):
        reporting = (each.store for each in refused if each.account == account)
        stores = stores_still_reporting(subscribers[account].account, reporting)
        if stores is not None:
            stores_of[account] = stores
    subjects = {account: refusal_alert_key(subscribers[account].account) for account in stores_of}
    for account in usage.not_recorded(subjects):
        after = {"stores": stores_of[account]}
        own = replace(context, time=times(account))
        event = new_event(EventType.USAGE_REFUSED, own, account=account, before=None, after=after)
        # Another request records the same, or the next report will: nothing of this request depends on it.
        with suppress(ConcurrentChange):
            usage.record_once(account, subjects[account], event)
