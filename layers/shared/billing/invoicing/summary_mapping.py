"""Converts between stored invoices and the rows of a list. billing.invoicing.mapping reads the whole invoice."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.invoicing.invoices import Invoice, InvoiceStatus
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import date_or_none, parsed, text


def invoice_body(invoice: Invoice) -> str:
    return text(asdict(invoice))


def invoice_from(stored: str) -> Invoice:
    body = parsed(stored)
    return Invoice(
        number=body["number"],
        produced_on=date.fromisoformat(body["produced_on"]),
        due_on=date.fromisoformat(body["due_on"]),
        paid_on=date_or_none(body["paid_on"]),
        status=InvoiceStatus(body["status"]),
        total=Money(**body["total"]),
        left=body["left"] if "left" in body else _left(body["status"], stored),
        corrects=body.get("corrects"),
    )


def _left(status: str, stored: str) -> int:
    """What is left of an invoice whose item an earlier release has written: its payment says so."""
    if status in _SETTLED:
        return 0
    from billing.invoicing.mapping import summary_from  # only for these: a page reads lists of invoices only

    return summary_from("", stored)[1].left


_SETTLED = frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE})
