"""Interface to the queue of usage events that wait to be counted (Amazon SQS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a function loads only the values that it works with
    from billing.usage.rules import UsageEvent


class UsageBacklog(Protocol):
    """Where usage waits whose counters are taken."""

    def put(self, events: Sequence[UsageEvent]) -> None:
        """Keeps the events until they are counted. Raises UpstreamFailed."""
        ...
