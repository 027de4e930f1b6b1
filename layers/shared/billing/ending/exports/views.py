"""API views of downloads."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from billing.ending.exports.rules import AVAILABLE_FOR, Download
from billing.invoicing.views import YEAR_MAX, YEAR_MIN
from billing.platform.files.interfaces import link_works_until
from billing.platform.http.models import View

ArchiveYear = Annotated[int, Query(ge=YEAR_MIN, le=YEAR_MAX, description="The year in which they were produced.")]


class DownloadView(View):
    """`status` is `none` before one was asked for, `preparing`, `ready`, or `expired` when it must be asked for again.

    `link` needs no log-in and works until `works_until`: each answer has a new one. `until` is when the file itself is
    deleted.
    """

    status: Literal["none", "preparing", "ready", "expired"]
    requested_at: datetime | None
    ready_at: datetime | None
    until: datetime | None
    files: int | None
    link: str | None
    works_until: datetime | None

    @classmethod
    def of(
        cls, download: Download | None, now: datetime, link: str | None, real: datetime | None = None
    ) -> DownloadView:
        """`now` is the account's time; `real` is that of the link, if the two differ."""
        if download is None:
            return cls(
                status="none",
                requested_at=None,
                ready_at=None,
                until=None,
                files=None,
                link=None,
                works_until=None,
            )
        ready_at = download.ready_at
        until = None if ready_at is None else ready_at + AVAILABLE_FOR
        available, under_way = download.is_available(now), download.is_under_way(now)
        works_until = None
        if available and link is not None and until is not None:
            works_until = min(link_works_until(now), until) if real in {None, now} else link_works_until(real or now)
        return cls(
            status="ready" if available else "preparing" if under_way else "expired",
            requested_at=download.requested_at,
            ready_at=ready_at,
            until=until,
            files=download.files,
            link=link if available else None,
            works_until=works_until,
        )
