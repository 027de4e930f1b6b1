"""The queue of clocks that go on (Amazon SQS)."""

from __future__ import annotations

from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.platform.runs import message_attributes


class SqsClockQueue:
    """The queue from which the worker of test clocks gets its messages."""

    def __init__(self, queue: str, session: Session) -> None:
        self._queue = queue
        self._sqs: Any = session.create_client("sqs")

    def put(self, clock: str, after_seconds: int) -> None:
        """Sends a message that goes on with a clock, delivered after `after_seconds`. One call.

        Raises UpstreamFailed.
        """
        try:
            self._sqs.send_message(
                QueueUrl=self._queue,
                MessageBody=orjson.dumps({"test_clock": clock}).decode(),
                DelaySeconds=after_seconds,
                MessageAttributes=message_attributes(),
            )
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The rest of the way could not be handed over.") from failure
