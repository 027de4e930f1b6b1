"""The queue of what SES reports of our mail → the table: sent, refused for good, or called unwanted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing import wiring
from billing.correspondence.note_feedback import note_feedback
from billing.correspondence.ses_feedback import feedback_from
from billing.platform.workers import worker


def note(message: str, _correlation: str) -> Mapping[str, Any] | None:
    """One report; None for one that is of no consequence."""
    feedback = feedback_from(message)
    if feedback is None:
        return None
    now = datetime.now(UTC)  # noqa: TID251 - when we learn of it: SES may report it late
    note_feedback(feedback, now=now, accounts=wiring.account_store(), deliveries=wiring.delivery_store())
    return {"fate": feedback.status, "event": feedback.delivery.event}


handler = worker(note, wiring.queue, done="feedback", failed="feedback not noted")
