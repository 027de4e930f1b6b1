"""Bank entries: a booking of the bank, what became of it here, and what staff may decide about it.

    waiting ──> doubtful <─────────────┐
       │           │ └──> ignored ─────┤
       └────> booking ──> booked ──> taking-back

Booking and taking back are written before they are done, so a cut-off one is gone on with and never done twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.invoicing.bank_statements.matching import Doubt, Match, Part, PayableInvoice
from billing.invoicing.bank_statements.rules import KEPT_DAYS, Booking, Statement, entry_ids, masked
from billing.invoicing.transfers import BankTransfer
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.events import Facts
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money

REFERENCE_LENGTH_MAX = 35
"""Of a transfer that is recorded from a statement: as long as the bank's reference (ISO 20022, Max35Text)."""


BOOKING_LASTS = timedelta(minutes=1)
"""Longer than a request can last: API Gateway waits for 29 seconds."""


class EntryStatus(StrEnum):
    """What became of a bank entry. A value is never renamed."""

    WAITING = "waiting"
    DOUBTFUL = "doubtful"
    BOOKING = "booking"
    BOOKED = "booked"
    IGNORED = "ignored"
    TAKING_BACK = "taking-back"


class EntryDecided(Conflict):
    """The entry is settled in another way."""

    code = "entry-decided"

    def __init__(self, status: str) -> None:
        super().__init__(f"The entry is {status} already. Take that back first.")


class NothingDecided(Conflict):
    """There is nothing to take back."""

    code = "nothing-decided"

    def __init__(self) -> None:
        super().__init__("Nothing is decided about this entry.")


@dataclass(frozen=True, slots=True)
class EntryDecision:
    """What staff decided: the parts to book, or that the entry is ignored, with a reason. `by` is their log-in."""

    at: datetime
    by: str | None
    parts: tuple[Part, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BankEntry:
    """A booking of the bank and what became of it.

    `statement` is the first one that had it, `account` the bank account. `parts` are what is booked, or for a doubtful
    one what it could be. `candidates` are the invoices that it may mean, as they were when it was looked at.
    `transfers` are the recorded ones: (account, id). `round` counts how often a booking was taken back. `detail` says
    why a booking was refused. `begun_at` is the time of the last request that has begun to book it.
    """

    id: str
    statement: str
    account: str
    booking: Booking
    status: EntryStatus = EntryStatus.WAITING
    doubt: Doubt | None = None
    parts: tuple[Part, ...] = ()
    candidates: tuple[PayableInvoice, ...] = ()
    transfers: tuple[tuple[str, str], ...] = ()
    decision: EntryDecision | None = None
    round: int = 0
    detail: str | None = None
    begun_at: datetime | None = None
    settled_at: datetime | None = None
    version: int = 0

    @property
    def key(self) -> str:
        """What tells this booking from others at the account. One that is booked again has another key."""
        return self.id if not self.round else f"{self.id}-{self.round}"

    def transfer_of(self, part: Part) -> BankTransfer:
        """The transfer that books a part. It has the bank's reference, and nothing that the payer wrote: customers read
        it, and events have it."""
        reference = (self.booking.reference or self.id)[:REFERENCE_LENGTH_MAX]
        money = Money(part.amount, self.booking.amount.currency)
        return BankTransfer(reference, money, self.booking.booked_on, part.invoices, self.key)

    def judged(self, match: Match, now: datetime) -> BankEntry:
        """The entry after it was looked at: doubtful, or about to be booked."""
        judged = replace(self, doubt=match.doubt, parts=match.parts, candidates=match.candidates)
        return judged.begun_again(now) if match.doubt is None else replace(judged, status=EntryStatus.DOUBTFUL)

    def begun_again(self, now: datetime) -> BankEntry:
        """The entry that a request books now."""
        return replace(self, status=EntryStatus.BOOKING, begun_at=now)

    def may_be_taken_back(self, now: datetime) -> bool:
        """Whether no request can be booking it at this moment: such a transfer would be found by nobody."""
        return self.status is not EntryStatus.BOOKING or self.begun_at is None or now - self.begun_at > BOOKING_LASTS

    def doubtful(self, doubt: Doubt, detail: str | None = None) -> BankEntry:
        """The entry that was not booked, or is no longer."""
        return replace(
            self, status=EntryStatus.DOUBTFUL, doubt=doubt, detail=detail, transfers=(), decision=None, settled_at=None
        )

    def decided(self, decision: EntryDecision) -> BankEntry:
        """The entry once staff have decided."""
        if not decision.parts:
            return replace(self, status=EntryStatus.IGNORED, decision=decision, settled_at=decision.at)
        return replace(self, parts=decision.parts, decision=decision, detail=None).begun_again(decision.at)

    def booked(self, now: datetime) -> BankEntry:
        """The entry once all of its parts are recorded."""
        return replace(self, status=EntryStatus.BOOKED, doubt=None, detail=None, settled_at=now)

    @property
    def expires_at(self) -> datetime | None:
        """When it is deleted: KEPT_DAYS after it was settled. None while it waits for somebody."""
        is_settled = self.status in {EntryStatus.BOOKED, EntryStatus.IGNORED}
        return self.settled_at + timedelta(days=KEPT_DAYS) if is_settled and self.settled_at else None

    @property
    def facts(self) -> Facts:
        """What events say of it: nothing of the payer."""
        return {
            "entry": self.id,
            "amount": {"amount": self.booking.amount.amount, "currency": self.booking.amount.currency},
            "booked_on": self.booking.booked_on,
            "status": self.status,
            "doubt": self.doubt,
            "parts": [
                {
                    "account": each.account,
                    "amount": each.amount,
                    "invoices": [number for number, _ in each.invoices or ()],
                }
                for each in self.parts
            ],
            "reason": None if self.decision is None else self.decision.reason,
        }


@dataclass(frozen=True, slots=True)
class ImportedStatement:
    """A statement as it is kept: without its bookings, which are entries. `entries` are their ids, in its order.

    `finished_at` is when all of them had been looked at, None before. `imported_by` is the log-in of who sent it.
    """

    id: str
    account: str
    name: str
    currency: str
    first_day: str
    last_day: str
    opening: int | None
    closing: int | None
    ignored: int
    pending: int
    entries: tuple[str, ...]
    imported_at: datetime
    imported_by: str | None
    finished_at: datetime | None = None
    version: int = 0

    @property
    def is_checked(self) -> bool:
        """Whether its balances were compared with its bookings."""
        return self.opening is not None and self.closing is not None

    @property
    def expires_at(self) -> datetime:
        """When it is deleted."""
        return self.imported_at + timedelta(days=KEPT_DAYS)

    def facts(self, entries: Sequence[BankEntry]) -> Facts:
        """What the event of its import says. Of its own entries only: not of those that another statement brought."""
        own = [each for each in entries if each.statement == self.id]
        doubtful = [each for each in own if each.status is EntryStatus.DOUBTFUL]
        booked = sum(each.booking.amount.amount for each in own if each.status is EntryStatus.BOOKED)
        return {
            "statement": self.id,
            "bank_account": masked(self.account),
            "first_day": self.first_day,
            "last_day": self.last_day,
            "entries": len(self.entries),
            "known": len(entries) - len(own),
            "booked": {"amount": booked, "currency": self.currency},
            "doubtful": len(doubtful),
            "ignored": self.ignored,
            "pending": self.pending,
            "is_checked": self.is_checked,
        }


def imported(statement: Statement, ids: Sequence[str], at: datetime, by: str | None) -> ImportedStatement:
    """A statement as it is kept."""
    return ImportedStatement(
        id=statement.id,
        account=statement.account,
        name=statement.name,
        currency=statement.currency,
        first_day=statement.first_day.isoformat(),
        last_day=statement.last_day.isoformat(),
        opening=statement.opening,
        closing=statement.closing,
        ignored=statement.ignored,
        pending=statement.pending,
        entries=tuple(dict.fromkeys(ids)),
        imported_at=at,
        imported_by=by,
    )


def new_entries(statements: Sequence[Statement]) -> list[tuple[Statement, list[BankEntry]]]:
    """Each statement of a file once, with its entries as they are before anybody looks at them."""
    found: dict[str, tuple[Statement, list[BankEntry]]] = {}
    for statement, ids in zip(statements, entry_ids(statements), strict=True):
        entries = [
            BankEntry(id_, statement.id, statement.account, replace(booking, place=()))
            for id_, booking in zip(ids, statement.bookings, strict=True)
        ]
        found.setdefault(statement.id, (statement, entries))
    return [*found.values()]


def check_parts(entry: BankEntry, parts: Sequence[Part]) -> None:
    """Raises RuleViolation for parts that do not sum to the entry, or for money that did not come in."""
    amount = entry.booking.amount.amount
    if amount <= 0:
        raise RuleViolation(
            Violation(
                ("ignore",), "This money went out. It can only be ignored.", FieldCode.MISSING, {"required": "ignore"}
            )
        )
    total = sum(each.amount for each in parts)
    if total != amount:
        code = FieldCode.TOO_SMALL if total < amount else FieldCode.TOO_LARGE
        detail = f"The amounts must add up to {amount}: they come to {total}."
        raise RuleViolation(Violation(("allocations",), detail, code, {"min": amount, "max": amount}))
