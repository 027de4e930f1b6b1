"""Content negotiation for lists as CSV (RFC 4180)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

CSV = "text/csv"

Accept = Annotated[str | None, Header(description="text/csv for a table.")]


def prefers_csv(accept: str | None) -> bool:
    """Whether an Accept header prefers CSV to JSON."""
    offers: dict[str, float] = {}
    for part in (accept or "").lower().split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        offers[media_type] = _weight(parameters)
    return offers.get(CSV, 0) > offers.get("application/json", 0)


def _weight(parameters: Sequence[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1
