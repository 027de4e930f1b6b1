"""Between items and invoices as lists show them. The whole of an invoice is billing.store.invoice_mapping."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.domain.invoices import Invoice, InvoiceStatus
from billing.domain.money import Money
from billing.store.bodies import date_or_none, parsed, text


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
        corrects=body.get("corrects"),
    )
