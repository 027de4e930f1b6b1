"""An account's credit pays what is open, oldest first (DESIGN 3.3.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from billing.invoicing.dunning import UNPAID
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.records import InvoiceRecord, PaymentChange

INVOICES_MAX = 40
"""How many invoices one transaction pays from credit: it has room for 100 writes, and each invoice has an event."""

WAITING_MAX = 10
"""How many invoices are made due at once because of credit. The run that they cause looks at all of the account's."""


def apply_credit(credit: int, unpaid: Sequence[InvoiceRecord], today: date) -> list[PaymentChange]:
    """What `credit`, in minor units, pays of these invoices. One that a charge may still pay is left to its worker."""
    changes: list[PaymentChange] = []
    for record in unpaid:
        payment = record.payment
        if credit <= 0 or len(changes) == INVOICES_MAX:
            break
        if not can_be_settled(record) or may_be_charged(record, unpaid):
            continue
        applied = min(credit, payment.left)
        paid = payment.with_entries(Entry(EntryKind.CREDIT_APPLIED, applied, today))
        changes.append(PaymentChange(record, replace(paid, credit_on=None)))
        credit -= applied
    return changes


def wait_for_credit(credit: int, unpaid: Sequence[InvoiceRecord], today: date) -> list[PaymentChange]:
    """Makes these invoices due now, so that a worker pays them from `credit`: it cancels their charges first."""
    waiting = [each for each in unpaid if can_be_settled(each)] if credit > 0 else []
    return [PaymentChange(each, replace(each.payment, credit_on=today)) for each in waiting[:WAITING_MAX]]


def can_be_settled(record: InvoiceRecord) -> bool:
    """Whether something is left to pay of an invoice, and no payment of it is in transit."""
    return record.invoice.corrects is None and record.payment.status in UNPAID


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
