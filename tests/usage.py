"""Usage as the vendor's product reports it, and what the table holds of it."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing import wiring

from functions.record_usage.app import handler
from tests.api_gateway import MACHINE, NOW, Answer, answer, request
from tests.samples import ACCOUNT

BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def cloud_event(
    id: str = "1",  # noqa: A002 - as CloudEvents calls it
    *,
    product: str = "search",
    store: str = "nordlys-dk",
    account: str = ACCOUNT["account"],
    time: datetime = NOW - timedelta(hours=1),
    quantity: Any = 1,
    **data: Any,
) -> dict[str, Any]:
    """A CloudEvent of usage."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": "//shop.example/search",
        "type": f"usage.{product}",
        "subject": f"{account}/{store}",
        "time": time.isoformat(),
        "data": {"quantity": quantity, **data},
    }


def report(body: Any, *, now: datetime = NOW, claims: dict[str, str] | None = MACHINE, **headers: str) -> Answer:
    """What POST /usage answers."""
    text = body if isinstance(body, str) else json.dumps(body, default=str)
    sent = {name.replace("_", "-"): value for name, value in headers.items()} or BATCH
    return answer(handler, request("POST", "/usage", claims=claims, body=text, headers=sent, now=now))


def outcomes(given: Answer) -> list[str]:
    """What became of each event of a batch."""
    return [each["outcome"] for each in given.body["results"]]


def totals(first: date = date(2026, 4, 1), last: date = date(2026, 6, 1)) -> dict[str, dict[date, Decimal]]:
    """What is counted of the sample account, by product and day."""
    return wiring.usage_store().totals(ACCOUNT["account"], first, last)
