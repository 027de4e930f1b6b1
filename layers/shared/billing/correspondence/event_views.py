"""API views of an account's audit log: its events in their published shape."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from billing.kernel.events import Event
from billing.platform.events.envelope import EventEnvelope
from billing.platform.events.mapping import event_fields
from billing.platform.http.models import View


class EventView(EventEnvelope):
    """One thing that happened. `before` and `after` say what changed; their shapes are under docs/events/."""

    sequence: Annotated[str, Field(min_length=1)]
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, event: Event) -> EventView:
        return cls.model_validate({**event_fields(event), "sequence": event.sequence or event.id}, from_attributes=True)


class EventsView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[EventView]
    next_cursor: str | None
