"""The queue of usage whose counters were taken → the table, exactly once."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.domain.errors import reason_of
from billing.gateways.sqs_usage_backlog import events_from
from billing.usecases.patience import Patience
from billing.usecases.postpone import postpone
from billing.usecases.record_queued_usage import record_queued_usage

PATIENCE_SECONDS = 20.0
"""How long a message waits for its counters before it comes again later. Nobody waits for it."""

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Deals with a batch; returns the messages that must come again."""
    return process_partial_response(dict(event), _deal_with, processor, context)


def _deal_with(record: SQSRecord) -> None:
    """Raises for what cannot be read or counted: it comes again, later each time, until it is a dead letter."""
    try:
        recorded = record_queued_usage(
            events_from(record.body),
            now=datetime.now(UTC),  # noqa: TID251 - from when on its markers stay
            reported_within=timedelta(days=int(os.environ["USAGE_REPORTED_WITHIN_DAYS"])),
            patience=Patience(PATIENCE_SECONDS),
            store=wiring.usage_store(),
        )
    except Exception as failure:
        logger.warning("usage not counted", reason=reason_of(failure), message_id=record.message_id)
        postpone(record.receipt_handle, int(record.attributes.approximate_receive_count), wiring.queue())
        raise
    logger.info("usage counted", accepted=recorded.accepted, duplicate=recorded.duplicate, conflict=recorded.conflict)
