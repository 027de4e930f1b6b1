"""The run of a function: one request, one batch of messages, or one time of a schedule.

The id of a run is `request_id` in its log lines, `correlation` in the events that it records, and the attribute
`correlation` of the messages that it sends. A run that handles a message has the sender's id as `correlation` in its
log lines. So an operator can follow a request through the queues (docs/operate.md, "Follow a request").
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

ATTRIBUTE = "correlation"
"""The message attribute with the id of the run that sent a message."""

_run: ContextVar[str | None] = ContextVar("run", default=None)


def begin_run(run: str, logger: Logger) -> None:
    """Names the run of this process until the next one. An environment of Lambda has one at a time."""
    _run.set(run)
    logger.append_keys(function=os.environ.get("AWS_LAMBDA_FUNCTION_NAME"), request_id=run, correlation=None)


def message_attributes() -> dict[str, Any]:
    """The attributes of a message that this run sends. Empty outside of a run, as in a script."""
    run = _run.get()
    return {} if run is None else {ATTRIBUTE: {"DataType": "String", "StringValue": run}}


def sender_of(record: Mapping[str, Any]) -> str | None:
    """The id of the run that caused a message of SQS, as Lambda passes it. None for a message without one.

    EventBridge sends events without attributes; an event names its run itself.
    """
    attribute = (record.get("messageAttributes") or {}).get(ATTRIBUTE)
    if attribute is not None:
        return str(attribute["stringValue"])
    try:
        correlation = orjson.loads(record["body"])["detail"]["correlation"]
    except (KeyError, TypeError, ValueError):  # no event
        return None
    return correlation if isinstance(correlation, str) else None
