"""Queue worker: usage that a product on AWS sends to a queue. It is judged and counted as by POST /usage."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from billing import wiring
from billing.kernel.events import by_system
from billing.platform.retry import RetryBudget
from billing.platform.workers import sent_at, worker
from billing.usage.event_bodies import sent_events
from billing.usage.record_usage import record_usage
from billing.usage.rejected_usage import note_rejected

BUDGET_SECONDS = 20.0
"""How long a message waits for busy counters before its events go to the backlog. No request waits for it."""


def take(message: str, correlation: str) -> Mapping[str, Any]:
    """Counts the events of one message: an event in structured mode, or an array of them.

    An event without a time happened when the message was sent, however long that has waited.

    Raises Unprocessable if an event is rejected or in conflict. Then the message is a dead letter, and its other events
    are counted; sent again, they count once.
    """
    reported = sent_events(message)
    context = by_system(datetime.now(UTC), correlation)  # noqa: TID251 - as at the API: usage is judged when it comes
    store = wiring.usage_store()
    results = record_usage(
        reported.reports,
        context=context,
        reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
        budget=RetryBudget(BUDGET_SECONDS),
        store=store,
        backlog=wiring.usage_backlog(),
        reported_at=min(sent_at() or context.time, context.time),
    )
    note_rejected(reported.codes(results), context=context, store=store)
    return reported.counts(results)


handler = worker(take, wiring.queue, unwritable=wiring.dead_letters, done="usage taken", failed="usage not taken")
