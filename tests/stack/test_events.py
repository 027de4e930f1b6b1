"""From a change to the vendor's own systems: table, stream, publisher, bus, and a rule of the vendor's own."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from billing.correspondence.event_kinds import SCHEMA_OF

from local.cloud import client
from local.demo.companies import COMPANIES
from local.stack import Stack

COMPANY = COMPANIES[0]
CONTACT = f"/v1/accounts/{COMPANY.account}/billing-information/contact"
EVENTS = f"/v1/accounts/{COMPANY.account}/events"
SECONDS_MAX = 30

Received = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def received(stack: Stack) -> Iterator[Received]:
    """A vendor's queue behind a rule on the bus. Returns a function that waits for the messages with an event's id."""
    events, sqs = client(stack.settings, "events"), client(stack.settings, "sqs")
    name, bus = f"vendor-{uuid.uuid4().hex[:8]}", stack.outputs["EventBusName"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["livello"]}')["RuleArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    messages: list[dict[str, Any]] = []

    def of(event: str) -> list[dict[str, Any]]:
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                messages.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            of_event = [each for each in messages if each["detail"]["event"] == event]
            if of_event:
                return of_event
        return []

    yield of
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def change_contact(stack: Stack, name: str) -> dict[str, Any]:
    """Changes the contact's name. Returns the event of the change from the audit log."""
    token = stack.admin_token(COMPANY)
    before = stack.api.request("GET", CONTACT, token=token)
    changed = stack.api.request(
        "PUT",
        CONTACT,
        token=token,
        body={**before.json(), "name": name},
        headers={"If-Match": before.headers["ETag"]},
    )
    assert changed.status == 200, changed
    newest: dict[str, Any] = stack.api.request("GET", f"{EVENTS}?limit=1", token=token).json()["items"][0]
    assert newest["before"]["details"] == before.json()
    assert newest["after"]["details"] == changed.json()
    return newest


def test_a_change_reaches_the_vendors_own_systems_once(stack: Stack, received: Received) -> None:
    event = change_contact(stack, f"Contact {uuid.uuid4().hex[:8]}")

    [arrived] = received(event["event"])

    assert arrived["detail-type"] == "billing_information.changed"
    assert SCHEMA_OF[arrived["detail-type"]].model_validate(arrived["detail"]).model_dump(mode="json") == event


def test_the_events_of_an_account_arrive_in_order(stack: Stack, received: Received) -> None:
    made = [change_contact(stack, f"Contact {number} {uuid.uuid4().hex[:8]}") for number in range(5)]

    arrived = [received(event["event"])[0]["detail"] for event in made]

    assert [each["event"] for each in arrived] == [event["event"] for event in made]


def test_the_audit_log_is_for_admins_and_staff(stack: Stack) -> None:
    statuses = [
        stack.api.request("GET", EVENTS, token=token).status
        for token in (stack.admin_token(COMPANY), stack.staff_token(), stack.member_token(COMPANY))
    ]

    assert statuses == [200, 200, 403]
    whole = stack.api.request("GET", f"{EVENTS}?limit=100", token=stack.staff_token()).json()["items"]
    assert whole[-1]["type"] == "account.provisioned"
    assert [each["event"] for each in whole] == sorted((each["event"] for each in whole), reverse=True)


def test_an_invocation_with_a_bad_record_publishes_the_others(stack: Stack, received: Received) -> None:
    functions = client(stack.settings, "lambda")
    [publish] = [
        each["FunctionName"]
        for each in functions.list_functions()["Functions"]
        if "PublishEvents" in each["FunctionName"]
    ]
    event = {**change_contact(stack, f"Contact {uuid.uuid4().hex[:8]}"), "event": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    good = {"eventID": "2", "dynamodb": {"Keys": {}, "NewImage": {"body": {"S": json.dumps(event)}}}}
    bad = {"eventID": "1", "dynamodb": {"Keys": {"pk": {"S": "ACCOUNT#bad"}}, "NewImage": {"body": {"S": "{"}}}}

    functions.invoke(FunctionName=publish, Payload=json.dumps({"Records": [bad, good]}))

    assert len(received(event["event"])) == 1
    sqs = client(stack.settings, "sqs")
    letters = sqs.receive_message(QueueUrl=stack.outputs["DeadLettersUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=2)[
        "Messages"
    ]
    assert [json.loads(letter["Body"])["pk"] for letter in letters] == ["ACCOUNT#bad"]
    sqs.delete_message(QueueUrl=stack.outputs["DeadLettersUrl"], ReceiptHandle=letters[0]["ReceiptHandle"])
