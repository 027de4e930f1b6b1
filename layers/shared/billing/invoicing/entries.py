"""The money of an invoice as a list of facts (DESIGN 3.3.10). Nothing is ever taken out of the list.

What is left to pay, the status and the credit are computed from it, so that they cannot contradict each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class EntryKind(StrEnum):
    """What can happen to the money of an invoice or of a credit note."""

    CHARGED = "charged"
    TRANSFERRED = "transferred"
    TRANSFER_TAKEN_BACK = "transfer_taken_back"
    CREDIT_APPLIED = "credit_applied"
    CREDIT_UNAPPLIED = "credit_unapplied"
    WAIVED = "waived"
    RETURNED = "returned"
    CARRIED = "carried"
    OVERPAID = "overpaid"
    CREDIT_TAKEN_BACK = "credit_taken_back"
    DISPUTED = "disputed"
    DISPUTE_CLOSED = "dispute_closed"
    CHARGED_BACK = "charged_back"
    CHARGE_BACK_WON = "charge_back_won"
    REPAID_BY_HAND = "repaid_by_hand"
    WRITTEN_OFF = "written_off"
    WRITE_OFF_TAKEN_BACK = "write_off_taken_back"
    REFUND_BEGUN = "refund_begun"
    REFUND_DONE = "refund_done"
    REFUND_FAILED = "refund_failed"
    REFUNDED_OUTSIDE = "refunded_outside"
    REFUND_OUTSIDE_FAILED = "refund_outside_failed"
    CREDIT_REFUNDED = "credit_refunded"
    CREDIT_REFUND_FAILED = "credit_refund_failed"
    SET_OFF = "set_off"


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact. `amount` is in minor units and not below zero; `on` is its day for the account.

    `reference` is the id at the payment service, the bank's reference, the credit note's number, or the staff member.
    `payment` is the payment at the payment service that a return or a charge-back takes the money from.

    An invoice is CHARGED or TRANSFERRED, and CREDIT_APPLIED to it. A credit note has WAIVED some of it, RETURNED some
    to where it came from, and CARRIED some to the credit. What came in beyond what was owed is OVERPAID: it is credit
    as well. A bank that takes a payment back has DISPUTED it at first, and CHARGED_BACK once it has decided so; or the
    DISPUTE is CLOSED, and one that was charged back may be WON later. Staff have REPAID credit BY_HAND, or WRITTEN_OFF
    what will not be paid.

    A transfer that staff have recorded wrongly is TAKEN_BACK: the invoice is owed again. The credit that came from it
    is TAKEN_BACK too, from the invoice that holds it: what was OVERPAID or CARRIED there was not paid. Credit that has
    paid another invoice by then is UNAPPLIED: that invoice is owed again. The WRITE_OFF of what the transfer had left
    is TAKEN_BACK with it.

    A refund of a credit note is BEGUN before it is asked for, with the number of the attempt as its `reference`. It is
    DONE or has FAILED with the id of the refund. One that was done may fail days later. At the end of an account the
    credit that an invoice holds is refunded in the same way, to the `payment` that it came from.

    A refund that staff made at the payment service itself has REFUNDED an invoice OUTSIDE, with the id of the refund as
    its `reference`, or has FAILED later. No document explains it yet. The next credit note of the invoice does: its
    RETURNED is then without a `payment`. As far as such a refund gives back what was OVERPAID and is still credit, it
    is CREDIT_REFUNDED instead, and no document is needed.

    A refund of a credit note that was not made is SET OFF with a charge-back of the payment that it was to refund: the
    customer has that money already. The credit note and its invoice each have the entry, with the number of the other
    one as its `reference`. That of the invoice names the `payment`: it takes the return back.
    """

    kind: EntryKind
    amount: int
    on: date
    reference: str | None = None
    payment: str | None = None


_OWED_LESS = {
    EntryKind.CHARGED: 1,
    EntryKind.TRANSFERRED: 1,
    EntryKind.CREDIT_APPLIED: 1,
    EntryKind.WAIVED: 1,
    EntryKind.CHARGE_BACK_WON: 1,
    EntryKind.SET_OFF: 1,
    EntryKind.CREDIT_TAKEN_BACK: 1,
    EntryKind.CHARGED_BACK: -1,
    EntryKind.CREDIT_UNAPPLIED: -1,
    EntryKind.OVERPAID: -1,
    EntryKind.TRANSFER_TAKEN_BACK: -1,
}
"""What an entry takes off what an invoice's customer owes. A return leaves it: the credit note says the same."""

_CREDIT = {
    EntryKind.CARRIED: 1,
    EntryKind.OVERPAID: 1,
    EntryKind.CREDIT_APPLIED: -1,
    EntryKind.CREDIT_UNAPPLIED: 1,
    EntryKind.CREDIT_TAKEN_BACK: -1,
    EntryKind.REPAID_BY_HAND: -1,
    EntryKind.CREDIT_REFUNDED: -1,
    EntryKind.CREDIT_REFUND_FAILED: 1,
    EntryKind.REFUND_BEGUN: -1,
    EntryKind.REFUND_FAILED: 1,
}
"""What an entry of an invoice adds to the account's credit. A refund of credit takes it when it is begun: nothing else
uses that credit meanwhile."""

_RECEIVED = {
    EntryKind.CHARGED: 1,
    EntryKind.TRANSFERRED: 1,
    EntryKind.TRANSFER_TAKEN_BACK: -1,
    EntryKind.CHARGE_BACK_WON: 1,
    EntryKind.CHARGED_BACK: -1,
}
_OF_A_PAYMENT = {
    EntryKind.CHARGED: 1,
    EntryKind.CHARGE_BACK_WON: 1,
    EntryKind.CHARGED_BACK: -1,
    EntryKind.RETURNED: -1,
    EntryKind.SET_OFF: 1,
    EntryKind.REFUNDED_OUTSIDE: -1,
    EntryKind.REFUND_OUTSIDE_FAILED: 1,
    EntryKind.CREDIT_REFUNDED: -1,
    EntryKind.CREDIT_REFUND_FAILED: 1,
    EntryKind.REFUND_BEGUN: -1,
    EntryKind.REFUND_FAILED: 1,
}
"""What an entry leaves of the payment at the payment service that it names."""


def sum_of(entries: Iterable[Entry], *kinds: EntryKind) -> int:
    """The entries of these kinds together, in minor units."""
    return sum(each.amount for each in entries if each.kind in kinds)


def balances(entries: Iterable[Entry], owed: int) -> Iterator[tuple[date, int]]:
    """What is unpaid of `owed` after each entry of an invoice, and its day; below zero where too much came in."""
    for entry in entries:
        owed -= _OWED_LESS.get(entry.kind, 0) * entry.amount
        yield entry.on, owed


def received(entries: Iterable[Entry]) -> int:
    """What the customer has paid and the bank has not taken back, credit left aside."""
    return sum(_RECEIVED.get(each.kind, 0) * each.amount for each in entries)


def overpaid_net(entries: Iterable[Entry]) -> int:
    """What came in beyond what was owed, less the credit that was taken back with the transfer that it came from.

    What else is taken back with a transfer is what a credit note has carried of it.
    """
    came: Counter[str | None] = Counter()
    gone: Counter[str | None] = Counter()
    for each in entries:
        if each.kind is EntryKind.OVERPAID:
            came[each.reference] += each.amount
        elif each.kind is EntryKind.CREDIT_TAKEN_BACK:
            gone[each.reference] += each.amount
    return sum(amount - min(amount, gone[reference]) for reference, amount in came.items())


def carried_taken_back(entries: Iterable[Entry]) -> int:
    """What credit notes had carried and was taken back with a transfer: it was never paid."""
    entries = tuple(entries)
    overpaid_before = sum_of(entries, EntryKind.OVERPAID) - overpaid_net(entries)
    return sum_of(entries, EntryKind.CREDIT_TAKEN_BACK) - overpaid_before


def credit_from(entries: Iterable[Entry]) -> int:
    """What an invoice adds to the account's credit; below zero where it has used some."""
    return sum(_CREDIT.get(each.kind, 0) * each.amount for each in entries)


def charged(entries: Iterable[Entry], payment: str) -> int:
    """What a payment has paid."""
    return sum(each.amount for each in entries if each.kind is EntryKind.CHARGED and each.reference == payment)


def kept(entries: Iterable[Entry], payment: str) -> int:
    """What a payment has paid, less what was returned of it and what a bank has taken back."""
    return left_of_payments(entries).get(payment, 0)


def refunded_outside(entries: Iterable[Entry]) -> int:
    """What was refunded of an invoice at the payment service itself, and no credit note has explained yet."""
    entries = tuple(entries)
    explained = sum(each.amount for each in entries if each.kind is EntryKind.RETURNED and each.payment is None)
    made = sum_of(entries, EntryKind.REFUNDED_OUTSIDE) - sum_of(entries, EntryKind.REFUND_OUTSIDE_FAILED)
    return max(0, made - explained)


def disputed_payments(entries: Iterable[Entry]) -> set[str | None]:
    """The payments of which a bank has not decided some dispute. A decision is about the dispute that it names."""
    entries = tuple(entries)
    decisions = {EntryKind.CHARGED_BACK, EntryKind.DISPUTE_CLOSED}
    decided = {each.reference for each in entries if each.kind in decisions}
    return {each.payment for each in entries if each.kind is EntryKind.DISPUTED and each.reference not in decided}


def refundable(entries: Iterable[Entry]) -> tuple[str, int] | None:
    """The payment of which most can be refunded, and how much that is; None where nothing can.

    A payment that a bank disputes is not refunded: the bank may give it back as well.
    """
    entries = tuple(entries)
    disputed = disputed_payments(entries)
    best = max(
        (
            (amount - overpaid(entries, payment), payment)
            for payment, amount in left_of_payments(entries).items()
            if payment not in disputed
        ),
        default=(0, ""),
    )
    return (best[1], best[0]) if best[0] > 0 else None


def overpaid(entries: Iterable[Entry], payment: str | None = None) -> int:
    """What came in beyond what was owed, of one payment or of all, and was not refunded to where it came from.

    A refund of the credit that the vendor has begun names the payment; that of a credit note does not.
    """
    entries = tuple(entries)
    of_it = [each for each in entries if payment is None or payment in {each.reference, each.payment}]
    came = sum_of(of_it, EntryKind.OVERPAID, EntryKind.CREDIT_REFUND_FAILED)
    gone = sum_of(of_it, EntryKind.CREDIT_REFUNDED)
    named = [each for each in of_it if each.payment is not None]
    came += sum_of(named, EntryKind.REFUND_FAILED)
    gone += sum_of(named, EntryKind.REFUND_BEGUN)
    return max(0, came - gone)


def refundable_of(entries: Iterable[Entry], payment: str) -> int:
    """What is left of one payment that an invoice has received, in minor units."""
    return max(0, left_of_payments(entries).get(payment, 0))


def charged_back(entries: Iterable[Entry], payment: str) -> int:
    """What a bank has taken back of a payment, less what it has given back."""
    signs = {EntryKind.CHARGED_BACK: 1, EntryKind.CHARGE_BACK_WON: -1}
    return sum(signs.get(each.kind, 0) * each.amount for each in entries if each.payment == payment)


def left_of_payments(entries: Iterable[Entry]) -> dict[str, int]:
    """What the payment service could still give back of each payment that these entries name, in minor units."""
    left: dict[str, int] = {}
    for each in entries:
        payment = each.reference if each.kind is EntryKind.CHARGED else each.payment
        if payment is not None and each.kind in _OF_A_PAYMENT:
            left[payment] = left.get(payment, 0) + _OF_A_PAYMENT[each.kind] * each.amount
    return left


def refunds(entries: Iterable[Entry], owed: int) -> Iterator[tuple[date, int]]:
    """What is still to go back of `owed` after each entry of a credit note, and its day."""
    done: set[str | None] = set()
    for entry in entries:
        if entry.kind in {EntryKind.REFUND_DONE, EntryKind.REPAID_BY_HAND}:
            owed -= entry.amount
            done.add(entry.reference)
        elif entry.kind is EntryKind.REFUND_FAILED and done & {entry.reference, None}:
            # The first refunds were kept without their id.
            owed += entry.amount
        elif entry.kind is EntryKind.SET_OFF:
            owed -= entry.amount
        yield entry.on, owed


def attempt_under_way(entries: Iterable[Entry]) -> str | None:
    """The number of the refund that was begun and has no answer yet, None without one."""
    begun = None
    for entry in entries:
        if entry.kind is EntryKind.REFUND_BEGUN:
            begun = entry.reference
        elif entry.kind in {EntryKind.REFUND_DONE, EntryKind.REFUND_FAILED}:
            begun = None
    return begun
