"""Converts between the due items of invoicing and collection and their domain values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.invoicing.due import InvoicingDue
from billing.platform.dynamodb.bodies import parsed, text


def invoicing_due_body(due: InvoicingDue) -> str:
    return text(asdict(due))


def invoicing_due_from(stored: str) -> InvoicingDue:
    body = parsed(stored)
    return InvoicingDue(body["month"], tuple(body["settled"]))


def day_body(day: date) -> str:
    return text({"on": day})


def day_from(stored: str) -> date:
    return date.fromisoformat(parsed(stored)["on"])
