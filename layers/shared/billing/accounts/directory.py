"""Interface to the user directory (Amazon Cognito): the people who can log in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogIn:
    """A person who can log in. `user` is their id; it stays when their e-mail address changes."""

    user: str
    staff: bool
    verified: bool
    """Whether the user has verified the address. An added user does so with the code of their first log-in."""


class InvalidAddress(Exception):
    """The directory never accepts this address. A retry does not help."""


class Directory(Protocol):
    """Finds, creates and deletes log-ins."""

    def log_in(self, email: str, name: str) -> LogIn:
        """Returns the log-in for this address, and creates it if there is none. Its owner chooses the password.

        Idempotent: the address is the key. Raises InvalidAddress, UpstreamFailed.
        """
        ...

    def find(self, email: str) -> LogIn | None:
        """Returns the log-in for this address, None if there is none. Raises InvalidAddress, UpstreamFailed."""
        ...

    def has_log_in(self, user: str) -> bool:
        """Whether there is a log-in with this user id, whatever its address is by now. Raises UpstreamFailed."""
        ...

    def remove(self, user: str) -> None:
        """Deletes the log-in with this user id, except for staff. Idempotent. Raises UpstreamFailed."""
        ...
