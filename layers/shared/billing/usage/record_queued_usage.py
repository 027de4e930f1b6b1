"""Counts queued usage: events whose counters other writers held when they were reported. Each counts exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.kernel.errors import ConcurrentChange
from billing.kernel.field_codes import FieldCode
from billing.platform.clock import AccountTimes
from billing.platform.retry import RetryBudget
from billing.usage.record_usage import batches, count, expiry_of, refusal_of
from billing.usage.records import UsageStore
from billing.usage.rules import UsageEvent


@dataclass(frozen=True, slots=True)
class QueuedUsageCounts:
    """How many events had each result. The sender has its answer already.

    `refused` events are of an account that does not exist any more, or of a day that its contract does not contain.
    `codes` say how often each code is why an event is refused, or in conflict.
    """

    accepted: int
    duplicate: int
    conflict: int
    refused: int
    codes: Mapping[str, int]


def record_queued_usage(
    events: Sequence[UsageEvent],
    *,
    now: datetime,
    reported_within: timedelta,
    budget: RetryBudget,
    store: UsageStore,
) -> QueuedUsageCounts:
    """Counts queued events; an event may be in it twice.

    An event was judged when it was reported. It is judged again, because its account may be deleted by now, and another
    account may have its id.

    One read for every fifty accounts, and one transaction for about a hundred events and counters. Raises
    ConcurrentChange when other writers hold the counters for longer than `budget` lasts.
    """
    subscribers = store.subscribers(sorted({event.account for event in events}))
    times = AccountTimes(now)
    accepted = duplicate = conflict = 0
    refused = Counter[str]()
    firsts: dict[tuple[str, str], UsageEvent] = {}
    for event in events:
        subscriber = subscribers.get(event.account)
        refusal = refusal_of(event.account, event.store, event.product, event.day, subscriber, times(event.account))
        if refusal is not None:
            refused[refusal.code.value] += 1
        else:
            first = firsts.setdefault((event.account, event.identity), event)
            if first is not event:  # a transaction may write an item once
                same = event.fingerprint == first.fingerprint
                duplicate, conflict = duplicate + same, conflict + (not same)
    for batch in batches(firsts.values()):
        fingerprints = count(batch, lambda each: expiry_of(each, now, reported_within), budget, store)
        if fingerprints is None:
            raise ConcurrentChange
        known = sum(event.fingerprint == fingerprint for event, fingerprint in fingerprints.items())
        accepted += len(batch) - len(fingerprints)
        duplicate += known
        conflict += len(fingerprints) - known
    codes = refused + Counter({FieldCode.CONFLICT.value: conflict})
    return QueuedUsageCounts(accepted, duplicate, conflict, refused.total(), codes)
