"""Invoices as a customer lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.domain.money import Money


class InvoiceStatus(StrEnum):
    """Where an invoice stands."""

    OPEN = "open"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    PAST_DUE = "past_due"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class Invoice:
    """One issued invoice. `paid_on` is there exactly if it is paid; `total` includes tax."""

    number: str
    produced_on: date
    due_on: date
    paid_on: date | None
    status: InvoiceStatus
    total: Money
