"""An account's credit pays what is open, oldest first (DESIGN 3.3.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from billing.invoicing.dunning import UNPAID
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.records import InvoiceRecord, PaymentChange
from billing.kernel.money import Money

ROOM = 74
"""How many of the 100 writes of a transaction are for what credit pays. Making invoices due takes WAITING_MAX more, and
a credit note that fixes a month up to 14."""

WAITING_MAX = 10
"""How many writes make invoices due because of credit. The run that they cause looks at all of the account's."""


def apply_credit(
    credit: Money, unpaid: Sequence[InvoiceRecord], today: date, changed: Sequence[PaymentChange] = ()
) -> list[PaymentChange]:
    """What `credit` pays of these invoices, if they are in its currency. One that a charge may still pay is left to its
    worker.

    No more than one transaction has room for, beside what is `changed` in it: ROOM writes. `wait_for_credit` makes the
    others due.
    """
    changes: list[PaymentChange] = []
    left = credit.amount
    room = ROOM - sum(_writes(each.record, events=2) for each in changed)
    for record in unpaid:
        payment = record.payment
        if left <= 0:
            break
        if not uses_credit_in(credit.currency, record) or may_be_charged(record, unpaid):
            continue
        room -= _writes(record, events=1)
        if room < 0:
            break
        applied = min(left, payment.left)
        paid = payment.with_entries(Entry(EntryKind.CREDIT_APPLIED, applied, today))
        changes.append(PaymentChange(record, replace(paid, credit_on=None)))
        left -= applied
    return changes


def wait_for_credit(credit: Money, unpaid: Sequence[InvoiceRecord], today: date) -> list[PaymentChange]:
    """Makes these invoices due now, so that a worker pays those in its currency from `credit`: it cancels their charges
    first.

    No more than WAITING_MAX writes.
    """
    changes: list[PaymentChange] = []
    room = WAITING_MAX if credit.amount > 0 else 0
    for record in unpaid:
        if not uses_credit_in(credit.currency, record):
            continue
        room -= _writes(record, events=0)
        if room < 0:
            break
        changes.append(PaymentChange(record, replace(record.payment, credit_on=today)))
    return changes


def _writes(record: InvoiceRecord, events: int) -> int:
    """How many writes a change of an invoice takes: one of an earlier release gets its document an item of its own."""
    return 1 + events + (record.unwritten is not None)


def can_be_settled(record: InvoiceRecord) -> bool:
    """Whether something is left to pay of an invoice, and no payment of it is in transit."""
    return record.invoice.corrects is None and record.payment.status in UNPAID


def uses_credit_in(currency: str, record: InvoiceRecord) -> bool:
    """Whether credit in a currency can pay what is left of an invoice."""
    return record.left.currency == currency and can_be_settled(record)


def may_be_charged(record: InvoiceRecord, unpaid: Sequence[InvoiceRecord]) -> bool:
    """Whether a charge that was begun may still pay an invoice: its own, or one that collects it too."""
    return record.payment.has_live_intent or bool(collects(unpaid, record.invoice.number))


def collects(records: Sequence[InvoiceRecord], number: str) -> list[InvoiceRecord]:
    """The invoices whose charge, if it still succeeds, pays another invoice too: the one with this `number`."""
    return [
        each
        for each in records
        if each.invoice.number != number
        and each.payment.has_live_intent
        and number in {allocated for allocated, _ in each.payment.allocations}
    ]
