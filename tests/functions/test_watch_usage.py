"""The table's stream → threshold events: what has grown is watched, and told once."""

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
    """The counters of months as the table's stream would show them now."""
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


def told() -> list[dict[str, Any]]:
    """The thresholds that the account was told of, oldest first; each fits the schema of its kind."""
    happened = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in happened:
        published(event)
    return [dict(event.after or {}) for event in happened if event.type == "usage.threshold_reached"]


def test_a_threshold_is_told_with_the_next_tier(company: Company) -> None:
    report([cloud_event("1", quantity="7500.5")])

    watch(stream())

    assert told() == [
        {
            "product": {"product": "search", "name": "Search", "unit": "searches"},
            "month": "2026-06",
            "percent": 75,
            "usage": "7500.5",
            "up_to": 10_000,
            "next_tier": {"up_to": 25_000, "price": {"amount": 9900, "currency": "EUR"}},
        }
    ]


def test_the_highest_tier_has_no_next_one(company: Company) -> None:
    report([cloud_event("1", product="email", quantity=25_000)])

    watch(stream())

    assert [(each["percent"], each["next_tier"]) for each in told()] == [(100, None)]


def test_the_prices_are_those_that_were_signed(company: Company) -> None:
    put_catalogue(with_value(CATALOGUE, 19_900, "products", 0, "tiers", 1, "prices", "EUR"), replaces=1)
    report([cloud_event("1", quantity=9000)])

    watch(stream())

    assert told()[0]["next_tier"]["price"]["amount"] == 9900


def test_the_same_batch_again_tells_nothing_again(company: Company) -> None:
    report([cloud_event("1", quantity=9000)])

    watch(stream())
    watch(stream())

    assert [each["percent"] for each in told()] == [90]


def test_of_a_batch_the_last_image_counts(company: Company) -> None:
    report([cloud_event("1", quantity=7600)])
    first = stream()["Records"]
    report([cloud_event("2", quantity=2500)])

    watch({"Records": [*first, *stream()["Records"]]})

    assert [each["percent"] for each in told()] == [100]


def test_a_month_that_is_over_is_not_told_of(company: Company) -> None:
    report([cloud_event("1", quantity=9000, time=NOW - timedelta(days=20))])

    watch(stream())

    assert told() == []


def test_the_month_is_one_of_the_accounts_time_zone(company: Company) -> None:
    """At half past ten in the evening of 30 June in UTC, July has begun in Copenhagen."""
    late = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    report([cloud_event("1", quantity=9000, time=late)], now=late)

    watch(stream(late))

    assert [(each["month"], each["percent"]) for each in told()] == [("2026-07", 90)]


def test_month_after_month_over_the_volume_is_told_once_until_a_month_is_low(company: Company) -> None:
    said: list[list[str]] = []
    for month, usage in {6: 11_000, 7: 12_000, 8: 3_000, 9: 10_500}.items():
        now = datetime(2026, month, 28, 12, tzinfo=UTC)
        report([cloud_event(str(month), quantity=usage, time=now)], now=now)
        watch(stream(now))
        said.append([each["month"] for each in told()])

    assert said == [["2026-06"], ["2026-06"], ["2026-06"], ["2026-06", "2026-09"]]


def test_nobody_is_told_of_a_deactivated_account_or_one_that_is_gone(company: Company) -> None:
    report([cloud_event("1", quantity=9000)])
    event = stream()
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    key = {"pk": keys.account(ACCOUNT["account"]), "sk": keys.PAGE_ACCOUNT}
    item = table.get_item(Key=key)["Item"]
    table.put_item(Item={**item, "body": json.dumps({**json.loads(item["body"]), "status": "deactivated"})})

    watch(event)
    table.delete_item(Key=key)
    watch(event)

    assert told() == []


def test_one_that_fails_holds_up_no_other_and_comes_again(
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
    assert [each["product"]["product"] for each in told()] == ["search"]

    watch(stream())

    assert sorted(each["product"]["product"] for each in told()) == ["email", "search"]
    assert "nordlys.example" not in capsys.readouterr().out


def test_two_watchers_at_once_tell_it_once(company: Company) -> None:
    report([cloud_event("1", quantity=9000)])
    store = wiring.usage_store()
    standing = store.watching(ACCOUNT["account"], "search")
    watch(stream())
    again = store.watching(ACCOUNT["account"], "search")
    assert standing
    assert again
    assert again.told

    with pytest.raises(ConcurrentChange):
        store.save_alert_state(ACCOUNT["account"], "search", standing.told, again.told, None)


def test_the_sample_event_is_taken(company: Company) -> None:
    event = json.loads((ROOT / "events" / "watch_usage.json").read_text(encoding="utf-8"))

    watch(event)

    assert [each["percent"] for each in told()] == [75]


def test_the_stream_hands_over_counters_of_months_alone(company: Company) -> None:
    grown = resources()["WatchUsage"]["Properties"]["Events"]["Grown"]["Properties"]
    [wanted] = [json.loads(each["Pattern"]) for each in grown["FilterCriteria"]["Filters"]]

    assert wanted["dynamodb"] == {"Keys": {"sk": {"S": [{"prefix": keys.TOTAL}]}}}
    assert wanted["eventName"] == ["INSERT", "MODIFY"]
    assert outcomes(report([cloud_event("1")])) == ["accepted"]
