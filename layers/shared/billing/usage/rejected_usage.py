"""Usage events that are rejected or in conflict are counted by day, and staff are told once a day.

A sender may take any answer of 2xx for a success. A batch that is taken in part is one: 207; so is an event that waits
in the queue: 202.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import EventType, Facts, RequestContext
from billing.platform.events.new_event import new_event
from billing.usage.records import RejectedDay, UsageStore


def note_rejected(codes: Mapping[str, int], *, context: RequestContext, store: UsageStore) -> None:
    """Counts the events of a request that are not counted as usage by code, on its day in UTC. One write, or none.

    A request that is repeated counts again. While DynamoDB throttles, nothing is counted: the request has its answer
    anyway, and another one of the day tells staff as well.
    """
    if codes:
        with suppress(ConcurrentChange):
            store.add_rejected(context.time.date(), codes)


def tell_rejected(*, context: RequestContext, store: UsageStore) -> int:
    """Records an event for each day before today, in UTC, on which usage was rejected; returns how many events.

    One query, and one transaction for each day. Safe to repeat: the event takes the place of the count. Raises
    ConcurrentChange if a count still grows; the next run tells it.
    """
    days = store.rejected_before(context.time.date())
    for each in days:
        event = new_event(EventType.USAGE_REJECTED, context, account=None, before=None, after=_facts(each))
        store.replace_rejected(each, event)
    return len(days)


def _facts(rejected: RejectedDay) -> Facts:
    most_first = sorted(rejected.codes.items(), key=lambda each: (-each[1], each[0]))
    return {
        "day": rejected.day,
        "events": sum(rejected.codes.values()),
        "codes": [{"code": code, "events": events} for code, events in most_first],
    }
