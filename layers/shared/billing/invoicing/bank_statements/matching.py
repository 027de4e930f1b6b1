"""Which invoices a booking pays: by the numbers that the payer wrote, and by the amount.

Only what agrees exactly is booked by itself. Everything else is doubtful, with the reason and what it could be, and
staff decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.invoicing.bank_statements.rules import Booking
from billing.kernel.money import Money

MENTIONS_MAX = 20
"""How many invoices one booking may name. One transfer pays no more."""


class Doubt(StrEnum):
    """Why a booking is not booked by itself. A value is never renamed."""

    AMBIGUOUS = "ambiguous"
    AMOUNT_LESS = "amount-less"
    AMOUNT_MORE = "amount-more"
    BATCH = "batch"
    CREDIT_NOTE = "credit-note"
    IN_TRANSIT = "in-transit"
    KNOWN_PAYER = "known-payer"
    NO_ACCOUNT = "no-account"
    NUMBER_NOT_FOUND = "number-not-found"
    OTHER_ACCOUNT = "other-account"
    OTHER_CURRENCY = "other-currency"
    PAID_ALREADY = "paid-already"
    REFUSED = "refused"
    REVERSAL = "reversal"
    SEVERAL_ACCOUNTS = "several-accounts"
    TAKEN_BACK = "taken-back"
    TOO_MANY = "too-many"
    UNCLEAR_NUMBER = "unclear-number"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mention:
    """A number that a text may name. `readings` are what it can be read as; not `is_clear` inside another word."""

    readings: tuple[str, ...]
    is_clear: bool


@dataclass(frozen=True, slots=True)
class PayableInvoice:
    """An invoice that a booking may pay, as it is now. `left` is what is unpaid of it.

    `account` is None where no account has it: the account is deleted, or an earlier release issued it and no list of
    staff has it yet. Nothing else is known of it then.
    """

    number: str
    account: str | None
    left: Money
    is_credit_note: bool = False
    is_in_transit: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What a booking pays for one account: of each invoice an amount, in minor units; or, without invoices, whatever
    is open, oldest first, and credit."""

    account: str
    amount: int
    invoices: tuple[tuple[str, int], ...] | None


@dataclass(frozen=True, slots=True)
class Match:
    """What a booking pays. Without a `doubt` it is booked by itself; with one, `parts` are a suggestion, or empty.

    `candidates` are the invoices that it may mean.
    """

    doubt: Doubt | None
    parts: tuple[Part, ...] = ()
    candidates: tuple[PayableInvoice, ...] = ()


def judged(
    booking: Booking,
    named: Sequence[Mention],
    known: Mapping[str, PayableInvoice],
    *,
    is_own_account: bool,
    suggested: Sequence[PayableInvoice] = (),
) -> Match:
    """What a booking pays.

    `known` are the invoices of all readings that exist, by number. `suggested` are the open invoices of the one account
    that this payer has paid for before, if their sum or one of them is the amount.
    """
    special = _special(booking, is_own_account=is_own_account)
    invoices, doubt = _resolved(named, known)
    if special is None and doubt is None and invoices:
        doubt, parts = _compared(booking.amount, invoices)
        return Match(doubt, parts, tuple(invoices))
    doubt = special or doubt or (Doubt.KNOWN_PAYER if suggested else Doubt.UNKNOWN)
    if booking.amount.amount <= 0:
        return Match(doubt, (), tuple(invoices))
    if suggested and not invoices:
        return Match(doubt, _parts([(each, each.left.amount) for each in suggested]), tuple(suggested))
    _, parts = _compared(booking.amount, invoices) if invoices else (doubt, ())
    return Match(doubt, parts if doubt is not Doubt.AMBIGUOUS else (), tuple(invoices))


def fitting(amount: Money, unpaid: Sequence[PayableInvoice]) -> tuple[PayableInvoice, ...]:
    """The open invoices of an account that an amount pays exactly: all of them, or the only one with this amount."""
    open_ones = [
        each
        for each in unpaid
        if each.left.currency == amount.currency and each.left.amount > 0 and not each.is_in_transit
    ]
    if open_ones and sum(each.left.amount for each in open_ones) == amount.amount:
        return tuple(open_ones)
    equal = [each for each in open_ones if each.left == amount]
    return tuple(equal) if len(equal) == 1 else ()


def _special(booking: Booking, *, is_own_account: bool) -> Doubt | None:
    if booking.is_reversal or booking.amount.amount <= 0:
        return Doubt.REVERSAL
    if booking.is_batch:
        return Doubt.BATCH
    return None if is_own_account else Doubt.OTHER_ACCOUNT


def _resolved(
    named: Sequence[Mention], known: Mapping[str, PayableInvoice]
) -> tuple[list[PayableInvoice], Doubt | None]:
    """The invoices that are named, each once, and why they are not certain."""
    invoices: dict[str, PayableInvoice] = {}
    doubt: Doubt | None = None
    for mention in named:
        existing = [known[reading] for reading in mention.readings if reading in known]
        invoices |= {each.number: each for each in existing}
        if not existing:
            doubt = doubt or Doubt.NUMBER_NOT_FOUND
        elif len(existing) > 1:
            doubt = doubt or Doubt.AMBIGUOUS
        elif not mention.is_clear:
            doubt = doubt or Doubt.UNCLEAR_NUMBER
    if len(invoices) > MENTIONS_MAX:
        doubt = Doubt.TOO_MANY
    return [*invoices.values()], doubt


def _compared(amount: Money, invoices: Sequence[PayableInvoice]) -> tuple[Doubt | None, tuple[Part, ...]]:
    """What an amount pays of the invoices that are named, in their order."""
    if any(each.account is None for each in invoices):
        return Doubt.NO_ACCOUNT, ()
    if any(each.is_credit_note for each in invoices):
        return Doubt.CREDIT_NOTE, ()
    if any(each.left.currency != amount.currency for each in invoices):
        return Doubt.OTHER_CURRENCY, ()
    unpaid = [each for each in invoices if each.left.amount > 0]
    left = sum(each.left.amount for each in unpaid)
    shares, rest = [], amount.amount
    for each in unpaid:
        if rest:
            shares.append((each, min(rest, each.left.amount)))
            rest -= shares[-1][1]
    if shares and rest:
        shares[-1] = (shares[-1][0], shares[-1][1] + rest)
    parts = _parts(shares)
    if any(each.is_in_transit for each in invoices):
        return Doubt.IN_TRANSIT, parts
    if not unpaid:
        return Doubt.PAID_ALREADY, ()
    if amount.amount != left:
        return (Doubt.AMOUNT_LESS if amount.amount < left else Doubt.AMOUNT_MORE), parts
    return (None if len(parts) == 1 else Doubt.SEVERAL_ACCOUNTS), parts


def _parts(shares: Sequence[tuple[PayableInvoice, int]]) -> tuple[Part, ...]:
    by_account: dict[str, list[tuple[str, int]]] = {}
    for invoice, amount in shares:
        if invoice.account is not None:
            by_account.setdefault(invoice.account, []).append((invoice.number, amount))
    return tuple(
        Part(account, sum(amount for _, amount in invoices), tuple(invoices))
        for account, invoices in by_account.items()
    )
