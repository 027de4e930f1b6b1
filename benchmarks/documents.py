"""The cost of an invoice's documents: processor time and size, by the number of lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from billing.invoicing.documents.einvoice import Syntax, einvoice
from billing.invoicing.documents.pdf import invoice_pdf
from billing.invoicing.invoices import IssuedInvoice

from benchmarks.scaling import milliseconds
from tests.documents.samples import invoice

LINES = (3, 20, 400)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one document: `spent` in milliseconds of processor time, `size` in bytes."""

    lines: int
    kind: str
    spent: float
    size: int


def measured() -> list[Cost]:
    """Each kind of document for each number of lines, in a warm process."""
    return [
        Cost(lines, kind, milliseconds(write), len(write()))
        for lines in LINES
        for kind, write in _kinds(invoice(lines))
    ]


def table(costs: list[Cost]) -> str:
    """The costs as text, one line each."""
    rows = [f"{cost.lines:>6}  {cost.kind:<24}{cost.spent:>8.1f} ms  {cost.size / 1024:>7.1f} KB" for cost in costs]
    return "\n".join(["Documents: processor time and size of an invoice", " lines", *rows])


def _kinds(issued: IssuedInvoice) -> list[tuple[str, Callable[[], bytes]]]:
    electronic = einvoice(issued, Syntax.CII)
    return [
        ("PDF with its data", partial(invoice_pdf, issued, electronic)),
        ("PDF alone", partial(invoice_pdf, issued, None)),
        ("XML, CII", partial(einvoice, issued, Syntax.CII)),
        ("XML, UBL", partial(einvoice, issued, Syntax.UBL)),
    ]
