"""Test clocks as stored bodies, and back."""

from __future__ import annotations

from datetime import datetime

from billing.kernel.fields import fields_of
from billing.kernel.test_clocks import Clock, ClockStatus
from billing.platform.dynamodb.bodies import parsed, text


def clock_body(clock: Clock) -> str:
    fields = fields_of(clock, id="clock")
    del fields["version"]
    return text(fields)


def clock_from(stored: str, version: int) -> Clock:
    body = parsed(stored)
    return Clock(
        id=body["clock"],
        began_as=datetime.fromisoformat(body["began_as"]),
        now=datetime.fromisoformat(body["now"]),
        to=datetime.fromisoformat(body["to"]),
        made_at=datetime.fromisoformat(body["made_at"]),
        progressed_at=datetime.fromisoformat(body["progressed_at"]),
        status=ClockStatus(body["status"]),
        accounts=tuple(body["accounts"]),
        failure=body["failure"],
        runner=body["runner"],
        claimed_until=None if body["claimed_until"] is None else datetime.fromisoformat(body["claimed_until"]),
        version=version,
    )
