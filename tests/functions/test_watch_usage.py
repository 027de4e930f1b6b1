"""The table's stream → threshold events: usage that grows is watched, and each threshold causes one alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb import keys
from billing.platform.events.mapping import event_from
from billing.usage.records import UsageStore

from functions.watch_usage.app import handler
from tests.api_gateway import NOW
from tests.aws import REGION, TABLE, stored_items
from tests.company import Company, put_catalogue
from tests.samples import ACCOUNT, CATALOGUE, with_value
from tests.template import ROOT, resources
from tests.usage import cloud_event, outcomes, report


def stream(now: datetime = NOW) -> dict[str, Any]:
    """The counters of months as records of the table's stream."""
    items = boto3.client("dynamodb", region_name=REGION).scan(TableName=TABLE)["Items"]
    totals = [item for item in items if item["sk"]["S"].startswith(keys.TOTAL)]
    return {"Records": [record(item, now) for item in totals]}


def record(image: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {"dynamodb": {"NewImage": image, "ApproximateCreationDateTime": now.timestamp()}}


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def watch(event: dict[str, Any]) -> None:
    handler(event, Context())


def alerts() -> list[dict[str, Any]]:
    """The facts of the account's threshold events, oldest first. Every stored event is valid by its schema."""
    events = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in events:
        published(event)
    return [dict(event.after or {}) for event in events if event.type == "usage.threshold_reached"]


def test_an_alert_names_the_next_tier(company: Company) -> None:
    report([cloud_event("1", quantity="7500.5")])

    watch(stream())

    assert alerts() == [
        {
            "product": {"product": "search", "name": "Search", "unit": "searches"},
            "month": "2026-06",
            "percent": 75,
            "usage": "7500.5",
            "up_to": 10_000,
            "next_tier": {"up_to": 25_000, "price": {"amount": 9900, "currency": "EUR"}},
        }
    ]


def test_an_alert_in_the_highest_tier_names_no_next_one(company: Company) -> None:
    report([cloud_event("1", product="email", quantity=25_000)])

    watch(stream())

    assert [(each["percent"], each["next_tier"]) for each in alerts()] == [(100, None)]


def test_an_alert_has_the_prices_of_the_signed_catalogue(company: Company) -> None:
    put_catalogue(with_value(CATALOGUE, 19_900, "products", 0, "tiers", 1, "prices", "EUR"), replaces=1)
    report([cloud_event("1", quantity=9000)])

    watch(stream())

    assert alerts()[0]["next_tier"]["price"]["amount"] == 9900


def test_a_repeated_batch_causes_no_further_alert(company: Company) -> None:
    report([cloud_event("1", quantity=9000)])

    watch(stream())
    watch(stream())

    assert [each["percent"] for each in alerts()] == [90]


def test_the_last_image_of_a_counter_in_a_batch_counts(company: Company) -> None:
    report([cloud_event("1", quantity=7600)])
    first = stream()["Records"]
    report([cloud_event("2", quantity=2500)])

    watch({"Records": [*first, *stream()["Records"]]})

    assert [each["percent"] for each in alerts()] == [100]


def test_a_month_that_is_over_causes_no_alert(company: Company) -> None:
    report([cloud_event("1", quantity=9000, time=NOW - timedelta(days=20))])

    watch(stream())

    assert alerts() == []


def test_months_are_in_the_accounts_time_zone(company: Company) -> None:
    """At 22:30 UTC on 30 June, July has begun in Copenhagen."""
    late = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    report([cloud_event("1", quantity=9000, time=late)], now=late)

    watch(stream(late))

    assert [(each["month"], each["percent"]) for each in alerts()] == [("2026-07", 90)]


def test_an_account_over_its_volume_gets_its_next_alert_after_a_low_month(company: Company) -> None:
    alerted_months: list[list[str]] = []
    for month, usage in {6: 11_000, 7: 12_000, 8: 3_000, 9: 10_500}.items():
        now = datetime(2026, month, 28, 12, tzinfo=UTC)
        report([cloud_event(str(month), quantity=usage, time=now)], now=now)
        watch(stream(now))
        alerted_months.append([each["month"] for each in alerts()])

    assert alerted_months == [["2026-06"], ["2026-06"], ["2026-06"], ["2026-06", "2026-09"]]


def test_a_deactivated_or_deleted_account_causes_no_alert(company: Company) -> None:
    report([cloud_event("1", quantity=9000)])
    event = stream()
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    key = {"pk": keys.account(ACCOUNT["account"]), "sk": keys.PAGE_ACCOUNT}
    item = table.get_item(Key=key)["Item"]
    table.put_item(Item={**item, "body": json.dumps({**json.loads(item["body"]), "status": "deactivated"})})

    watch(event)
    table.delete_item(Key=key)
    watch(event)

    assert alerts() == []


def test_a_failed_record_does_not_stop_the_others_and_is_retried(
    company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report([cloud_event("1", quantity=9000), cloud_event("2", product="email", quantity=20_000)])
    real = UsageStore.save_alert_state

    def fails(self: UsageStore, account: str, product: str, *rest: Any) -> None:
        if product == "email":
            raise ConcurrentChange
        real(self, account, product, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(UsageStore, "save_alert_state", fails)
        with pytest.raises(ConcurrentChange):
            watch(stream())
    assert [each["product"]["product"] for each in alerts()] == ["search"]

    watch(stream())

    assert sorted(each["product"]["product"] for each in alerts()) == ["email", "search"]
    assert "nordlys.example" not in capsys.readouterr().out


def test_two_watchers_at_once_save_one_alert(company: Company) -> None:
    report([cloud_event("1", quantity=9000)])
    store = wiring.usage_store()
    before = store.watching(ACCOUNT["account"], "search")
    watch(stream())
    after = store.watching(ACCOUNT["account"], "search")
    assert before
    assert after
    assert after.alert

    with pytest.raises(ConcurrentChange):
        store.save_alert_state(ACCOUNT["account"], "search", before.alert, after.alert, None)


def test_the_sample_event_causes_an_alert(company: Company) -> None:
    event = json.loads((ROOT / "events" / "watch_usage.json").read_text(encoding="utf-8"))

    watch(event)

    assert [each["percent"] for each in alerts()] == [75]


def test_the_stream_delivers_only_counters_of_months(company: Company) -> None:
    grown = resources()["WatchUsage"]["Properties"]["Events"]["Grown"]["Properties"]
    [pattern] = [json.loads(each["Pattern"]) for each in grown["FilterCriteria"]["Filters"]]

    assert pattern["dynamodb"] == {"Keys": {"sk": {"S": [{"prefix": keys.TOTAL}]}}}
    assert pattern["eventName"] == ["INSERT", "MODIFY"]
    assert outcomes(report([cloud_event("1")])) == ["accepted"]
