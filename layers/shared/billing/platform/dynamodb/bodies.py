"""Bodies as they are stored: JSON. The mapping of each area says which fields they have."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson

Body = dict[str, Any]


def text(body: object) -> str:
    """A body as it is stored. Decimals keep every digit; dates are ISO 8601."""
    return orjson.dumps(body, default=_exact).decode()


def parsed(text: str) -> Body:
    """A stored body."""
    body: Body = orjson.loads(text)
    return body


def without_version(body: Body) -> Body:
    """A version is an attribute beside the body: writes are conditioned by it."""
    return {name: value for name, value in body.items() if name != "version"}


def date_or_none(value: str | None) -> date | None:
    """A date as it is stored."""
    return None if value is None else date.fromisoformat(value)


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no stored form")
