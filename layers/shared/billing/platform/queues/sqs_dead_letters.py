"""Dead letters in an SQS queue."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed


class SqsDeadLetters:
    """See billing.platform.queues.interfaces.DeadLetters."""

    def __init__(self, queue: str, session: Session) -> None:
        self._queue = queue
        self._sqs: Any = session.create_client("sqs")

    def put(self, letter: str, reason: str) -> None:
        attributes = {"reason": {"DataType": "String", "StringValue": reason}}
        try:
            self._sqs.send_message(QueueUrl=self._queue, MessageBody=letter, MessageAttributes=attributes)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The queue of dead letters did not answer.") from failure
