"""Usage that found its counters taken is counted later, exactly once like all other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.kernel.errors import ConcurrentChange
from billing.platform.retry import RetryBudget
from billing.usage.record_usage import batches, count
from billing.usage.records import UsageStore
from billing.usage.rules import UsageEvent, known_until


@dataclass(frozen=True, slots=True)
class QueuedUsageCounts:
    """How many events came to what. Of a conflict nobody can be told any more but whoever reads the log."""

    accepted: int
    duplicate: int
    conflict: int


def record_queued_usage(
    events: Sequence[UsageEvent],
    *,
    now: datetime,
    reported_within: timedelta,
    budget: RetryBudget,
    store: UsageStore,
) -> QueuedUsageCounts:
    """Counts what was taken in before. Of an account that is gone nothing is counted.

    Raises ConcurrentChange when counters are taken for longer than its `budget` lasts.
    """
    there = store.subscribers(sorted({event.account for event in events}))
    accepted = duplicate = conflict = 0
    for batch in batches(event for event in events if event.account in there):
        standing = count(batch, lambda _: known_until(now, reported_within), budget, store)
        if standing is None:
            raise ConcurrentChange
        same = sum(event.fingerprint == fingerprint for event, fingerprint in standing.items())
        accepted += len(batch) - len(standing)
        duplicate += same
        conflict += len(standing) - same
    return QueuedUsageCounts(accepted, duplicate, conflict)
