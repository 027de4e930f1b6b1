"""The queue of accounts for which autoscaling is due → their decisions and moves."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.domain.errors import reason_of
from billing.gateways.sqs_work_queue import work_from
from billing.usecases.postpone import postpone
from billing.usecases.scale_account import scale_account

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Deals with a batch; returns the messages that must come again."""

    def scale(record: SQSRecord) -> None:
        """One account's failure is its own: it comes again, later each time, until it is a dead letter."""
        try:
            work = work_from(record.body)
            scaled = scale_account(
                work.account, now=work.at, correlation=context.aws_request_id, store=wiring.autoscaling_store()
            )
        except Exception as failure:
            logger.warning("account not scaled", reason=reason_of(failure), message_id=record.message_id)
            postpone(record.receipt_handle, int(record.attributes.approximate_receive_count), wiring.queue())
            raise
        logger.info("account scaled", account=work.account, months=scaled.months, moved=scaled.moved)

    return process_partial_response(dict(event), scale, processor, context)
