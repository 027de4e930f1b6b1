"""What a bank statement says, and how the same booking of the bank is recognised when it comes again.

A booking is booked once here, however often and in however many statements it comes: its id follows from what the bank
says of it (`entry_ids`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing.kernel.errors import Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode, Limits
from billing.kernel.money import Money

ENTRIES_MAX = 2000
"""Incoming bookings of one file. A statement's item names each of them, and 400 KB of DynamoDB hold three times that.
A file of 4 MB has about as many."""

STATEMENTS_MAX = 100
"""Statements of one file: more than a month of days for three accounts."""

AGE_DAYS_MAX = 365
"""How old a booking may be. Older ones may have been imported and deleted since, and would be booked again."""

KEPT_DAYS = 400
"""How long a settled entry is kept, with the payer's name and account: longer than a booking may be imported."""

TEXT_LENGTH_MAX = 500
"""How much of a text is kept. ISO 20022 has lines of 140 characters."""

TEXTS_MAX = 20

_DIGEST_DIGITS = 16
_PARTS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class BankPayer:
    """Who has paid, as the bank says: a name, and an IBAN or another number of an account. Each may be unknown."""

    name: str | None = None
    iban: str | None = None

    @property
    def digest(self) -> str | None:
        """What a known payer is found by: the account, or else the name. None if nothing is known. No name is in it."""
        if self.iban:
            return digest("account", plain(self.iban))
        return digest("name", plain(self.name)) if self.name and plain(self.name) else None


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking of the bank as a statement says it, in the account's currency. Below zero if the money went out.

    `reference` is the bank's own (CAMT: AcctSvcrRef), None without one. `texts` are what the payer wrote: structured
    and unstructured remittance, end-to-end id. `place` leads to it in the file. `is_reversal`: the bank takes an
    earlier booking back, or money that was sent comes back. `is_batch`: several payments whose amounts are not known.
    """

    amount: Money
    booked_on: date
    reference: str | None = None
    texts: tuple[str, ...] = ()
    payer: BankPayer = BankPayer()
    is_reversal: bool = False
    is_batch: bool = False
    place: Path = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a bank account.

    `account` is its IBAN, or the bank's own number. `name` is the bank's id or number of the statement. `opening` and
    `closing` are booked balances in minor units, None where it has none. `movement` is the sum of all that is booked.
    `ignored` counts bookings of outgoing money, `pending` those that are not booked yet. `page` is its page, where the
    bank divides a statement.
    """

    account: str
    name: str
    currency: str
    first_day: date
    last_day: date
    opening: int | None
    closing: int | None
    movement: int
    bookings: tuple[Booking, ...]
    ignored: int
    pending: int
    page: str = ""
    place: Path = ()

    @property
    def id(self) -> str:
        """The same for the same statement. It begins with its last day, so that statements sort by their days."""
        said = digest(plain(self.account), self.name, self.first_day.isoformat(), *entry_ids([self])[0])
        return f"{self.last_day:%Y%m%d}-{said}"

    @property
    def is_balanced(self) -> bool | None:
        """Whether the balances differ by what is booked; None if it lacks one of them."""
        if self.opening is None or self.closing is None:
            return None
        return self.opening + self.movement == self.closing


def refused(place: Path, detail: str, code: FieldCode, limits: Limits | None = None) -> RuleViolation:
    """The refusal of a file. `place` leads to what is wrong, as if the file were the answer to its import."""
    return RuleViolation(Violation(place, detail, code, limits or {}))


def checked(statements: Sequence[Statement], today: date) -> tuple[Statement, ...]:
    """The statements of a file, if they can be imported. Raises RuleViolation, naming each place that is wrong.

    A statement whose balances do not fit was cut off, or is not read rightly.
    """
    if not statements:
        raise refused((), "The file has no statement.", FieldCode.TOO_FEW, {"min": 1})
    if len(statements) > STATEMENTS_MAX:
        raise refused(
            ("statements",), f"No more than {STATEMENTS_MAX} statements.", FieldCode.TOO_MANY, {"max": STATEMENTS_MAX}
        )
    if sum(len(each.bookings) for each in statements) > ENTRIES_MAX:
        raise refused(
            ("statements",), f"No more than {ENTRIES_MAX} incoming bookings.", FieldCode.TOO_MANY, {"max": ENTRIES_MAX}
        )
    earliest = today - timedelta(days=AGE_DAYS_MAX)
    violations = []
    for each in statements:
        if each.is_balanced is False:
            detail = "The closing balance is not the opening balance and the bookings. Is the file complete?"
            violations.append(Violation((*each.place, "closing"), detail, FieldCode.INVALID))
        old = next((booking for booking in each.bookings if booking.booked_on < earliest), None)
        if old is not None:
            detail = f"A booking before {earliest} may have been imported before."
            violations.append(Violation((*old.place, "booked_on"), detail, FieldCode.TOO_EARLY, {"min": earliest}))
    if violations:
        raise RuleViolation(*violations)
    return tuple(statements)


def entry_ids(statements: Iterable[Statement]) -> list[list[str]]:
    """The ids of the bookings of each statement: the same for the same booking, in whatever statement it comes.

    It follows from the account, the day, the amount and the bank's reference; without a reference from what the payer
    wrote and the payer. Equal ones of one statement are counted, and the pages of a statement are one statement. It
    begins with the day, so that entries sort by their days.
    """
    counted: dict[tuple[str, str], Counter[str]] = {}
    before: dict[tuple[str, str, str], Counter[str]] = {}
    found = []
    for statement in statements:
        whole = plain(statement.account), statement.name
        total = counted.setdefault(whole, Counter())
        is_new = (*whole, statement.page) not in before  # a page that comes twice says nothing new
        counts = before.setdefault((*whole, statement.page), Counter(total)).copy()
        ids = []
        for booking in statement.bookings:
            said = _said(statement, booking)
            ids.append(f"{booking.booked_on:%Y%m%d}-{digest(said, str(counts[said]))}")
            counts[said] += 1
            total[said] += is_new
        found.append(ids)
    return found


def _said(statement: Statement, booking: Booking) -> str:
    amount, payer = booking.amount, booking.payer
    facts = [plain(statement.account), booking.booked_on.isoformat(), str(amount.amount), amount.currency]
    if booking.reference is not None:
        return digest(*facts, "reference", booking.reference)
    words = "".join(sorted(plain(each) for each in booking.texts))
    return digest(*facts, "text", words, plain(payer.iban or ""), plain(payer.name or ""))


def is_of(account: str, iban: str) -> bool:
    """Whether a statement's account is the one with this IBAN. MT940 may name it by bank code and number."""
    if plain(account).startswith(plain(iban)):
        return True
    parts = [each.lstrip("0") for each in re.findall(r"\d+", account)]
    is_number = not re.match(r"[A-Z]{2}\d{2}[A-Z0-9]{4}", plain(account))
    return is_number and bool(parts) and all(each and each in plain(iban) for each in parts)


def masked(account: str) -> str:
    """An account's last four letters, for mail and events."""
    return f"…{plain(account)[-4:]}"


def plain(text: str) -> str:
    """A text without what banks change: letters and digits only, in upper case."""
    return _PARTS.sub("", text).upper()


def digest(*parts: str) -> str:
    """A short digest of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGEST_DIGITS]
