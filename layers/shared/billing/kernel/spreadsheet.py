"""Tables for a spreadsheet (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its heading."""
    return csv_rows([heading, *rows])


def csv_rows(rows: Iterable[Sequence[str]]) -> str:
    """A part of a table."""
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def harmless(text: str) -> str:
    """What a spreadsheet would take for a formula is shown as the text that it is."""
    return f"'{text}" if text.startswith(_FORMULA) else text
