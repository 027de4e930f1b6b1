"""Interface to the event bus (Amazon EventBridge). The vendor's own systems consume events from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a function imports only the values that it uses
    from billing.kernel.events import Event


EVENTS_MAX = 10
"""The most entries of one PutEvents call."""


class EventBus(Protocol):
    """Publishes events to the vendor's own systems."""

    def publish(self, events: Sequence[Event]) -> Sequence[Event]:
        """Sends up to EVENTS_MAX events; returns the refused ones. One call. Raises UpstreamFailed."""
        ...
