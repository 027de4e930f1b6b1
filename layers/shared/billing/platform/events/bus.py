"""Interface to the event bus, from which the vendor's own systems consume events (Amazon EventBridge)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a function loads only the values that it works with
    from billing.kernel.events import Event


EVENTS_MAX = 10
"""What EventBridge takes at once."""


class EventBus(Protocol):
    """Where the vendor's own systems learn what happened."""

    def publish(self, events: Sequence[Event]) -> Sequence[Event]:
        """Hands over up to EVENTS_MAX events; returns those that were not taken. Raises UpstreamFailed."""
        ...
