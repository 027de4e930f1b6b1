"""Usage reports of the vendor's product, and the counters that follow."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing import wiring

from functions.correct_usage.app import handler as correct_usage
from functions.record_usage.app import handler
from tests.api_gateway import MACHINE, NOW, STAFF, Answer, answer, request
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
    """The answer of POST /usage."""
    text = body if isinstance(body, str) else json.dumps(body, default=str)
    all_headers = {name.replace("_", "-"): value for name, value in headers.items()} or BATCH
    return answer(handler, request("POST", "/usage", claims=claims, body=text, headers=all_headers, now=now))


def correction(id: str = "c-1", **more: Any) -> dict[str, Any]:  # noqa: A002 - as the body calls it
    """The body of a correction: one more search on the day before."""
    body = {"id": id, "store": "nordlys-dk", "product": "search", "day": "2026-06-09", "quantity": 1}
    return {**body, "reason": "Bytes were reported for kilobytes", **more}


def correct(body: dict[str, Any], *, account: str | None = None, now: datetime = NOW) -> Answer:
    """The answer of a correction by staff; with an account, by the product."""
    if account is not None:
        sent = {**body, "account": account}
        return answer(correct_usage, request("POST", "/usage/corrections", claims=MACHINE, body=sent, now=now))
    path = {"account": ACCOUNT["account"]}
    route = "/accounts/{account}/usage/corrections"
    return answer(correct_usage, request("POST", route, claims=STAFF, path=path, body=body, now=now))


def outcomes(reported: Answer) -> list[str]:
    """The outcome of each event of a batch, such as accepted or duplicate."""
    return [each["outcome"] for each in reported.body["results"]]


def totals(first: date = date(2026, 4, 1), last: date = date(2026, 6, 1)) -> dict[str, dict[date, Decimal]]:
    """The counted usage of the sample account, by product and day."""
    return wiring.usage_store().totals(ACCOUNT["account"], first, last)
