"""Queue worker: saves what SES reports of a mail: delivery, permanent bounce or complaint."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing import wiring
from billing.correspondence.note_feedback import note_feedback
from billing.correspondence.ses_feedback import feedback_from
from billing.platform.workers import worker


def note(message: str, correlation: str) -> Mapping[str, Any] | None:
    """Processes one report. Returns None for one that changes nothing."""
    feedback = feedback_from(message)
    if feedback is None:
        return None
    now = datetime.now(UTC)  # noqa: TID251 - the time at which we receive it: SES may report late
    accounts, deliveries = wiring.account_store(), wiring.delivery_store()
    note_feedback(feedback, now=now, correlation=correlation, accounts=accounts, deliveries=deliveries)
    return {"fate": feedback.status, "event": feedback.delivery.event}


handler = worker(note, wiring.queue, done="feedback", failed="feedback not noted")
