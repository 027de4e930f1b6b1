"""Each function calls DynamoDB only as its policy allows. Neither moto nor the local stack checks this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.client import BaseClient

from functions.record_usage.app import handler as record_usage
from tests.api_gateway import MACHINE, STAFF, answer, request
from tests.company import Company
from tests.functions.test_permissions import (
    MATRIX,
    Cell,
    account_at_stripe,  # noqa: F401 - pytest looks for it here
    ask,
    documents,  # noqa: F401 - and for this
)
from tests.functions.test_round_trips import name
from tests.template import resources
from tests.usage import cloud_event

FUNCTIONS = {
    properties["CodeUri"].removeprefix("functions/"): properties
    for properties in (
        each["Properties"] for each in resources().values() if each["Type"] == "AWS::Serverless::Function"
    )
}
WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
TABLE = {"Fn::GetAtt": "Table.Arn"}
INDEXES = [{"Fn::Sub": f"${{Table.Arn}}/index/{name}"} for name in ("gsi1", "gsi2")]

Permission = tuple[str, bool]
"""An action, and whether it is on the index."""


def allowed(function: str) -> set[Permission]:
    """What the policies of a function's folder allow on the table and on its index."""
    found = set()
    for policy in FUNCTIONS[function].get("Policies", []):
        for statement in policy["Statement"]:
            resource = statement.get("Resource")
            for each in resource if isinstance(resource, list) else [resource]:
                if each in (TABLE, *INDEXES):
                    found |= {(action.removeprefix("dynamodb:"), each in INDEXES) for action in statement["Action"]}
    return found


def needed(operation: str, parameters: dict[str, Any]) -> Iterator[Permission]:
    """What a call needs: a transaction the permission of each of its actions."""
    if operation == "TransactWriteItems":
        for action in parameters["TransactItems"]:
            yield from ((WRITES[kind], False) for kind in action)
    else:
        yield operation, "IndexName" in parameters


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> set[Permission]:
    """The permissions that were needed since the last `clear`."""
    found: set[Permission] = set()
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def note(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            found.update(needed(operation, parameters))
        return send(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    return found


def folder_of(cell: Cell) -> str:
    """The folder of the function that serves a cell's route, from template.yaml."""
    folders: set[str] = {
        folder
        for folder, properties in FUNCTIONS.items()
        for event in properties["Events"].values()
        if event["Type"] == "Api"
        and (event["Properties"]["Method"].upper(), event["Properties"]["Path"]) == (cell.method, cell.route)
    }
    [folder] = folders
    return folder


@pytest.mark.parametrize("cell", MATRIX, ids=name)
def test_a_function_may_do_what_its_routes_need(cell: Cell, company: Company, used: set[Permission]) -> None:
    prepared = cell.prepare(company)
    used.clear()

    for claims in (company.member, company.admin, STAFF):
        ask(cell, claims, company, prepared)

    assert used
    assert used <= allowed(folder_of(cell))


def test_a_report_of_usage_may_do_what_it_needs(company: Company, used: set[Permission]) -> None:
    answer(record_usage, request("POST", "/usage", claims=MACHINE, body=cloud_event()))

    assert used <= allowed("record_usage")


def test_only_counters_are_updated_in_place() -> None:
    """All else is put as a whole, at a version: docs/decisions/0016."""
    updating = {folder for folder in FUNCTIONS if ("UpdateItem", False) in allowed(folder)}

    assert updating == {"record_usage", "record_queued_usage"}


def test_a_cancellation_checks_no_item_that_it_does_not_write() -> None:
    """The account's version guards it, in the put of the account."""
    assert ("ConditionCheckItem", False) not in allowed("administer_cancellation")


def test_feedback_on_mail_reads_by_queries_only() -> None:
    reads = {action for action, _ in allowed("note_mail_feedback")} & {"GetItem", "BatchGetItem", "Query"}

    assert reads == {"Query"}
