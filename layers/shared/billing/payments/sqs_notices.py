"""The queue of payment notices (Amazon SQS), and the form of its messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.payments.gateway import PaymentNotice
from billing.platform.runs import message_attributes


class SqsPaymentNotices:
    """See billing.payments.gateway.PaymentNotices."""

    def __init__(self, queue: str, session: Session) -> None:
        self._queue = queue
        self._sqs: Any = session.create_client("sqs")

    def put(self, notice: PaymentNotice) -> None:
        # A worker of the release before knows no `account`.
        body = orjson.dumps({name: each for name, each in asdict(notice).items() if name != "account" or each}).decode()
        try:
            self._sqs.send_message(QueueUrl=self._queue, MessageBody=body, MessageAttributes=message_attributes())
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The notice could not be kept.") from failure


def notice_from(message: str) -> PaymentNotice:
    """The notice in the body of a message. Raises ValueError or TypeError for a body that is no notice."""
    return PaymentNotice(**orjson.loads(message))
