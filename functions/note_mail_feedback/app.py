"""What SES tells of our mail → the table: sent, refused for good, or called unwanted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.domain.errors import reason_of
from billing.gateways.ses_feedback import feedback_from
from billing.usecases.note_feedback import note_feedback

logger = Logger()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Deals with a batch; returns the messages that must come again."""
    return process_partial_response(dict(event), _deal_with, processor, context)


def _deal_with(record: SQSRecord) -> None:
    """Raises for what cannot be read: it comes again until it is a dead letter."""
    try:
        feedback = feedback_from(record.body)
        if feedback is not None:
            now = datetime.now(UTC)  # noqa: TID251 - when we learn of it: SES may tell it late
            note_feedback(feedback, now=now, accounts=wiring.account_store(), deliveries=wiring.delivery_store())
            logger.info("feedback", fate=feedback.fate, event=feedback.delivery.event)
    except Exception as failure:
        logger.warning("feedback not noted", reason=reason_of(failure), message_id=record.message_id)
        raise
