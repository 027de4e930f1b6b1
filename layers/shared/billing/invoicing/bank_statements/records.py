"""Bank statements, bank entries and known payers in the table; and the invoices that a number leads to, by key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.invoicing.bank_statements.entries import BankEntry, EntryStatus, ImportedStatement
from billing.invoicing.bank_statements.mapping import entry_body, entry_from, statement_body, statement_from
from billing.invoicing.bank_statements.matching import PayableInvoice
from billing.invoicing.bank_statements.rules import KEPT_DAYS
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.mapping import summary_from
from billing.invoicing.records import InvoiceRecord
from billing.invoicing.transfer_records import TransferStore, transfer_from
from billing.invoicing.transfers import BankTransfer
from billing.kernel.errors import ConcurrentChange, NotFound, StaleVersion
from billing.kernel.events import Event
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice

_NUMBER = re.compile(r"([A-Z][A-Z0-9]{0,9})-(20\d\d)-(\d{6,9})", re.ASCII)
"""A number as it is printed (NextNumber.text): a text that only means one names nothing."""

READ_AT_ONCE = 100
"""Items of one BatchGetItem."""

ADDED_AT_ONCE = 25
"""Entries of one transaction."""

PAYERS_MAX = 2
"""How many accounts of a payer are read: with more than one, none is suggested."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where the invoice of a number is. `account` is None where no account has it, or none any more."""

    number: str
    account: str | None
    produced_on: date


class BankStatementStore(TransferStore):
    """Reads and writes what bank statements say, with the transfers that are recorded from them."""

    # ---- Statements ----

    def statement(self, statement: str) -> ImportedStatement:
        """A statement by its id. Raises NotFound. One get."""
        found = self.find_statement(statement)
        if found is None:
            raise NotFound("There is no such bank statement.")
        return found

    def find_statement(self, statement: str) -> ImportedStatement | None:
        """A statement by its id, None without it. One get."""
        row = self._reads.get(keys.BANK_STATEMENTS, keys.bank_statement(statement))
        return None if row is None else _statement_of(row)

    def statements(self, *, limit: int, after: str | None) -> Slice[ImportedStatement]:
        """A page of the statements, those of the latest days first. One query."""
        return self._reads.newest(keys.BANK_STATEMENTS, keys.STATEMENT, _statement_of, limit=limit, after=after)

    def save_statement(self, statement: ImportedStatement, event: Event | None = None) -> ImportedStatement:
        """Writes a statement at its version; 0 adds it. Raises ConcurrentChange. One transaction."""
        item = Item(
            keys.BANK_STATEMENTS,
            keys.bank_statement(statement.id),
            statement_body(statement),
            expires_at=statement.expires_at,
        )
        with self._transaction() as write:
            write.replace(item, statement.version)
            if event is not None:
                write.record(event, shared=keys.BANK_STATEMENTS)
        return replace(statement, version=statement.version + 1)

    # ---- Entries ----

    def entry(self, entry: str) -> BankEntry:
        """An entry by its id. Raises NotFound. One get."""
        row = self._reads.get(keys.bank_entry(entry), keys.ENTRY)
        if row is None:
            raise NotFound("There is no such bank entry.")
        return _entry_of(row)

    def entries(self, entries: Sequence[str]) -> dict[str, BankEntry]:
        """The entries that there are, by id. One read per READ_AT_ONCE."""
        found: dict[str, BankEntry] = {}
        for first in range(0, len(entries), READ_AT_ONCE):
            places = [(keys.bank_entry(each), keys.ENTRY) for each in entries[first : first + READ_AT_ONCE]]
            found |= {entry.id: entry for entry in map(_entry_of, self._reads.get_all(places).values())}
        return found

    def listed_entries(self, status: EntryStatus, *, limit: int, after: str | None) -> Slice[BankEntry]:
        """A page of the entries in a status, the earliest day first. One query of the index."""
        return self._reads.oldest(
            keys.bank_entries(status), "", _entry_of, limit=limit, after=after, index=keys.LIST_INDEX
        )

    def add_entries(self, entries: Sequence[BankEntry]) -> None:
        """Adds up to ADDED_AT_ONCE entries. Raises ConcurrentChange if there is one of them. One transaction."""
        with self._transaction() as write:
            for each in entries:
                write.replace(_entry_item(each), 0)

    def save_entry(self, entry: BankEntry, event: Event | None = None) -> BankEntry:
        """Writes an entry at its version. Raises StaleVersion, and ConcurrentChange after a collision. One
        transaction."""
        with self._transaction(StaleVersion()) as write:
            write.replace(_entry_item(entry), entry.version)
            if event is not None:
                write.record(event, shared=keys.BANK_STATEMENTS)
        return replace(entry, version=entry.version + 1)

    # ---- Known payers ----

    def remember_payer(self, payer: str, accounts: Iterable[str], now: datetime) -> None:
        """Keeps that a payer, by the digest of their account, has paid for accounts. One transaction for each.

        An account that does not exist any more is left out.
        """
        for account in accounts:
            item = Item(
                keys.account(account),
                keys.payer(payer),
                text({"since": now}),
                list_index=(keys.payer(payer), account),
                expires_at=now + timedelta(days=KEPT_DAYS),
            )
            with suppress(_AccountGone), self._transaction(_AccountGone()) as write:
                write.require_account(account)
                write.put(item)

    def forget_payer(self, payer: str, accounts: Iterable[str]) -> None:
        """Forgets that a payer has paid for accounts. One transaction."""
        with self._transaction() as write:
            for account in accounts:
                write.delete(keys.account(account), keys.payer(payer))

    def accounts_of_payer(self, payer: str) -> tuple[str, ...]:
        """The accounts that a payer has paid for, up to PAYERS_MAX. One query of the index."""
        rows = self._reads.query(keys.payer(payer), " ", keys.last_listed(""), limit=PAYERS_MAX, index=keys.LIST_INDEX)
        return tuple(row.partition.removeprefix(keys.account("")) for row in rows)

    # ---- What may be recorded already ----

    def is_recorded_otherwise(self, account: str, transfer: BankTransfer) -> bool:
        """Whether a transfer of the same amount and day, under another reference, has paid one of the same invoices: it
        may be this very booking, recorded by hand or from another statement. One query, strongly consistent.

        One by hand under the same reference is no other: `record_transfer` recognises it.
        """
        first = f"{keys.transfer(f'{transfer.booked_on:%Y%m%d}')}-"
        rows = self._reads.query(keys.account(account), first, keys.last_of(first), consistent=True)
        named = {number for number, _ in transfer.allocations or ()}
        return any(
            known.amount == transfer.amount
            and known.taken_back is None
            and known.key != transfer.key
            and not (known.key is None and known.id.startswith(transfer.identity))
            and named & {number for number, _ in known.allocations}
            for known in map(transfer_from, rows)
        )

    # ---- Invoices by number ----

    def locate(self, numbers: Sequence[str]) -> dict[str, Located]:
        """Where the invoices of numbers are; nothing for a number that is not in use.

        The register says that a number is used, and on which day. The list of the month's documents leads from there to
        the account: no key but these names it. One read per READ_AT_ONCE numbers, and one query of the index for each
        that is used. Accounts on a test clock are not among them: no bank moves their money.
        """
        days: dict[str, date] = {}
        for first in range(0, len(numbers), READ_AT_ONCE):
            within = numbers[first : first + READ_AT_ONCE]
            places = {key: each for each in within if (key := _registered(each)) is not None}
            rows = self._reads.get_all([(keys.NUMBERS, key) for key in places])
            days |= {places[key]: date.fromisoformat(parsed(row.body)["day"]) for (_, key), row in rows.items()}
        return {number: Located(number, self._account_of(number, day), day) for number, day in days.items()}

    def payable(self, located: Sequence[Located]) -> dict[str, PayableInvoice]:
        """The invoices as they are now, by number. One read per READ_AT_ONCE."""
        placed = {
            (keys.account(each.account), keys.invoice(each.produced_on, each.number)): each
            for each in located
            if each.account is not None
        }
        found = {
            each.number: PayableInvoice(each.number, None, Money(0, "EUR")) for each in located if each.account is None
        }
        places = [*placed]
        for first in range(0, len(places), READ_AT_ONCE):
            for place, row in self._reads.get_all(places[first : first + READ_AT_ONCE]).items():
                summary, payment, _ = summary_from(placed[place].account or "", row.body)
                found[summary.number] = payable(InvoiceRecord(summary, payment, row.version, None))
        return found

    def _account_of(self, number: str, day: date) -> str | None:
        partition = keys.list_shard(keys.of_month(keys.INVOICES, day), number)
        place = keys.listed_document(day, number)
        rows = [*self._reads.query(partition, place, place, limit=1, index=keys.LIST_INDEX)]
        if not rows:  # a credit note is in a list of its own
            partition = keys.list_shard(keys.of_month(keys.CREDIT_NOTES, day), number)
            rows = [*self._reads.query(partition, place, place, limit=1, index=keys.LIST_INDEX)]
        return rows[0].partition.removeprefix(keys.account("")) if rows else None


class _AccountGone(ConcurrentChange):
    """The account does not exist any more."""


def payable(record: InvoiceRecord) -> PayableInvoice:
    """What a booking may pay of an invoice."""
    return PayableInvoice(
        record.invoice.number,
        record.invoice.account,
        record.left,
        is_credit_note=record.invoice.corrects is not None,
        is_in_transit=record.payment.status is InvoiceStatus.IN_TRANSIT,
    )


def _registered(number: str) -> str | None:
    """The key of a number in the register, None for a text that is no number."""
    found = _NUMBER.fullmatch(number)
    return None if found is None else keys.number(found[1], int(found[2]), int(found[3]))


def _entry_item(entry: BankEntry) -> Item:
    return Item(
        keys.bank_entry(entry.id),
        keys.ENTRY,
        entry_body(entry),
        list_index=(keys.bank_entries(entry.status), entry.id),
        expires_at=entry.expires_at,
    )


def _entry_of(row: Row) -> BankEntry:
    return entry_from(row.partition.removeprefix(keys.BANK_ENTRY), row.body, row.version)


def _statement_of(row: Row) -> ImportedStatement:
    return statement_from(row.key.removeprefix(keys.STATEMENT), row.body, row.version)
