"""Usage that is rejected is counted by day and code, and staff are told once a day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.errors import Busy, ConcurrentChange
from billing.kernel.events import by_system
from billing.platform.events.mapping import event_from
from billing.usage.records import UsageStore
from billing.usage.rejected_usage import tell_rejected
from billing.usage.rules import UsageEvent
from billing.usage.sqs_backlog import message_of

from functions.record_queued_usage import app as counter
from functions.record_usage.app import handler
from functions.tell_rejected_usage.app import handler as tell_rejected_usage
from tests.api_gateway import MACHINE, NOW, request
from tests.aws import REGION, stored_items
from tests.company import Company
from tests.functions.test_cloud_events import STRICT, sent
from tests.samples import ACCOUNT
from tests.usage import cloud_event, outcomes, report, totals

MORNING = (NOW + timedelta(days=1)).replace(hour=6)


@pytest.fixture(autouse=True)
def backlog(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The function's backlog queue, on moto."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="usage-backlog")["QueueUrl"]
    monkeypatch.setenv("USAGE_BACKLOG_URL", url)
    monkeypatch.setenv("USAGE_REPORTED_WITHIN_DAYS", "35")
    wiring.forget()
    yield
    sqs.delete_queue(QueueUrl=url)


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def run(at: datetime = MORNING) -> None:
    """The daily run."""
    tell_rejected_usage({"time": at.isoformat()}, Context())


def told() -> list[dict[str, Any]]:
    """The facts of the events, oldest first. Each is valid by its schema."""
    items = [each for each in stored_items() if each["pk"] == "REJECTED-USAGE" and each["sk"].startswith("EVENT#")]
    events = [event_from(item["body"]) for item in items]
    assert all(published(each).account is None for each in events)
    return [dict(each.after or {}) for each in events]


def counts() -> list[str]:
    """The days whose counts wait to be told."""
    return [each["sk"] for each in stored_items() if each["pk"] == "REJECTED-USAGE" and each["sk"].startswith("DAY#")]


def test_staff_are_told_once_a_day_how_much_was_rejected_and_why() -> None:
    report([cloud_event("1"), cloud_event("2", quantity=-1), cloud_event("3", store="unknown"), {"colour": "blue"}])
    report(cloud_event("4", account="gone"))
    sent(json.dumps([cloud_event("5", account="gone"), cloud_event("6")]), STRICT)
    sent("{\n", {"Content-Type": "application/x-ndjson"})
    report([cloud_event("1", quantity=7)])  # a conflict is not counted either, and the batch is answered with 207

    run(NOW.replace(hour=23))
    assert (told(), counts()) == ([], ["DAY#2026-06-10"])

    run()
    run()
    facts = {
        "day": "2026-06-10",
        "events": 7,
        "codes": [
            {"code": "unknown", "events": 3},
            {"code": "conflict", "events": 1},
            {"code": "malformed", "events": 1},
            {"code": "missing", "events": 1},
            {"code": "too-small", "events": 1},
        ],
    }
    assert json.loads(json.dumps(told(), default=str)) == [facts]
    assert counts() == []


@pytest.mark.parametrize("apart", [False, True], ids=["in one go", "one by one"])
def test_queued_usage_that_is_not_counted_is_told(apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender was answered with 202. Another report may have overtaken it, and its account may be gone."""

    class Clock:
        @staticmethod
        def now(_: object) -> datetime:
            return NOW

    monkeypatch.setattr(counter, "datetime", Clock)
    event = UsageEvent(
        ACCOUNT["account"], "//shop.example/search", "1", "search", "nordlys-dk", None, NOW, NOW.date(), Decimal(1)
    )
    report([cloud_event("1", quantity=2)])
    queued = [event, replace(event, id="2", account="gone"), replace(event, id="3")]
    messages = [message_of([each]) for each in queued] if apart else [message_of(queued)]
    for number, message in enumerate(messages):
        record = {"messageId": str(number), "receiptHandle": "r", "body": message.decode()}
        attributes = {"attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "eventSource": "aws:sqs"}
        assert counter.handler({"Records": [{**record, **attributes}]}, Context()) == {"batchItemFailures": []}

    run()

    [facts] = told()
    assert facts["codes"] == [{"code": "conflict", "events": 1}, {"code": "unknown", "events": 1}]
    assert sum(totals()["search"].values()) == 3


def test_a_day_without_rejected_usage_is_not_told() -> None:
    report([cloud_event("1"), cloud_event("1")])

    run()

    assert (told(), counts()) == ([], [])


def test_a_missed_run_is_made_up_for() -> None:
    for days in range(3):
        report([cloud_event("1", quantity=-1)], now=NOW + timedelta(days=days))

    run(MORNING + timedelta(days=2))

    assert sorted(str(each["day"]) for each in told()) == ["2026-06-10", "2026-06-11", "2026-06-12"]


def test_a_count_that_grows_meanwhile_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    report([cloud_event("1", quantity=-1)])
    store = wiring.usage_store()
    days = store.rejected_before(MORNING.date())
    report([cloud_event("1", quantity=-1)])

    with monkeypatch.context() as patch:
        patch.setattr(UsageStore, "rejected_before", lambda *_: days)
        with pytest.raises(ConcurrentChange):
            tell_rejected(context=by_system(MORNING, "test"), store=store)
    assert told() == []

    run()
    assert [each["events"] for each in told()] == [2]


def test_a_request_is_answered_even_if_its_rejected_events_cannot_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_: object) -> None:
        raise Busy

    monkeypatch.setattr(UsageStore, "add_rejected", throttled)

    assert outcomes(report([cloud_event("1"), cloud_event("2", quantity=-1)])) == ["accepted", "rejected"]


def test_who_may_not_report_is_not_counted() -> None:
    event = request("POST", "/usage", claims={**MACHINE, "scope": "other"}, body=[{"colour": "blue"}])
    assert handler(event, LambdaContext())["statusCode"] == 401

    run()

    assert told() == []


def test_a_day_is_one_in_utc() -> None:
    report([cloud_event("1", quantity=-1)], now=datetime(2026, 6, 10, 23, 59, tzinfo=UTC))

    assert counts() == ["DAY#2026-06-10"]
