"""/accounts/{account}/export and /invoices/archive: files that are made when somebody asks for them."""

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise
from billing.ending.exports.request import request_download
from billing.ending.exports.rules import DownloadKind
from billing.ending.exports.views import ArchiveYear, DownloadView
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Response, accepted
from billing.platform.http.callers import Caller, Context, Now
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, Downloads, Files

app = make_api()


@app.get("/accounts/<account>/export")
def get_export(
    account: AccountId, caller: Caller, accounts: Accounts, downloads: Downloads, files: Files, now: Now
) -> DownloadView:
    """All data of the account as a ZIP file: where that stands, and a link to it once it is ready."""
    authorise(caller, accounts.account(account), Permission.EXPORT, accounts)
    found = downloads.download(account, DownloadKind.EXPORT, None)
    return DownloadView.of(found, now, None if found is None else files.link(found.key, found.name))


@app.post("/accounts/<account>/export")
def post_export(
    account: AccountId, caller: Caller, context: Context, accounts: Accounts, downloads: Downloads
) -> Response[DownloadView]:
    """Have all data of the account put together. Whoever has asked is written to when it is ready."""
    authorise(caller, accounts.account(account), Permission.EXPORT, accounts)
    found = request_download(account, DownloadKind.EXPORT, None, context=context, store=downloads)
    return accepted(DownloadView.of(found, context.time, None), f"/v1/accounts/{account}/export")


@app.get("/accounts/<account>/invoices/archive")
def get_archive(
    account: AccountId,
    year: ArchiveYear,
    caller: Caller,
    accounts: Accounts,
    downloads: Downloads,
    files: Files,
    now: Now,
) -> DownloadView:
    """All invoices of a year as a ZIP file: where that stands, and a link to it once it is ready."""
    authorise(caller, accounts.account(account), Permission.READ_BILLING, accounts)
    found = downloads.download(account, DownloadKind.INVOICES, year)
    return DownloadView.of(found, now, None if found is None else files.link(found.key, found.name))


@app.post("/accounts/<account>/invoices/archive")
def post_archive(
    account: AccountId, year: ArchiveYear, caller: Caller, context: Context, accounts: Accounts, downloads: Downloads
) -> Response[DownloadView]:
    """Have all invoices of a year put together. Whoever has asked is written to when it is ready."""
    authorise(caller, accounts.account(account), Permission.READ_BILLING, accounts)
    found = request_download(account, DownloadKind.INVOICES, year, context=context, store=downloads)
    location = f"/v1/accounts/{account}/invoices/archive?year={year}"
    return accepted(DownloadView.of(found, context.time, None), location)


handler = entrypoint(app)
