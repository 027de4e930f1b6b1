"""/bank-statements, /bank-entries: staff import what the bank says, and decide about what does not agree."""

from time import perf_counter
from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from aws_lambda_powertools.event_handler.openapi.params import Query
from billing.accounts.admission import StaffOnly
from billing.invoicing.bank_statements.decide import decide, take_decision_back
from billing.invoicing.bank_statements.entries import EntryStatus
from billing.invoicing.bank_statements.files import FILE_BYTES_MAX
from billing.invoicing.bank_statements.import_statements import import_statements
from billing.invoicing.bank_statements.views import (
    BankEntriesView,
    BankEntryView,
    BankStatementSummaryView,
    BankStatementsView,
    BankStatementView,
    EntryDecisionBody,
    EntryDecisionView,
    EntryId,
    EntryTakeBackBody,
    ImportView,
    StatementFileBody,
    StatementId,
)
from billing.kernel.permissions import Permission, Person
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.bodies import FILE_TYPES, files_at
from billing.platform.http.callers import Context
from billing.platform.http.media_types import JSON
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.preconditions import IfMatch, Preview, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import BankStatements, DeployedSettings, Payments

IMPORT_SECONDS = 15.0
"""How long a request looks at entries. The gateway waits for 29 seconds, and the last one may wait for Stripe."""

MayRecord = Annotated[Person, StaffOnly(Permission.RECORD_PAYMENTS)]

app = make_api()


@app.post("/bank-statements")
def post_bank_statements(
    body: StatementFileBody,
    _: MayRecord,
    context: Context,
    settings: DeployedSettings,
    statements: BankStatements,
    payments: Payments,
) -> ImportView:
    """Import a file of bank statements. What agrees exactly is booked, the rest is doubtful.

    The same file again changes nothing, and goes on where an import was cut off.
    """
    begun = perf_counter()
    outcomes = import_statements(
        body.file,
        context=context,
        series=settings.series,
        iban=settings.seller.iban,
        store=statements,
        gateway=payments,
        has_time=lambda: perf_counter() - begun < IMPORT_SECONDS,
    )
    return ImportView.of(outcomes)


@app.get("/bank-statements")
def get_bank_statements(
    _: MayRecord, statements: BankStatements, pages: Pages, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> BankStatementsView:
    """The imported bank statements, those of the latest days first."""
    page = statements.statements(limit=limit, after=pages.position(cursor))
    return BankStatementsView(
        items=[BankStatementSummaryView.of(each) for each in page.items], next_cursor=pages.cursor(page.last)
    )


@app.get("/bank-statements/<statement>")
def get_bank_statement(statement: StatementId, _: MayRecord, statements: BankStatements) -> BankStatementView:
    """A bank statement with its entries. One that was deleted since is left out."""
    found = statements.statement(statement)
    entries = statements.entries(found.entries)
    return BankStatementView.whole(found, [entries[each] for each in found.entries if each in entries])


@app.get("/bank-entries")
def get_bank_entries(
    _: MayRecord,
    statements: BankStatements,
    pages: Pages,
    status: Annotated[EntryStatus, Query(description="What became of them.")] = EntryStatus.DOUBTFUL,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> BankEntriesView:
    """The bank entries in a status, the earliest day first: those that wait for a decision."""
    page = statements.listed_entries(status, limit=limit, after=pages.position(cursor))
    return BankEntriesView(items=[BankEntryView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.get("/bank-entries/<entry>")
def get_bank_entry(entry: EntryId, _: MayRecord, statements: BankStatements) -> Tagged[BankEntryView]:
    """A booking of the bank, and what became of it."""
    found = statements.entry(entry)
    return tagged(BankEntryView.of(found), found.version)


@app.post("/bank-entries/<entry>/decision")
def post_entry_decision(
    entry: EntryId,
    body: EntryDecisionBody,
    _: MayRecord,
    context: Context,
    statements: BankStatements,
    payments: Payments,
    preview: Preview = False,
    if_match: IfMatch = None,
) -> Tagged[EntryDecisionView]:
    """Decide what a doubtful entry pays, or that it is ignored. The same decision again changes nothing."""
    decided = decide(
        entry,
        allocations=body.named,
        credit_to=None if body.credit is None else body.credit.account,
        ignored=None if body.ignore is None else body.ignore.reason,
        replaces=replaced_version(if_match),
        context=context,
        store=statements,
        gateway=payments,
        is_preview=preview,
    )
    return tagged(EntryDecisionView.of(decided), decided.entry.version)


@app.post("/bank-entries/<entry>/take-back")
def post_entry_take_back(
    entry: EntryId,
    body: EntryTakeBackBody,
    _: MayRecord,
    context: Context,
    settings: DeployedSettings,
    statements: BankStatements,
    payments: Payments,
    if_match: IfMatch = None,
) -> Tagged[BankEntryView]:
    """Take back what was decided about an entry, or booked by itself. What it has paid is owed again."""
    again = take_decision_back(
        entry,
        body.reason,
        replaces=replaced_version(if_match),
        context=context,
        settings=settings,
        store=statements,
        gateway=payments,
    )
    return tagged(BankEntryView.of(again), again.version)


handler = entrypoint(app, media_types=(JSON, *FILE_TYPES), read_body=files_at("/bank-statements", FILE_BYTES_MAX))
