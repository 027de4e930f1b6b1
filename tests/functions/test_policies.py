"""Each function calls DynamoDB only as its policy allows. Neither moto nor the local stack checks this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from billing.platform.dynamodb import keys
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
INDEXES = {index: {"Fn::Sub": f"${{Table.Arn}}/index/{index}"} for index in (keys.INDEX, keys.LIST_INDEX)}

Permission = tuple[str, str | None]
"""An action, and the index that it is on, None for the table."""


def allowed(function: str) -> set[Permission]:
    """What the policies of a function's folder allow on the table and on its indexes."""
    found: set[Permission] = set()
    places: dict[str | None, object] = {None: TABLE}
    places.update(INDEXES)
    for policy in FUNCTIONS[function].get("Policies", []):
        for statement in policy["Statement"]:
            resource = statement.get("Resource")
            for each in resource if isinstance(resource, list) else [resource]:
                for place in [index for index, arn in places.items() if arn == each]:
                    found |= {(action.removeprefix("dynamodb:"), place) for action in statement["Action"]}
    return found


def needed(operation: str, parameters: dict[str, Any]) -> Iterator[Permission]:
    """What a call needs: a transaction the permission of each of its actions."""
    if operation == "TransactWriteItems":
        for action in parameters["TransactItems"]:
            yield from ((WRITES[kind], None) for kind in action)
    else:
        yield operation, parameters.get("IndexName")


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
    updating = {folder for folder in FUNCTIONS if ("UpdateItem", None) in allowed(folder)}

    assert updating == {"record_usage", "record_queued_usage", "take_reported_usage"}


def test_a_cancellation_checks_what_its_charges_follow_from() -> None:
    """The account's version does not guard the subscription, the paid period and the company: others write them."""
    assert ("ConditionCheckItem", None) in allowed("administer_cancellation")


def test_feedback_on_mail_reads_by_queries_only() -> None:
    reads = {action for action, _ in allowed("note_mail_feedback")} & {"GetItem", "BatchGetItem", "Query"}

    assert reads == {"Query"}


def test_the_functions_that_read_the_lists_of_staff() -> None:
    reading = {folder for folder in FUNCTIONS if ("Query", keys.LIST_INDEX) in allowed(folder)}

    assert reading == {"administer_claims", "administer_exchange_rates", "get_invoices", "get_reconciliation"}
