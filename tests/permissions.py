"""What each function does at AWS, recorded over all tests, against what its role allows.

Each call of botocore is attributed to the function whose handler is on the stack. A call that the function's role does
not allow fails its test, because neither moto nor the emulated AWS checks it. The grants that were used are in
permissions.json, which `make permissions` writes. tests/functions/test_policies.py finds grants in template.yaml that
no test uses.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import botocore.signers
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.template import ROOT, resources

FILE = Path(__file__).parent / "permissions.json"
HANDLERS = f"{ROOT / 'functions'}{os.sep}"
PACKAGE = f"{ROOT / 'layers' / 'shared' / 'billing'}{os.sep}"
TESTS = f"{ROOT / 'tests'}{os.sep}"
RESOLVER, WORKERS = f"{PACKAGE}platform/http/resolver.py", f"{PACKAGE}platform/workers.py"
WRITTEN_IN = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
S3_ACTIONS = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
"""Operations whose action has another name (Service Authorization Reference, Amazon S3)."""
NAMES = ("TableName", "Bucket", "QueueUrl", "SecretId", "UserPoolId")
"""The parameters that name the resource of a call."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """An action on a resource of template.yaml, and what of it: an index, or a pattern of keys. "*" is any resource."""

    action: str
    resource: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.resource}{f'/{self.part}' if self.part else ''}"


@dataclass(frozen=True, slots=True)
class Need:
    """An action that a call needs: `name` is the resource's name at AWS, None if the call has none."""

    action: str
    name: str | None
    part: str = ""


USED: dict[str, set[Grant]] = {}
"""The grants that calls have used since the process began, by the function's folder."""
REFUSED: list[str] = []
"""The calls that no grant allowed, since the current test began."""


def grants_of_resource(action: str, resource: Any) -> Iterator[Grant]:
    """The grants of an action on a statement's resource."""
    if isinstance(resource, list):
        for each in resource:
            yield from grants_of_resource(action, each)
    elif resource == "*":
        yield Grant(action, "*")
    elif "Fn::If" in resource:
        yield from grants_of_resource(action, resource["Fn::If"][1])
    elif "Fn::GetAtt" in resource:
        yield Grant(action, resource["Fn::GetAtt"].partition(".")[0])
    elif str(resource["Fn::Sub"]).startswith("${"):
        place, _, part = resource["Fn::Sub"].partition("}")
        yield Grant(action, place[2:].partition(".")[0], part.lstrip("/").removeprefix("index/"))
    else:  # the ARN of something that has no resource here, such as an identity of SES
        yield Grant(action, "*")


@cache
def granted() -> dict[str, set[Grant]]:
    """What the roles allow, by the function's folder: functions with the same code are one."""
    found: dict[str, set[Grant]] = {}
    roles: dict[str, str] = {}
    statements: list[tuple[str, Any]] = []
    for name, each in resources().items():
        properties = each.get("Properties", {})
        if each["Type"] == "AWS::Serverless::Function":
            folder = properties["CodeUri"].removeprefix("functions/")
            found.setdefault(folder, set())
            roles[f"{name}Role"] = folder
            statements += [(folder, part) for policy in properties.get("Policies", []) for part in policy["Statement"]]
    for each in resources().values():
        if each["Type"] == "AWS::IAM::Policy":
            properties = each["Properties"]
            for role in properties["Roles"]:
                statements += [(roles[role["Ref"]], part) for part in properties["PolicyDocument"]["Statement"]]
    for folder, statement in statements:
        part = statement["Fn::If"][1] if "Fn::If" in statement else statement
        for action in part["Action"]:
            found[folder].update(grants_of_resource(action, part["Resource"]))
    return found


@cache
def variables() -> dict[str, dict[str, set[str]]]:
    """The resources that each variable of a function names, by the function's folder."""
    found: dict[str, dict[str, set[str]]] = {}
    for each in resources().values():
        if each["Type"] == "AWS::Serverless::Function":
            folder = each["Properties"]["CodeUri"].removeprefix("functions/")
            named = {"TABLE_NAME": {"Ref": "Table"}, **each["Properties"].get("Environment", {}).get("Variables", {})}
            for variable, value in named.items():
                found.setdefault(folder, {}).setdefault(variable, set()).update(_named(value))
    return found


def _named(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for each in value for name in _named(each)}
    if not isinstance(value, dict):
        return set()
    return {str(each).partition(".")[0] for key, each in value.items() if key in {"Ref", "Fn::GetAtt"}} | {
        name for key, each in value.items() if key == "Fn::If" for name in _named(each[1:])
    }


def needs(service: str, operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    """What a call needs."""
    name = next((given[each] for each in NAMES if each in given), None)
    if operation == "TransactWriteItems":
        for write in given["TransactItems"]:
            for kind, parameters in write.items():
                yield Need(f"dynamodb:{WRITTEN_IN[kind]}", parameters["TableName"])
    elif operation == "BatchGetItem":
        yield from (Need("dynamodb:BatchGetItem", table) for table in given["RequestItems"])
    elif service == "dynamodb":
        yield Need(f"dynamodb:{operation}", name, given.get("IndexName") or "")
    elif service == "s3":
        yield from _needs_of_s3(operation, given)
    elif service == "events":
        yield from (Need("events:PutEvents", each["EventBusName"]) for each in given["Entries"])
    elif operation == "SendMessageBatch":
        # AWS checks the first permission for a batch, and the emulator the second.
        yield from (Need(f"sqs:{each}", name) for each in ("SendMessage", "SendMessageBatch"))
    else:
        yield Need(f"{service}:{operation}", name)


def _needs_of_s3(operation: str, given: Mapping[str, Any]) -> Iterator[Need]:
    bucket, key = given["Bucket"], given.get("Key", "")
    if operation == "DeleteObjects":
        # "You must always specify the s3:DeleteObject permission", also for versions (API reference, DeleteObjects).
        for each in given["Delete"]["Objects"]:
            yield Need("s3:DeleteObject", bucket, each["Key"])
            if "VersionId" in each:
                yield Need("s3:DeleteObjectVersion", bucket, each["Key"])
        return
    if operation == "DeleteObject" and "VersionId" in given:
        operation = "DeleteObjectVersion"
    if operation in {"GetObject", "HeadObject"} and "VersionId" in given:
        # "The s3:GetObject permission is not required in this scenario" (API reference, GetObject).
        operation = "GetObjectVersion"
    yield Need(f"s3:{S3_ACTIONS.get(operation, operation)}", bucket, key)
    if "ObjectLockMode" in given:
        yield Need("s3:PutObjectRetention", bucket, key)


def fits(grant: Grant, need: Need, folder: str) -> bool:
    """Whether a grant allows what a call needs. A resource is known by the variable with its name."""
    if grant.action != need.action:
        return False
    if grant.resource == "*":
        return True
    if not (fnmatchcase(need.part, grant.part) if grant.part else not need.part):
        return False
    named = {variable for variable in variables()[folder] if os.environ.get(variable) == need.name}
    return not named or any(grant.resource in variables()[folder][variable] for variable in named)


def note(service: str, operation: str, given: Mapping[str, Any]) -> None:
    """Notes the grants that a call of a function uses, or that it is refused."""
    folder = _calling()
    if folder is None:
        return
    for need in needs(service, operation, given):
        fitting = {grant for grant in granted()[folder] if fits(grant, need, folder)}
        if not fitting:
            REFUSED.append(f"{folder} may not {need.action} on {need.name} {need.part}".rstrip())
        USED.setdefault(folder, set()).update(fitting)


def _calling() -> str | None:
    """The folder of the function that makes a call; None for a call of a test.

    A test may run a command of its own in the middle of a function's work: what it calls is not the function's.
    """
    frame: Any = sys._getframe()
    in_package = False
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE):
            in_package = True
        elif file.startswith(TESTS) and in_package:
            return None
        folder = _folder_of(frame)
        if folder is not None:
            return folder
        frame = frame.f_back
    return None


def _folder_of(frame: Any) -> str | None:
    """The folder of the function that a frame belongs to, also if it is that of its handler's frame in the layer."""
    file: str = frame.f_code.co_filename
    if file == RESOLVER and frame.f_code.co_name == "handler":
        api = frame.f_locals["api"]
        file = next((route.func.__code__.co_filename for route in (*api._static_routes, *api._dynamic_routes)), "")
    elif file == WORKERS and "process" in frame.f_locals:
        process = frame.f_locals["process"]
        file = getattr(process, "func", process).__code__.co_filename
    return file[len(HANDLERS) :].partition(os.sep)[0] if file.startswith(HANDLERS) else None


# ---- The hooks of pytest -----------------------------------------------------------------------------


def watch() -> None:
    """Notes every call from now on. Called once, before any client is made."""
    send, sign = BaseClient._make_api_call, botocore.signers.generate_presigned_url  # type: ignore[attr-defined]

    def noting(client: Any, operation: str, parameters: Any) -> Any:
        service = client.meta.service_model.signing_name
        note(service, operation, parameters)
        try:
            return send(client, operation, parameters)
        except ClientError as failure:
            if service == "s3" and failure.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                # Without this permission S3 answers 403 for a file that does not exist (API reference, GetObject).
                note("s3", "ListBucket", {"Bucket": parameters["Bucket"]})
            raise

    def noting_link(client: Any, ClientMethod: str, Params: Any = None, **others: Any) -> Any:  # noqa: N803
        # A presigned link opens only what its signer may do.
        note("s3", client.meta.method_to_api_mapping[ClientMethod], Params)
        return sign(client, ClientMethod, Params, **others)

    BaseClient._make_api_call = noting  # type: ignore[attr-defined]
    setattr(botocore.signers, "generate_presigned_url", noting_link)  # noqa: B010 - mypy knows another signature


@pytest.fixture(autouse=True)
def allowed_by_the_roles() -> Iterator[None]:
    """Fails a test in which a function has called what its role does not allow."""
    REFUSED.clear()
    yield
    refused = sorted(set(REFUSED))
    assert not refused, f"template.yaml: {refused}"


def recorded() -> dict[str, set[str]]:
    """The grants that the last `make permissions` has seen in use, by the function's folder."""
    return {folder: set(grants) for folder, grants in json.loads(FILE.read_text("utf-8")).items()}


def pytest_sessionfinish() -> None:
    """`make permissions` writes down what was used."""
    if os.environ.get("LIVELLO_PERMISSIONS") == "write":
        seen = {folder: sorted(map(str, grants)) for folder, grants in sorted(USED.items())}
        FILE.write_text(f"{json.dumps(seen, indent=2)}\n", "utf-8")
