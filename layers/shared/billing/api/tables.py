"""Lists as CSV, for a spreadsheet (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

CSV = "text/csv"

Accept = Annotated[str | None, Header(description="text/csv for a table.")]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def prefers_csv(accept: str | None) -> bool:
    """Whether somebody would rather have a table than JSON."""
    offers: dict[str, float] = {}
    for part in (accept or "").lower().split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        offers[media_type] = _weight(parameters)
    return offers.get(CSV, 0) > offers.get("application/json", 0)


def csv_text(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its heading."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue()


def harmless(text: str) -> str:
    """What a spreadsheet would take for a formula is shown as the text that it is."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _weight(parameters: Sequence[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1
