"""The operator's command for dead letters: list, show, redrive and discard."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from billing.kernel.events import Event
from billing.platform.events.mapping import event_body
from botocore.exceptions import ClientError
from botocore.session import Session, get_session

from local.settings import CLOUD_PORT_VARIABLE
from scripts import dead_letters
from scripts.dead_letters import Operator, main
from scripts.stack import use_local_stack
from tests.aws import REGION, TABLE
from tests.store.samples import sample_event

NOTICE = json.dumps(
    {"detail": {"event": "01M83DRBER6HR1QAESBEGZCQ20", "type": "user.added", "account": "nordlys-kaffe"}}
)
PLANNER = {
    "version": "1.0",
    "timestamp": "2026-11-28T10:04:00.000Z",
    "requestContext": {
        "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
        "functionArn": f"arn:aws:lambda:{REGION}:123456789012:function:livello-PlanEnds-1:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"time": "2026-11-28T10:01:00Z", "detail-type": "Scheduled Event"},
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    "responsePayload": {"errorMessage": "ada@nordlys.example", "errorType": "UpstreamFailed", "stackTrace": []},
}
"""What Lambda sends when an asynchronous invocation has failed for good.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""

STREAM_ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE}/stream/2026-11-23T10:00:00.000"


class Stack:
    """Two queues with their dead-letter queues, the table, and a bus with a queue as its target, on moto."""

    session: Session
    clients: dict[str, Any]
    """The clients of services that moto does not answer for, by the service's name."""

    def __init__(self) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.events: Any = boto3.client("events", region_name=REGION)
        self.urls = {
            name: self.sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in ("DeadLetters", "NoticesDeadLetters", "Heard")
        }
        redrive = json.dumps({"deadLetterTargetArn": self.arn("NoticesDeadLetters"), "maxReceiveCount": 5})
        self.urls["Notices"] = self.sqs.create_queue(QueueName="Notices", Attributes={"RedrivePolicy": redrive})[
            "QueueUrl"
        ]
        self.events.create_event_bus(Name="livello-operator")
        self.events.put_rule(Name="all", EventBusName="livello-operator", EventPattern='{"source": ["livello"]}')
        target = {"Id": "heard", "Arn": self.arn("Heard")}
        self.events.put_targets(Rule="all", EventBusName="livello-operator", Targets=[target])

    def arn(self, name: str) -> str:
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.urls[name], AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])

    def put(self, name: str, body: str, reason: str | None = None, **attributes: str) -> str:
        named = attributes if reason is None else {**attributes, "reason": reason}
        sent = self.sqs.send_message(
            QueueUrl=self.urls[name],
            MessageBody=body,
            MessageAttributes={key: {"DataType": "String", "StringValue": value} for key, value in named.items()},
        )
        return str(sent["MessageId"])

    def waiting(self, name: str) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.urls[name], MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        ).get("Messages", [])
        return received

    def close(self) -> None:
        self.events.remove_targets(Rule="all", EventBusName="livello-operator", Ids=["heard"])
        self.events.delete_rule(Name="all", EventBusName="livello-operator")
        self.events.delete_event_bus(Name="livello-operator")
        for url in self.urls.values():
            self.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def stack(store: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    stack_on_moto = Stack()

    class Formation:
        """CloudFormation's list of the stack's resources, without a deployment."""

        def get_paginator(self, operation: str) -> Formation:
            assert operation == "list_stack_resources"
            return self

        def paginate(self, StackName: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - the API's name
            if StackName != "livello":
                raise ClientError(
                    {"Error": {"Code": "ValidationError", "Message": "There is no such stack"}}, "ListStackResources"
                )
            queues = [
                ("AWS::SQS::Queue", name, stack_on_moto.urls[name])
                for name in ("DeadLetters", "Notices", "NoticesDeadLetters")
            ]
            others = [
                ("AWS::DynamoDB::Table", "Table", TABLE),
                ("AWS::Events::EventBus", "Bus", "livello-operator"),
                ("AWS::Lambda::Function", "PlanEnds", "livello-PlanEnds-1"),
            ]
            for part in (queues, others):
                yield {
                    "StackResourceSummaries": [
                        {"ResourceType": kind, "LogicalResourceId": name, "PhysicalResourceId": physical}
                        for kind, name, physical in part
                    ]
                }

    session = get_session()
    create = session.create_client
    replaced: dict[str, Any] = {"cloudformation": Formation()}
    monkeypatch.setattr(session, "create_client", lambda name: replaced.get(name) or create(name))
    stack_on_moto.session, stack_on_moto.clients = session, replaced
    monkeypatch.setattr(dead_letters, "get_session", lambda: session)
    monkeypatch.setattr(dead_letters, "WAIT_SECONDS", 0)
    yield stack_on_moto
    stack_on_moto.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(arguments)
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_list_shows_each_message_with_its_reason_and_leaves_it_in_its_queue(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    unwritable = stack.put("NoticesDeadLetters", NOTICE, "It cannot be written: KeyError.")
    stack.put("NoticesDeadLetters", NOTICE)

    for _ in range(2):
        status, printed = run(capsys, "list")

    assert status == 0
    assert "DeadLetters: nothing" in printed
    assert "NoticesDeadLetters: 2" in printed
    assert f"{unwritable}  " in printed
    assert "user.added 01M83DRBER6HR1QAESBEGZCQ20 of nordlys-kaffe  It cannot be written: KeyError." in printed
    assert "It was tried too often." in printed
    assert len(stack.waiting("NoticesDeadLetters")) == 2


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ("no JSON", "unreadable"),
        ("[1]", "unreadable"),
        ('{"record": "1", "pk": "ACCOUNT#a", "sk": "EVENT#1"}', "record ACCOUNT#a EVENT#1"),
        ('{"eventType": "Bounce", "mail": {"messageId": "m-1"}}', "Bounce of mail m-1"),
        ('{"account": "a", "at": "2026-11-23T10:00:00Z"}', "work due at 2026-11-23T10:00:00Z of a"),
        (
            '{"eventType": "Bounce", "mail": {"messageId": "m-1", "tags": {"livello-account": ["a"]}}}',
            "Bounce of mail m-1 of a",
        ),
        ('{"notice": "evt_1", "type": "setup_intent.succeeded"}', "setup_intent.succeeded evt_1 of Stripe"),
        ('{"DDBStreamBatchInfo": {"batchSize": 3, "startSequenceNumber": "7"}}', "3 records of the stream from 7"),
    ],
)
def test_a_line_of_the_list_names_the_subject_of_the_message(
    body: str, about: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put("DeadLetters", body)

    assert about in run(capsys, "list")[1]


def test_show_prints_the_whole_message_and_the_query_for_its_log_lines(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = stack.put("NoticesDeadLetters", NOTICE, "Why")

    status, printed = run(capsys, "show", letter)

    assert status == 0
    assert '"account": "nordlys-kaffe"' in printed
    assert "filter event = '01M83DRBER6HR1QAESBEGZCQ20'" in printed
    assert len(stack.waiting("NoticesDeadLetters")) == 1


class Lambda:
    """A client of Lambda that notes its invocations."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, Any]] = []

    def invoke(self, **given: Any) -> dict[str, int]:
        self.invoked.append(given)
        return {"StatusCode": 202}


def test_a_planner_that_failed_is_listed_without_its_message_and_invoked_again(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.clients["lambda"] = functions = Lambda()
    letter = stack.put("DeadLetters", json.dumps(PLANNER))

    listed, shown = run(capsys, "list")[1], run(capsys, "show", letter)[1]
    status, printed = run(capsys, "redrive")

    assert "planner livello-PlanEnds-1 at 2026-11-28T10:01:00Z  It raised UpstreamFailed." in listed
    assert "ada@" not in listed
    assert "filter @requestId = 'e4b46cbf-b738-xmpl-8880-a18cdf61200e'" in shown
    assert (status, printed) == (0, "1 sent again, 0 kept.\n")
    [invoked] = functions.invoked
    assert (invoked["FunctionName"], invoked["InvocationType"]) == ("livello-PlanEnds-1", "Event")
    assert json.loads(invoked["Payload"]) == PLANNER["requestPayload"]
    assert stack.waiting("DeadLetters") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"requestContext": {"functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:of-another-stack"}},
        {"requestPayload": "no event"},
    ],
)
def test_a_function_of_another_stack_is_never_invoked(
    changed: dict[str, Any], stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.clients["lambda"] = functions = Lambda()
    stack.put("DeadLetters", json.dumps({**PLANNER, **changed}))

    _, printed = run(capsys, "redrive")

    assert "0 sent again, 1 kept." in printed
    assert functions.invoked == []


def test_redrive_sends_a_message_to_its_source_queue(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put("NoticesDeadLetters", NOTICE, "Why", trace="1-2")

    status, printed = run(capsys, "redrive")

    assert (status, printed) == (0, "1 sent again, 0 kept.\n")
    [message] = stack.waiting("Notices")
    assert message["Body"] == NOTICE
    assert {name: each["StringValue"] for name, each in message["MessageAttributes"].items()} == {"trace": "1-2"}
    assert stack.waiting("NoticesDeadLetters") == []


def test_redrive_can_be_limited_to_one_id_one_queue_or_a_number(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    first = stack.put("NoticesDeadLetters", NOTICE)
    stack.put("NoticesDeadLetters", NOTICE)
    stack.put("DeadLetters", "{}")

    assert run(capsys, "redrive", "--id", first)[1].startswith("1 sent")
    assert run(capsys, "redrive", "--queue", "NoticesDeadLetters", "--max", "0")[1].startswith("0 sent")
    assert (len(stack.waiting("NoticesDeadLetters")), len(stack.waiting("Notices"))) == (1, 1)


def test_a_redrive_that_is_cut_off_duplicates_a_message_and_never_loses_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutOff(Exception):
        pass

    def cut(*_: object) -> None:
        raise CutOff

    stack.put("NoticesDeadLetters", NOTICE)
    operator = Operator("livello", stack.session)
    monkeypatch.setattr(operator, "discard", cut)
    [letter] = [each for queue in operator.queues() for each in operator.letters(queue)]

    with pytest.raises(CutOff):
        operator.redrive(letter)

    operator.release([letter])
    assert (len(stack.waiting("NoticesDeadLetters")), len(stack.waiting("Notices"))) == (1, 1)


def stored(body: str, event: Event | None = None) -> dict[str, str]:
    """An event's item in the table."""
    keys = {"pk": "ACCOUNT#nordlys-kaffe", "sk": f"EVENT#{(event or sample_event()).id}"}
    boto3.resource("dynamodb", region_name=REGION).Table(TABLE).put_item(Item={**keys, "body": body})
    return keys


def test_redrive_publishes_an_event_that_has_become_readable(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    event = sample_event()
    stack.put("DeadLetters", json.dumps({"record": "1", **stored(event_body(event))}), "KeyError")

    assert run(capsys, "redrive")[1] == "1 sent again, 0 kept.\n"

    [heard] = stack.waiting("Heard")
    assert json.loads(heard["Body"])["detail"]["event"] == event.id
    assert stack.waiting("DeadLetters") == []


@pytest.mark.parametrize("body", ["{", "{}"])
def test_an_event_that_is_still_unreadable_stays_in_its_queue(
    body: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put("DeadLetters", json.dumps({"record": "1", **stored(body)}), "KeyError")

    status, printed = run(capsys, "redrive")

    assert status == 0
    assert "still cannot be read" in printed
    assert "0 sent again, 1 kept." in printed
    assert len(stack.waiting("DeadLetters")) == 1
    assert stack.waiting("Heard") == []


def test_redrive_reports_an_event_that_is_no_longer_in_the_table(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put("DeadLetters", '{"record": "1", "pk": "ACCOUNT#gone", "sk": "EVENT#1"}')

    assert "is not in the table any more" in run(capsys, "redrive")[1]
    assert len(stack.waiting("DeadLetters")) == 1


class Streams:
    """The stream of the table: pages of records. The last record follows the batch."""

    def __init__(self, forgotten: str | None = None) -> None:
        self.events = [sample_event(second) for second in range(3)]
        self.forgotten = forgotten
        """The error code of an answer that the records are too old."""
        first, second, third = self.events
        self.pages = [
            [record(100, first), record(101, None)],
            [],  # a stretch of the shard without records
            [record(102, second), record(103, third)],
        ]

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        assert asked["SequenceNumber"] == "100"
        return {"ShardIterator": "0"}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:  # noqa: N803 - the API's name
        if self.forgotten:
            raise ClientError({"Error": {"Code": self.forgotten, "Message": ""}}, "GetRecords")
        page = int(ShardIterator)
        following = {"NextShardIterator": str(page + 1)} if page + 1 < len(self.pages) else {}
        return {"Records": self.pages[page], **following}


def record(number: int, event: Event | None, body: str | None = None) -> dict[str, Any]:
    """A record of the stream: an event's item, or another item."""
    keys = {"pk": {"S": "ACCOUNT#nordlys-kaffe"}, "sk": {"S": f"EVENT#{event.id}" if event else "PAGE#ACCOUNT"}}
    image = {**keys, "body": {"S": body or (event_body(event) if event else "{}")}}
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "Keys": keys, "NewImage": image}}


BATCH = json.dumps(
    {
        "DDBStreamBatchInfo": {
            "streamArn": STREAM_ARN,
            "shardId": "shardId-1",
            "startSequenceNumber": "100",
            "endSequenceNumber": "102",
            "batchSize": 3,
            "approximateArrivalOfFirstRecord": "2026-11-23T10:00:00Z",
            "approximateArrivalOfLastRecord": "2026-11-23T10:01:00Z",
        }
    }
)


def test_redrive_reads_a_batch_from_the_stream_again_and_publishes_its_events(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = Streams()
    stack.clients["dynamodbstreams"] = streams
    stack.put("DeadLetters", BATCH)

    assert run(capsys, "redrive")[1] == "1 sent again, 0 kept.\n"

    heard = {json.loads(each["Body"])["detail"]["event"] for each in stack.waiting("Heard")}
    assert heard == {event.id for event in streams.events[:2]}


@pytest.mark.parametrize("answer", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_a_batch_that_the_stream_no_longer_has_stays_and_its_times_are_printed(
    answer: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.clients["dynamodbstreams"] = Streams(forgotten=answer)
    stack.put("DeadLetters", BATCH)

    status, printed = run(capsys, "redrive")

    assert status == 0
    assert "the stream has forgotten these records" in printed
    assert "from 2026-11-23T10:00:00Z to 2026-11-23T10:01:00Z" in printed
    assert len(stack.waiting("DeadLetters")) == 1


def test_an_incomplete_batch_stays_and_none_of_it_is_published(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = Streams()
    streams.pages = streams.pages[:2]
    stack.clients["dynamodbstreams"] = streams
    stack.put("DeadLetters", BATCH)

    assert "did not give all records up to 102" in run(capsys, "redrive")[1]
    assert len(stack.waiting("DeadLetters")) == 1
    assert stack.waiting("Heard") == []


def test_an_event_of_a_batch_is_read_from_the_table_after_it_was_mended_there(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = Streams()
    streams.pages[0][0] = record(100, streams.events[0], body="{")
    stack.clients["dynamodbstreams"] = streams
    stack.put("DeadLetters", BATCH)

    keys = stored("{", streams.events[0])
    assert "still cannot be read" in run(capsys, "redrive")[1]
    assert stack.waiting("Heard") == []

    assert stored(event_body(streams.events[0]), streams.events[0]) == keys
    assert run(capsys, "redrive")[1].startswith("1 sent")
    heard = {json.loads(each["Body"])["detail"]["event"] for each in stack.waiting("Heard")}
    assert heard == {event.id for event in streams.events[:2]}


@pytest.mark.parametrize(
    "body", ['{"record": "1"}', '{"record": "1", "pk": null, "sk": 1}', '{"DDBStreamBatchInfo": {}}']
)
def test_a_malformed_message_does_not_stop_the_redrive_of_others(
    body: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put("DeadLetters", body)
    stack.put("NoticesDeadLetters", NOTICE)

    assert "1 sent again, 1 kept." in run(capsys, "redrive")[1]
    assert (len(stack.waiting("DeadLetters")), len(stack.waiting("Notices"))) == (1, 1)


def test_a_bus_that_does_not_answer_is_reported_in_one_line(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bus:
        def put_events(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "No"}}, "PutEvents")

    event = sample_event()
    stack.put("DeadLetters", json.dumps({"record": "1", **stored(event_body(event))}))
    stack.clients["events"] = Bus()
    monkeypatch.setattr(dead_letters, "PEEK_SECONDS", 1)

    assert run(capsys, "redrive", "--queue", "DeadLetters") == (1, "The event bus did not answer.\n")
    visible = {"QueueUrl": stack.urls["DeadLetters"], "WaitTimeSeconds": 3}
    assert len(stack.sqs.receive_message(**visible)["Messages"]) == 1


def test_a_message_that_is_no_json_is_shown_unchanged(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    letter = stack.put("DeadLetters", "put here by hand")

    assert "put here by hand" in run(capsys, "show", letter)[1]


def test_local_ignores_endpoints_in_the_environment(stack: Stack) -> None:
    elsewhere = {"AWS_ENDPOINT_URL_SQS": "https://elsewhere.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    with patch.dict(os.environ, {**elsewhere, CLOUD_PORT_VARIABLE: "4999"}):
        use_local_stack()
        address = Session().create_client("sqs").meta.endpoint_url

    assert address == "http://127.0.0.1:4999"


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--local", "--stack", "other"],
        ["--local", "--stack", "other", "list"],
        ["--stack", "other", "list", "--local"],
        ["--local", "list", "--stack", "other"],
        ["--stack", "livello", "--local", "list", "--stack=other"],
    ],
)
def test_stack_and_local_are_taken_before_and_after_the_command(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    chosen: list[str] = []

    def operator(name: str, session: Session) -> Operator:
        chosen.append(name)
        return Operator("livello", session)

    monkeypatch.setattr(dead_letters, "use_local_stack", lambda: chosen.append("local"))
    monkeypatch.setattr(dead_letters, "Operator", operator)

    assert main(arguments) == 0
    assert chosen == ["local", "other"]


def test_discard_needs_a_confirmation(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    letter = stack.put("DeadLetters", "no message of ours")

    assert "can only be discarded" in run(capsys, "redrive")[1]
    status, printed = run(capsys, "discard", letter)
    assert status == 1
    assert "--yes" in printed
    assert len(stack.waiting("DeadLetters")) == 1

    assert run(capsys, "discard", letter, "--yes") == (0, "Discarded.\n")
    assert stack.waiting("DeadLetters") == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("show", "nobody"), "There is no dead letter nobody."),
        (("discard", "nobody", "--yes"), "There is no dead letter nobody."),
        (("redrive", "--id", "nobody"), "There is no dead letter nobody."),
        (("redrive", "--queue", "Notices"), "There is no queue Notices. There are DeadLetters, NoticesDeadLetters."),
        (("--stack", "other", "list"), "There is no such stack"),
    ],
)
def test_a_failure_is_reported_in_one_line(
    arguments: tuple[str, ...], error: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = run(capsys, *arguments)

    assert status == 1
    assert error in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("body", ['{"detail": "text"}', '{"detail": null}', '{"sk": 7}'])
def test_a_message_of_any_form_is_shown(body: str, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    letter = stack.put("NoticesDeadLetters", body)

    status, printed = run(capsys, "show", letter)

    assert status == 0
    assert "Traceback" not in printed


def test_a_batch_without_sequence_numbers_does_not_stop_the_redrive_of_others(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put("DeadLetters", BATCH.replace('"102"', '"soon"'))
    stack.put("NoticesDeadLetters", NOTICE)

    assert "1 sent again, 1 kept." in run(capsys, "redrive")[1]


def test_list_counts_messages_that_another_consumer_holds(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put("NoticesDeadLetters", NOTICE)
    stack.sqs.receive_message(QueueUrl=stack.urls["NoticesDeadLetters"], VisibilityTimeout=60)

    assert "NoticesDeadLetters: nothing, and 1 that another consumer holds" in run(capsys, "list")[1]


def test_max_must_be_a_number(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put("NoticesDeadLetters", NOTICE)

    with pytest.raises(SystemExit):
        run(capsys, "redrive", "--max", "-1")

    assert len(stack.waiting("NoticesDeadLetters")) == 1
