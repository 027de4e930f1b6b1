"""Converts events to stored bodies and back."""

from __future__ import annotations

from datetime import datetime

from billing.kernel.account_ids import clock_of
from billing.kernel.events import Actor, ActorKind, Event, EventType
from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import Body, parsed, text


def event_body(event: Event) -> str:
    return text(event_fields(event))


def event_fields(event: Event) -> Body:
    """The fields of an event as they are stored and published. What an earlier release recorded has no sequence.

    `test_clock` marks an event of an account on a test clock; no other event has the field.
    """
    fields = fields_of(event, id="event")
    clock = clock_of(event.account)
    if clock is not None:
        fields["test_clock"] = clock
    if event.sequence is None:
        del fields["sequence"]
    return fields


def event_from(stored: str) -> Event:
    return event_of(parsed(stored))


def event_of(body: Body) -> Event:
    """The event of a stored or published body; both have the same form."""
    return Event(
        id=body["event"],
        type=EventType(body["type"]),
        account=body["account"],
        time=datetime.fromisoformat(body["time"]),
        actor=Actor(ActorKind(body["actor"]["kind"]), body["actor"]["user"]),
        correlation=body["correlation"],
        before=body["before"],
        after=body["after"],
        version=body["version"],
        is_replay=body.get("is_replay", False),
        sequence=body.get("sequence"),
    )
