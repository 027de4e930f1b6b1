"""What a client prefers of the handling of its request (RFC 7240)."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

from billing.platform.http.media_types import elements, parameters

Prefer = Annotated[str | None, Header(description="handling=strict: all of a batch, or nothing of it (RFC 7240).")]

APPLIED_STRICTLY = {"Preference-Applied": "handling=strict"}


def prefers_strict(prefer: str | None) -> bool:
    """Whether the client prefers `handling=strict`. The first of several decides (RFC 7240, section 2)."""
    for element in elements(prefer):
        name, value = next(parameters(element), ("", ""))
        if name == "handling":
            return value.lower() == "strict"
    return False
