"""Answers that the OpenAPI document does not have are found out, and it names who may call what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import contract

PAGE = "/accounts/{account}/billing"
COMPANY = "/accounts/{account}/billing-information/company"
CANCELLATION = "/accounts/{account}/cancellation"
JSON = {"Content-Type": "application/json"}
PROBLEM = {"type": "urn:livello:problem:conflict", "title": "Conflict", "status": 409, "detail": "It is not so."}


@pytest.fixture(autouse=True)
def first_bodies() -> None:
    """Bodies are compared again, whatever earlier tests have asked."""
    contract.forget()


@pytest.mark.parametrize(
    ("method", "route", "status", "headers", "body", "found"),
    [
        ("GET", PAGE, 206, JSON, "{}", "GET /accounts/{account}/billing answers 206, which is not documented"),
        ("GET", PAGE, 200, {"Content-Type": "text/csv"}, "a,b", "as text/csv, and documented are"),
        ("GET", PAGE, 200, JSON, "{}", "'account' is a required property"),
        ("GET", COMPANY, 200, JSON, "{}", "without the header ETag"),
        ("DELETE", CANCELLATION, 204, JSON, "null", "with a body, and none is documented"),
        ("POST", CANCELLATION, 409, JSON, json.dumps(PROBLEM), "as application/json"),
    ],
)
def test_an_answer_that_is_not_documented_is_found(
    method: str, route: str, status: int, headers: dict[str, str], body: str, found: str
) -> None:
    assert any(found in each for each in contract.faults(method, route, status, headers, body))


def test_a_status_that_no_enumeration_has_is_found() -> None:
    invoice = {
        "number": "A-2026-000001",
        "produced_on": "2026-06-10",
        "due_on": "2026-06-24",
        "paid_on": None,
        "status": "half paid",
        "total": {"amount": 1, "currency": "EUR"},
        "left": {"amount": 1, "currency": "EUR"},
        "corrects": None,
    }
    body = json.dumps({"items": [invoice], "next_cursor": None})

    found = contract.faults("GET", "/accounts/{account}/invoices", 200, JSON, body)

    assert ["half paid" in each for each in found] == [True]


def test_a_documented_answer_is_not_a_fault() -> None:
    headers = {"Content-Type": "application/problem+json"}
    assert contract.faults("POST", CANCELLATION, 409, headers, json.dumps(PROBLEM)) == []
    assert contract.faults("DELETE", CANCELLATION, 204, {}, "") == []


def operations() -> dict[str, Any]:
    return {
        each["operationId"]: each
        for operations in contract.document()["paths"].values()
        for each in operations.values()
    }


def test_an_operation_has_a_name_of_its_own() -> None:
    """Generators make a function of each (OpenAPI 3.1, Operation Object: operationId must be unique)."""
    paths = contract.document()["paths"].values()

    assert len(operations()) == sum(len(methods) for methods in paths)


def test_each_operation_says_whose_token_it_takes() -> None:
    of_machines = {name for name, each in operations().items() if each["security"] == [{"machine": []}]}

    assert of_machines == {"report_usage", "post_correction"}
    assert operations()["post_cancellation"]["description"].endswith("For admins.")
    assert operations()["put_catalogue"]["description"].endswith("For staff.")
    assert operations()["get_billing"]["description"].endswith("For admins, members and staff.")


def test_a_version_is_required_where_nothing_else_can_be_named() -> None:
    required = {
        name
        for name, each in operations().items()
        for parameter in each["parameters"]
        if parameter["name"] == "If-Match" and parameter["required"]
    }

    assert {"put_company", "put_billing_details", "put_contact"} <= required
    assert "put_catalogue" not in required, "the first version replaces none"


def integers(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an integer, at any depth."""
    if isinstance(schema, dict):
        if schema.get("type") == "integer":
            yield schema
        for each in schema.values():
            yield from integers(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from integers(each)


def test_integers_have_sixty_four_bits_and_whole_limits() -> None:
    found = [*integers(contract.document())]

    assert found
    assert [each for each in found if each.get("format") != "int64"] == []
    assert [each for each in found if any(isinstance(value, float) for value in each.values())] == []


def test_the_schemas_of_bodies_have_names() -> None:
    """oapi-codegen gives a union without a name no methods, so nobody can fill or read it."""
    bodies = [each["requestBody"] for each in operations().values() if "requestBody" in each]
    answers = [contract.resolved(answer) for each in operations().values() for answer in each["responses"].values()]
    schemas = [
        content["schema"]
        for body in (*bodies, *answers)
        for media_type, content in body.get("content", {}).items()
        if media_type.endswith("json")
    ]

    assert schemas
    assert [each for each in schemas if set(each) != {"$ref"}] == []


def test_a_single_event_and_a_batch_of_usage_have_types_of_their_own() -> None:
    answers = operations()["report_usage"]["responses"]
    named = {
        status: answers[status]["content"]["application/json"]["schema"]["$ref"] for status in ("200", "202", "207")
    }

    assert named == {
        "200": "#/components/schemas/ReportedUsageView",
        "202": "#/components/schemas/UsageResultView",
        "207": "#/components/schemas/UsageResultsView",
    }


def test_every_operation_is_found_by_a_tag() -> None:
    tags = {each["name"] for each in contract.document()["tags"]}
    assert {tag for each in operations().values() for tag in each["tags"]} == tags
