"""POST /usage on moto: which events are counted, on which day, and which are refused."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.accounts.rules import Status
from billing.kernel.errors import ConcurrentChange
from billing.platform import workers
from billing.platform.retry import RetryBudget
from billing.usage.records import UsageStore
from billing.usage.rules import UsageEvent
from billing.usage.sqs_backlog import SqsUsageBacklog, message_of

from functions.record_queued_usage.app import handler as record_queued_usage
from functions.record_usage import app as record_usage_app
from tests.api_gateway import MACHINE, NOW, STAFF, person
from tests.aws import REGION, stored_items
from tests.company import Company
from tests.samples import ACCOUNT
from tests.usage import cloud_event, outcomes, report, totals

TODAY = date(2026, 6, 10)


@pytest.fixture(autouse=True)
def backlog(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The backlog queue of the function, on moto."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="usage-backlog")["QueueUrl"]
    for name, value in {"USAGE_BACKLOG_URL": url, "QUEUE_URL": url, "USAGE_REPORTED_WITHIN_DAYS": "35"}.items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    yield sqs
    sqs.delete_queue(QueueUrl=url)


def table() -> Any:
    return boto3.resource("dynamodb", region_name=REGION).Table("billing-test")


def deactivate(account: str) -> None:
    """Deactivates an account, as at the end of its contract (DESIGN 3.1)."""
    key = {"pk": f"ACCOUNT#{account}", "sk": "PAGE#ACCOUNT"}
    item = table().get_item(Key=key)["Item"]
    table().put_item(Item={**item, "body": json.dumps({**json.loads(item["body"]), "status": Status.DEACTIVATED})})


# ---- Counted usage ----


def test_usage_is_counted_by_day_and_content() -> None:
    given = report(
        [
            cloud_event(
                "1", quantity=2, content="Search box", conversions=1, revenue={"amount": 1290, "currency": "EUR"}
            ),
            cloud_event("2", quantity="0.2", content="Search box"),
            cloud_event("3", quantity=0.1, store="nordlys-se", product="email"),
        ]
    )

    assert given.status == 200
    assert given.body["accepted"] == 3
    assert [each["status"] for each in given.body["results"]] == [202, 202, 202]
    assert given.body["results"][0] == {
        "source": "//shop.example/search",
        "id": "1",
        "outcome": "accepted",
        "status": 202,
        "errors": [],
    }
    assert totals() == {"search": {TODAY: Decimal("2.2")}, "email": {TODAY: Decimal("0.1")}}
    store = wiring.usage_store()
    june = date(2026, 6, 1)
    [search_box] = store.contents(ACCOUNT["account"], "search", june, june, limit=10)
    assert (search_box.content, search_box.store, search_box.quantity) == ("Search box", "nordlys-dk", Decimal("2.2"))
    assert (search_box.conversions, search_box.revenue) == (1, {"EUR": 1290})
    [unnamed] = store.contents(ACCOUNT["account"], "email", june, june, limit=10)
    assert (unnamed.content, unnamed.store, unnamed.quantity) == (None, "nordlys-se", Decimal("0.1"))


def test_decimals_add_up_exactly() -> None:
    given = report([cloud_event(str(number), quantity=0.1) for number in range(130)])

    assert given.body["accepted"] == 130
    assert totals()["search"] == {TODAY: Decimal(13)}


def test_days_are_in_the_accounts_time_zone() -> None:
    """Copenhagen is two hours ahead of UTC in June: a late evening in UTC is the next day there."""
    evening = datetime(2026, 6, 9, 22, 30, tzinfo=UTC)

    report([cloud_event("1", time=evening), cloud_event("2", time=evening - timedelta(hours=1))])

    assert totals()["search"] == {date(2026, 6, 9): 1, date(2026, 6, 10): 1}


def test_a_repeated_event_counts_once_and_succeeds_again() -> None:
    event = cloud_event("1", quantity=3)
    later = {**event, "traceparent": "00-another-way", "time": "2026-06-10T13:00:00+02:00"}

    assert outcomes(report([event])) == ["accepted"]
    again = report([event, {**later, "data": {"quantity": "3.000"}}])

    assert again.status == 200
    assert outcomes(again) == ["duplicate", "duplicate"]
    assert [each["status"] for each in again.body["results"]] == [200, 200]
    assert totals()["search"] == {TODAY: Decimal(3)}


@pytest.mark.parametrize(
    "other",
    [
        cloud_event("1", quantity=4),
        cloud_event("1", quantity=3, store="nordlys-se"),
        cloud_event("1", quantity=3, product="email"),
        cloud_event("1", quantity=3, content="Slider"),
        cloud_event("1", quantity=3, conversions=1),
        cloud_event("1", quantity=3, revenue={"amount": 1, "currency": "EUR"}),
        cloud_event("1", quantity=3, time=NOW - timedelta(hours=2)),
    ],
    ids=["quantity", "store", "product", "content", "conversions", "revenue", "time"],
)
def test_a_different_event_with_the_same_id_is_a_conflict_and_changes_nothing(other: dict[str, Any]) -> None:
    report([cloud_event("1", quantity=3)])
    before = stored_items()

    given = report([other, cloud_event("2", quantity=5)])

    assert given.status == 207
    assert outcomes(given) == ["conflict", "accepted"]
    assert given.body["results"][0]["status"] == 409
    assert totals()["search"] == {TODAY: Decimal(8)}
    assert [item for item in stored_items() if item in before] != []


def test_ids_of_another_source_are_independent() -> None:
    given = report([cloud_event("1"), {**cloud_event("1"), "source": "//shop.example/app"}])

    assert outcomes(given) == ["accepted", "accepted"]


def test_duplicates_within_a_batch_count_once() -> None:
    given = report([cloud_event("1"), cloud_event("1", quantity=2), cloud_event("1"), cloud_event("2")])

    assert outcomes(given) == ["accepted", "conflict", "duplicate", "accepted"]
    assert totals()["search"] == {TODAY: Decimal(2)}


def test_a_conflict_within_a_batch_is_decided_by_the_counted_event() -> None:
    report([cloud_event("1", quantity=2)])

    given = report([cloud_event("1"), cloud_event("1", quantity=2)])

    assert outcomes(given) == ["conflict", "duplicate"]


def test_late_events_count_on_the_day_of_their_time() -> None:
    late = NOW - timedelta(days=34)

    assert outcomes(report([cloud_event("1", time=late)])) == ["accepted"]
    assert totals()["search"] == {date(2026, 5, 7): Decimal(1)}


def test_a_marker_outlives_the_reporting_limit_of_its_event() -> None:
    report([cloud_event("1", time=NOW)])

    [marker] = [item for item in stored_items() if item["sk"].startswith("MARKER#")]
    assert marker["expires_at"] > (NOW + timedelta(days=35)).timestamp()


# ---- A single event ----


@pytest.mark.parametrize("media_type", ["application/cloudevents+json", "application/json; charset=utf-8"])
def test_a_single_event_has_a_status_of_its_own(media_type: str) -> None:
    first = report(cloud_event("1"), Content_Type=media_type)
    again = report(cloud_event("1"), Content_Type=media_type)
    other = report(cloud_event("1", quantity=2), Content_Type=media_type)
    bad = report(cloud_event("2", quantity=-1), Content_Type=media_type)

    assert (first.status, first.body["outcome"]) == (202, "accepted")
    assert (again.status, again.body["outcome"]) == (200, "duplicate")
    assert (other.status, other.body["type"]) == (409, "urn:livello:problem:usage-conflict")
    assert (bad.status, bad.body["errors"][0]["pointer"]) == (422, "#/data/quantity")
    assert bad.headers["Content-Type"] == "application/problem+json"


# ---- Rejected events ----

DIGITS = "0." + "1" * 40


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"data": {"quantity": -1}}, "#/data/quantity"),
        ({"data": {"quantity": "-0.1"}}, "#/data/quantity"),
        ({"data": {"quantity": 1_000_000_001}}, "#/data/quantity"),
        ({"data": {"quantity": "1e3"}}, "#/data/quantity"),
        ({"data": {"quantity": "٣"}}, "#/data/quantity"),
        ({"data": {"quantity": DIGITS}}, "#/data/quantity"),
        ({"data": {"quantity": True}}, "#/data/quantity"),
        ({"data": {"quantity": None}}, "#/data/quantity"),
        ({"data": {"quantity": "0.0000001"}}, "#/data/quantity"),
        ({"data": {}}, "#/data/quantity"),
        ({"data": {"quantity": 1, "amount": 1}}, "#/data/amount"),
        ({"data": {"quantity": 1, "content": ""}}, "#/data/content"),
        ({"data": {"quantity": 1, "content": "x" * 201}}, "#/data/content"),
        ({"data": {"quantity": 1, "content": "a\u0000b"}}, "#/data/content"),
        ({"data": {"quantity": 1, "conversions": -1}}, "#/data/conversions"),
        ({"data": {"quantity": 1, "conversions": 1.5}}, "#/data/conversions"),
        ({"data": {"quantity": 1, "revenue": 12.9}}, "#/data/revenue"),
        ({"data": {"quantity": 1, "revenue": {"amount": 12.9, "currency": "EUR"}}}, "#/data/revenue/amount"),
        ({"data": {"quantity": 1, "revenue": {"amount": 1, "currency": "EURO"}}}, "#/data/revenue/currency"),
        ({"data": "quantity"}, "#/data"),
        ({"data": None}, "#/data"),
        ({"specversion": "0.3"}, "#/specversion"),
        ({"specversion": None}, "#/specversion"),
        ({"id": ""}, "#/id"),
        ({"id": "x" * 10_240}, "#/id"),
        ({"id": 7}, "#/id"),
        ({"source": ""}, "#/source"),
        ({"source": "with space"}, "#/source"),
        ({"type": "usage.unknown"}, "#/type"),
        ({"type": "search"}, "#/type"),
        ({"type": "usage.Search"}, "#/type"),
        ({"subject": "nordlys-kaffe"}, "#/subject"),
        ({"subject": "nordlys-kaffe/unknown"}, "#/subject"),
        ({"subject": "unknown/nordlys-dk"}, "#/subject"),
        ({"subject": "nordlys-kaffe/nordlys-dk/x"}, "#/subject"),
        ({"time": "2026-06-10T12:05:01Z"}, "#/time"),
        ({"time": "2026-05-06T11:59:59Z"}, "#/time"),
        ({"time": "2026-06-10T11:00:00"}, "#/time"),
        ({"time": 1781091600}, "#/time"),
        ({"time": "yesterday"}, "#/time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "#/time"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "#/time"),
        ({"datacontenttype": "text/xml"}, "#/datacontenttype"),
        ({"Subject": "typing error"}, "#"),
    ],
    ids=lambda each: str(each)[:60],
)
def test_an_invalid_event_is_named_and_the_others_are_counted(change: dict[str, Any], pointer: str) -> None:
    bad = {**cloud_event("bad"), **change}

    given = report([cloud_event("1"), {k: v for k, v in bad.items() if v is not None or k == "data"}, cloud_event("2")])

    assert given.status == 207
    assert outcomes(given) == ["accepted", "rejected", "accepted"]
    [error] = given.body["results"][1]["errors"]
    assert error["pointer"] == pointer
    assert error["detail"]
    assert totals()["search"] == {TODAY: Decimal(2)}
    if "id" in change:
        assert given.body["results"][1]["id"] in {None, ""}


@pytest.mark.parametrize("event", [None, 7, "event", [], {}, [[]]])
def test_a_value_that_is_no_event_is_rejected(event: Any) -> None:
    given = report([event, cloud_event("1")])

    assert outcomes(given) == ["rejected", "accepted"]
    assert given.body["results"][0]["source"] is None


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999999999", "1e-999999999", "9" * 5000, DIGITS])
def test_an_invalid_number_rejects_only_its_own_event(number: str) -> None:
    text = json.dumps([cloud_event("1"), cloud_event("bad", quantity="QUANTITY")]).replace('"QUANTITY"', number)

    given = report(text)

    assert outcomes(given) == ["accepted", "rejected"]
    assert given.body["results"][1]["errors"][0]["pointer"] == "#/data/quantity"


@pytest.mark.parametrize("place", ["id", "source", "time", "content", "name of an attribute", "name of a field"])
def test_half_a_surrogate_pair_rejects_only_its_own_event(place: str) -> None:
    """JSON can escape it. UTF-8, the encoding of our answers and items, cannot hold it."""
    bad: dict[str, Any] = cloud_event("bad", content="HERE" if place == "content" else "Slider")
    match place:
        case "name of an attribute":
            bad["HERE"] = 1
        case "name of a field":
            bad["data"]["HERE"] = 1
        case "id" | "source" | "time":
            bad[place] = "HERE"
    given = report(json.dumps([cloud_event("1"), bad]).replace("HERE", "\\ud800"))

    assert outcomes(given) == ["accepted", "rejected"]
    assert report(json.dumps(bad).replace("HERE", "\\ud800")).status == 422


def test_a_rejection_explains_the_accepted_times() -> None:
    given = report([cloud_event("1", time=NOW - timedelta(days=36)), cloud_event("2", time=NOW + timedelta(minutes=6))])

    assert [each["errors"][0]["detail"] for each in given.body["results"]] == [
        "It happened more than 35 days ago, and is no longer counted.",
        "It lies more than 5 minutes in the future.",
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([cloud_event(str(number)) for number in range(1001)], 413, "too-many-events"),
        ("[{", 400, "malformed"),
        ("[" * 100_000, 400, "malformed"),
        (" " * (2 * 1024 * 1024 + 1), 413, "too-large"),
    ],
    ids=["1001 events", "no JSON", "nested without end", "too long"],
)
def test_an_unreadable_or_too_large_body_is_refused(body: Any, status: int, code: str) -> None:
    before = stored_items()

    given = report(body)

    assert (given.status, given.body["type"]) == (status, f"urn:livello:problem:{code}")
    assert stored_items() == before


def test_an_empty_batch_has_no_results() -> None:
    given = report([])

    assert (given.status, given.body["results"]) == (200, [])


def test_another_media_type_is_refused() -> None:
    assert report([cloud_event()], Content_Type="text/plain").status == 415


@pytest.mark.parametrize(
    "claims",
    [None, STAFF, person("user-1"), {**MACHINE, "scope": "other/scope"}, {**MACHINE, "token_use": "id"}],
    ids=["nobody", "staff", "a person", "another scope", "an ID token"],
)
def test_only_a_machine_with_the_scope_reports_usage(claims: dict[str, str] | None) -> None:
    before = stored_items()

    assert report([cloud_event()], claims=claims).status == 401
    assert stored_items() == before


# ---- A deactivated account ----


def test_usage_of_a_deactivated_account_is_refused_and_recorded_once() -> None:
    deactivate(ACCOUNT["account"])

    first = report([cloud_event("1"), cloud_event("2", store="nordlys-se")])
    report([cloud_event("3")])

    assert outcomes(first) == ["rejected", "rejected"]
    assert "deactivated" in first.body["results"][0]["errors"][0]["detail"]
    assert totals() == {}
    [refused] = [
        event
        for event in (json.loads(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#"))
        if event["type"] == "usage.refused"
    ]
    assert refused["after"] == {"stores": ["nordlys.example", "nordlys.example/se"]}
    assert refused["actor"] == {"kind": "system", "user": None}


# ---- Contention ----


def test_events_with_contended_counters_are_queued_and_counted_once(
    backlog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contended(*_: object) -> None:
        raise ConcurrentChange

    report([cloud_event("old")])
    monkeypatch.setattr(record_usage_app, "BUDGET_SECONDS", 0)
    batch = [cloud_event("1"), cloud_event("1"), cloud_event("1", quantity=2), cloud_event("old")]
    with monkeypatch.context() as patch:
        patch.setattr(UsageStore, "count", contended)
        given = report(batch)

    assert given.status == 207
    assert outcomes(given) == ["queued", "duplicate", "conflict", "queued"]
    assert totals()["search"] == {TODAY: Decimal(1)}

    deliver(backlog)

    assert totals()["search"] == {TODAY: Decimal(2)}
    assert outcomes(report(batch)) == ["duplicate", "duplicate", "conflict", "duplicate"]


def test_a_queued_message_counts_once_if_it_is_delivered_twice(backlog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring.usage_backlog().put([])
    with monkeypatch.context() as patch:
        patch.setattr(record_usage_app, "BUDGET_SECONDS", 0)
        patch.setattr(UsageStore, "count", lambda *_: (_ for _ in ()).throw(ConcurrentChange()))
        report([cloud_event("1", content="Größe #1 ☕", revenue={"amount": 5, "currency": "EUR"})])
    messages = received(backlog)

    for _ in range(2):
        assert handle(messages) == {"batchItemFailures": []}

    assert totals()["search"] == {TODAY: Decimal(1)}
    [content] = wiring.usage_store().contents(ACCOUNT["account"], "search", date(2026, 6, 1), date(2026, 6, 1), limit=9)
    assert (content.content, content.revenue) == ("Größe #1 ☕", {"EUR": 5})


def test_a_message_with_contended_counters_is_retried(backlog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_one(monkeypatch)
    messages = received(backlog)
    monkeypatch.setattr("functions.record_queued_usage.app.BUDGET_SECONDS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(UsageStore, "count", lambda *_: (_ for _ in ()).throw(ConcurrentChange()))
        failed = handle(messages)

    assert [each["itemIdentifier"] for each in failed["batchItemFailures"]] == [messages[0]["MessageId"]]
    assert totals() == {}


def test_queued_usage_of_a_deleted_account_is_not_counted(backlog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_one(monkeypatch)
    for item in stored_items():
        table().delete_item(Key={"pk": item["pk"], "sk": item["sk"]})

    deliver(backlog)

    assert {each["pk"] for each in stored_items()} == {"REJECTED-USAGE"}  # staff are told


def waiting(*ids: str, **parts: Any) -> list[dict[str, Any]]:
    """Messages of the queue with one event each, of one counter."""
    kept: list[UsageEvent] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_usage_app, "BUDGET_SECONDS", 0)
        patch.setattr(UsageStore, "count", lambda *_: (_ for _ in ()).throw(ConcurrentChange()))
        patch.setattr(SqsUsageBacklog, "put", lambda _, events: kept.extend(events))
        report([cloud_event(each, **parts) for each in ids])
    return [
        {"MessageId": f"{event.identity} {number}", "ReceiptHandle": "r", "Body": message_of([event]).decode()}
        for number, event in enumerate(kept)
    ]


class Transactions:
    """Counts the transactions of the usage store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, count = 0, UsageStore.count

        def counting(*arguments: Any) -> Any:
            self.made += 1
            return count(*arguments)

        monkeypatch.setattr(UsageStore, "count", counting)


def test_fifty_queued_reports_of_one_counter_are_one_transaction(backlog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    messages, transactions = waiting(*map(str, range(50))), Transactions(monkeypatch)

    assert handle(messages) == {"batchItemFailures": []}

    assert transactions.made == 1
    assert totals()["search"] == {TODAY: Decimal(50)}
    assert handle(messages) == {"batchItemFailures": []}
    assert totals()["search"] == {TODAY: Decimal(50)}, "a batch that is delivered twice"


def test_an_event_in_two_messages_of_a_batch_counts_once(backlog: Any) -> None:
    again, other = waiting("1"), waiting("1", quantity=5)

    assert handle([*waiting("1"), {**again[0], "MessageId": "b"}, {**other[0], "MessageId": "c"}]) == {
        "batchItemFailures": []
    }

    assert totals()["search"] == {TODAY: Decimal(1)}


def test_a_poisoned_message_holds_up_none_of_its_batch(backlog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be read, or the table refuses its event: then each is counted by itself."""
    poisoned = waiting("poisoned", quantity=7)[0]
    count = UsageStore.count

    def refuse(store: UsageStore, events: Sequence[UsageEvent], *rest: Any) -> Any:
        if any(event.quantity == Decimal(7) for event in events):
            raise RuntimeError
        return count(store, events, *rest)

    monkeypatch.setattr(UsageStore, "count", refuse)
    unreadable = {"MessageId": "u", "ReceiptHandle": "r", "Body": "{"}

    failed = handle([*waiting("1", "2"), poisoned, unreadable, *waiting("3")])

    assert {each["itemIdentifier"] for each in failed["batchItemFailures"]} == {poisoned["MessageId"], "u"}
    assert totals()["search"] == {TODAY: Decimal(3)}


def test_a_batch_with_contended_counters_waits_no_longer_than_one_message(
    backlog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages share one budget: the function ends before its time-out."""
    waits: list[float] = []
    budget = partial(RetryBudget, wait=waits.append)
    monkeypatch.setattr("functions.record_queued_usage.app.RetryBudget", budget)
    messages = waiting(*map(str, range(20)))
    monkeypatch.setattr(UsageStore, "count", lambda *_: (_ for _ in ()).throw(ConcurrentChange()))

    failed = handle(messages)

    assert len(failed["batchItemFailures"]) == 20
    assert sum(waits) == pytest.approx(20.0), "the sum of random floats"


@pytest.mark.parametrize("message", ["{", '{"a": 1}', '{"usage": [7]}', "[]x"])
def test_an_unreadable_message_is_retried_until_it_is_a_dead_letter(message: str) -> None:
    failed = handle([{"MessageId": "1", "ReceiptHandle": "r", "Body": message}])

    assert failed["batchItemFailures"] == [{"itemIdentifier": "1"}]


def test_the_log_has_the_counts_of_a_message_and_names_failed_messages(
    backlog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_one(monkeypatch)
    [waiting] = received(backlog)
    lines = io.StringIO()
    handler = workers.logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(lines)
    try:
        handle([waiting, {"MessageId": "1", "ReceiptHandle": "r", "Body": "{"}])
    finally:
        handler.setStream(before)

    counted, failed = (json.loads(line) for line in lines.getvalue().splitlines())
    assert {"message": "usage counted", "accepted": 1, "duplicate": 0, "conflict": 0}.items() <= counted.items()
    assert {"message": "usage not counted", "reason": "JSONDecodeError", "message_id": "1"}.items() <= failed.items()


def test_the_log_contains_no_reported_data(capsys: pytest.CaptureFixture[str]) -> None:
    report([cloud_event("secret-id", content="secret content"), {**cloud_event("x"), "secret": "y", "data": "secret"}])

    assert "secret" not in capsys.readouterr().out


def queue_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(record_usage_app, "BUDGET_SECONDS", 0)
        patch.setattr(UsageStore, "count", lambda *_: (_ for _ in ()).throw(ConcurrentChange()))
        assert outcomes(report([cloud_event("1")])) == ["queued"]


def received(sqs: Any) -> list[dict[str, Any]]:
    url = sqs.get_queue_url(QueueName="usage-backlog")["QueueUrl"]
    return list(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"])


def deliver(sqs: Any) -> None:
    assert handle(received(sqs)) == {"batchItemFailures": []}


def handle(messages: list[dict[str, Any]]) -> dict[str, Any]:
    records = [
        {
            "messageId": each["MessageId"],
            "receiptHandle": each["ReceiptHandle"],
            "body": each["Body"],
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:usage-backlog",
            "awsRegion": REGION,
        }
        for each in messages
    ]
    context = LambdaContext()
    context._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    return dict(record_queued_usage({"Records": records}, context))
