"""Interface to the user directory: people who can log in (Amazon Cognito)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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

    def remove(self, user: str) -> None:
        """Deletes the log-in of a person, unless they are staff. Nothing where it is gone. Raises UpstreamFailed."""
        ...
