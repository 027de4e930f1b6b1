"""The SQS queue of usage that waits to be counted, and the form of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.kernel.money import Money
from billing.platform.runs import message_attributes
from billing.usage.rules import UsageEvent

MESSAGE_BYTES_MAX = 255 * 1024
"""Bytes of a body. SQS counts the attributes too."""

_PARTS = tuple(each.name for each in fields(UsageEvent) if each.init)


class SqsUsageBacklog:
    """See billing.usage.backlog.UsageBacklog."""

    def __init__(self, queue: str, session: Session) -> None:
        self._queue = queue
        self._session = session

    @cached_property
    def _sqs(self) -> Any:
        # Created on first use: hardly any request needs it.
        return self._session.create_client("sqs")

    def put(self, events: Sequence[UsageEvent]) -> None:
        message = message_of(events)
        if len(message) > MESSAGE_BYTES_MAX:  # only with very long ids
            half = len(events) // 2
            self.put(events[:half])
            self.put(events[half:])
            return
        try:
            self._sqs.send_message(
                QueueUrl=self._queue, MessageBody=message.decode(), MessageAttributes=message_attributes()
            )
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The usage could not be kept. Report it again.") from failure


def message_of(events: Sequence[UsageEvent]) -> bytes:
    """The events as JSON in UTF-8."""
    usage = [{name: getattr(event, name) for name in _PARTS} for event in events]
    return orjson.dumps({"usage": usage}, default=str)


def events_from(message: str) -> list[UsageEvent]:
    """The events of a message. Raises ValueError, KeyError or TypeError for any other text."""
    return [_event(each) for each in orjson.loads(message)["usage"]]


def _event(parts: dict[str, Any]) -> UsageEvent:
    return UsageEvent(
        **{
            **parts,
            "time": datetime.fromisoformat(parts["time"]),
            "day": date.fromisoformat(parts["day"]),
            "quantity": Decimal(parts["quantity"]),
            "revenue": None if parts["revenue"] is None else Money(**parts["revenue"]),
        }
    )
