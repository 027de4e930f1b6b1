"""The frame of a function that a queue invokes: each message fails and is retried by itself, with a growing delay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.kernel.backoff import backoff_seconds
from billing.kernel.errors import Unprocessable, UpstreamFailed, reason_of
from billing.platform.queues.interfaces import DeadLetters, Queue
from billing.platform.runs import begin_run, sender_of

FIRST_WAIT_SECONDS = 2
"""The delay after the first failed attempt. It doubles after each further one, up to WAIT_SECONDS_MAX."""

WAIT_SECONDS_MAX = 900

LATE_AFTER = timedelta(hours=1)
"""A failure of a message of this age has `late` in its log line. Alarms count these lines (template.yaml): SQS's age of
the oldest message leaves out messages that were received three times."""

_attempt: ContextVar[int] = ContextVar("attempt", default=1)
_sent_at: ContextVar[datetime | None] = ContextVar("sent_at", default=None)

logger = Logger()

Handler = Callable[[Mapping[str, Any], LambdaContext], PartialItemFailureResponse]
Process = Callable[[str, str], Mapping[str, Any] | None]
"""Processes a message: takes its body and the request's id, returns fields for the log, or None for no log line."""


def worker(
    process: Process,
    queue: Callable[[], Queue],
    *,
    unwritable: Callable[[], DeadLetters] | None = None,
    done: str = "dealt with",
    failed: str = "not dealt with",
    about: Callable[[str], Mapping[str, Any]] | None = None,
) -> Handler:
    """The Lambda handler of a worker: calls `process` for each message and logs the fields that it returns.

    If `process` raises, SQS delivers the message again, with a delay that grows, until it is a dead letter. If it
    raises Unprocessable and `unwritable` is given, the message goes to those dead letters at once.

    Each line has the id of this run, and of the run that sent the message (billing.platform.runs).

    `done` and `failed` are the messages of the log lines. `about` gives the fields of a warning from a message's body;
    the default is the message's id.
    """
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    def one(record: SQSRecord, request: str) -> None:
        logger.append_keys(correlation=sender_of(record.raw_event))
        _attempt.set(int(record.attributes.approximate_receive_count))
        _sent_at.set(_sent(record))
        try:
            facts = process(record.body, request)
        except Exception as failure:
            named = {"message_id": record.message_id} if about is None else about(record.body)
            if unwritable is not None and isinstance(failure, Unprocessable):
                unwritable().put(record.body, failure.detail)
                logger.warning("unwritable", reason=failure.detail, **named)
                return
            logger.warning(failed, reason=reason_of(failure), late=_is_late(record), **named)
            change_visibility(record.receipt_handle, int(record.attributes.approximate_receive_count), queue())
            raise
        if facts is not None:
            logger.info(done, **facts)

    def handler(event: Mapping[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        begin_run(context.aws_request_id, logger)

        def process_record(record: SQSRecord) -> None:
            one(record, context.aws_request_id)

        return process_partial_response(dict(event), process_record, processor, context)

    return handler


def attempt() -> int:
    """How often the message that is processed was delivered; 1 is its first time."""
    return _attempt.get()


def sent_at() -> datetime | None:
    """When the message that is processed was sent, by the clock of SQS; None if its record does not say so."""
    return _sent_at.get()


def _sent(record: SQSRecord) -> datetime | None:
    sent = record["attributes"].get("SentTimestamp")  # SQS's name; hand-written records of tests have none
    return None if sent is None else datetime.fromtimestamp(int(sent) / 1000, UTC)


def _is_late(record: SQSRecord) -> bool:
    sent = _sent(record)
    now = datetime.now(UTC)  # noqa: TID251 - the age of a message is by the wall clock, also in a replay
    return sent is not None and now - sent >= LATE_AFTER


def change_visibility(receipt: str, times_received: int, queue: Queue) -> None:
    """Delays the next delivery of a message. If the queue does not answer, its visibility timeout applies."""
    with suppress(UpstreamFailed):
        queue.change_visibility(receipt, int(backoff_seconds(times_received, FIRST_WAIT_SECONDS, WAIT_SECONDS_MAX)))
