"""Queue worker: counts usage whose counters were busy when it was reported, exactly once.

The messages of a batch are counted together: reports of one counter share transactions, and so hold it for a shorter
time. If that fails, each message is counted by itself, so one bad message holds up no other.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.errors import reason_of
from billing.kernel.events import by_system
from billing.platform.retry import RetryBudget
from billing.platform.runs import begin_run, sender_of
from billing.platform.workers import logger, worker
from billing.usage.record_queued_usage import record_queued_usage
from billing.usage.rejected_usage import note_rejected
from billing.usage.rules import UsageEvent
from billing.usage.sqs_backlog import events_from

BUDGET_SECONDS = 20.0
"""How long a batch waits for busy counters before it is retried. No request waits for it."""


def handler(event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Counts the messages of a batch, together or one by one. Costs one transaction for about a hundred events."""
    begin_run(context.aws_request_id, logger)
    budget = RetryBudget(BUDGET_SECONDS)
    counted = _counted_together(event["Records"], context.aws_request_id, budget)
    rest = [record for record in event["Records"] if record["messageId"] not in counted]
    if not rest:
        return {"batchItemFailures": []}
    one_by_one = worker(
        partial(_record_message, budget=budget), wiring.queue, done="usage counted", failed="usage not counted"
    )
    return one_by_one({"Records": rest}, context)


def _counted_together(records: Sequence[Mapping[str, Any]], run: str, budget: RetryBudget) -> set[str]:
    """The messages that were counted in one go. Empty if there is one only, or if that fails."""
    readable = {record["messageId"]: events for record in records if (events := _events(record["body"])) is not None}
    if len(readable) < 2:
        return set()
    try:
        facts = _record([event for events in readable.values() for event in events], run, budget)
    except Exception as failure:  # noqa: BLE001 - whatever it is: one by one, the message at fault is found
        logger.warning("usage not counted together", reason=reason_of(failure), messages=len(readable))
        return set()
    senders = {sender_of(record) for record in records if record["messageId"] in readable} - {None}
    logger.info("usage counted", messages=len(readable), correlations=sorted(map(str, senders)), **facts)
    return set(readable)


def _events(message: str) -> list[UsageEvent] | None:
    try:
        return events_from(message)
    except (KeyError, TypeError, ValueError):
        return None


def _record_message(message: str, run: str, *, budget: RetryBudget) -> Mapping[str, Any]:
    """Counts the usage events of one message. Raises BillingError, which retries the message."""
    return _record(events_from(message), run, budget)


def _record(events: Sequence[UsageEvent], run: str, budget: RetryBudget) -> Mapping[str, Any]:
    now = datetime.now(UTC)  # noqa: TID251 - markers expire by the time of counting
    store = wiring.usage_store()
    recorded = record_queued_usage(
        events,
        now=now,
        reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
        budget=budget,
        store=store,
    )
    # The sender was answered with 202.
    note_rejected(recorded.codes, context=by_system(now, run), store=store)
    return asdict(recorded)
