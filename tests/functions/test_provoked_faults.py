"""Faults of one account: a letter that the operator's one command explains and redrives, while the others go on.

Each worker gets two messages in one batch: the sample event of a healthy account, and the same of an account whose
items cannot be read. The queues are moto's, so SQS itself makes the letter.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.platform import workers
from botocore.session import get_session
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from scripts import dead_letters
from tests.aws import REGION, TABLE, stored_items
from tests.company import Company
from tests.template import ROOT, resources

RECEIVES_MAX = 3
"""The deployment's queues try for about a day; these for three deliveries."""
BROKEN = "kaputt-kaffe"
WORKERS = {
    name: event["Properties"]["Queue"]["Fn::GetAtt"].partition(".")[0]
    for name, each in resources().items()
    if each["Type"] == "AWS::Serverless::Function"
    for event in each["Properties"].get("Events", {}).values()
    if event["Type"] == "SQS"
}
"""The workers, with their queues. The publisher of events is in tests/functions/test_events.py."""
FAULTS = [
    *("ScaleAccount", "WarnExpiringCard", "IssueInvoices", "CheckVatNumber", "CollectPayments", "EndAccount"),
    *("DetachReplacedMethods", "NoteMailFeedback", "Notify", "RecordQueuedUsage", "ReconcileBooks"),
]
"""The workers whose account is broken."""
MAIL = {
    "CONFIGURATION_SET": "livello-faults",
    "REPLY_TO_ADDRESS": "support@livello.example",
    "SENDER_ADDRESS": "billing@livello.example",
    "STAFF_ADDRESS": "",
    "VENDOR_NAME": "Livello",
}


class Context(LambdaContext):
    """The context of an invocation."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@dataclass
class Line:
    """A worker between its queue and its dead letters, on moto."""

    function: str
    name: str
    sqs: Any = field(default_factory=lambda: boto3.client("sqs", region_name=REGION))

    def __post_init__(self) -> None:
        folder = resources()[self.function]["Properties"]["CodeUri"].removeprefix("functions/")
        self.handler = importlib.import_module(f"functions.{folder}.app").handler
        self.sample = json.loads((ROOT / "events" / f"{folder}.json").read_text("utf-8"))["Records"][0]["body"]
        self.dead = self.sqs.create_queue(QueueName=f"{self.name}DeadLetters")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES_MAX})
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]

    def put(self, *accounts: str) -> None:
        for account in accounts:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=self.sample.replace("nordlys-kaffe", account))

    def deliver(self) -> list[str]:
        """One batch of all that is visible, as the event source mapping does it. Returns the bodies that failed."""
        messages = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, VisibilityTimeout=0, AttributeNames=["All"]
        ).get("Messages", [])
        if not messages:
            return []
        records = [
            {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
                "attributes": each["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for each in messages
        ]
        answered = self.handler({"Records": records}, Context())["batchItemFailures"]
        failed = {each["itemIdentifier"] for each in answered}
        for each in messages:
            if each["MessageId"] not in failed:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
        return [each["Body"] for each in messages if each["MessageId"] in failed]

    def waiting(self, queue: str) -> int:
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])

    def close(self) -> None:
        ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages.clear()
        for queue in (self.queue, self.dead):
            self.sqs.delete_queue(QueueUrl=queue)


@pytest.fixture(params=FAULTS)
def line(
    request: pytest.FixtureRequest,
    company: Company,
    buckets: Any,
    stripe_account: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Line]:
    line = Line(request.param, WORKERS[request.param])
    for name in ("QUEUE_URL", "WORK_QUEUE_URL"):
        monkeypatch.setenv(name, line.queue)
    ses = boto3.client("ses", region_name=REGION)
    ses.verify_domain_identity(Domain="livello.example")
    if "livello-faults" not in {each["Name"] for each in ses.list_configuration_sets()["ConfigurationSets"]}:
        ses.create_configuration_set(ConfigurationSet={"Name": "livello-faults"})
    for name, value in {"DEAD_LETTERS_URL": line.dead, **MAIL}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(workers, "FIRST_WAIT_SECONDS", 0)
    wiring.forget()
    _list_resources_of(line, monkeypatch)
    yield line
    line.close()
    wiring.forget()


def _list_resources_of(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's command finds the queues by CloudFormation's list of the stack's resources."""
    listed = {
        line.name: ("AWS::SQS::Queue", line.queue),
        f"{line.name}DeadLetters": ("AWS::SQS::Queue", line.dead),
        "Table": ("AWS::DynamoDB::Table", TABLE),
    }
    monkeypatch.setattr(dead_letters, "stack_resources", lambda *_: listed)
    monkeypatch.setattr(dead_letters, "get_session", get_session)
    monkeypatch.setattr(dead_letters, "WAIT_SECONDS", 0)


def break_account(company: Company) -> list[Any]:
    """An account whose items cannot be read. Returns their keys."""
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    copied = []
    for item in table.scan()["Items"]:
        if item["pk"] == f"ACCOUNT#{company.account}":
            key = {"pk": f"ACCOUNT#{BROKEN}", "sk": item["sk"]}
            table.put_item(Item={**key, "body": "{"})
            copied.append(key)
    assert len(copied) > 1
    return copied


def mend(keys: list[Any]) -> None:
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    for key in keys:
        table.delete_item(Key=key)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert dead_letters.main(arguments) == 0
    return capsys.readouterr().out


def test_a_fault_of_one_account_is_a_letter_and_the_others_go_on(
    line: Line, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = break_account(company)
    line.put(BROKEN, company.account)

    [first] = line.deliver()
    assert BROKEN in first, "the healthy account's work is done with the first delivery"
    for _ in range(RECEIVES_MAX + 1):
        line.deliver()
    assert (line.waiting(line.queue), line.waiting(line.dead)) == (0, 1)

    capsys.readouterr()
    listed = run(capsys, "list")
    assert f"{line.name}DeadLetters: 1" in listed
    [about] = [each for each in listed.splitlines() if each.startswith("  ")]
    assert BROKEN in about, "the list says whose letter it is"
    assert BROKEN in run(capsys, "show", about.split()[0])

    mend(broken)
    assert run(capsys, "redrive") == "1 sent again, 0 kept.\n"
    assert line.deliver() == []
    assert (line.waiting(line.queue), line.waiting(line.dead)) == (0, 0)
    assert [item for item in stored_items() if BROKEN in item["pk"]] == [], "nothing was written for it"


@pytest.mark.parametrize("line", sorted(WORKERS), indirect=True)
def test_a_message_that_cannot_be_read_is_delivered_again_until_it_is_a_letter(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    """Notify sets it aside at once: it waits for days before it gives up. So does what reads a product's messages."""
    line.sqs.send_message(QueueUrl=line.queue, MessageBody="{")

    deliveries = 0
    while line.waiting(line.queue) and deliveries <= RECEIVES_MAX:
        line.deliver()
        deliveries += 1

    assert deliveries == (1 if line.function in {"Notify", "TakeReportedUsage"} else RECEIVES_MAX + 1)
    assert (line.waiting(line.queue), line.waiting(line.dead)) == (0, 1)
    capsys.readouterr()
    assert "unreadable" in run(capsys, "list")
