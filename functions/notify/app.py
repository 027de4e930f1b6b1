"""The queue of events → mail: whoever is concerned is written to, once.

What cannot be sent now comes again later, and later each time: when SES is slow or down, mail is late and never lost.
What can never be written goes to the dead letters at once, and holds up nothing.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, process_partial_response
from aws_lambda_powertools.utilities.batch import EventType as BatchEventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.domain.errors import reason_of
from billing.domain.events import Event
from billing.domain.mail import Recipient, Situation, Vendor
from billing.event_schemas.kinds import AnyEvent, published
from billing.mail.letters import letter
from billing.mail.message import message
from billing.store.event_mapping import event_of
from billing.usecases.notify import Outcome, Unwritable, notify
from billing.usecases.postpone import postpone

logger = Logger()
processor = BatchProcessor(BatchEventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Deals with a batch; returns the messages that must come again."""
    return process_partial_response(dict(event), _deal_with, processor, context)


def _deal_with(record: SQSRecord) -> None:
    happened: Event | None = None
    try:
        happened, facts = _event(record.body)
        outcome = _notify(happened, facts)
    except Unwritable as failure:
        wiring.dead_letters().put(record.body, failure.detail)
        logger.warning("unwritable", reason=failure.detail, **_about(happened))
    except Exception as failure:
        logger.warning("not sent", reason=reason_of(failure), **_about(happened))
        postpone(record.receipt_handle, int(record.attributes.approximate_receive_count), wiring.queue())
        raise
    else:
        logger.info("notified", sent=outcome.sent, skipped=outcome.skipped, **_about(happened))


def _event(body: str) -> tuple[Event, AnyEvent]:
    """The event, and what its kind says of it."""
    try:
        happened = event_of(orjson.loads(body)["detail"])
        return happened, published(happened)
    except (KeyError, TypeError, ValueError) as failure:
        raise Unwritable(f"It is no event, or does not fit its schema: {type(failure).__name__}.") from failure


def _notify(happened: Event, facts: AnyEvent) -> Outcome:
    now = datetime.now(UTC)  # noqa: TID251 - when a mail is really sent: a replayed event changes nothing of it
    vendor = Vendor(os.environ["VENDOR_NAME"], os.environ["BILLING_PAGE"], os.environ["REPLY_TO_ADDRESS"])

    def write(_: Event, situation: Situation, recipient: Recipient, document: bytes | None) -> bytes:
        words = letter(facts, situation, recipient, vendor, document)
        return message(words, recipient, os.environ["SENDER_ADDRESS"], vendor, happened.event, now)

    return notify(
        happened,
        claimant=uuid4().hex,
        now=now,
        staff_address=os.environ["STAFF_ADDRESS"] or None,
        accounts=wiring.account_store(),
        deliveries=wiring.delivery_store(),
        mailer=wiring.mailer(),
        documents=wiring.documents(),
        write=write,
    )


def _about(happened: Event | None) -> dict[str, Any]:
    if happened is None:
        return {}
    return {"event": happened.event, "type": happened.type, "account": happened.account}
