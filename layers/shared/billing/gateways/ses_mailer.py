"""Mail, sent by SES."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.session import Session

from billing.aws_session import CLIENT_CONFIG
from billing.domain.errors import AnswerLost, UpstreamFailed
from billing.domain.mail import Delivery

READ_TIMEOUT_SECONDS = 20
"""A message with attachments takes longer than a question to the table."""

ACCOUNT_TAG = "livello-account"
EVENT_TAG = "livello-event"
RECIPIENT_TAG = "livello-recipient"


class SesMailer:
    """See billing.gateways.ports.Mailer.

    By the first version of SES's API and with the whole message: the one call that brings attachments through
    everywhere. A message is handed over once and not tried again below: whether an attempt whose answer was lost
    has sent it cannot be known, so it is for the caller to decide.
    """

    def __init__(self, sender: str, configuration_set: str, session: Session) -> None:
        self._sender = sender
        self._configuration_set = configuration_set
        self._ses: Any = session.create_client(
            "ses",
            config=CLIENT_CONFIG.merge(
                Config(read_timeout=READ_TIMEOUT_SECONDS, retries={"mode": "standard", "total_max_attempts": 1})
            ),
        )

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        try:
            answer = self._ses.send_raw_email(
                Source=self._sender,
                Destinations=[to],
                RawMessage={"Data": message},
                ConfigurationSetName=self._configuration_set,
                Tags=[{"Name": name, "Value": value} for name, value in tags_of(delivery).items()],
            )
        except (ReadTimeoutError, ConnectionClosedError) as failure:
            raise AnswerLost("The mail service did not answer.") from failure
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed(f"The mail service did not take the message ({_reason(failure)}).") from failure
        return str(answer["MessageId"])


def tags_of(delivery: Delivery) -> dict[str, str]:
    """How a mail is known to SES, which repeats it with whatever it tells about the mail."""
    tags = {ACCOUNT_TAG: delivery.account, EVENT_TAG: delivery.event, RECIPIENT_TAG: delivery.recipient}
    return {name: value for name, value in tags.items() if value is not None}


def _reason(failure: BotoCoreError | ClientError) -> str:
    """What went wrong, without the message that SES gives: it repeats addresses."""
    code = failure.response["Error"]["Code"] if isinstance(failure, ClientError) else type(failure).__name__
    return str(code)
