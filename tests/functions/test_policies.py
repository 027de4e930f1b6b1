"""The roles of the functions allow what the functions do at AWS, and nothing else.

Neither moto nor the local stack checks roles. A call that a role does not allow fails any test (tests/permissions.py);
the routes' calls of DynamoDB are asked for here one by one. A grant that no test uses is found by their record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from billing.platform.dynamodb import keys
from botocore.client import BaseClient

from functions.record_usage.app import handler as record_usage
from tests import permissions
from tests.api_gateway import MACHINE, STAFF, answer, request
from tests.company import Company
from tests.functions.test_permissions import (
    MATRIX,
    Cell,
    account_at_stripe,  # noqa: F401 - pytest looks for it here
    ask,
    documents,  # noqa: F401 - and for this
    with_clock,
)
from tests.functions.test_round_trips import name
from tests.template import resources
from tests.usage import cloud_event, correct, correction

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


@pytest.mark.parametrize("cell", [each for each in MATRIX if "{account}" in each.route], ids=name)
def test_a_route_of_an_account_may_ask_for_its_test_clock(cell: Cell, company: Company, used: set[Permission]) -> None:
    """Whatever else the request needs: there is a clock, and no such account on it."""
    with_clock(company)
    path = {
        **dict.fromkeys(("number", "user", "review", "product", "month", "store", "transfer", "one_off"), "nobody"),
        "account": "q1.nobody",
    }
    body = {} if callable(cell.body) else cell.body
    used.clear()

    answer(
        cell.handler,
        request(cell.method, cell.route, claims=STAFF, path=path, body=body, headers=cell.headers, query=cell.query),
    )

    assert used <= allowed(folder_of(cell))


def test_a_report_of_usage_may_do_what_it_needs(company: Company, used: set[Permission]) -> None:
    answer(record_usage, request("POST", "/usage", claims=MACHINE, body=cloud_event()))

    assert used <= allowed("record_usage")


def test_a_correction_by_the_product_may_do_what_it_needs(company: Company, used: set[Permission]) -> None:
    assert correct(correction(), account=company.account).status == 201

    assert used <= allowed("correct_usage")


RECORDING = {
    "administer_autoscaling",
    "administer_cancellation",
    "administer_downloads",
    "administer_reactivation",
    "administer_reviews",
    "administer_subscriptions",
    "administer_success_managers",
    "administer_users",
    "administer_vat_numbers",
    "check_vat_number",
    "collect_payments",
    "end_account",
    "import_bank_statements",
    "issue_credit_note",
    "issue_invoices",
    "note_mail_feedback",
    "note_payment_notice",
    "notify",
    "prepare_download",
    "reconcile_books",
    "record_payment",
    "release_invoicing",
    "scale_account",
    "update_billing_information",
    "update_payment_method",
    "warn_expiring_card",
    "watch_usage",
}
"""The functions that record events of accounts, beside those that count usage."""


def test_only_counters_marks_and_the_last_event_of_an_account_are_updated_in_place() -> None:
    """All else is put as a whole, at a version: docs/decisions/0016, and 0031 for the last event."""
    updating = {folder for folder in FUNCTIONS if ("UpdateItem", None) in allowed(folder)}

    assert (
        updating == {"record_usage", "record_queued_usage", "take_reported_usage", "correct_usage"} | RECORDING | NOTING
    )


NOTING = {"get_billing", "get_events", "get_invoice_document", "get_invoices", "get_usage"}
"""The functions that only read, and note a person's first request."""


@pytest.mark.parametrize("function", sorted(NOTING))
def test_a_function_that_reads_writes_only_the_mark_of_a_first_request(function: str) -> None:
    """Without ReturnValues the answer of an update shows none of the item (DynamoDB, fine-grained access control)."""
    [conditions] = [
        statement["Condition"]
        for policy in FUNCTIONS[function]["Policies"]
        for statement in policy["Statement"]
        if "dynamodb:UpdateItem" in statement["Action"]
    ]

    assert conditions == {
        "ForAllValues:StringLike": {"dynamodb:Attributes": ["pk", "sk", f"{keys.LOGGED_IN}*", keys.USED_SINCE]},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE"]},
    }


def test_a_cancellation_checks_what_its_charges_follow_from() -> None:
    """The account's version does not guard the subscription, the paid period and the company: others write them."""
    assert ("ConditionCheckItem", None) in allowed("administer_cancellation")


def test_feedback_on_mail_reads_by_queries_only() -> None:
    reads = {action for action, _ in allowed("note_mail_feedback")} & {"GetItem", "BatchGetItem", "Query"}

    assert reads == {"Query"}


def test_the_functions_that_read_the_lists_of_staff() -> None:
    reading = {folder for folder in FUNCTIONS if ("Query", keys.LIST_INDEX) in allowed(folder)}

    assert reading == {
        "administer_autoscaling",
        "administer_cancellation",
        "administer_claims",
        "administer_exchange_rates",
        "administer_reviews",
        "get_invoices",
        "get_reconciliation",
        "import_bank_statements",
        "list_accounts",
    }


# ---- Every service, both ways ------------------------------------------------------------------------

_FORMER = {"secretsmanager:GetSecretValue StripeSecret": "until an operator has split the secret of an earlier release"}
_KEY = {"secretsmanager:GetSecretValue StripeApiSecret": "another function of the same test has read it before"}
_ADMINS = {
    "dynamodb:Query Table": "a refused member is told the admins (tests/architecture/test_template.py asks for it)"
}
_COLLECTION = {"dynamodb:DeleteItem Table": "removes the collection item of an earlier release"}
_WORKERS = ("CheckVatNumber", "CollectPayments", "EndAccount", "IssueInvoices", "ScaleAccount", "WarnExpiringCard")
KEPT: dict[str, dict[str, str]] = {
    "administer_vat_numbers": _ADMINS,
    "advance_test_clock": {
        **{f"lambda:InvokeFunction {each}": "its stand-in here runs the worker in this process" for each in _WORKERS},
        "sqs:ChangeMessageVisibility ClocksUnderWay": "no message of a clock fails here",
    },
    "collect_payments": _FORMER,
    "detach_replaced_methods": {
        **_FORMER,
        **_KEY,
        "dynamodb:PutItem Table": "the first use of a key keeps its account",
    },
    "empty_archive": {
        "s3:GetObjectLegalHold InvoiceArchive/*": "without it S3 leaves the hold out of the answer about a file",
        "s3:GetObjectRetention InvoiceArchive/*": "without it S3 leaves the lock out of the answer about a file",
    },
    "import_bank_statements": {**_FORMER, **_KEY},
    "issue_credit_note": {**_FORMER, **_KEY, **_COLLECTION},
    "note_payment_notice": _FORMER,
    "notify": {"s3:ListBucket Documents": "a document that is not there yet is a 404"},
    "reconcile_books": _FORMER,
    "record_payment": {**_FORMER, **_KEY, **_COLLECTION},
    "take_reported_usage": {"dynamodb:GetItem Table": "usage of an account on a test clock; POST /usage tests it"},
    "update_payment_method": _FORMER,
}
"""Grants that no test of a function uses, by the function's folder, each with its reason."""


AFTER_THE_RECORD = pytest.mark.skipif(
    os.environ.get("LIVELLO_PERMISSIONS") == "write", reason="`make permissions` writes the record at the end"
)


@AFTER_THE_RECORD
def test_a_role_allows_nothing_that_its_function_never_does() -> None:
    """`make permissions` records what all tests use."""
    used = permissions.recorded()
    unused = {
        folder: sorted({str(grant) for grant in grants} - used.get(folder, set()) - set(KEPT.get(folder, {})))
        for folder, grants in permissions.granted().items()
    }

    assert {folder: grants for folder, grants in unused.items() if grants} == {}


@AFTER_THE_RECORD
def test_the_record_and_the_exceptions_are_of_grants_that_exist() -> None:
    granted = {folder: {str(grant) for grant in grants} for folder, grants in permissions.granted().items()}
    gone = {folder: sorted(grants - granted.get(folder, set())) for folder, grants in permissions.recorded().items()}

    assert {folder: grants for folder, grants in gone.items() if grants} == {}, "make permissions"
    assert all(set(grants) <= granted[folder] for folder, grants in KEPT.items())
    assert not any(set(grants) & permissions.recorded().get(folder, set()) for folder, grants in KEPT.items())


@pytest.mark.parametrize(
    ("service", "operation", "given", "actions"),
    [
        ("dynamodb", "GetItem", {"TableName": "t"}, {"dynamodb:GetItem"}),
        ("dynamodb", "Query", {"TableName": "t", "IndexName": "gsi1"}, {"dynamodb:Query"}),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "t"}}]},
            {"dynamodb:PutItem", "dynamodb:ConditionCheckItem"},
        ),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, {"s3:GetObject"}),
        ("s3", "ListObjectVersions", {"Bucket": "b"}, {"s3:ListBucketVersions"}),
        (
            "s3",
            "PutObject",
            {"Bucket": "b", "Key": "k", "ObjectLockMode": "COMPLIANCE"},
            {"s3:PutObject", "s3:PutObjectRetention"},
        ),
        (
            "s3",
            "DeleteObjects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "k", "VersionId": "1"}]}},
            {"s3:DeleteObject", "s3:DeleteObjectVersion"},
        ),
        ("sqs", "SendMessageBatch", {"QueueUrl": "q"}, {"sqs:SendMessage", "sqs:SendMessageBatch"}),
        ("events", "PutEvents", {"Entries": [{"EventBusName": "b"}]}, {"events:PutEvents"}),
        ("ses", "SendRawEmail", {"Source": "a@b.example"}, {"ses:SendRawEmail"}),
        ("secretsmanager", "GetSecretValue", {"SecretId": "s"}, {"secretsmanager:GetSecretValue"}),
        ("cognito-idp", "AdminGetUser", {"UserPoolId": "p"}, {"cognito-idp:AdminGetUser"}),
    ],
)
def test_the_actions_that_a_call_needs(service: str, operation: str, given: dict[str, Any], actions: set[str]) -> None:
    assert {need.action for need in permissions.needs(service, operation, given)} == actions


def test_a_grant_is_of_one_resource_and_of_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_BUCKET", "documents")
    monkeypatch.setenv("QUEUE_URL", "issued")
    read = permissions.Grant("s3:GetObject", "Documents", "accounts/*")
    of_bucket = permissions.Grant("s3:ListBucket", "Documents")

    def fits(grant: permissions.Grant, action: str, name: str, part: str = "") -> bool:
        return permissions.fits(grant, permissions.Need(action, name, part), "render_documents")

    assert fits(read, "s3:GetObject", "documents", "accounts/a/invoice.pdf")
    assert not fits(read, "s3:GetObject", "documents", "downloads/a.zip")
    assert not fits(read, "s3:PutObject", "documents", "accounts/a/invoice.pdf")
    assert not fits(read, "s3:GetObject", "issued", "accounts/a/invoice.pdf"), "another resource"
    assert fits(of_bucket, "s3:ListBucket", "documents")
    assert not fits(of_bucket, "s3:ListBucket", "documents", "accounts/a")


def test_the_function_that_calls_is_found_on_the_stack(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its grants, a request is refused; afterwards nothing is, so this test passes."""
    monkeypatch.setitem(permissions.granted(), "record_usage", set())

    answer(record_usage, request("POST", "/usage", claims=MACHINE, body=cloud_event()))

    refused = set(permissions.REFUSED)
    permissions.REFUSED.clear()
    assert any(each.startswith("record_usage may not dynamodb:UpdateItem on billing-test") for each in refused), refused
