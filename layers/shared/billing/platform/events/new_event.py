"""Makes new ids, and the event of a change."""

from __future__ import annotations

import os
from datetime import datetime

from billing.kernel.events import RANDOM_BYTES, Event, EventType, Facts, RequestContext, ulid


def new_id(now: datetime) -> str:
    """A new ULID. ULIDs sort by their instants, to the millisecond."""
    return ulid(now, os.urandom(RANDOM_BYTES))


def new_event(
    type_: EventType, context: RequestContext, *, account: str | None, before: Facts | None, after: Facts | None
) -> Event:
    """The event of a change, with a new id. The caller makes one only if the request changes something."""
    return Event(
        id=new_id(context.time),
        type=type_,
        account=account,
        time=context.time,
        actor=context.actor,
        correlation=context.correlation,
        before=before,
        after=after,
        is_replay=context.is_replay,
    )
