"""Files that are made when somebody asks for them: all data of an account, or its invoices of a year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

KEPT = timedelta(days=7)
"""For how long a file can be downloaded. The bucket forgets it by itself then (template.yaml)."""

PREPARED_WITHIN = timedelta(hours=1)
"""After that, whoever asks again is given another one: what was under way has failed."""


class DownloadKind(StrEnum):
    """What is in it."""

    EXPORT = "export"
    INVOICES = "invoices"


@dataclass(frozen=True, slots=True)
class Download:
    """A file that somebody has asked for. `year` goes with INVOICES. `requested_by` is the id of a log-in.

    `files` are how many are in it, `ready_at` since when it can be downloaded; both None while it is prepared.
    `version` counts the changes.
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
        """Where the file is among the documents."""
        return f"{folder_of_downloads(self.account)}{self.id}.zip"

    @property
    def name(self) -> str:
        """What whoever downloads it keeps it as."""
        what = self.kind.value if self.year is None else f"{self.kind.value}-{self.year}"
        return f"{what}-{self.account}.zip"

    def is_under_way(self, now: datetime) -> bool:
        """Whether it is still prepared."""
        return self.ready_at is None and now < self.requested_at + PREPARED_WITHIN

    def is_there(self, now: datetime) -> bool:
        """Whether it can be downloaded."""
        return self.ready_at is not None and now < self.ready_at + KEPT


def folder_of_downloads(account: str) -> str:
    """Where the files of an account stand among the documents: outside of what is kept for long."""
    return f"downloads/{account}/"
