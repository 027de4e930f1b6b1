"""Makes ids, and the event that a change is written with."""

from __future__ import annotations

import os
from datetime import datetime

from billing.domain.events import RANDOM_BYTES, Event, EventType, Facts, Occasion, ulid


def new_id(now: datetime) -> str:
    """A new ULID: ids sort by the instants that they were made at, to the millisecond."""
    return ulid(now, os.urandom(RANDOM_BYTES))


def new_event(
    type_: EventType, occasion: Occasion, *, account: str | None, before: Facts | None, after: Facts | None
) -> Event:
    """The event of a change; a request that is repeated makes another one only if it changes something."""
    return Event(
        event=new_id(occasion.time),
        type=type_,
        account=account,
        time=occasion.time,
        actor=occasion.actor,
        correlation=occasion.correlation,
        before=before,
        after=after,
    )
