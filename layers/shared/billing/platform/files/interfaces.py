"""Interfaces to the file stores: documents, and the locked archive (Amazon S3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import IO, Protocol

LINK_SECONDS = 300
"""How long a download link is valid: long enough for a browser, too short to pass on."""


def link_works_until(made_at: datetime) -> datetime:
    """When a link that was made at this time ends."""
    return made_at + timedelta(seconds=LINK_SECONDS)


class Documents(Protocol):
    """A store of files."""

    def put(self, key: str, content: bytes | IO[bytes], content_type: str) -> None:
        """Saves a file. Raises UpstreamFailed."""
        ...

    def put_once(self, key: str, content: bytes, content_type: str) -> bytes:
        """Saves a file unless there is one; returns the file that is there now. One call, or two if there was one.

        Raises UpstreamFailed.
        """
        ...

    def keys(self, prefix: str, after: str | None = None) -> Iterable[str]:
        """The keys that begin with `prefix`, in order; with `after` those that sort after that one.

        One call per thousand. Raises UpstreamFailed.
        """
        ...

    def link(self, key: str, name: str) -> str:
        """A link to download a file as `name`, without a log-in, for LINK_SECONDS. Makes no call."""
        ...

    def get(self, key: str) -> bytes | None:
        """A file, or None if it does not exist. Raises UpstreamFailed."""
        ...

    def delete_all(self, prefix: str, before: Callable[[Sequence[str]], object] | None = None) -> None:
        """Deletes all versions, and delete markers, of files with this prefix. Raises UpstreamFailed.

        `before` gets a name for each version of a batch of up to a thousand, before the batch is deleted.
        """
        ...


class Archive(Protocol):
    """A store of files that cannot be changed or deleted before a day."""

    def keep(self, key: str, content: bytes, content_type: str, until: date) -> None:
        """Saves a file and locks it through the day `until`. Does nothing if the key exists. Raises UpstreamFailed."""
        ...

    def mark(self, folder: str, until: date) -> None:
        """Remembers that a folder is deleted after the year of `until`. Before its files are saved. Raises
        UpstreamFailed."""
        ...
