"""The event bus on Amazon EventBridge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.bus import Refusal
from billing.platform.events.mapping import event_fields

SOURCE = "livello"

REFUSED_FOR_GOOD = {"InvalidArgument", "MalformedDetail", "ValidationException"}
"""Codes for a fault of the event. PutEvents names all others of an entry: some may be retried, and some are a fault of
the deployment's permissions, which its owner mends while the events wait.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
A call that is too large as a whole is a ValidationException."""


class EventBridgeBus:
    """See billing.platform.events.bus.EventBus."""

    def __init__(self, name: str, session: Session) -> None:
        self._name = name
        self._bridge: Any = session.create_client("events")

    def publish(self, events: Sequence[Event]) -> Sequence[Refusal]:
        try:
            answer = self._bridge.put_events(Entries=[self._entry(event) for event in events])
        except ClientError as failure:
            code = failure.response["Error"]["Code"]
            if code not in REFUSED_FOR_GOOD:
                raise UpstreamFailed("The event bus did not answer.") from failure
            if len(events) == 1:
                return [Refusal(events[0], code, for_good=True)]
            return [refusal for event in events for refusal in self.publish([event])]
        except BotoCoreError as failure:
            raise UpstreamFailed("The event bus did not answer.") from failure
        return [
            Refusal(event, entry["ErrorCode"], entry["ErrorCode"] in REFUSED_FOR_GOOD)
            for event, entry in zip(events, answer["Entries"], strict=True)
            if "ErrorCode" in entry
        ]

    def _entry(self, event: Event) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": orjson.dumps(event_fields(event)).decode(),
            "Time": event.time,
        }
