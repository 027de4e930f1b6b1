"""Content negotiation for lists as CSV (RFC 4180)."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from billing.platform.http.media_types import JSON, preferred

CSV = "text/csv"

Accept = Annotated[str | None, Header(description="text/csv, or text/*, for a table. JSON if nothing here fits.")]


def prefers_csv(accept: str | None) -> bool:
    """Whether an Accept header prefers CSV to JSON.

    A header that accepts neither gets JSON, as RFC 9110 allows (12.4.1): proxies and old clients send headers that
    their users did not mean, and an answer helps them more than 406.
    """
    return preferred(accept, (JSON, CSV)) == CSV
