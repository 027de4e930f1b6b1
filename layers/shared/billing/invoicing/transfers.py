"""Bank transfers: what a transfer pays, how the same one is recognised, and what taking a wrong one back changes.

A transfer has shares that sum to it (MONEY 2). A share that exceeds what is left of its invoice is credit. Nothing is
taken out of an invoice's entries: a transfer is taken back by counter entries (decision 0041).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from billing.invoicing.dunning import InvoicePayment, awaiting_transfer, mark_past_due
from billing.invoicing.entries import Entry, EntryKind, left_of_payments, sum_of
from billing.kernel.errors import Conflict
from billing.kernel.money import Money
from billing.payments.methods import Method

SHARES_MAX = 20
"""How many invoices one transfer pays. One transaction has room for them, with their events and what credit pays."""

UNAPPLIED_MAX = 15
"""How many invoices that credit had paid are owed again with one transfer, at most: so many fit beside its shares."""

_DIGEST_DIGITS = 16


class TransferDiffers(Conflict):
    """This transfer is recorded already, and it pays other invoices."""

    code = "transfer-differs"

    def __init__(self, transfer: str) -> None:
        super().__init__(f"This transfer is recorded already, with other invoices: {transfer}. Take it back first.")


class BookingTakenBack(Conflict):
    """The bank's booking was recorded for this account, and staff have taken it back."""

    code = "transfer-taken-back"

    def __init__(self, transfer: str) -> None:
        super().__init__(
            f"This booking was taken back: {transfer}. To record it for this account again, leave its booking out."
        )


class NoInvoice(Conflict):
    """There is no invoice that could keep the money."""

    code = "no-invoice"

    def __init__(self, currency: str) -> None:
        super().__init__(
            f"The account has no invoice in {currency} that could keep the money. Record it with the first one."
        )


class CreditRepaid(Conflict):
    """The credit that came from a transfer was given back to the customer."""

    code = "credit-repaid"

    def __init__(self, missing: Money) -> None:
        super().__init__(
            f"{missing.amount} {missing.currency} in minor units of this transfer were given back to the customer."
            " Record first what the customer pays back."
        )


@dataclass(frozen=True, slots=True)
class BankTransfer:
    """A transfer as the bank or staff know it.

    `reference` is what came with it, `booked_on` the day on which the bank booked it. `allocations` are invoices with
    amounts in minor units that sum to it; None for the oldest open ones first. `key` is the bank's own id of the
    booking (CAMT.053: AcctSvcrRef). It tells two transfers of the same amount, day and reference apart. With
    `is_by_invoice` staff record what arrived invoice by invoice: what pays another invoice is another one.
    """

    reference: str
    amount: Money
    booked_on: date
    allocations: tuple[tuple[str, int], ...] | None = None
    key: str | None = None
    is_by_invoice: bool = False

    @property
    def identity(self) -> str:
        """How the ids of its records begin: the same for the same amount, day and reference."""
        said = f"{self.amount.amount} {self.amount.currency} {' '.join(self.reference.split()).casefold()}"
        digest = hashlib.sha256(said.encode()).hexdigest()[:_DIGEST_DIGITS]
        return f"{self.booked_on:%Y%m%d}-{digest}"


@dataclass(frozen=True, slots=True)
class Share:
    """What a transfer has paid of one invoice, in minor units. `credit` is the part that nothing was owed for.

    `left` is what was left of the invoice then.
    """

    invoice: str
    amount: int
    credit: int
    left: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """That staff have taken a transfer back."""

    at: datetime
    by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A recorded transfer. Its shares sum to `amount`. `applied` are the invoices that its credit has paid at once."""

    id: str
    reference: str
    amount: Money
    booked_on: date
    shares: tuple[Share, ...]
    recorded_at: datetime
    recorded_by: str | None
    applied: tuple[Share, ...] = ()
    key: str | None = None
    taken_back: Reversal | None = None
    version: int = 0

    @property
    def allocations(self) -> tuple[tuple[str, int], ...]:
        """The invoices with their amounts."""
        return tuple((each.invoice, each.amount) for each in self.shares)

    @property
    def credit(self) -> int:
        """What became credit when it was recorded, and has paid nothing at once; in minor units."""
        return sum(each.credit for each in self.shares) - sum(each.amount for each in self.applied)


def recognised(known: Sequence[Transfer], asked: BankTransfer) -> Transfer | None:
    """The record of this very transfer among those of the same amount, day and reference; None for a new one.

    A booking of the bank that was taken back stays so. Without the bank's id it is another record. Raises
    BookingTakenBack; TransferDiffers where it pays other invoices.
    """
    standing = [each for each in known if each.taken_back is None]
    if asked.key is not None:
        of_booking = [each for each in known if each.key == asked.key]
        if of_booking and of_booking[-1].taken_back is not None:
            raise BookingTakenBack(of_booking[-1].id)
        standing = of_booking or [each for each in standing if each.key is None]
    alike = [each for each in standing if asked.allocations is None or {*asked.allocations} == {*each.allocations}]
    if alike:
        return alike[-1]
    if standing and not asked.is_by_invoice:
        raise TransferDiffers(standing[-1].id)
    return None


def oldest_first(amount: int, due: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """The shares of `amount` among invoices with what is left of each, in their order. What is over is in the last one.

    At most SHARES_MAX; none where nothing is due. The rest of more is credit, which pays the others.
    """
    shares: list[tuple[str, int]] = []
    for number, left in due:
        if not amount or len(shares) == SHARES_MAX:
            break
        shares.append((number, min(amount, left)))
        amount -= shares[-1][1]
    if shares and amount:
        shares[-1] = (shares[-1][0], shares[-1][1] + amount)
    return tuple(shares)


def after_transfer(
    payment: InvoicePayment, amount: int, day: date, reference: str, *, is_awaited: bool
) -> InvoicePayment:
    """The payment of an invoice after a share of a transfer.

    What a charge that cannot be cancelled will pay (not `is_awaited`) is not paid by the transfer: all of it is credit,
    and stays credit if the charge succeeds. If the charge fails the credit pays the invoice.
    """
    entry = Entry(EntryKind.TRANSFERRED, amount, day, reference)
    if not is_awaited:
        return replace(payment, entries=(*payment.entries, entry, replace(entry, kind=EntryKind.OVERPAID)))
    if payment.balance > 0:
        # A part that was charged goes back to where it came from, so the method of the charge stays.
        is_charged = any(left > 0 for left in left_of_payments(payment.entries).values())
        method = payment.method if is_charged else Method.BANK_TRANSFER
        payment = replace(payment.without_intent(), method=method, reference=reference)
    return payment.with_entries(entry)


# ---- Taking back -------------------------------------------------------------------------------------


@dataclass(slots=True)
class TakingBack:
    """The payments of an account while a transfer is taken back, by number, and the credit that the account has left.

    `unapplied` are the invoices that credit had paid and that are owed again, the newest first.
    """

    payments: dict[str, InvoicePayment]
    credit: int
    today: date
    reference: str
    currency: str
    unapplied: list[str] = field(default_factory=list)

    def take_back(self, share: Share) -> None:
        """Takes one share back. Raises CreditRepaid.

        The credit that came from it goes first; more of it must go where the invoice would owe more than it says, such
        as one that was credited since. Of its own credit as much stays as was given back to the customer: the invoice
        is owed that.
        """
        credit, needed = -1, self._needed(share)
        while credit != self.credit:  # credit that is freed may have paid this very invoice: it owes more then
            credit = self.credit
            self._free(max(needed, share.credit))
            needed = self._needed(share)
        taken = max(needed, min(share.credit, self.credit))
        if taken > self.credit:
            raise CreditRepaid(Money(taken - self.credit, self.currency))
        payment = self.payments[share.invoice]
        day = max([self.today, *(each.on for each in payment.entries if each.reference == self.reference)])
        entries = (
            Entry(EntryKind.TRANSFER_TAKEN_BACK, share.amount, day, self.reference),
            Entry(EntryKind.CREDIT_TAKEN_BACK, taken, day, self.reference),
            Entry(EntryKind.WRITE_OFF_TAKEN_BACK, _written_off_after(payment, share, self.reference), day),
        )
        self._write(share.invoice, entries)
        self.credit -= taken

    def _needed(self, share: Share) -> int:
        """What must be taken of the credit: without it the invoice would owe more than it says."""
        payment = self.payments[share.invoice]
        return max(0, payment.balance + share.amount - max(payment.balance, owable(payment)))

    def _free(self, wanted: int) -> None:
        """Takes credit off the invoices that it has paid, the newest first, until the account has as much as wanted."""
        for number in reversed([*self.payments]):
            payment = self.payments[number]
            missing = wanted - self.credit
            if missing <= 0 or len(self.unapplied) == UNAPPLIED_MAX:
                return
            applied = sum_of(payment.entries, EntryKind.CREDIT_APPLIED)
            applied -= sum_of(payment.entries, EntryKind.CREDIT_UNAPPLIED)
            amount = min(missing, applied, owable(payment) - payment.balance)
            if payment.is_credit_note or amount <= 0:
                continue
            # What was written off, and paid nevertheless, does not take off what is owed again.
            paid = max(0, payment.written_off - payment.balance)
            entries = (
                Entry(EntryKind.CREDIT_UNAPPLIED, amount, self.today, self.reference),
                Entry(EntryKind.WRITE_OFF_TAKEN_BACK, paid, self.today),
            )
            self._write(number, entries)
            self.credit += amount
            self.unapplied.append(number)

    def _write(self, number: str, entries: Iterable[Entry]) -> None:
        payment = self.payments[number]
        entries = (*payment.entries, *(each for each in entries if each.amount))
        self.payments[number] = replace(payment, entries=entries)


def _written_off_after(payment: InvoicePayment, share: Share, reference: str) -> int:
    """What was written off because the transfer did not pay it, such as bank fees."""
    following: list[Entry] = []
    for entry in reversed(payment.entries):
        if (entry.kind, entry.amount, entry.reference) == (EntryKind.TRANSFERRED, share.amount, reference):
            break
        following.append(entry)
    return max(0, sum_of(following, EntryKind.WRITTEN_OFF) - sum_of(following, EntryKind.WRITE_OFF_TAKEN_BACK))


def owable(payment: InvoicePayment) -> int:
    """What can be owed of an invoice at most, in minor units: what it says, less what was credited of it."""
    return max(0, payment.owed - payment.credited_total)


def owed_again(
    before: InvoicePayment,
    payment: InvoicePayment,
    *,
    awaited_until: date | None,
    agreed_on: date | None,
    charged_from: date,
    due_on: date,
    today: date,
) -> InvoicePayment:
    """The payment of an invoice that is owed again. One that was not settled goes on as it was.

    With `awaited_until` the customer transfers, since `agreed_on`: past due if that day is over, else looked at on the
    day after. Without it the invoice is charged, not before `charged_from`: the customer is told first. Its retry days
    begin again.
    """
    if not payment.left:
        return payment
    if before.left or before.is_in_transit:
        return payment
    again = replace(
        payment.without_intent(), is_past_due=False, is_exhausted=False, first_failed_on=None, failure=None, attempts=0
    )
    if awaited_until is None:
        # Reminders count from that day too, or from a later due day: the customer had paid until now, and does not get
        # the last one first.
        since = max(charged_from, due_on)
        return replace(again, next_attempt_on=charged_from, reminders=again.reminders.begun_again(since))
    return mark_past_due(again) if awaited_until < today else awaiting_transfer(again, awaited_until, agreed_on)
