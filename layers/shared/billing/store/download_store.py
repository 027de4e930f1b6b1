"""Files that were asked for, and all that goes into them. See billing.store.store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing.domain.downloads import Download, DownloadKind
from billing.domain.errors import ConcurrentChange
from billing.domain.events import Event
from billing.store import keys, mapping
from billing.store.table import Table, daily_from, month_from


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that is kept of an account: its family, its key, and its body as JSON."""

    family: str
    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Used:
    """What one content of one store used of a product in one month, by day."""

    product: str
    store: str
    content: str
    daily: Mapping[date, Decimal]


class DownloadStore(Table):
    """The downloads in the one table."""

    def exists(self, account: str) -> bool:
        """Whether there is such an account. One read."""
        key = (keys.account(account), keys.PAGE_ACCOUNT)
        return key in self._get_all([key])

    def download(self, account: str, kind: DownloadKind, year: int | None) -> Download | None:
        """The newest of its kind. One read."""
        key = (keys.account(account), keys.download(kind, year))
        row = self._get_all([key]).get(key)
        if row is None:
            return None
        body = mapping.parsed(row["body"]["S"])
        return Download(
            download=body["download"],
            account=account,
            kind=DownloadKind(body["kind"]),
            year=body["year"],
            requested_at=datetime.fromisoformat(body["requested_at"]),
            requested_by=body["requested_by"],
            files=body["files"],
            ready_at=None if body["ready_at"] is None else datetime.fromisoformat(body["ready_at"]),
            version=int(row["version"]["N"]),
        )

    def keep(self, download: Download, event: Event) -> Download:
        """Keeps one that is asked for, or is ready, and tells it. Raises ConcurrentChange. One transaction."""
        partition = keys.account(download.account)
        body = {
            "download": download.download,
            "kind": download.kind,
            "year": download.year,
            "requested_at": download.requested_at,
            "requested_by": download.requested_by,
            "files": download.files,
            "ready_at": download.ready_at,
        }
        key = keys.download(download.kind, download.year)
        kept = self._replacing(partition, key, download.version, mapping.text(body))
        self._write([self._requiring(partition), kept, self._event(event)], ConcurrentChange())
        return replace(download, version=download.version + 1)

    def everything(self, account: str) -> Iterator[Stored]:
        """All that stands in an account's own partition, family by family. A query per megabyte."""
        for row in self._query(keys.account(account), " ", keys.last_of("~")):
            key = row["sk"]["S"]
            yield Stored(key.partition("#")[0].lower().replace("-", "_"), key, row["body"]["S"])

    def usage(self, account: str) -> Iterator[Used]:
        """All usage by content. A query per megabyte."""
        for row in self._query(keys.usage(account), keys.CONTENT, keys.last_of(keys.CONTENT)):
            product, month, store, content = row["sk"]["S"].removeprefix(keys.CONTENT).split("#", 3)
            daily: Any = daily_from(row, month_from(month))
            yield Used(product, store, content, daily)
