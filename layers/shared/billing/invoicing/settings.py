"""What whoever deploys Livello decides of invoices and payments."""

from __future__ import annotations

from dataclasses import dataclass

from billing.invoicing.invoices import Seller

TERM_DAYS = 14
CREDIT_SERIES = "CN"
RETRY_DAYS = (1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class InvoicingSettings:
    """`series` begins each invoice's number, `credit_series` each credit note's. Whoever transfers the money has
    `term_days` for it; a failed charge is tried again `retry_days` after the first that failed."""

    series: str
    seller: Seller
    term_days: int = TERM_DAYS
    retry_days: tuple[int, ...] = RETRY_DAYS
    credit_series: str = CREDIT_SERIES
