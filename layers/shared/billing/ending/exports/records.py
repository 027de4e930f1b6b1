"""Records of requested downloads, and queries of the data that goes into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from billing.accounts.mapping import account_of
from billing.accounts.rules import Account
from billing.ending.exports.rules import Download, DownloadKind
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row
from billing.platform.dynamodb.table import Table
from billing.usage.records import content_usage_from
from billing.usage.rules import ContentUsage


@dataclass(frozen=True, slots=True)
class ExportedItem:
    """An item of an account: its family (the kind of item, such as `invoice`), its key, its body as JSON, and its other
    attributes as text, such as the days of a counter."""

    family: str
    key: str
    body: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DownloadState:
    """An account with the newest requested download of a kind; None if none was requested."""

    account: Account
    download: Download | None


_KEYS_AND_BODY = frozenset({"pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "body", "version", "claimed_until"})
"""Attributes that say where an item is, or who works on it. The index keys repeat what the body says."""


class DownloadStore(Table):
    """Reads and writes downloads, and reads the data of an export."""

    def exists(self, account: str) -> bool:
        """Whether the account exists. One read."""
        key = (keys.account(account), keys.PAGE_ACCOUNT)
        return key in self._reads.get_all([key])

    def download(self, account: str, kind: DownloadKind, year: int | None) -> Download | None:
        """The newest download of a kind and year. None if none was requested. One read."""
        key = (keys.account(account), keys.download(kind, year))
        return _download_from(account, self._reads.get_all([key]).get(key))

    def state(self, account: str, kind: DownloadKind, year: int | None) -> DownloadState | None:
        """An account with the newest download of a kind and year; None if the account does not exist. One read."""
        partition, download = keys.account(account), keys.download(kind, year)
        rows = self._reads.get_all((partition, key) for key in (keys.PAGE_ACCOUNT, download))
        row = rows.get((partition, keys.PAGE_ACCOUNT))
        if row is None:
            return None
        return DownloadState(account_of(row), _download_from(account, rows.get((partition, download))))

    def save(self, download: Download, event: Event) -> Download:
        """Saves a requested or finished download with its event. Returns it at its new version.

        Raises ConcurrentChange if its version or the account has changed. One transaction.
        """
        body = {
            "download": download.id,
            "kind": download.kind,
            "year": download.year,
            "requested_at": download.requested_at,
            "requested_by": download.requested_by,
            "files": download.files,
            "ready_at": download.ready_at,
        }
        item = Item(keys.account(download.account), keys.download(download.kind, download.year), text(body))
        with self._transaction() as write:
            write.require_account(download.account)
            write.replace(item, download.version)
            write.record(event)
        return replace(download, version=download.version + 1)

    def everything(self, account: str) -> Iterator[ExportedItem]:
        """All items of an account but its markers, ordered by partition and family. One query per megabyte."""
        for partition in (keys.account(account), keys.usage(account)):
            for row in self._reads.query(partition, " ", keys.last_of("~"), consistent=True):
                family = row.key.partition("#")[0].lower().replace("-", "_")
                attributes = {
                    name: next(iter(value.values())) for name, value in row.image.items() if name not in _KEYS_AND_BODY
                }
                yield ExportedItem(family, row.key, row.body, attributes)

    def usage(self, account: str) -> Iterator[ContentUsage]:
        """All usage of an account by content and month. One query per megabyte."""
        for row in self._reads.query(keys.usage(account), keys.CONTENT, keys.last_of(keys.CONTENT), consistent=True):
            yield content_usage_from(row)


def _download_from(account: str, row: Row | None) -> Download | None:
    if row is None:
        return None
    body = parsed(row.body)
    return Download(
        id=body["download"],
        account=account,
        kind=DownloadKind(body["kind"]),
        year=body["year"],
        requested_at=datetime.fromisoformat(body["requested_at"]),
        requested_by=body["requested_by"],
        files=body["files"],
        ready_at=None if body["ready_at"] is None else datetime.fromisoformat(body["ready_at"]),
        version=row.version,
    )
