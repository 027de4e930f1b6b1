"""What Livello needs of the outside world, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from billing.domain.events import Event
from billing.domain.usage import UsageEvent

if TYPE_CHECKING:  # only those who write mail load what is known of it
    from billing.domain.mail import Delivery


@dataclass(frozen=True, slots=True)
class LogIn:
    """Somebody who can log in. `user` never changes, whatever becomes of the e-mail address."""

    user: str
    staff: bool
    verified: bool
    """Whether the address is proved to be theirs: who is added proves it with the code that they first come in by."""


class InvalidAddress(Exception):
    """The directory takes no such address, and never will."""


class Directory(Protocol):
    """The people who can log in."""

    def log_in(self, email: str, name: str) -> LogIn:
        """The log-in for this address, made if there is none. Nobody knows its password until its owner chooses one.

        Safe to repeat: the address is the key. Raises InvalidAddress, UpstreamFailed.
        """
        ...


class EventBus(Protocol):
    """Where the vendor's own systems learn what happened."""

    def publish(self, events: Sequence[Event]) -> Sequence[Event]:
        """Hands over up to EVENTS_MAX events; returns those that were not taken. Raises UpstreamFailed."""
        ...


EVENTS_MAX = 10
"""What EventBridge takes at once."""


class DeadLetters(Protocol):
    """Where an operator finds what could not be dealt with."""

    def put(self, letter: str, reason: str) -> None:
        """Keeps a letter, and why it is here. The reason holds nothing personal. Raises UpstreamFailed."""
        ...


class Mailer(Protocol):
    """What sends mail."""

    def send(self, message: bytes, to: str, delivery: Delivery) -> str:
        """Hands over a whole message, in ASCII, for one address; returns the id by which it will be spoken of.

        What becomes of it is told by its `delivery` (billing.gateways.ses_feedback). Raises UpstreamFailed when it
        was not sent, AnswerLost when that is not known.
        """
        ...


class Documents(Protocol):
    """Where files are kept."""

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Keeps a file. Raises UpstreamFailed."""
        ...

    def get(self, key: str) -> bytes | None:
        """A file, None if there is none. Raises UpstreamFailed."""
        ...


class Queue(Protocol):
    """Where a worker's messages come from."""

    def postpone(self, receipt: str, seconds: int) -> None:
        """Has a message that was received come again after so many seconds. Raises UpstreamFailed."""
        ...


MESSAGES_MAX = 10
"""What SQS takes at once."""


@dataclass(frozen=True, slots=True)
class DueWork:
    """An account for which a job was due at the instant `at`, which is the worker's time."""

    account: str
    at: datetime


class WorkQueue(Protocol):
    """Where due work waits for a worker."""

    def put(self, work: Sequence[DueWork]) -> None:
        """Hands over up to MESSAGES_MAX of it. Raises UpstreamFailed if not all of it was taken."""
        ...


class UsageBacklog(Protocol):
    """Where usage waits whose counters are taken."""

    def put(self, events: Sequence[UsageEvent]) -> None:
        """Keeps the events until they are counted. Raises UpstreamFailed."""
        ...
