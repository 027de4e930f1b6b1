"""Tables for spreadsheets: sheets of typed cells, and sheets as CSV (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import StringIO

from billing.kernel.money import Money, decimal_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may read as the beginning of a formula (OWASP, CSV injection): also in full width."""

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, by its first day."""

    first: date


Cell = str | int | Decimal | date | Month | Money | None
"""The value of a cell. None is an empty cell."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with a heading. `title` has at most 31 letters, which is Excel's limit."""

    title: str
    heading: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How CSV is written: what separates cells, and the decimal sign.

    A spreadsheet needs the byte order mark (`is_marked`): without it Excel does not read the text as UTF-8.
    """

    separator: str = ","
    decimal: str = "."
    is_marked: bool = False


MACHINES = Dialect()
"""CSV for programs, which no setting of a spreadsheet changes."""


def csv_of(sheet: Sheet, dialect: Dialect = MACHINES) -> str:
    """A sheet as CSV. Days are 2026-01-31 and months 2026-01 in every dialect; no digits are grouped."""
    rows = ([_text(cell, dialect) for cell in row] for row in sheet.rows)
    text = csv_rows([sheet.heading, *rows], dialect.separator)
    return BYTE_ORDER_MARK + text if dialect.is_marked else text


def csv_rows(rows: Iterable[Sequence[str]], separator: str = ",") -> str:
    """Rows of a table as CSV, without a heading."""
    text = StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run a text as a formula."""
    return text.startswith(_FORMULA)


def harmless(text: str) -> str:
    """A cell's text, with a leading apostrophe where a spreadsheet would run it as a formula."""
    return f"'{text}" if is_formula(text) else text


def _text(cell: Cell, dialect: Dialect) -> str:
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, Money):
        return decimal_text(cell).replace(".", dialect.decimal)
    if isinstance(cell, Decimal):
        return f"{cell:f}".replace(".", dialect.decimal)
    if isinstance(cell, Month):
        return cell.first.isoformat()[:7]
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(cell)
