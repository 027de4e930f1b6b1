"""Prepares a requested download: a zip file with all data of an account, or with its invoices of a year.

The zip file is written to disk entry by entry, so an account of any size fits into a function's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from io import TextIOWrapper
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from billing.ending.exports.records import DownloadStore
from billing.ending.exports.request import facts_of
from billing.ending.exports.rules import AVAILABLE_FOR, Download, DownloadKind, folder_of_downloads
from billing.invoicing.invoices import folder_of_invoice
from billing.invoicing.records import InvoiceStore, WholeInvoice
from billing.invoicing.sheets import invoice_sheet
from billing.kernel.errors import AccountNotFound
from billing.kernel.events import EventType, by_system
from billing.kernel.money import Money, decimal_text
from billing.kernel.spreadsheet import csv_of, csv_rows, harmless
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.events.new_event import new_event
from billing.platform.files.interfaces import Documents
from billing.platform.files.workbook import workbook
from billing.usage.rules import ContentUsage

ZIP_TYPE = "application/zip"

NOT_EXPORTED = {
    keys.DUE: "when Livello looks at the account next: it follows from what is exported",
    keys.PURGE: "it exists only while the account is deleted, and nobody can ask for an export then",
    keys.MARKER: "digests by which a repeated usage event is recognised; what was counted is in the counters",
}
"""The families of an account's items that an export leaves out, each with the reason. All others are in it."""

_LEFT_OUT = {family.rstrip("#").lower() for family in NOT_EXPORTED}

INVOICES_MAX = 10_000
"""More invoices than any account can have."""

_READ_ME = """\
Everything that is kept of the account {account}, as of {at:%Y-%m-%d %H:%M} UTC.

data/*.json       all entries of one kind, as they are kept: amounts in minor units of their currency, times in UTC;
                  invoice.json has the payments, document.json what each invoice and credit note said,
                  correction.json what of the usage was corrected, and why,
                  extra.json the one-off charges and the goodwill that are settled; page.json has the open ones
usage.csv         usage by day, product, store and content, as corrected
usage-months.csv  usage, conversions and revenue by month, product, store and content
invoices.csv      all invoices, with their tax and their payment; invoices.xlsx has the same for a spreadsheet
documents/        invoices as documents, and all mail that was sent
"""


def prepare_download(
    account: str,
    kind: DownloadKind,
    year: int | None,
    *,
    now: datetime,
    correlation: str,
    store: DownloadStore,
    invoices: InvoiceStore,
    documents: Documents,
    requested: str | None = None,
) -> Download | None:
    """Prepares a requested file, and records the event that announces it by mail. Returns the finished download.

    `requested` is the id of the download that the request names. None if there is no request, or if the file is already
    prepared. Costs two reads, the queries of all exported items, a download per document, one upload and one
    transaction. Raises ConcurrentChange, UpstreamFailed, and
    AccountNotFound if the account was deleted meanwhile; the uploaded file is deleted then.
    """
    download = store.download(account, kind, year)
    if requested is not None and (download is None or download.id != requested):
        # Asked for by an account that is deleted by now, or replaced by a newer request. An attempt that was cut off
        # may have left the file.
        documents.delete_all(f"{folder_of_downloads(account)}{requested}.zip")
    if download is None or download.ready_at is not None:
        return None
    with TemporaryFile() as file:
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            if kind is DownloadKind.EXPORT:
                _write_export(archive, account, now, store, invoices, documents)
            else:
                _write_invoices(archive, account, year, invoices, documents)
            files = len(archive.namelist())
        file.seek(0)
        documents.put(download.key, file, ZIP_TYPE)
    if not store.exists(account):
        documents.delete_all(download.key)
        raise AccountNotFound
    ready = replace(download, files=files, ready_at=now)
    facts = {
        **facts_of(ready),
        "requested_at": ready.requested_at,
        "files": files,
        "until": (now + AVAILABLE_FOR).date(),
    }
    context = by_system(now, correlation)
    event = new_event(EventType.DOWNLOAD_READY, context, account=account, before=None, after=facts)
    return store.save(ready, event)


def _write_export(
    archive: ZipFile,
    account: str,
    now: datetime,
    store: DownloadStore,
    invoices: InvoiceStore,
    documents: Documents,
) -> None:
    with _text(archive, "README.txt") as write:
        write(_READ_ME.format(account=account, at=now))
    for family, entries in groupby(store.everything(account), lambda each: each.family):
        if family in _LEFT_OUT:
            continue
        with _text(archive, f"data/{family}.json") as write:
            for position, entry in enumerate(entries):
                body = parsed(entry.body) if entry.body else {}
                write(f"{',' if position else '['}\n{text({'key': entry.key, **body, **entry.attributes})}")
            write("\n]\n")
    with _text(archive, "usage.csv") as write:
        write(csv_rows([("day", "product", "store", "content", "quantity")]))
        for month in store.usage(account):
            rows = [
                (day.isoformat(), month.product, month.store, harmless(month.content or ""), f"{quantity:f}")
                for day, quantity in month.daily.items()
            ]
            write(csv_rows(rows))
    with _text(archive, "usage-months.csv") as write:
        heading = ("month", "product", "store", "content", "quantity", "conversions", "revenue", "currency")
        write(csv_rows([heading]))
        for month in store.usage(account):
            write(csv_rows(_months(month)))
    _write_sheets(archive, invoices.documents(account)[::-1])
    _copy_documents(archive, f"accounts/{account}/", "documents/", documents)


def _months(month: ContentUsage) -> list[tuple[str, ...]]:
    """A row of a content in a month; one for each currency of its revenue, and the figures are in the first."""
    where = (f"{month.month:%Y-%m}", month.product, month.store, harmless(month.content or ""))
    quantity = f"{sum(month.daily.values(), Decimal(0)):f}"
    revenue = sorted(month.revenue.items()) or [("", 0)]
    rows: list[tuple[str, ...]] = []
    for position, (currency, amount) in enumerate(revenue):
        figures = ("", "") if position else (quantity, str(month.conversions))
        earned = decimal_text(Money(amount, currency)) if currency else ""
        rows.append((*where, *figures, earned, currency))
    return rows


def _write_invoices(
    archive: ZipFile, account: str, year: int | None, invoices: InvoiceStore, documents: Documents
) -> None:
    of_year = invoices.whole_invoices(account, year=year, status=None, limit=INVOICES_MAX, after=None).items
    _write_sheets(archive, of_year)
    for each in of_year:
        number = each.invoice.number
        _copy_documents(archive, folder_of_invoice(account, number), f"{number}/", documents)


def _write_sheets(archive: ZipFile, invoices: Iterable[WholeInvoice]) -> None:
    sheet = invoice_sheet(invoices)
    with _text(archive, "invoices.csv") as write:
        write(csv_of(sheet))
    with _entry(archive, "invoices.xlsx") as entry:
        entry.write(workbook(sheet))


def _copy_documents(archive: ZipFile, folder: str, into: str, documents: Documents) -> None:
    for key in documents.keys(folder):
        content = documents.get(key)
        if content is not None:
            with _entry(archive, into + key.removeprefix(folder)) as entry:
                entry.write(content)


@contextmanager
def _text(archive: ZipFile, name: str) -> Iterator[Callable[[str], object]]:
    with _entry(archive, name) as entry, TextIOWrapper(entry, "utf-8", newline="") as text:
        yield text.write


@contextmanager
def _entry(archive: ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Opens a new file in the archive, with a fixed time stamp: the same content gives the same bytes."""
    info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as entry:
        yield entry
