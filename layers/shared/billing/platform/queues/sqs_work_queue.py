"""Due work in an SQS queue, and the form of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.platform.queues.interfaces import DueWork
from billing.platform.runs import message_attributes


class SqsWorkQueue:
    """See billing.platform.queues.interfaces.WorkQueue."""

    def __init__(self, queue: str, session: Session) -> None:
        self._queue = queue
        self._sqs: Any = session.create_client("sqs")

    def put(self, work: Sequence[DueWork], after_seconds: int = 0) -> None:
        entries = [
            {
                "Id": str(number),
                "MessageBody": message_of(each),
                "DelaySeconds": after_seconds,
                "MessageAttributes": message_attributes(),
            }
            for number, each in enumerate(work)
        ]
        try:
            reply = self._sqs.send_message_batch(QueueUrl=self._queue, Entries=entries)
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The work could not be handed over.") from failure
        if reply.get("Failed"):
            raise UpstreamFailed(f"{len(reply['Failed'])} of {len(work)} were not handed over.")


def message_of(work: DueWork) -> str:
    """The message body of due work."""
    body = {"account": work.account, "at": work.at}
    return orjson.dumps(body if work.clock is None else {**body, "clock": work.clock}).decode()


def work_from(message: str) -> DueWork:
    """The due work of a message body. Raises ValueError, KeyError or TypeError for any other text."""
    body = orjson.loads(message)
    clock = None if "clock" not in body else datetime.fromisoformat(body["clock"])
    return DueWork(body["account"], datetime.fromisoformat(body["at"]), clock)
