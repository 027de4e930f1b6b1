"""Interface to the event bus (Amazon EventBridge). The vendor's own systems consume events from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a function imports only the values that it uses
    from billing.kernel.events import Event


EVENTS_MAX = 10
"""The most entries of one PutEvents call."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the bus did not accept, with the bus's error code.

    `for_good` is whether it would refuse the event again: the event itself is the fault, not the moment.
    """

    event: Event
    code: str
    for_good: bool


class EventBus(Protocol):
    """Publishes events to the vendor's own systems."""

    def publish(self, events: Sequence[Event]) -> Sequence[Refusal]:
        """Sends up to EVENTS_MAX events; returns the refused ones. One call. Raises UpstreamFailed.

        If the bus refuses the call as a whole for its contents, one more call for each event finds those at fault.
        """
        ...
