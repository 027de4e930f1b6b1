"""Interface to the queue of usage events that wait to be counted (Amazon SQS; docs/decisions/0008)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a function loads only the values that it works with
    from billing.usage.rules import UsageEvent


class UsageBacklog(Protocol):
    """The queue for usage events whose counters other writers hold for too long."""

    def put(self, events: Sequence[UsageEvent]) -> None:
        """Queues the events until they are counted. Raises UpstreamFailed. One request for each 256 KiB."""
        ...
