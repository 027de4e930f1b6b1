"""The form of invoice numbers. They are gapless (DESIGN 3.3.6).

The transaction that writes an invoice also counts its number (InvoiceStore.issue in billing.invoicing.records). It
fails with NumberTaken if another invoice got the number first, and the invoice takes the next one (with_next_number in
issue_invoices.py). So no number lacks its invoice, and no two invoices share one.
"""

from __future__ import annotations

from billing.kernel.errors import Conflict

NUMBER_MAX = 999_999
"""A number has six digits."""


class SeriesExhausted(Conflict):
    """All numbers of a series are used for this year."""

    code = "series-exhausted"

    def __init__(self, series: str, year: int) -> None:
        super().__init__(f"The series {series} has no number left for {year}. Set another InvoiceSeries.")


class NumberTaken(Exception):
    """Another invoice has this number; `count` numbers of the series and year are used."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def number_of(series: str, year: int, count: int) -> str:
    """The number of the `count`-th invoice of a series and year, such as LV-2026-000001. Raises SeriesExhausted."""
    if count > NUMBER_MAX:
        raise SeriesExhausted(series, year)
    return f"{series}-{year}-{count:06}"
