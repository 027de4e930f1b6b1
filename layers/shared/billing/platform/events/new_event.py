"""Makes ids, and the event that a change is written with."""

from __future__ import annotations

import os
from datetime import datetime

from billing.kernel.events import RANDOM_BYTES, Event, EventType, Facts, RequestContext, ulid


def new_id(now: datetime) -> str:
    """A new ULID: ids sort by the instants that they were made at, to the millisecond."""
    return ulid(now, os.urandom(RANDOM_BYTES))


def new_event(
    type_: EventType, context: RequestContext, *, account: str | None, before: Facts | None, after: Facts | None
) -> Event:
    """The event of a change; a request that is repeated makes another one only if it changes something."""
    return Event(
        id=new_id(context.time),
        type=type_,
        account=account,
        time=context.time,
        actor=context.actor,
        correlation=context.correlation,
        before=before,
        after=after,
    )
