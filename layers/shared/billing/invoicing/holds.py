"""Invoicing that stops: more invoices of one account than anybody expects wait for staff (decision 0018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from billing.invoicing.invoices import InvoiceDraft
from billing.kernel.errors import Conflict
from billing.kernel.money import Money

INVOICES_AT_ONCE_MAX = 3
"""A run that would issue more invoices of one account stops: a start by mistake, or months in which no run came."""


@dataclass(frozen=True, slots=True)
class InvoicingHold:
    """That invoicing of an account has stopped, or that staff have let it go on.

    `invoices` and `total`, with tax, are what was to be issued when it stopped. Contract months of the contract that
    starts on `start` before `released_until` may be invoiced; None where staff have not released it. `version` counts
    the writes.
    """

    account: str
    held_at: datetime
    start: date
    invoices: int
    total: Money
    released_until: int | None = None
    version: int = 0

    def is_waiting(self, start: date) -> bool:
        """Whether the contract that starts on `start` waits for staff."""
        return self.start == start and self.released_until is None


@dataclass(frozen=True, slots=True)
class PendingInvoice:
    """An invoice that is due and not issued: the contract month that it begins with, and what it would say."""

    month: int
    draft: InvoiceDraft


class NothingHeld(Conflict):
    """Invoicing of the account has not stopped."""

    code = "invoicing-not-held"

    def __init__(self) -> None:
        super().__init__("Invoicing of this account has not stopped.")


class PendingInvoicesChanged(Conflict):
    """What is to be issued is not what was confirmed."""

    code = "pending-invoices-changed"

    def __init__(self) -> None:
        super().__init__("The invoices to be issued have changed since you were shown them. Look again, then confirm.")


def released_until(hold: InvoicingHold | None, start: date) -> int:
    """Returns the contract month before which staff have released invoicing of the contract that starts on `start`."""
    return 0 if hold is None or hold.start != start or hold.released_until is None else hold.released_until


def must_stop(pending: Sequence[PendingInvoice], released_until: int) -> bool:
    """Whether the next invoice waits for staff: it is not released, and too many that are not are to be issued."""
    waiting = [each for each in pending if each.month >= released_until]
    return len(waiting) > INVOICES_AT_ONCE_MAX and waiting[0] is pending[0]


def in_currency(pending: Sequence[PendingInvoice], currency: str) -> tuple[PendingInvoice, ...]:
    """Returns those in one currency. What comes after a change of the currency is held, or not, for itself."""
    return tuple(each for each in pending if each.draft.total.currency == currency)


def total_of(pending: Sequence[PendingInvoice], currency: str) -> Money:
    """Returns the sum of the totals, with tax."""
    return Money(sum(each.draft.total.amount for each in pending), currency)
