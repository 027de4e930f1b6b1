"""Somebody asks for a file; a worker prepares it from the event."""

from __future__ import annotations

from billing.ending.exports.records import DownloadState, DownloadStore
from billing.ending.exports.rules import Download, DownloadKind
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import EventType, Facts, RequestContext
from billing.platform.events.new_event import new_event, new_id


def request_download(
    state: DownloadState, kind: DownloadKind, year: int | None, *, context: RequestContext, store: DownloadStore
) -> Download:
    """The file that is prepared from now on; while one is, it is that one. `state` is what was read of this kind.

    One transaction; one more read when somebody else was faster. Raises ConcurrentChange.
    """
    account, standing = state.account.id, state.download
    if standing is not None and standing.is_under_way(context.time):
        return standing
    download = Download(
        id=new_id(context.time),
        account=account,
        kind=kind,
        year=year,
        requested_at=context.time,
        requested_by=str(context.actor.user),
        version=0 if standing is None else standing.version,
    )
    event = new_event(EventType.DOWNLOAD_REQUESTED, context, account=account, before=None, after=facts_of(download))
    try:
        return store.save(download, event)
    except ConcurrentChange:
        # Asked for twice at the same moment: whoever comes second gets the first one's.
        winner = store.download(account, kind, year)
        if winner is None or not winner.is_under_way(context.time):
            raise
        return winner


def facts_of(download: Download) -> Facts:
    return {
        "download": download.id,
        "kind": download.kind,
        "year": download.year,
        "user": download.requested_by,
    }
