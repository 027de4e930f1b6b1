"""API Gateway's requests to a function, and the function's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from billing.platform.http.problems import PROBLEM_JSON

from tests import contract
from tests.field_codes import check_problem

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """The answer of a function, with its JSON body parsed."""

    status: int
    headers: dict[str, str]
    body: Any


def person(user: str, *, groups: str | None = None) -> dict[str, str]:
    """The claims of a person's ID token, in the form of the gateway."""
    claims = {"sub": user, "token_use": "id", "email": f"{user}@shop.example"}
    return claims if groups is None else {**claims, "cognito:groups": groups}


STAFF = person("staff-1", groups="[staff]")
MACHINE = {"sub": "client-1", "token_use": "access", "client_id": "client-1", "scope": "livello/usage"}


def request(
    method: str,
    route: str,
    *,
    claims: dict[str, str] | None,
    path: dict[str, str] | None = None,
    body: Any = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    now: datetime = NOW,
) -> dict[str, Any]:
    """An event of API Gateway's REST proxy for `route`, such as /accounts/{account}/billing."""
    resolved = route.format(**(path or {}))
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    all_headers = {"Content-Type": "application/json"} if text is not None else {}
    all_headers |= headers or {}
    return {
        "resource": route,
        "path": resolved,
        "httpMethod": method,
        "headers": all_headers,
        "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
        "pathParameters": path,
        "stageVariables": None,
        "requestContext": {
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "stage": "v1",
            "path": f"/v1{resolved}",
            "resourcePath": route,
            "httpMethod": method,
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {} if claims is None else {"claims": claims},
        },
        "body": text,
        "isBase64Encoded": False,
    }


def answer(handler: Handler, event: dict[str, Any]) -> Answer:
    """The function's answer to an event. It must be one that the OpenAPI document has."""
    response = handler(event, LambdaContext())
    headers = {name: values[0] for name, values in response.get("multiValueHeaders", {}).items()}
    body = response.get("body")
    broken = contract.faults(event["httpMethod"], event["resource"], response["statusCode"], headers, body)
    assert not broken, broken
    parsed = json.loads(body) if body else None
    if headers.get("Content-Type") == PROBLEM_JSON and isinstance(parsed, dict):
        check_problem(parsed)
    return Answer(response["statusCode"], headers, parsed)
