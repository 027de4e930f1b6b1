"""Converts between the due items of invoicing, collection and the comparison of the books and their domain values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.invoicing.due import CollectionDue, InvoicingDue
from billing.invoicing.exchange_rates.mapping import awaited_from
from billing.invoicing.tax import AwaitedTaxRate
from billing.invoicing.tax_rates.mapping import awaited_tax_from
from billing.platform.dynamodb.bodies import parsed, text


def invoicing_due_body(due: InvoicingDue) -> str:
    body: dict[str, object] = {"month": due.month, "settled": due.settled}
    if due.awaits is not None:  # without it as older items were written: a condition compares the whole body
        body["awaits_tax" if isinstance(due.awaits, AwaitedTaxRate) else "awaits_rate"] = asdict(due.awaits)
    return text(body)


def invoicing_due_from(stored: str) -> InvoicingDue:
    body = parsed(stored)
    awaits = awaited_from(body.get("awaits_rate")) or awaited_tax_from(body.get("awaits_tax"))
    return InvoicingDue(body["month"], tuple(body["settled"]), awaits)


def day_body(day: date) -> str:
    """The due item of the comparison of the books: the day from which it is due."""
    return text({"on": day})


def day_from(stored: str) -> date:
    return date.fromisoformat(parsed(stored)["on"])


def collection_due_body(due: CollectionDue) -> str:
    return text({"on": due.on, "is_retired": True} if due.is_retired else {"on": due.on})


def collection_due_from(stored: str) -> CollectionDue:
    body = parsed(stored)
    return CollectionDue(date.fromisoformat(body["on"]), body.get("is_retired", False))
