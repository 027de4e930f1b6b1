"""The caller is judged before the request is parsed: without permission, even a wrong request gets 401, 403 or 404."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from billing.accounts.admission import Admission
from billing.platform.http.bodies import FILE_TYPES
from billing.platform.http.judge import judges_of
from billing.platform.http.resolver import BODY_CHARACTERS_MAX
from billing.usage.event_bodies import BODY_CHARACTERS_MAX as USAGE_CHARACTERS_MAX

from functions.get_events.app import handler as get_events
from scripts.openapi import document, resolvers
from tests.api_gateway import MACHINE, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company
from tests.functions.test_permissions import (
    FOR_MACHINES,
    MATRIX,
    NOTHING,
    STRANGER,
    Cell,
    account_at_stripe,  # noqa: F401 - pytest looks for it here
    documents,  # noqa: F401 - and for this
)
from tests.functions.test_round_trips import Calls, calls  # noqa: F401 - and for this

ADMINS = [{"name": "Ada Holm", "email": "ada@nordlys.example", "status": "active"}]
OPERATIONS = document()["paths"]
REFUSALS = {401: "unauthenticated", 403: "forbidden", 404: "account-not-found"}
WRONG_QUERY = {"limit": "0", "cursor": "%%%", "year": "soon", "status": "no", "from": "no", "syntax": "no", "role": "x"}


def wrong_requests(cell: Cell) -> Iterator[tuple[str, dict[str, Any], set[int]]]:
    """Wrong requests to a route: a name, what is sent, and the possible statuses for a permitted caller."""
    operation = OPERATIONS[cell.route][cell.method.lower()]
    parameters = {each["name"]: each["in"] for each in operation.get("parameters", ())}
    too_large = "x" * ((USAGE_CHARACTERS_MAX if cell in FOR_MACHINES else BODY_CHARACTERS_MAX) + 1)
    yield "too large", {"body": too_large}, {413}
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        described = operation.get("requestBody", {}).get("description", "")
        taken = media_type in FILE_TYPES and media_type in described  # a file of this type is the body
        yield media_type, {"body": "{}", "headers": {"Content-Type": media_type}}, {422 if taken else 415}
    if "requestBody" in operation:
        yield "malformed", {"body": "{"}, {400}
        yield "no object", {"body": "[[1]]"}, {207, 422}
        yield "unknown field", {"body": {"colour": "blue"}}, {422}
        yield "no body", {}, {422, 400}
        yield "no body of a form", {"headers": {"Content-Type": "multipart/form-data"}}, {422, 400}
        if "if-match" in parameters:
            yield "no version", {"body": cell.body or {}}, {200, 422, 428}
            yield "bad version", {"body": cell.body or {}, "headers": {"If-Match": "one"}}, {200, 412, 422}
    for name, value in WRONG_QUERY.items():
        if name in parameters:
            yield f"bad {name}", {"query": {name: value}}, {422}


def send(cell: Cell, claims: dict[str, str] | None, company: Company, sent: dict[str, Any]) -> Answer:
    path = {**NOTHING, "account": company.account, "user": "nobody"}
    return answer(cell.handler, request(cell.method, cell.route, claims=claims, path=path, **sent))


def problem(given: Answer) -> str:
    assert given.headers["Content-Type"] == "application/problem+json"
    return str(given.body["type"]).removeprefix("urn:livello:problem:")


@pytest.mark.parametrize("cell", [*MATRIX, *FOR_MACHINES], ids=lambda cell: f"{cell.method} {cell.route}")
def test_a_caller_without_permission_is_refused_whatever_they_send(cell: Cell, company: Company) -> None:
    before = stored_items()
    callers = {
        "admin": (company.admin, cell.admin),
        "member": (company.member, cell.member),
        "staff": (STAFF, cell.staff),
        "stranger": (STRANGER, cell.stranger),
        "machine": (MACHINE, 202 if cell in FOR_MACHINES else 401),
        "machine without the scope": ({**MACHINE, "scope": "livello/other"}, 401),
        "nobody": (None, 401),
    }
    for kind, sent, wrong in wrong_requests(cell):
        for caller, (claims, status) in callers.items():
            given = send(cell, claims, company, sent)

            if status not in REFUSALS:
                assert given.status in wrong, (kind, caller, given)
                continue
            assert given.status == status, (kind, caller, given)
            admins_only = status == 403 and caller == "member" and cell.admin != 403
            assert problem(given) == ("admins-only" if admins_only else REFUSALS[status]), (kind, caller)
            assert given.body.get("admins") == (ADMINS if admins_only else None)
    # A machine's rejected usage is counted, so that staff are told: tests/functions/test_rejected_usage.py.
    assert [item for item in stored_items() if item["pk"] != "REJECTED-USAGE"] == before


def test_an_unreadable_request_costs_one_read(company: Company, calls: Calls) -> None:  # noqa: F811
    [cell] = [each for each in MATRIX if (each.method, each.route) == ("POST", "/accounts/{account}/cancellation")]
    costs = {}
    for name, claims in {"admin": company.admin, "member": company.member, "stranger": STRANGER}.items():
        calls.clear()
        send(cell, claims, company, {"body": "{"})
        costs[name] = [*calls]

    assert costs == {"admin": ["GetItem"], "member": ["GetItem", "Query"], "stranger": ["GetItem"]}


def test_a_wrong_request_does_not_affect_the_next_one(company: Company) -> None:
    [cell] = [each for each in MATRIX if (each.method, each.route) == ("GET", "/accounts/{account}/events")]
    wrong = {"body": "{}", "headers": {"Content-Type": "text/plain"}}

    statuses = [
        send(cell, claims, company, sent).status
        for claims, sent in [
            (company.admin, wrong),
            (company.admin, {}),
            (STRANGER, {}),
            (STRANGER, wrong),
            (company.admin, {}),
            (company.member, {}),
            (None, {}),
        ]
    ]

    assert statuses == [415, 200, 404, 404, 200, 403, 401]


def test_every_route_has_a_judge() -> None:
    unjudged = [
        f"{route.method} {route.path}"
        for resolver in resolvers().values()
        for route in (*resolver._static_routes, *resolver._dynamic_routes)
        if not [*judges_of(route.func)]
    ]

    assert unjudged == []


def test_a_route_that_forgets_to_admit_does_not_answer(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Admission, "account", lambda *_: None)
    event = request("GET", "/accounts/{account}/events", claims=company.admin, path=company.path)

    with pytest.raises(RuntimeError):
        answer(get_events, event)
