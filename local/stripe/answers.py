"""Stripe's responses: objects, lists and errors in Stripe's own shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
"""The JSON of one of Stripe's objects."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, sent after `delay` seconds; a `lost` one is never sent."""

    status: int
    body: Object
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    lost: bool = False


class Refused(Exception):
    """The request gets an error response. `more` are further fields of the error."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error: Object = {"type": kind, "message": message, **{key: each for key, each in more.items() if each}}

    @property
    def body(self) -> Object:
        return {"error": self.error}


def invalid(message: str, *, code: str | None = None, param: str | None = None, status: int = 400) -> Refused:
    """An invalid_request_error."""
    return Refused(status, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, identity: str, param: str, *, named_by_path: bool = True) -> Refused:
    """The error for an object that does not exist: 404, or 400 if a parameter named it."""
    noun = kind.replace("_", "")
    status = 404 if named_by_path else 400
    return invalid(f"No such {noun}: '{identity}'", code="resource_missing", param=param, status=status)


def listed(objects: Sequence[Object], path: str, *, limit: int = 10, after: str | None = None) -> Object:
    """A page of a list, newest first, as Stripe sorts it. Raises ValueError for an unknown `after`."""
    newest = [*reversed(objects)]
    if after is not None:
        newest = newest[[each["id"] for each in newest].index(after) + 1 :]
    return {"object": "list", "url": path, "has_more": len(newest) > limit, "data": newest[:limit]}
