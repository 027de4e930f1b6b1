"""What the test asks of a running stack of either release: its items, files, log-ins, answers, queues and logs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.background import wait_until
from local.cloud import client
from local.stack import Stack

QUIET_SECONDS = 2
QUIET_SECONDS_MAX = 180
"""Before the slow queue of a message that fails: it comes back after its visibility timeout."""

STATEFUL = {
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
    "AWS::Cognito::UserPoolDomain",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SES::EmailIdentity",
    "AWS::SQS::Queue",
}
"""Types of resources that hold data, or whose ids others have written down. An upgrade replaces none of them."""

PLANNERS = ("PlanEnds", "PlanInvoices", "PlanPayments", "PlanAutoscaling", "PlanCardExpiry")

Key = tuple[str, str]
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All data of a stack. `files` are digests by bucket and key, `log_ins` addresses, `resources` physical ids."""

    items: Mapping[Key, Item]
    files: Mapping[Key, str]
    log_ins: frozenset[str]
    resources: Mapping[str, tuple[str, str]]

    def of(self, prefix: str) -> dict[Key, Item]:
        """The items whose sort key begins with the prefix."""
        return {key: item for key, item in self.items.items() if key[1].startswith(prefix)}


def snapshot(stack: Stack) -> Snapshot:
    """Reads everything. About as many calls as there are files."""
    return Snapshot(
        {(item["pk"]["S"], item["sk"]["S"]): item for item in _items(stack)},
        dict(_files(stack)),
        frozenset(_log_ins(stack)),
        resources(stack),
    )


def resources(stack: Stack) -> dict[str, tuple[str, str]]:
    """Type and physical id, by the name in the template."""
    formation = client(stack.settings, "cloudformation")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack.settings.stack)
    return {
        each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
        for page in pages
        for each in page["StackResourceSummaries"]
    }


def _items(stack: Stack) -> Iterator[Item]:
    pages = client(stack.settings, "dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["TableName"])
    for page in pages:
        yield from page["Items"]


def keys_of(stack: Stack) -> list[Key]:
    """The keys of all items."""
    return [(item["pk"]["S"], item["sk"]["S"]) for item in _items(stack)]


def _files(stack: Stack) -> Iterator[tuple[Key, str]]:
    s3 = client(stack.settings, "s3")
    for type_, bucket in resources(stack).values():
        if type_ != "AWS::S3::Bucket":
            continue
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", []):
                content = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
                yield (bucket, each["Key"]), hashlib.sha256(content).hexdigest()


def _log_ins(stack: Stack) -> Iterator[str]:
    cognito = client(stack.settings, "cognito-idp")
    for page in cognito.get_paginator("list_users").paginate(UserPoolId=stack.outputs["UserPoolId"]):
        for user in page["Users"]:
            yield from (each["Value"] for each in user["Attributes"] if each["Name"] == "email")


def answered(stack: Stack, path: str, token: str) -> Any:
    """The JSON of a GET. Raises AssertionError for any status but 200."""
    answer = stack.api.request("GET", f"/v1{path}", token=token)
    assert answer.status == 200, (path, answer.status, answer.body)
    return answer.json()


def listed(stack: Stack, path: str, token: str) -> list[Any]:
    """All pages of a list."""
    found, cursor = [], ""
    while True:
        page = answered(stack, f"{path}?limit=50{cursor}", token)
        found += page["items"]
        if page.get("next_cursor") is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def fire(stack: Stack, planner: str, at: datetime) -> None:
    """Invokes a planner for an instant of the past or the future. An older planner ignores the clock."""
    payload = json.dumps({"time": at.isoformat(), "clock": at.isoformat()})
    reply = client(stack.settings, "lambda").invoke(FunctionName=stack.outputs[f"{planner}Name"], Payload=payload)
    assert "FunctionError" not in reply, (planner, reply["Payload"].read())


def send(stack: Stack, queue: str, account: str, at: datetime) -> None:
    """Sends a planner's message of a replay. An older worker goes by `at`, and ignores the clock."""
    _send(stack, queue, {"account": account, "at": at.isoformat(), "clock": at.isoformat()})


def send_in_first_form(stack: Stack, queue: str, account: str, at: datetime) -> None:
    """Sends a planner's message in the form of the first milestone, which names no clock."""
    _send(stack, queue, {"account": account, "at": at.isoformat()})


def _send(stack: Stack, queue: str, message: Mapping[str, str]) -> None:
    client(stack.settings, "sqs").send_message(QueueUrl=stack.outputs[queue], MessageBody=json.dumps(message))


def waiting(stack: Stack) -> dict[str, int]:
    """The number of messages in each queue of the stack that is not empty, also those being processed."""
    sqs = client(stack.settings, "sqs")
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    found = {}
    for name, (type_, url) in resources(stack).items():
        if type_ == "AWS::SQS::Queue":
            counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            if number := sum(int(counts[each]) for each in names):
                found[name] = number
    return found


def wait_until_quiet(stack: Stack) -> None:
    """Waits until no queue has had a message, and the table no change, for QUIET_SECONDS.

    Raises AssertionError, which names the queues that are not empty after QUIET_SECONDS_MAX.
    """
    last: list[Any] = []

    def is_quiet() -> bool:
        state = [waiting(stack), sorted(json.dumps(each, sort_keys=True) for each in _items(stack))]
        settled = state == last and not state[0]
        last[:] = state
        if not settled:
            time.sleep(QUIET_SECONDS)
        return settled

    assert wait_until(is_quiet, QUIET_SECONDS_MAX), f"messages wait: {last[0]}"


def failures(stack: Stack, since: datetime) -> list[str]:
    """The error lines in the logs of the functions since an instant. Refused requests are no errors."""
    logs = client(stack.settings, "logs")
    groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
    start = int(since.timestamp() * 1000)
    return [
        f"{group}: {event['message']}"
        for group in groups
        for event in logs.filter_log_events(logGroupName=group, startTime=start, limit=10_000)["events"]
        if '"level":"ERROR"' in event["message"] or "Traceback" in event["message"] or "[ERROR]" in event["message"]
    ]
