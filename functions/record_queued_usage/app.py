"""The queue of usage whose counters were taken → the table, exactly once."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from billing import wiring
from billing.platform.retry import RetryBudget
from billing.platform.workers import worker
from billing.usage.record_queued_usage import record_queued_usage
from billing.usage.sqs_backlog import events_from

BUDGET_SECONDS = 20.0
"""How long a message waits for its counters before it is retried later. It holds up no request."""


def record(message: str, _correlation: str) -> Mapping[str, Any]:
    """One message, of several events."""
    recorded = record_queued_usage(
        events_from(message),
        now=datetime.now(UTC),  # noqa: TID251 - from when on its markers stay
        reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
        budget=RetryBudget(BUDGET_SECONDS),
        store=wiring.usage_store(),
    )
    return {"accepted": recorded.accepted, "duplicate": recorded.duplicate, "conflict": recorded.conflict}


handler = worker(record, wiring.queue, done="usage counted", failed="usage not counted")
