"""API views and bodies of bank statements and bank entries."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Base64Bytes, Field, model_validator

from billing.invoicing.bank_statements.decide import Allocation, Decided
from billing.invoicing.bank_statements.entries import BankEntry, EntryStatus, ImportedStatement
from billing.invoicing.bank_statements.import_statements import OPEN, StatementOutcome
from billing.invoicing.bank_statements.matching import Doubt, Part, PayableInvoice
from billing.invoicing.transfer_views import INVOICE_NUMBER_MAX, PaidAmount, TransferView
from billing.invoicing.transfers import SHARES_MAX
from billing.kernel.field_codes import FieldCode, Unfit
from billing.platform.http.models import IDENTIFIER_LENGTH_MAX, Body, MoneyView, Text, View

EntryId = Annotated[str, Path(max_length=INVOICE_NUMBER_MAX)]
"""The id of a bank entry in a path."""

StatementId = Annotated[str, Path(max_length=INVOICE_NUMBER_MAX)]
"""The id of a bank statement in a path."""

DECISIONS = ("allocations", "credit", "ignore")


class StatementFileBody(Body):
    """A file of bank statements in base64: CAMT.053, CAMT.052 or MT940, or a zip of several. A client that can send the
    file itself does so, with its media type."""

    file: Base64Bytes


class EntryAllocationBody(Body):
    """What of the entry pays an invoice, in minor units. `account` is only needed for an invoice of an earlier release
    that no list has yet."""

    invoice: Annotated[str, Field(min_length=1, max_length=INVOICE_NUMBER_MAX)]
    amount: PaidAmount
    account: Annotated[str, Field(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)] | None = None


class EntryCreditBody(Body):
    """The account that all of the entry is for. It pays what is open, oldest first, and the rest is credit."""

    account: Annotated[str, Field(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]


class EntryIgnoreBody(Body):
    """Why the entry pays nothing here."""

    reason: Text


class EntryDecisionBody(Body):
    """What becomes of the entry: one of the three. `allocations` sum to it."""

    allocations: Annotated[list[EntryAllocationBody], Field(min_length=1, max_length=SHARES_MAX)] | None = None
    credit: EntryCreditBody | None = None
    ignore: EntryIgnoreBody | None = None

    @model_validator(mode="after")
    def _one(self) -> EntryDecisionBody:
        if sum(getattr(self, each) is not None for each in DECISIONS) != 1:
            raise Unfit("must have one of allocations, credit and ignore", FieldCode.NOT_TOGETHER)
        return self

    @property
    def named(self) -> tuple[Allocation, ...]:
        return tuple(Allocation(each.invoice, each.amount, each.account) for each in self.allocations or ())


class EntryTakeBackBody(Body):
    """Why the decision was wrong. A customer whose invoice is owed again reads it."""

    reason: Text


class EntryPartView(View):
    """What the entry pays for an account, or could pay. `invoices` is null where it pays the oldest open ones first."""

    account: str
    amount: MoneyView
    invoices: list[EntryShareView] | None

    @classmethod
    def of(cls, part: Part, currency: str) -> EntryPartView:
        shares = part.invoices
        return cls(
            account=part.account,
            amount=MoneyView(amount=part.amount, currency=currency),
            invoices=None
            if shares is None
            else [
                EntryShareView(invoice=number, amount=MoneyView(amount=amount, currency=currency))
                for number, amount in shares
            ],
        )


class EntryShareView(View):
    """What of the entry pays an invoice."""

    invoice: str
    amount: MoneyView


class EntryCandidateView(View):
    """An invoice that the entry may mean, and what was left of it when the entry was looked at. `account` and `left`
    are null where no account has it."""

    invoice: str
    account: str | None
    left: MoneyView | None

    @classmethod
    def of(cls, invoice: PayableInvoice) -> EntryCandidateView:
        return cls(
            invoice=invoice.number,
            account=invoice.account,
            left=None if invoice.account is None else MoneyView.of(invoice.left),
        )


class RecordedForView(View):
    """A transfer that the entry is recorded as."""

    account: str
    transfer: str


class EntryRowView(View):
    """A bank entry in a statement. `is_new` is false for one that came with an earlier statement."""

    entry: str
    amount: MoneyView
    booked_on: date
    status: EntryStatus
    doubt: Doubt | None
    parts: list[EntryPartView]
    is_new: bool

    @classmethod
    def of(cls, entry: BankEntry, statement: str) -> EntryRowView:
        currency = entry.booking.amount.currency
        return cls(
            entry=entry.id,
            amount=MoneyView.of(entry.booking.amount),
            booked_on=entry.booking.booked_on,
            status=entry.status,
            doubt=entry.doubt,
            parts=[EntryPartView.of(each, currency) for each in entry.parts],
            is_new=entry.statement == statement,
        )


class BankStatementSummaryView(View):
    """A bank statement. `entries` are its bookings of money that came in, or that the bank took back; `ignored` those
    of outgoing money, `pending` those that are not booked yet. `is_checked`: its balances and its bookings were
    compared. `finished_at` is null while some entries have not been looked at: send the file again."""

    id: str
    account: str
    name: str
    currency: str
    first_day: date
    last_day: date
    opening: MoneyView | None
    closing: MoneyView | None
    is_checked: bool
    entry_count: int
    ignored: int
    pending: int
    imported_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, statement: ImportedStatement) -> BankStatementSummaryView:
        return cls(**_fields(statement))


class BankStatementView(BankStatementSummaryView):
    """A bank statement with its entries, in its order."""

    entries: list[EntryRowView]

    @classmethod
    def whole(cls, statement: ImportedStatement, entries: list[BankEntry]) -> BankStatementView:
        return cls(**_fields(statement), entries=[EntryRowView.of(each, statement.id) for each in entries])


def _fields(statement: ImportedStatement) -> dict[str, object]:
    def balance(amount: int | None) -> MoneyView | None:
        return None if amount is None else MoneyView(amount=amount, currency=statement.currency)

    return {
        "id": statement.id,
        "account": statement.account,
        "name": statement.name,
        "currency": statement.currency,
        "first_day": statement.first_day,
        "last_day": statement.last_day,
        "opening": balance(statement.opening),
        "closing": balance(statement.closing),
        "is_checked": statement.is_checked,
        "entry_count": len(statement.entries),
        "ignored": statement.ignored,
        "pending": statement.pending,
        "imported_at": statement.imported_at,
        "finished_at": statement.finished_at,
    }


class ImportView(View):
    """What an import has done. `is_finished`: every entry was looked at. If it is false send the file again: it goes
    on."""

    is_finished: bool
    booked: int
    doubtful: int
    waiting: int
    statements: list[BankStatementView]

    @classmethod
    def of(cls, outcomes: tuple[StatementOutcome, ...]) -> ImportView:
        entries = [entry for outcome in outcomes for entry in outcome.entries]
        waiting = sum(each.status in OPEN for each in entries)
        return cls(
            is_finished=not waiting,
            booked=sum(each.status is EntryStatus.BOOKED for each in entries),
            doubtful=sum(each.status is EntryStatus.DOUBTFUL for each in entries),
            waiting=waiting,
            statements=[BankStatementView.whole(each.statement, [*each.entries]) for each in outcomes],
        )


class BankStatementsView(View):
    """Those of the latest days first. `next_cursor` leads to the older ones, null at the end."""

    items: list[BankStatementSummaryView]
    next_cursor: str | None


class BankEntryView(View):
    """A booking of the bank and what became of it. `texts` are what the payer wrote.

    `doubt` says why it is not booked by itself; then `parts` is what it could pay, which staff may confirm, or empty.
    `transfers` are what it is recorded as. `detail` says why a booking was refused, `reason` why it is ignored.
    """

    id: str
    statement: str
    account: str
    amount: MoneyView
    booked_on: date
    reference: str | None
    payer_name: str | None
    payer_account: str | None
    texts: list[str]
    status: EntryStatus
    doubt: Doubt | None
    detail: str | None
    parts: list[EntryPartView]
    candidates: list[EntryCandidateView]
    transfers: list[RecordedForView]
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None

    @classmethod
    def of(cls, entry: BankEntry) -> BankEntryView:
        booking, decision = entry.booking, entry.decision
        return cls(
            id=entry.id,
            statement=entry.statement,
            account=entry.account,
            amount=MoneyView.of(booking.amount),
            booked_on=booking.booked_on,
            reference=booking.reference,
            payer_name=booking.payer.name,
            payer_account=booking.payer.iban,
            texts=list(booking.texts),
            status=entry.status,
            doubt=entry.doubt,
            detail=entry.detail,
            parts=[EntryPartView.of(each, booking.amount.currency) for each in entry.parts],
            candidates=[EntryCandidateView.of(each) for each in entry.candidates],
            transfers=[RecordedForView(account=account, transfer=transfer) for account, transfer in entry.transfers],
            reason=None if decision is None else decision.reason,
            decided_by=None if decision is None else decision.by,
            decided_at=None if decision is None else decision.at,
        )


class BankEntriesView(View):
    """The earliest day first. `next_cursor` leads to what follows, null at the end."""

    items: list[BankEntryView]
    next_cursor: str | None


class EntryDecisionView(View):
    """The entry after a decision, or as it would be, and the transfers that it is recorded as."""

    entry: BankEntryView
    transfers: list[TransferView]

    @classmethod
    def of(cls, decided: Decided) -> EntryDecisionView:
        return cls(
            entry=BankEntryView.of(decided.entry), transfers=[TransferView.of(each) for each in decided.transfers]
        )
