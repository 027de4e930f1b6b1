"""Interfaces to the file stores: documents, and the archive that nobody can change (Amazon S3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import IO, Protocol

LINK_SECONDS = 300
"""How long a link to a file leads there: long enough for a browser, too short to be passed on."""


class Documents(Protocol):
    """Where files are kept."""

    def put(self, key: str, content: bytes | IO[bytes], content_type: str) -> None:
        """Keeps a file. Raises UpstreamFailed."""
        ...

    def keys(self, prefix: str) -> Iterable[str]:
        """The keys of all files that begin so, in order. Raises UpstreamFailed."""
        ...

    def link(self, key: str, name: str) -> str:
        """Where anybody who has this can download a file, under this name, for LINK_SECONDS."""
        ...

    def get(self, key: str) -> bytes | None:
        """A file, None if there is none. Raises UpstreamFailed."""
        ...

    def count(self, prefix: str) -> int:
        """How many versions of files there are whose keys begin so. Raises UpstreamFailed."""
        ...

    def delete_all(self, prefix: str) -> None:
        """Deletes all versions of all files whose keys begin so. Raises UpstreamFailed."""
        ...


class Archive(Protocol):
    """Where files are kept that nobody may change or delete before their day."""

    def keep(self, key: str, content: bytes, content_type: str, until: date) -> None:
        """Keeps a file through the day `until`; nothing where it is kept already. Raises UpstreamFailed."""
        ...
