"""The front door's replies and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response: status, headers and body."""

    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes


class Refused(Exception):
    """The front door refuses a request with a problem document (RFC 9457)."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    def reply(self) -> Reply:
        problem = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        return Reply(self.status, [("Content-Type", "application/problem+json")], json.dumps(problem).encode())
