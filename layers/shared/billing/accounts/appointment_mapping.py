"""Maps appointments to the body of their item and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from billing.accounts.appointments import Appointment, AppointmentState
from billing.platform.dynamodb.bodies import parsed, text, without_version
from billing.platform.dynamodb.reader import Row


def appointment_body(appointment: Appointment) -> str:
    body = without_version(asdict(appointment))
    return text({"appointment": body.pop("id"), **body})


def appointment_from(row: Row | None) -> Appointment | None:
    """The newest appointment of an account, open or ended; None if there was none."""
    if row is None:
        return None
    body = parsed(row.body)
    return Appointment(
        id=body["appointment"],
        email=body["email"],
        name=body["name"],
        reason=body["reason"],
        announced_at=datetime.fromisoformat(body["announced_at"]),
        effective_at=datetime.fromisoformat(body["effective_at"]),
        state=AppointmentState(body["state"]),
        ended_at=None if body["ended_at"] is None else datetime.fromisoformat(body["ended_at"]),
        cause=body["cause"],
        version=row.version,
    )
