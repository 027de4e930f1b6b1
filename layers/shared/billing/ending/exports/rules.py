"""The rules of downloads: files that are prepared on request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

AVAILABLE_FOR = timedelta(days=7)
"""How long a file can be downloaded. A lifecycle rule of the bucket deletes it then (template.yaml)."""

PREPARED_WITHIN = timedelta(hours=1)
"""A preparation that takes longer has failed. A new request then starts another one."""


class DownloadKind(StrEnum):
    """The content of a download: all data of the account, or its invoices of a year."""

    EXPORT = "export"
    INVOICES = "invoices"


@dataclass(frozen=True, slots=True)
class Download:
    """A requested file. `year` is set for INVOICES only. `requested_by` is a user id.

    `files` is the number of files in the zip file, `ready_at` the time of its completion. Both are None during the
    preparation. `version` counts the changes.
    """

    id: str
    account: str
    kind: DownloadKind
    year: int | None
    requested_at: datetime
    requested_by: str
    files: int | None = None
    ready_at: datetime | None = None
    version: int = 0

    @property
    def key(self) -> str:
        """The document key of the zip file."""
        return f"{folder_of_downloads(self.account)}{self.id}.zip"

    @property
    def name(self) -> str:
        """The file name that the browser saves."""
        content = self.kind.value if self.year is None else f"{self.kind.value}-{self.year}"
        return f"{content}-{self.account}.zip"

    def is_under_way(self, now: datetime) -> bool:
        """Whether the preparation is still running."""
        return self.ready_at is None and now < self.requested_at + PREPARED_WITHIN

    def is_available(self, now: datetime) -> bool:
        """Whether the file can be downloaded."""
        return self.ready_at is not None and now < self.ready_at + AVAILABLE_FOR


def folder_of_downloads(account: str) -> str:
    """The document folder of an account's downloads. It has its own prefix, because its files expire."""
    return f"downloads/{account}/"
