"""/accounts/{account}/export and /invoices/archive: ZIP files that are prepared on request."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.ending.exports.records import DownloadState, DownloadStore
from billing.ending.exports.request import request_download
from billing.ending.exports.rules import DownloadKind
from billing.ending.exports.views import ArchiveYear, DownloadView
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Accepted, accepted
from billing.platform.http.callers import Context, Now, RealNow
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Downloads, Files, account_store

MayExport = Annotated[Admission, Permits(Permission.EXPORT, account_store)]
MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]

app = make_api()


@app.get("/accounts/<account>/export")
def get_export(
    account: AccountId, admission: MayExport, downloads: Downloads, files: Files, now: Now, real: RealNow
) -> DownloadView:
    """All data of the account as a ZIP file: where that stands, and a link to it once it is ready."""
    download = _admitted(account, DownloadKind.EXPORT, None, admission, downloads).download
    link = None if download is None else files.link(download.key, download.name)
    return DownloadView.of(download, now, link, real)


@app.post("/accounts/<account>/export")
def post_export(
    account: AccountId, admission: MayExport, context: Context, downloads: Downloads
) -> Accepted[DownloadView]:
    """Have all data of the account put together. Whoever has asked is written to when it is ready."""
    state = _admitted(account, DownloadKind.EXPORT, None, admission, downloads)
    download = request_download(state, DownloadKind.EXPORT, None, context=context, store=downloads)
    return accepted(DownloadView.of(download, context.time, None), f"/v1/accounts/{account}/export")


@app.get("/accounts/<account>/invoices/archive")
def get_archive(
    account: AccountId,
    year: ArchiveYear,
    admission: MayRead,
    downloads: Downloads,
    files: Files,
    now: Now,
    real: RealNow,
) -> DownloadView:
    """All invoices of a year as a ZIP file: where that stands, and a link to it once it is ready."""
    download = _admitted(account, DownloadKind.INVOICES, year, admission, downloads).download
    link = None if download is None else files.link(download.key, download.name)
    return DownloadView.of(download, now, link, real)


@app.post("/accounts/<account>/invoices/archive")
def post_archive(
    account: AccountId, year: ArchiveYear, admission: MayRead, context: Context, downloads: Downloads
) -> Accepted[DownloadView]:
    """Have all invoices of a year put together. Whoever has asked is written to when it is ready."""
    state = _admitted(account, DownloadKind.INVOICES, year, admission, downloads)
    download = request_download(state, DownloadKind.INVOICES, year, context=context, store=downloads)
    location = f"/v1/accounts/{account}/invoices/archive?year={year}"
    return accepted(DownloadView.of(download, context.time, None), location)


def _admitted(
    account: str, kind: DownloadKind, year: int | None, admission: Admission, downloads: DownloadStore
) -> DownloadState:
    state = existing(downloads.state(account, kind, year))
    admission.admit(state.account)
    return state


handler = entrypoint(app)
