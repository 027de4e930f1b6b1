"""Events of bank statements. They say nothing of the payers."""

from __future__ import annotations

from datetime import date
from typing import Literal

from billing.platform.events.envelope import Facts, SharedEvent
from billing.platform.events.facts import MoneyFacts


class StatementFacts(Facts):
    """A statement of the bank account with these last letters. `entries` are its bookings of money that came in, and
    what the bank took back; `known` ones came with an earlier statement. `booked` is what was recorded as transfers,
    `doubtful` how many entries wait for staff. `ignored` are its bookings of outgoing money, `pending` those that are
    not booked yet. `is_checked`: its balances and its bookings were compared."""

    statement: str
    bank_account: str
    first_day: date
    last_day: date
    entries: int
    known: int
    booked: MoneyFacts
    doubtful: int
    ignored: int
    pending: int
    is_checked: bool


class EntryPartFacts(Facts):
    """What an entry pays for an account, in minor units; without invoices it pays the oldest open ones."""

    account: str
    amount: int
    invoices: list[str]


class BankEntryFacts(Facts):
    """A booking of the bank, and what became of it."""

    entry: str
    amount: MoneyFacts
    booked_on: date
    status: str
    doubt: str | None
    parts: list[EntryPartFacts]
    reason: str | None


class BankStatementImported(SharedEvent[Literal["bank_statement.imported"], None, StatementFacts]):
    """All entries of a bank statement were looked at. Told to staff if some are doubtful."""


class BankEntryDecided(SharedEvent[Literal["bank_entry.decided"], BankEntryFacts, BankEntryFacts]):
    """Staff decided what a bank entry pays, or that it is ignored; or they took that back."""
