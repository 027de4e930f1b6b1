"""CSV for spreadsheets (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as CSV, with its heading."""
    return csv_rows([heading, *rows])


def csv_rows(rows: Iterable[Sequence[str]]) -> str:
    """Rows of a table as CSV, without a heading."""
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def harmless(text: str) -> str:
    """A cell's text, with a leading apostrophe where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
