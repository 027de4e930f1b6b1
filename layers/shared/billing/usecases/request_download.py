"""Somebody asks for a file; a worker prepares it from the event."""

from __future__ import annotations

from billing.domain.downloads import Download, DownloadKind
from billing.domain.errors import ConcurrentChange
from billing.domain.events import EventType, Facts, Occasion
from billing.store.download_store import DownloadStore
from billing.usecases.events import new_event, new_id


def request_download(
    account: str, kind: DownloadKind, year: int | None, *, occasion: Occasion, store: DownloadStore
) -> Download:
    """The file that is prepared from now on; while one is, it is that one. Raises ConcurrentChange."""
    standing = store.download(account, kind, year)
    if standing is not None and standing.is_under_way(occasion.time):
        return standing
    download = Download(
        download=new_id(occasion.time),
        account=account,
        kind=kind,
        year=year,
        requested_at=occasion.time,
        requested_by=str(occasion.actor.user),
        version=0 if standing is None else standing.version,
    )
    event = new_event(EventType.DOWNLOAD_REQUESTED, occasion, account=account, before=None, after=facts_of(download))
    try:
        return store.keep(download, event)
    except ConcurrentChange:
        # Asked for twice at the same moment: whoever comes second gets the first one's.
        winner = store.download(account, kind, year)
        if winner is None or not winner.is_under_way(occasion.time):
            raise
        return winner


def facts_of(download: Download) -> Facts:
    return {
        "download": download.download,
        "kind": download.kind,
        "year": download.year,
        "user": download.requested_by,
    }
