"""Interfaces to the queues of the workers: due work, visibility, dead letters (Amazon SQS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MESSAGES_MAX = 10
"""The most messages of one SendMessageBatch call."""


class Queue(Protocol):
    """The queue that a worker receives messages from."""

    def change_visibility(self, receipt: str, seconds: int) -> None:
        """Delivers a received message again after `seconds`. `receipt` is its receipt handle. Raises UpstreamFailed."""
        ...


@dataclass(frozen=True, slots=True)
class DueWork:
    """An account for which a job was due at the instant `at`.

    `clock` is the time at which a replay does the work; None for the real time (DESIGN 4.3).
    """

    account: str
    at: datetime
    clock: datetime | None = None


class WorkQueue(Protocol):
    """The queue from a planner to a worker."""

    def put(self, work: Sequence[DueWork], after_seconds: int = 0) -> None:
        """Sends up to MESSAGES_MAX messages, each delivered after `after_seconds`. One call.

        Raises UpstreamFailed if the queue did not accept all of them; it may have accepted some.
        """
        ...


class DeadLetters(Protocol):
    """The queue of messages that could not be processed, for an operator (DESIGN 4.5)."""

    def put(self, letter: str, reason: str) -> None:
        """Saves a message with its reason. The reason contains no personal data. Raises UpstreamFailed."""
        ...
