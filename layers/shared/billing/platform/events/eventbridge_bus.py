"""The event bus on Amazon EventBridge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.kernel.fields import fields_of

SOURCE = "livello"


class EventBridgeBus:
    """See billing.platform.events.bus.EventBus."""

    def __init__(self, name: str, session: Session) -> None:
        self._name = name
        self._bridge: Any = session.create_client("events")

    def publish(self, events: Sequence[Event]) -> Sequence[Event]:
        try:
            answer = self._bridge.put_events(Entries=[self._entry(event) for event in events])
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed("The event bus did not answer.") from failure
        return [event for event, entry in zip(events, answer["Entries"], strict=True) if "ErrorCode" in entry]

    def _entry(self, event: Event) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": orjson.dumps(fields_of(event, id="event")).decode(),
            "Time": event.time,
        }
