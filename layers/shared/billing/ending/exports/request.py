"""Requests a download. Its event makes a worker prepare the file."""

from __future__ import annotations

from billing.ending.exports.records import DownloadState, DownloadStore
from billing.ending.exports.rules import Download, DownloadKind
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import EventType, Facts, RequestContext
from billing.platform.events.new_event import new_event, new_id


def request_download(
    state: DownloadState, kind: DownloadKind, year: int | None, *, context: RequestContext, store: DownloadStore
) -> Download:
    """Requests a download; `state` is the account with its newest download of this kind and year.

    Returns the requested download, or the one that is still being prepared. One transaction; one read more after a
    simultaneous request. Raises ConcurrentChange.
    """
    account, newest = state.account.id, state.download
    if newest is not None and newest.is_under_way(context.time):
        return newest
    download = Download(
        id=new_id(context.time),
        account=account,
        kind=kind,
        year=year,
        requested_at=context.time,
        requested_by=str(context.actor.user),
        version=0 if newest is None else newest.version,
    )
    event = new_event(EventType.DOWNLOAD_REQUESTED, context, account=account, before=None, after=facts_of(download))
    try:
        return store.save(download, event)
    except ConcurrentChange:
        # Two simultaneous requests: the second gets the download of the first.
        winner = store.download(account, kind, year)
        if winner is None or not winner.is_under_way(context.time):
            raise
        return winner


def facts_of(download: Download) -> Facts:
    """The facts that all events of a download share."""
    return {
        "download": download.id,
        "kind": download.kind,
        "year": download.year,
        "user": download.requested_by,
    }
