"""What Livello needs of the outside world, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from billing.domain.events import Event


@dataclass(frozen=True, slots=True)
class LogIn:
    """Somebody who can log in. `user` never changes, whatever becomes of the e-mail address."""

    user: str
    staff: bool
    verified: bool
    """Whether the address is proved to be theirs. An invitation proves it: it is how they come in."""


class InvalidAddress(Exception):
    """The directory takes no such address, and never will."""


class Directory(Protocol):
    """The people who can log in."""

    def invite(self, email: str, name: str) -> LogIn:
        """Makes sure that there is a log-in for this address, and invites whoever has not used theirs yet.

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

    def put(self, letter: dict[str, str]) -> None:
        """Keeps a letter; it names things by their keys and holds nothing personal. Raises UpstreamFailed."""
        ...
