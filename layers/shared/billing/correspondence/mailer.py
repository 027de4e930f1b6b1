"""Interface to the mail service (Amazon SES)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # only for annotations: the module costs nothing at a cold start
    from billing.correspondence.audiences import Delivery


class Mailer(Protocol):
    """Sends mail."""

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        """Sends a complete MIME message, in ASCII, to one address. Returns the mail service's id of the message.

        SES reports the delivery status later and names the `delivery` (billing.correspondence.ses_feedback). Raises
        UpstreamFailed if the message was not sent, AnswerLost if that is unknown.
        """
        ...
