"""VIES's stand-in within the tests' own process, and VAT numbers with valid check digits for each kind of answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from billing.invoicing.vat_numbers.vies import Vies as ViesGateway

from local.vies.service import Vies

ADDRESS = "http://vies.example"


@dataclass(frozen=True)
class Reply:
    """The parts of botocore's response that the gateway reads."""

    status_code: int
    content: bytes


class InProcess:
    """An HTTP session that leads to the stand-in. `fails` raises or returns another reply before it is asked."""

    def __init__(self, vies: Vies, fails: Callable[[], Reply | None] = lambda: None) -> None:
        self._vies = vies
        self.fails = fails

    def send(self, request: Any) -> Reply:
        other = self.fails()
        if other is not None:
            return other
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._vies.handle(request.method, urlsplit(request.url).path, headers, request.body.decode())
        return Reply(answer.status, orjson.dumps(answer.body))


def stand_in() -> Vies:
    """A stand-in with its clock at noon of 2026-06-10."""
    return Vies(lambda: datetime(2026, 6, 10, 12, tzinfo=UTC))


def gateway(vies: Vies, fails: Callable[[], Reply | None] = lambda: None) -> ViesGateway:
    """The real gateway, over the stand-in."""
    return ViesGateway(ADDRESS, InProcess(vies, fails))
