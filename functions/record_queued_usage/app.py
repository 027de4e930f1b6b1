"""Queue worker: counts usage whose counters were busy when it was reported, exactly once."""

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
"""How long a message waits for busy counters before it is retried. No request waits for it."""


def record(message: str, _correlation: str) -> Mapping[str, Any]:
    """Counts the usage events of one message. Raises BillingError, which retries the message."""
    recorded = record_queued_usage(
        events_from(message),
        now=datetime.now(UTC),  # noqa: TID251 - markers expire by the time of counting
        reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
        budget=RetryBudget(BUDGET_SECONDS),
        store=wiring.usage_store(),
    )
    return {"accepted": recorded.accepted, "duplicate": recorded.duplicate, "conflict": recorded.conflict}


handler = worker(record, wiring.queue, done="usage counted", failed="usage not counted")
