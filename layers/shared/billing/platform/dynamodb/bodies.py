"""Stored bodies: JSON. The mapping of each area defines the fields."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson

Body = dict[str, Any]


def text(body: object) -> str:
    """The stored text of a body. A decimal is a string with all its digits; a date is in ISO 8601.

    Raises TypeError for a type that has no stored form.
    """
    return orjson.dumps(body, default=_exact).decode()


def parsed(text: str) -> Body:
    """The body of a stored text."""
    body: Body = orjson.loads(text)
    return body


def without_version(body: Body) -> Body:
    """A body without its version. The version is an attribute of the item, because writes have conditions on it."""
    return {name: value for name, value in body.items() if name != "version"}


def date_or_none(value: str | None) -> date | None:
    """The date of a stored text; None for None."""
    return None if value is None else date.fromisoformat(value)


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no stored form")
