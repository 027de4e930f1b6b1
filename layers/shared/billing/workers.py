"""The frame of a function that a queue drives: one message's failure is its own, and comes again, later each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.domain.errors import reason_of
from billing.gateways.ports import Queue
from billing.usecases.postpone import postpone

logger = Logger()

Handler = Callable[[Mapping[str, Any], LambdaContext], PartialItemFailureResponse]


def worker(deal: Callable[[str, str], Mapping[str, Any]], queue: Callable[[], Queue]) -> Handler:
    """The handler that gives `deal` each message's body, and the request's id, and logs what it returns.

    Whatever `deal` raises is that message's failure: it comes again until it is a dead letter.
    """
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    def handler(event: Mapping[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        def dealt(record: SQSRecord) -> None:
            try:
                done = deal(record.body, context.aws_request_id)
            except Exception as failure:
                logger.warning("not dealt with", reason=reason_of(failure), message_id=record.message_id)
                postpone(record.receipt_handle, int(record.attributes.approximate_receive_count), queue())
                raise
            logger.info("dealt with", **done)

        return process_partial_response(dict(event), dealt, processor, context)

    return handler
