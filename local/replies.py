"""What the front door sends back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back."""

    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes


class Refused(Exception):
    """The door itself answers, with a problem document (RFC 9457)."""

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
