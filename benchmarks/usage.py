"""The cost of counting usage: processor time in the warm function, and write units in the table.

The reference is the same transactions, sent by a stock client from prepared requests: nothing is parsed, checked,
grouped or answered. A fake DynamoDB at botocore's before-send hook answers both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.accounts import mapping as account_mapping
from billing.platform.aws_session import aws_session
from billing.platform.dynamodb import keys
from botocore.session import Session

from benchmarks import billing_page
from benchmarks.answering import answering
from benchmarks.cold_start import ENVIRONMENT
from benchmarks.measuring import Variant, compare, of_calls, silenced

CALLS = 3
UNITS_PER_ACTION = 2
"""An item of up to a kilobyte, written within a transaction (AWS: "DynamoDB on-demand capacity mode")."""

DOLLARS_PER_MILLION_UNITS = 0.625
"""On demand in us-east-1, November 2026."""

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Load:
    """A request with so many events, of so many contents."""

    name: str
    events: int
    contents: int


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a load.

    `ratio` is the function's processor time divided by that of the bare calls.
    """

    load: Load
    transactions: int
    units_per_event: float
    microseconds_per_event: float
    ratio: float


LOADS = (
    Load("1,000 events of 5 contents", 1000, 5),
    Load("1,000 events of 100 contents", 1000, 100),
    Load("1,000 events of 1,000 contents", 1000, 1000),
    Load("100 events of 5 contents", 100, 5),
    Load("1 event", 1, 1),
)


def measured(rounds: int, loads: Sequence[Load] = LOADS) -> list[Cost]:
    """The function against the bare calls, for each load."""
    os.environ.update(ENVIRONMENT)
    stock, ours = Session(), aws_session()
    transactions: list[dict[str, Any]] = []
    for session in (stock, ours):
        session.register("before-send.dynamodb.BatchGetItem", answering(_account()))
        session.register("before-send.dynamodb.TransactWriteItems", answering(b"{}"))
    # Made after the fake answers are registered: no request may reach a real table.
    client: Any = wiring.usage_store()._client  # its requests are recorded for the bare client
    client.meta.events.register(
        "provide-client-params.dynamodb.TransactWriteItems", lambda params, **_: transactions.append(params)
    )
    bare: Any = stock.create_client("dynamodb")
    # The function logs a line per request. Formatting it is part of the cost; showing it is not.
    with silenced():
        return [_cost(load, bare, transactions, rounds) for load in loads]


def _cost(load: Load, bare: Any, recorded: list[dict[str, Any]], rounds: int) -> Cost:
    from functions.record_usage.app import handler

    request, context = _request(load), LambdaContext()

    def handle() -> None:
        answer = handler(json.loads(request), context)
        assert answer["statusCode"] in {200, 202}, answer

    recorded.clear()
    handle()
    transactions = [dict(each) for each in recorded]

    def call() -> None:
        for each in transactions:
            bare.transact_write_items(**each)

    _, function = compare([Variant("calls", of_calls(call, CALLS)), Variant("all", of_calls(handle, CALLS))], rounds)
    actions = sum(len(each["TransactItems"]) for each in transactions)
    return Cost(
        load,
        len(transactions),
        actions * UNITS_PER_ACTION / load.events,
        function.milliseconds * 1000 / load.events,
        function.ratio,
    )


def table(costs: list[Cost]) -> str:
    """The costs as text."""
    lines = [
        "Usage: processor time of a warm request against its bare transactions, and what is written",
        f"  {'':32}  transactions  units/event  $/million events   µs/event  events/s  ratio",
    ]
    lines += [
        f"  {each.load.name:32}  {each.transactions:12}  {each.units_per_event:11.2f}"
        f"  {each.units_per_event * DOLLARS_PER_MILLION_UNITS:16.2f}  {each.microseconds_per_event:9.0f}"
        f"  {1_000_000 / each.microseconds_per_event:8.0f}  {each.ratio:5.2f}"
        for each in costs
    ]
    return "\n".join(lines)


def _account() -> bytes:
    """The response of the function's one read: the account and its subscription."""
    rows = json.loads(billing_page.reply())["Items"]
    needed = [row for row in rows if row["sk"]["S"] in {keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION}]
    return json.dumps({"Responses": {ENVIRONMENT["TABLE_NAME"]: needed}, "UnprocessedKeys": {}}).encode()


def _request(load: Load) -> str:
    """The event of the request, as JSON text."""
    account = account_mapping.account_from(_stored_account(), 1)
    store = account.stores[0].id
    events = [
        {
            "specversion": "1.0",
            "id": f"2026-06-10/{number:08}",
            "source": "//shop.example/search",
            "type": "usage.search",
            "subject": f"{account.id}/{store}",
            "time": NOW.isoformat(),
            "data": {"quantity": 0.2, "content": f"Content {number % load.contents}", "conversions": number % 2},
        }
        for number in range(load.events)
    ]
    event: Mapping[str, Any] = json.loads(billing_page.event())
    claims = {"sub": "client", "token_use": "access", "scope": "livello/usage"}
    context = {**event["requestContext"], "requestTimeEpoch": NOW.timestamp() * 1000, "authorizer": {"claims": claims}}
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    return json.dumps(
        {
            **event,
            "resource": "/usage",
            "path": "/usage",
            "httpMethod": "POST",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "pathParameters": None,
            "requestContext": context,
            "body": json.dumps(events),
        }
    )


def _stored_account() -> str:
    rows = json.loads(billing_page.reply())["Items"]
    [body] = [row["body"]["S"] for row in rows if row["sk"]["S"] == keys.PAGE_ACCOUNT]
    return str(body)
