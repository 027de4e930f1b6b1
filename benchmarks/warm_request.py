"""The processor time of one request for the billing page in a warm function.

The reference is the least code that is possible with stock botocore: one query and `json.dumps`. It checks nothing,
computes nothing and logs nothing. A fake DynamoDB at botocore's before-send hook answers both.
"""

from __future__ import annotations

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.platform.aws_session import aws_session
from botocore.session import Session

from benchmarks import billing_page
from benchmarks.answering import answering
from benchmarks.cold_start import ENVIRONMENT
from benchmarks.measuring import Result, Variant, compare, of_calls, silenced

RATIO_MAX = 1.0
CALLS = 40
"""The calls of each variant in each round."""

QUERY: dict[str, Any] = {
    "TableName": "livello",
    "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
    "ExpressionAttributeValues": {
        ":pk": {"S": "ACCOUNT#nordlys-kaffe"},
        ":first": {"S": "INVOICE#"},
        ":last": {"S": "PAGE#\uffff"},
    },
    "ScanIndexForward": False,
    "Limit": 18,
}


def measured(rounds: int) -> list[Result]:
    """The handler and its parts against the least code by hand."""
    os.environ.update(ENVIRONMENT)
    # The function logs a line per request. Formatting it is part of the cost; showing it is not.
    with silenced():
        return compare(_variants(), rounds)


def _variants() -> list[Variant]:
    body = billing_page.reply()
    stock, ours = Session(), aws_session()
    for session in (stock, ours):
        session.register("before-send.dynamodb.Query", answering(body))
    stock_client: Any = stock.create_client("dynamodb")
    our_client: Any = ours.create_client("dynamodb")

    # Imported after the fake answers are registered: no request may reach a real table.
    from functions.get_billing.app import handler

    event, context = billing_page.event(), LambdaContext()

    def query_and_dump() -> str:
        return json.dumps([_plain(item) for item in stock_client.query(**QUERY)["Items"]])

    def query_decode_and_dump() -> str:
        items = (_plain(item) for item in stock_client.query(**QUERY)["Items"])
        return json.dumps([{**item, "body": json.loads(item["body"])} for item in items])

    def handle() -> None:
        answer = handler(json.loads(event), context)
        assert answer["statusCode"] == 200, answer

    return [
        Variant("stock query, json.dumps", of_calls(query_and_dump, CALLS)),
        Variant("stock query, bodies decoded, json.dumps", of_calls(query_decode_and_dump, CALLS)),
        Variant("our session: query", of_calls(lambda: our_client.query(**QUERY), CALLS)),
        Variant(
            "store.billing_page",
            of_calls(lambda: wiring.billing_page_store().billing_page(billing_page.ACCOUNT), CALLS),
        ),
        Variant("get_billing, the whole request", of_calls(handle, CALLS), RATIO_MAX),
    ]


def _plain(item: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: value for name, typed in item.items() for value in typed.values()}
