"""Interface to the mail service (Amazon SES)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a function loads only the values that it works with
    from billing.correspondence.audiences import Delivery


class Mailer(Protocol):
    """What sends mail."""

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        """Hands over a whole message, in ASCII, for one address; returns the id by which it will be spoken of.

        What becomes of it is told by its `delivery` (billing.correspondence.ses_feedback). Raises UpstreamFailed when
        it was not sent, AnswerLost when that is not known.
        """
        ...
