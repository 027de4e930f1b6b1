"""Sends mail through Amazon SES."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import idna
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from botocore.session import Session

from billing.correspondence.audiences import Delivery
from billing.kernel.errors import AnswerLost, UpstreamFailed

READ_TIMEOUT_SECONDS = 20
"""Longer than for DynamoDB: a message with attachments takes a while to upload."""

_NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, NoCredentialsError)
"""Errors after which SES certainly has not received the message. After any other error it is unknown."""

ACCOUNT_TAG = "livello-account"
EVENT_TAG = "livello-event"
RECIPIENT_TAG = "livello-recipient"


class SesMailer:
    """See billing.correspondence.mailer.Mailer.

    It uses SendRawEmail of SES API v1: the one call that supports attachments everywhere. It switches the SDK's retries
    off: a lost answer does not say whether the message was sent, so the caller decides whether to send it again.
    """

    def __init__(self, sender: str, configuration_set: str, session: Session) -> None:
        self._sender = sender
        self._configuration_set = configuration_set
        self._ses: Any = session.create_client(
            "ses",
            config=Config(read_timeout=READ_TIMEOUT_SECONDS, retries={"mode": "standard", "total_max_attempts": 1}),
        )

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        try:
            answer = self._ses.send_raw_email(
                Source=self._sender,
                Destinations=[in_ascii(to)],
                RawMessage={"Data": message},
                ConfigurationSetName=self._configuration_set,
                Tags=[{"Name": name, "Value": value} for name, value in tags_of(delivery).items()],
            )
        except _NOT_SENT as failure:
            raise UpstreamFailed(f"The mail service was not reached ({type(failure).__name__}).") from failure
        except ClientError as failure:
            # The message of SES is left out: it contains addresses, and errors are logged.
            code = failure.response["Error"]["Code"]
            refused = failure.response["ResponseMetadata"]["HTTPStatusCode"] < HTTPStatus.INTERNAL_SERVER_ERROR
            error = UpstreamFailed if refused else AnswerLost
            raise error(f"The mail service did not take the message ({code}).") from failure
        except Exception as failure:
            raise AnswerLost(f"The mail service did not answer as it should ({type(failure).__name__}).") from failure
        return str(answer["MessageId"])


def in_ascii(email: str) -> str:
    """The address with its domain in ASCII (IDNA)."""
    user, _, domain = email.rpartition("@")
    return f"{user}@{idna.encode(domain).decode('ascii')}"


def tags_of(delivery: Delivery) -> dict[str, str]:
    """The tags of a mail. SES repeats them in each report about the mail."""
    tags = {ACCOUNT_TAG: delivery.account, EVENT_TAG: delivery.event, RECIPIENT_TAG: delivery.recipient}
    return {name: value for name, value in tags.items() if value is not None}
