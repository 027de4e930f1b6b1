"""The deployment's settings of invoices and payments."""

from __future__ import annotations

from dataclasses import dataclass

from billing.invoicing.invoices import Seller

TERM_DAYS = 14
CREDIT_SERIES = "CN"
RETRY_DAYS = (1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class InvoicingSettings:
    """`series` is the prefix of invoice numbers, `credit_series` that of credit note numbers.

    `term_days` is the payment term of bank transfers. A failed charge is tried again `retry_days` after the first
    failure.
    """

    series: str
    seller: Seller
    term_days: int = TERM_DAYS
    retry_days: tuple[int, ...] = RETRY_DAYS
    credit_series: str = CREDIT_SERIES
