"""The queue for usage: a product on AWS sends the events of POST /usage. They are judged and counted as there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.errors import ConcurrentChange
from billing.usage.records import UsageStore

from functions.take_reported_usage import app
from tests.api_gateway import NOW
from tests.aws import REGION, stored_items
from tests.company import Company
from tests.template import ROOT, resources
from tests.usage import cloud_event, totals

NAMES = {"QUEUE_URL": "reported", "DEAD_LETTERS_URL": "reported-letters", "USAGE_BACKLOG_URL": "usage-backlog"}


class Clock:
    """Reads the instant of all tests."""

    @staticmethod
    def now(_: object) -> Any:
        return NOW


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture(autouse=True)
def queues(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The URLs of the function's queues, on moto."""
    sqs = boto3.client("sqs", region_name=REGION)
    urls = {name: sqs.create_queue(QueueName=queue)["QueueUrl"] for name, queue in NAMES.items()}
    for name, value in {**urls, "USAGE_REPORTED_WITHIN_DAYS": "35"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app, "datetime", Clock)
    wiring.forget()
    yield urls
    for url in urls.values():
        sqs.delete_queue(QueueUrl=url)


def taken(body: Any, sent: datetime = NOW) -> list[str]:
    """The ids of the messages that SQS delivers again, after one with this body."""
    event = json.loads((ROOT / "events" / "take_reported_usage.json").read_text(encoding="utf-8"))
    event["Records"][0]["body"] = body if isinstance(body, str) else json.dumps(body)
    event["Records"][0]["attributes"]["SentTimestamp"] = str(int(sent.timestamp() * 1000))
    failures = app.handler(event, Context())["batchItemFailures"]
    return [str(each["itemIdentifier"]) for each in failures]


def received(url: str) -> list[tuple[str, str | None]]:
    """The messages of a queue, each with the reason that it names."""
    sqs = boto3.client("sqs", region_name=REGION)
    found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10).get("Messages", [])
    return [(each["Body"], each.get("MessageAttributes", {}).get("reason", {}).get("StringValue")) for each in found]


def test_an_event_and_a_batch_are_counted_once(queues: dict[str, str]) -> None:
    for body in (cloud_event("1"), [cloud_event("1"), cloud_event("2", quantity="0.5")], []):
        assert taken(body) == []

    assert totals()["search"] == {NOW.date(): Decimal("1.5")}
    assert received(queues["DEAD_LETTERS_URL"]) == []


def test_an_event_without_a_time_happened_when_it_was_sent(queues: dict[str, str]) -> None:
    """However long it waits in the queue. The clock of SQS may be ahead of ours."""
    untimed = {name: value for name, value in cloud_event("1").items() if name != "time"}

    for body, sent in (
        (untimed, NOW - timedelta(days=2)),
        ([untimed, {**untimed, "id": "2"}], NOW - timedelta(days=1)),
        ({**untimed, "id": "3"}, NOW + timedelta(hours=1)),
        (cloud_event("4"), NOW - timedelta(days=3)),
    ):
        assert taken(body, sent) == []

    today = NOW.date()
    assert totals()["search"] == {
        today - timedelta(days=2): Decimal(1),
        today - timedelta(days=1): Decimal(1),
        today: Decimal(2),
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([cloud_event("1"), cloud_event("2", quantity=-1)], "1 of 2 events are not counted: too-small 1."),
        ([cloud_event("1"), cloud_event("2", store="x")], "1 of 2 events are not counted: unknown 1."),
        ([cloud_event("1"), cloud_event("1", quantity=2)], "1 of 2 events are not counted: conflict 1."),
        ([cloud_event("1"), cloud_event("2", time=NOW - timedelta(days=36))], "too-early 1"),
        (cloud_event("2", quantity=-1), "1 of 1 events are not counted: too-small 1."),
        ("{", "The body is not JSON."),
        ([cloud_event("1")] * 1001, "A batch has at most 1,000 events"),
    ],
    ids=["form", "rule", "conflict", "too early", "single", "no JSON", "too many"],
)
def test_a_message_with_an_event_that_is_not_counted_is_a_dead_letter(
    body: Any, reason: str, queues: dict[str, str]
) -> None:
    assert taken(body) == []

    [(letter, said)] = received(queues["DEAD_LETTERS_URL"])
    assert letter == (body if isinstance(body, str) else json.dumps(body))
    assert reason in str(said)
    others = isinstance(body, list) and len(body) == 2
    assert totals().get("search", {}) == ({NOW.date(): Decimal(1)} if others else {})
    rejected = [each for each in stored_items() if each["pk"] == "REJECTED-USAGE"]
    assert bool(rejected) == any(code in reason for code in ("too-small", "unknown", "too-early", "conflict"))


def test_busy_counters_send_events_to_the_backlog(queues: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def contended(*_: object) -> None:
        raise ConcurrentChange

    monkeypatch.setattr(app, "BUDGET_SECONDS", 0)
    monkeypatch.setattr(UsageStore, "count", contended)

    assert taken([cloud_event("1")]) == []
    assert len(received(queues["USAGE_BACKLOG_URL"])) == 1
    assert received(queues["DEAD_LETTERS_URL"]) == []


def test_a_failure_of_the_table_is_retried(queues: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConcurrentChange

    monkeypatch.setattr(UsageStore, "subscribers", away)

    assert len(taken([cloud_event("1")])) == 1
    assert received(queues["DEAD_LETTERS_URL"]) == []


def test_only_the_named_sender_may_send() -> None:
    policy = resources()["ReportedUsagePolicy"]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]

    assert policy["Condition"] == "HasUsageSender"
    assert statement["Principal"] == {"AWS": {"Ref": "UsageSenderArn"}}
    assert "sqs:ReceiveMessage" not in statement["Action"]
