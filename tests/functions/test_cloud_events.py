"""POST /usage takes each event that CloudEvents 1.0.2 allows, in each mode of its HTTP binding, and lines of JSON."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from billing import wiring

from functions.record_usage.app import handler
from tests.api_gateway import MACHINE, NOW, Answer, answer, request
from tests.aws import REGION, stored_items
from tests.company import Company
from tests.field_codes import check_entry
from tests.samples import ACCOUNT
from tests.usage import cloud_event, outcomes, report, totals

TODAY = date(2026, 6, 10)
BINARY = {
    "Content-Type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "//shop.example/search",
    "ce-type": "usage.search",
    "ce-subject": "nordlys-kaffe/nordlys-dk",
    "ce-time": "2026-06-10T11:00:00Z",
}


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


def sent(body: str | bytes, headers: dict[str, str], **also: Any) -> Answer:
    is_bytes = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    event = request("POST", "/usage", claims=MACHINE, body=text, headers=headers, **also)
    return answer(handler, {**event, "isBase64Encoded": is_bytes})


def codes(given: Answer) -> list[str | None]:
    """The first code of each result of a batch, None for an event that is counted."""
    for each in given.body["results"]:
        for error in each["errors"]:
            check_entry(error)
    return [each["errors"][0]["code"] if each["errors"] else None for each in given.body["results"]]


# ---- Attributes ----


@pytest.mark.parametrize(
    "change",
    [
        {"datacontenttype": None},
        {"datacontenttype": "application/json; charset=utf-8"},
        {"datacontenttype": "Application/JSON"},
        {"datacontenttype": "application/vnd.shop.usage+json"},
        {"datacontenttype": "text/json"},
        {"dataschema": "https://shop.example/usage.json"},
        {"dataschema": None},
        {"time": "2026-06-10t11:00:00z"},
        {"time": "2026-06-10T11:00:00.123456789+02:00"},
        {"time": "2026-06-10T00:00:00.5-11:30"},
        {"time": "2026-06-09T23:59:60Z"},
        {"time": "2026-06-10T01:59:60.25+02:00"},
        {"time": None},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "sampledrate": 30},
        {"anextensionwithaverylongname": True, "empty": None},
        {"id": "ø ☕ " + "x" * 250},
        {"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"},
        {"source": "/"},
    ],
    ids=str,
)
def test_an_attribute_that_the_specification_allows_is_taken(change: dict[str, Any]) -> None:
    assert codes(report([{**cloud_event(), **change}])) == [None]
    assert totals()["search"].keys() <= {TODAY, TODAY - timedelta(days=1)}


def test_a_leap_second_is_the_second_after_it() -> None:
    """The last second of June 9 in Copenhagen is 21:59:59 UTC; a leap second is only at the end of a day in UTC."""
    report([{**cloud_event("1"), "time": "2026-06-09T23:59:60Z"}, {**cloud_event("1"), "time": "2026-06-10T00:00:00Z"}])

    assert totals()["search"] == {TODAY: Decimal(1)}
    refused = report([{**cloud_event("2"), "time": time} for time in ("2026-06-09T12:59:60Z", "2026-06-09T23:59:61Z")])
    assert codes(refused) == ["not-a-time", "not-a-time"]


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"datacontenttype": "text/xml"}, "unsupported", "#/datacontenttype"),
        ({"datacontenttype": "application/jsonx"}, "unsupported", "#/datacontenttype"),
        ({"datacontenttype": 7}, "wrong-type", "#/datacontenttype"),
        ({"dataschema": ""}, "too-short", "#/dataschema"),
        ({"subject": None}, "missing", "#/subject"),
        ({"id": None}, "missing", "#/id"),
        ({"specversion": "1.1"}, "not-allowed", "#/specversion"),
        ({"id": "a\0b"}, "not-plain-text", "#/id"),
        ({"id": "a\x7f"}, "not-plain-text", "#/id"),
        ({"source": "a\0b"}, "not-plain-text", "#/source"),
        ({"time": "2026-06-10 11:00:00Z"}, "not-a-time", "#/time"),
        ({"time": "2026-06-10T11:00Z"}, "not-a-time", "#/time"),
        ({"time": "1781091600"}, "not-a-time", "#/time"),
        ({"time": "9999-12-31T23:59:60Z"}, "not-a-time", "#/time"),
        ({"time": "2026-02-30T00:00:00Z"}, "not-a-time", "#/time"),
        ({"Trace_Parent": "x"}, "not-an-attribute", "#"),
    ],
    ids=str,
)
def test_an_attribute_that_it_does_not_allow_is_named(change: dict[str, Any], code: str, pointer: str) -> None:
    given = report([{**cloud_event(), **change}])

    assert codes(given) == [code]
    assert given.body["results"][0]["errors"][0]["pointer"] == pointer


def test_source_and_id_are_told_apart() -> None:
    """A text of CloudEvents has no control characters (1.0.2, type system): none can move from the source to the id."""
    one, other = {**cloud_event("b\0c"), "source": "a"}, {**cloud_event("c", quantity=2), "source": "a\0b"}

    assert "conflict" not in outcomes(report([one, other]))


def test_an_event_without_a_time_happened_when_it_was_reported_first() -> None:
    event = {name: value for name, value in cloud_event().items() if name != "time"}

    assert outcomes(report([event])) == ["accepted"]
    assert outcomes(report([event], now=NOW + timedelta(days=2))) == ["duplicate"]
    assert outcomes(report([{**event, "data": {"quantity": 2}}])) == ["conflict"]
    assert totals()["search"] == {TODAY: Decimal(1)}


def test_data_may_be_json_in_base64() -> None:
    event = {name: value for name, value in cloud_event().items() if name != "data"}
    data = base64.b64encode(b'{"quantity": 0.5, "conversions": 1}').decode()

    given = report(
        [
            {**event, "data_base64": data},
            {**event, "id": "2", "data_base64": data, "data": {"quantity": 1}},
            {**event, "id": "3", "data_base64": "no base64"},
            {**event, "id": "4", "data_base64": base64.b64encode(b"no JSON").decode()},
            {**event, "id": "5", "data_base64": base64.b64encode(b'{"quantity": -1}').decode()},
            {**event, "id": "6", "data_base64": 7},
            {**event, "id": "7", "data_base64": None, "data": {"quantity": 1}},
        ]
    )

    assert codes(given) == [None, "not-together", "malformed", "malformed", "too-small", "malformed", None]
    assert totals()["search"] == {TODAY: Decimal("1.5")}


# ---- Numbers ----


@pytest.mark.parametrize(
    ("number", "counted"),
    [
        ("0.6000000000000001", "0.6"),
        ("0.30000000000000004", "0.3"),
        ("0.3333333333333333", "0.333333"),
        ("1.0", "1"),
        ("1e-7", "0"),
        ("5.551115123125783e-17", "0"),
        ("-2.7755575615628914e-17", "0"),
        ("1e2", "100"),
        ("999999999.9999999", "1000000000"),
    ],
)
def test_a_double_is_rounded_to_the_decimals_that_are_counted(number: str, counted: str) -> None:
    text = json.dumps([cloud_event(quantity="NUMBER", conversions=1)]).replace('"NUMBER"', number)

    assert codes(report(text.replace('"conversions": 1', '"conversions": 1.0'))) == [None]
    assert totals()["search"] == {TODAY: Decimal(counted)}


def test_an_amount_of_a_multiplied_price_is_a_whole_number() -> None:
    amount = 19.99 * 100

    assert amount != 1999
    assert codes(report([cloud_event(revenue={"amount": amount, "currency": "EUR"})])) == [None]
    assert codes(report([cloud_event("2", revenue={"amount": 19.99, "currency": "EUR"})])) == ["wrong-type"]


# ---- Binary mode ----


def test_an_event_in_binary_mode_is_counted() -> None:
    given = sent('{"quantity": 2, "content": "Größe"}', BINARY)

    assert (given.status, given.body["outcome"], given.body["id"]) == (202, "accepted", "1")
    assert outcomes(report([cloud_event(quantity=2, content="Größe")])) == ["duplicate"]
    assert totals()["search"] == {TODAY: Decimal(2)}


@pytest.mark.parametrize(
    ("headers", "source", "id_"),
    [
        ({"ce-id": "Gr%C3%B6%C3%9Fe%20%25"}, None, "Größe %"),
        ({"CE-ID": "100%"}, None, "100%"),
        ({"Ce-Id": '"a \\"quoted\\" %E2%98%95"'}, None, 'a "quoted" ☕'),
        ({"ce-id": "%2541"}, None, "%41"),
        ({"ce-source": "//shop.example/%F0%9F%98%80"}, "//shop.example/😀", "1"),
        ({"Content-Type": "Application/Vnd.Shop+JSON; charset=utf-8"}, None, "1"),
        ({"Content-Type": "text/json"}, None, "1"),
        ({"ce-sampledrate": "30", "ce-dataschema": "https://x.example"}, None, "1"),
        ({"ce-datacontenttype": "text/xml"}, None, "1"),  # the binding has Content-Type for it
    ],
    ids=str,
)
def test_headers_of_binary_mode_are_read_as_the_binding_says(
    headers: dict[str, str], source: str | None, id_: str
) -> None:
    lower = {name.lower() for name in headers}
    others = {name: value for name, value in BINARY.items() if name.lower() not in lower}

    given = sent('{"quantity": 1}', {**others, **headers})

    assert given.status == 202, given
    assert (given.body["source"], given.body["id"]) == (source or BINARY["ce-source"], id_)


@pytest.mark.parametrize(
    ("body", "headers", "status", "pointer"),
    [
        ('{"quantity": -1}', {}, 422, "#/data/quantity"),
        ("[]", {}, 422, "#/data"),
        ('{"quantity": 1}', {"ce-subject": "nordlys-kaffe"}, 422, "#/subject"),
        ('{"quantity": 1}', {"ce-specversion": "0.3"}, 422, "#/specversion"),
        ('{"quantity": 1}', {"ce-data": "{}"}, 422, "#"),
        ('{"quantity": 1}', {"ce-a-b": "x"}, 422, "#"),
        ('{"quantity": ', {}, 400, None),
        ("quantity=1", {"Content-Type": "text/plain"}, 415, None),
        ("<xml/>", {"Content-Type": "application/cloudevents+xml"}, 415, None),
    ],
    ids=str,
)
def test_a_bad_event_in_binary_mode_is_named(
    body: str, headers: dict[str, str], status: int, pointer: str | None
) -> None:
    given = sent(body, {**BINARY, **headers})

    assert given.status == status
    assert [each["pointer"] for each in given.body.get("errors", ())] == ([] if pointer is None else [pointer])
    assert not totals()


def test_the_media_type_of_an_event_decides_and_not_its_headers() -> None:
    structured = json.dumps(cloud_event("structured"))

    given = sent(structured, {**BINARY, "Content-Type": "application/cloudevents+json; charset=UTF-8"})

    assert given.body["id"] == "structured"


# ---- Lines, and encodings ----


@pytest.mark.parametrize(
    "media_type", ["application/x-ndjson", "Application/NDJSON; charset=utf-8", "application/jsonl"]
)
def test_an_event_a_line_is_a_batch(media_type: str) -> None:
    lines = [json.dumps(cloud_event("1")), "", "{", json.dumps(cloud_event("2")), "[]", "  "]

    given = sent("\r\n".join(lines), {"Content-Type": media_type})

    assert given.status == 207
    assert codes(given) == [None, "malformed", None, "wrong-type"]
    assert totals()["search"] == {TODAY: Decimal(2)}
    assert sent(lines[0], {"Content-Type": media_type}).body["duplicate"] == 1


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085"])
def test_only_a_line_feed_ends_a_line(character: str) -> None:
    """JSON has these characters unescaped within a text (RFC 8259, section 7), as JSON.stringify writes them."""
    line = json.dumps({**cloud_event(), "title": f"Summer{character}sale"}, ensure_ascii=False)

    given = sent(line + "\n" + line + "\n", {"Content-Type": "application/x-ndjson"})

    assert [each["outcome"] for each in given.body["results"]] == ["accepted", "duplicate"]


def test_more_lines_than_a_batch_may_have_are_refused() -> None:
    assert sent("{}\n" * 1001, {"Content-Type": "application/x-ndjson"}).status == 413


def test_a_compressed_batch_is_counted_and_a_bomb_is_not() -> None:
    headers = {"Content-Type": "application/cloudevents-batch+json", "Content-Encoding": "gzip"}
    batch = json.dumps([cloud_event(str(number)) for number in range(100)]).encode()

    assert sent(gzip.compress(batch), headers).body["accepted"] == 100
    assert sent(gzip.compress(b" " * 2**24), headers).status == 413


# ---- All or nothing ----

STRICT = {"Content-Type": "application/cloudevents-batch+json", "Prefer": "handling=strict"}


def strictly(*events: Any) -> Answer:
    return sent(json.dumps(events), STRICT)


@pytest.mark.parametrize("bad", [cloud_event("bad", quantity=-1), cloud_event("bad", store="unknown"), 7])
def test_nothing_of_a_strict_batch_is_counted_if_an_event_is_rejected(bad: Any) -> None:
    given = strictly(cloud_event("1"), bad, cloud_event("2"))

    assert (given.status, given.body["type"]) == (422, "urn:livello:problem:rejected")
    assert given.headers["Preference-Applied"] == "handling=strict"
    [error] = given.body["errors"]
    assert error["pointer"].startswith("#/1")
    assert not totals()
    again = strictly(cloud_event("1"), cloud_event("2"))
    assert (again.status, outcomes(again)) == (200, ["accepted", "accepted"])
    assert again.headers["Preference-Applied"] == "handling=strict"


def test_a_strict_batch_with_a_conflict_is_no_success() -> None:
    report([cloud_event("1")])

    given = strictly(cloud_event("1", quantity=2), cloud_event("2"))

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:usage-conflict")
    assert [(each["code"], each["pointer"]) for each in given.body["errors"]] == [("conflict", "#/0/id")]
    assert totals()["search"] == {TODAY: Decimal(2)}


def test_a_conflict_in_a_batch_has_a_code() -> None:
    report([cloud_event("1")])

    given = report([cloud_event("1", quantity=2)])

    assert codes(given) == ["conflict"]


def test_a_strict_batch_of_a_deactivated_account_is_told_to_its_admins_once(company: Company) -> None:
    table = boto3.resource("dynamodb", region_name=REGION).Table("billing-test")
    key = {"pk": f"ACCOUNT#{ACCOUNT['account']}", "sk": "PAGE#ACCOUNT"}
    item = table.get_item(Key=key)["Item"]
    table.put_item(Item={**item, "body": json.dumps({**json.loads(str(item["body"])), "status": "deactivated"})})

    for _ in range(2):
        assert [each["code"] for each in strictly(cloud_event("1")).body["errors"]] == ["deactivated"]

    events = [item["body"] for item in stored_items() if item["sk"].startswith("EVENT#")]
    assert sum('"usage.refused"' in each for each in events) == 1
