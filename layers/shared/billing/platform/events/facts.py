"""Parts of events that several areas use."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from billing.platform.events.envelope import Facts

Month = Annotated[str, Field(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]
"""A calendar month, such as 2026-11."""


class MoneyFacts(Facts):
    """`amount` minor units of `currency` (ISO 4217)."""

    amount: int
    currency: str


class PersonFacts(Facts):
    name: str
    email: str


class ChargeFacts(Facts):
    """A charge to come, before tax."""

    on: date
    amount: MoneyFacts


class InvoiceToComeFacts(ChargeFacts):
    """An invoice to come: `amount` before tax, `total` with tax. Credit is not taken off.

    `tax` and `total` are None for what an earlier release has shown.
    """

    tax: MoneyFacts | None = None
    total: MoneyFacts | None = None


class ContractFacts(Facts):
    start: date
    interval_months: int
    currency: str
    time_zone: str


class LineFacts(Facts):
    """A product as it was signed. `up_to` is the tier's monthly volume, None where it is open-ended; `price` is per
    month, before discounts and tax."""

    product: str
    name: str
    unit: str
    up_to: int | None
    price: MoneyFacts


class ProductFacts(Facts):
    """A product by its id, its name, and what its usage is counted in."""

    product: str
    name: str
    unit: str


class TierFacts(Facts):
    """`up_to` is the monthly volume, None where it is open-ended; `price` is per month, before tax."""

    up_to: int | None
    price: MoneyFacts


class MonthFacts(Facts):
    month: Month
    usage: Decimal
