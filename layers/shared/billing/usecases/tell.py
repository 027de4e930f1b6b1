"""Makes the event that a change is written with."""

from __future__ import annotations

import os

from billing.domain.events import RANDOM_BYTES, Event, EventType, Facts, Occasion, ulid


def tell(
    type_: EventType, occasion: Occasion, *, account: str | None, before: Facts | None, after: Facts | None
) -> Event:
    """The event of this occasion; a request that is repeated makes another one only if it changes something."""
    return Event(
        event=ulid(occasion.time, os.urandom(RANDOM_BYTES)),
        type=type_,
        account=account,
        time=occasion.time,
        actor=occasion.actor,
        correlation=occasion.correlation,
        before=before,
        after=after,
    )
