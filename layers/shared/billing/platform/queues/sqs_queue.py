"""The messages of a worker in an SQS queue."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed


class SqsQueue:
    """See billing.platform.queues.interfaces.Queue."""

    def __init__(self, queue: str, session: Session) -> None:
        self._queue = queue
        self._sqs: Any = session.create_client("sqs")

    def change_visibility(self, receipt: str, seconds: int) -> None:
        try:
            self._sqs.change_message_visibility(QueueUrl=self._queue, ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The queue did not answer.") from failure
