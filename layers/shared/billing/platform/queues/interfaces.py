"""Interfaces to the queues of the workers: due work, visibility, dead letters (Amazon SQS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MESSAGES_MAX = 10
"""What SQS takes at once."""


class Queue(Protocol):
    """Where a worker's messages come from."""

    def change_visibility(self, receipt: str, seconds: int) -> None:
        """Delivers a message that was received again after so many seconds. Raises UpstreamFailed."""
        ...


@dataclass(frozen=True, slots=True)
class DueWork:
    """An account for which a job was due at the instant `at`, which is the worker's time."""

    account: str
    at: datetime


class WorkQueue(Protocol):
    """Where due work waits for a worker."""

    def put(self, work: Sequence[DueWork], after_seconds: int = 0) -> None:
        """Hands over up to MESSAGES_MAX of it, to be dealt with after a while. Raises UpstreamFailed if not all of it
        was taken."""
        ...


class DeadLetters(Protocol):
    """Where an operator finds what could not be dealt with."""

    def put(self, letter: str, reason: str) -> None:
        """Keeps a letter, and why it is here. The reason holds nothing personal. Raises UpstreamFailed."""
        ...
