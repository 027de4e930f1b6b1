"""The day on which usage happened decides: at a contract's start, its end, and after a reactivation (DESIGN 3.5.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.ending.cancellation.commands import withdraw_cancellation
from billing.kernel.errors import ConcurrentChange, Violation
from billing.kernel.events import Actor, ActorKind, Event, RequestContext
from billing.platform.retry import RetryBudget
from billing.usage.import_usage import PastUsage, import_usage
from billing.usage.record_queued_usage import record_queued_usage
from billing.usage.record_usage import IngestResult, Result
from billing.usage.records import UsageStore
from billing.usage.rules import UsageEvent

from functions.watch_usage.app import handler as watch
from local.stripe.api import Stripe
from tests.api_gateway import NOW
from tests.aws import REGION, TABLE, stored_items
from tests.cards import card
from tests.company import Company, provisioned
from tests.functions.ending import (
    ENDED,
    REACTIVATED,
    Context,
    cancel,
    deactivate,
    deliver,
    events_of,
    invoiced_elsewhere,
)
from tests.functions.test_reactivation import agree, requested
from tests.functions.test_watch_usage import stream
from tests.samples import ACCOUNT
from tests.usage import cloud_event, outcomes, report, totals

LAST_EVENING = datetime(2026, 7, 14, 21, 30, tzinfo=UTC)
"""14 July, 23:30 in Copenhagen: the contract ends half an hour later."""

FIRST_NIGHT = datetime(2026, 7, 14, 22, 10, tzinfo=UTC)
"""15 July, 00:10 in Copenhagen: the first day without service."""

START = date(2026, 1, 15)
JULY = date(2026, 7, 1)
SPARE = "spare-shop"


@pytest.fixture(autouse=True)
def backlog(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    invoiced_elsewhere(company)
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="usage-backlog")["QueueUrl"]
    for name, value in {"USAGE_BACKLOG_URL": url, "USAGE_REPORTED_WITHIN_DAYS": "35"}.items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    yield
    sqs.delete_queue(QueueUrl=url)


def counted() -> dict[date, Decimal]:
    """The account's searches in July, by day."""
    return totals(JULY, JULY).get("search", {})


def refusal(event: dict[str, Any], now: datetime) -> tuple[str, str, str]:
    """The pointer, the code and the words of a rejected event."""
    alone = report(event, now=now, Content_Type="application/cloudevents+json")
    assert alone.status == 422, alone
    given = report([event], now=now)
    assert outcomes(given) == ["rejected"]
    [error] = given.body["results"][0]["errors"]
    # A result of a batch has all its fields; a problem has limits where there are any.
    assert [{"limits": {}} | each for each in alone.body["errors"]] == [error]
    return error["pointer"], error["code"], error["detail"]


def imported(day: date, now: datetime, product: str = "search") -> Result:
    results: dict[PastUsage, Result] = {}
    row = PastUsage(ACCOUNT["account"], "nordlys-dk", product, day, Decimal(7))
    import_usage(
        [row],
        now=now,
        budget=lambda: RetryBudget(0),
        store=wiring.usage_store(),
        on_result=results.__setitem__,
    )
    return results[row]


def queued(day: date, now: datetime, product: str = "search") -> str:
    """What the queue makes of an event of a day."""
    time = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    event = UsageEvent(
        ACCOUNT["account"], "queue", f"{day} {product}", product, "nordlys-dk", None, time, day, Decimal(1)
    )
    counts = record_queued_usage(
        [event], now=now, reported_within=timedelta(days=35), budget=RetryBudget(0), store=wiring.usage_store()
    )
    [result] = [name for name in ("accepted", "duplicate", "conflict", "refused") if getattr(counts, name)]
    return result


# ---- The end ----


def test_usage_of_the_last_evening_counts_five_minutes_after_the_deactivation(company: Company) -> None:
    deactivate(company)

    given = report([cloud_event("late", time=LAST_EVENING)], now=ENDED + timedelta(minutes=5))

    assert outcomes(given) == ["accepted"]
    assert counted() == {date(2026, 7, 14): Decimal(1)}
    assert events_of("usage.refused") == []


def test_usage_of_the_first_night_is_refused_although_the_deactivation_is_late(company: Company) -> None:
    assert cancel(company).status == 201

    pointer, code, words = refusal(cloud_event("early", time=FIRST_NIGHT), FIRST_NIGHT + timedelta(minutes=1))

    assert (pointer, code) == ("#/time", "deactivated")
    assert "deactivated from 2026-07-15 on" in words
    assert counted() == {}
    assert events_of("usage.refused") == [], "the mail says that the account is deactivated: it is not yet"


def test_the_end_is_the_same_for_all_entrances(company: Company) -> None:
    deactivate(company)
    now = ENDED + timedelta(days=1)
    last, first = date(2026, 7, 14), date(2026, 7, 15)

    assert imported(last, now) is IngestResult.ACCEPTED
    refused = imported(first, now)
    assert isinstance(refused, Violation)
    assert (refused.path, refused.code) == (("day",), "deactivated")
    assert queued(last, now) == "accepted"
    assert queued(first, now) == "refused"
    assert counted() == {last: Decimal(8)}


def test_late_usage_counts_until_the_day_before_the_deletion(company: Company) -> None:
    """The account is deleted on 29 July. What is counted in that night could outlive it."""
    deactivate(company)

    def reported(number: str, now: datetime) -> list[str]:
        return outcomes(report([cloud_event(number, time=LAST_EVENING)], now=now))

    assert reported("1", datetime(2026, 7, 27, 21, 59, tzinfo=UTC)) == ["accepted"]
    closed = datetime(2026, 7, 27, 22, 0, tzinfo=UTC)
    assert reported("2", closed) == ["rejected"]
    assert queued(date(2026, 7, 14), closed) == "refused"
    assert refusal(cloud_event("3", time=LAST_EVENING), closed)[:2] == ("#/subject", "deactivated")


def test_late_usage_of_a_deactivated_account_is_still_limited_by_its_age(company: Company) -> None:
    deactivate(company)

    assert refusal(cloud_event(time=ENDED - timedelta(days=36)), ENDED)[:2] == ("#/time", "too-early")


def test_after_a_withdrawal_there_is_no_end(company: Company) -> None:
    assert cancel(company).status == 201
    store = wiring.cancellation_store()
    state = store.state(company.account)
    assert state
    context = RequestContext(Actor(ActorKind.CUSTOMER, company.admin["sub"]), NOW, "withdraw")
    withdraw_cancellation(state, seller=wiring.seller_address(), policy=None, context=context, store=store)

    assert outcomes(report([cloud_event(time=FIRST_NIGHT)], now=FIRST_NIGHT)) == ["accepted"]


def test_late_usage_of_a_month_that_has_ended_for_the_account_alerts_nobody(company: Company) -> None:
    deactivate(company)
    report([cloud_event(time=LAST_EVENING, quantity=9000)], now=ENDED)

    watch(stream(ENDED), Context())

    assert events_of("usage.threshold_reached") == []


# ---- The start ----


def test_usage_before_the_contract_is_refused_in_words_and_warns_of_nothing(company: Company) -> None:
    assert (
        provisioned(
            {
                **ACCOUNT,
                "account": SPARE,
                "contract": {**ACCOUNT["contract"], "start": "2026-06-10"},
                "invoiced_until": None,
            }
        ).status
        == 201
    )
    evening = datetime(2026, 6, 9, 21, 59, tzinfo=UTC)

    early = cloud_event("1", account=SPARE, time=evening, quantity=9900)
    pointer, code, words = refusal(early, NOW)
    in_time = report([cloud_event("2", account=SPARE, time=evening + timedelta(minutes=1))], now=NOW)

    assert (pointer, code) == ("#/time", "too-early")
    assert "starts on 2026-06-10" in words
    assert outcomes(in_time) == ["accepted"]
    watch(stream(), Context())
    assert events_of("usage.threshold_reached") == []
    assert wiring.usage_store().totals(SPARE, JULY.replace(month=6), JULY) == {
        "search": {date(2026, 6, 10): Decimal(1)}
    }


def test_a_contract_to_come_takes_no_usage_yet(company: Company) -> None:
    contract = {**ACCOUNT["contract"], "start": "2026-07-01"}
    assert provisioned({**ACCOUNT, "account": SPARE, "contract": contract, "invoiced_until": None}).status == 201

    assert refusal(cloud_event(account=SPARE), NOW)[1] == "too-early"


def test_only_an_import_takes_days_before_the_contract(company: Company) -> None:
    """The history of the system that Livello replaces: averages know the account from its first day here."""
    before = START - timedelta(days=1)

    assert imported(before, NOW) is IngestResult.ACCEPTED
    assert queued(before, NOW) == "refused"


# ---- A reactivation ----


def reactivate(company: Company, account: Stripe) -> None:
    card(company, account)
    deactivate(company)
    assert agree(company).status == 202
    assert deliver(requested()) == {"batchItemFailures": []}


def test_a_reactivation_opens_from_its_own_day(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reactivate(company, stripe_account)
    now = REACTIVATED + timedelta(hours=3)
    gap = datetime(2026, 7, 19, 12, tzinfo=UTC)

    given = report(
        [cloud_event("1", time=LAST_EVENING), cloud_event("2", time=gap), cloud_event("3", time=REACTIVATED)], now=now
    )

    assert outcomes(given) == ["accepted", "rejected", "accepted"]
    [error] = given.body["results"][1]["errors"]
    assert (error["pointer"], error["code"]) == ("#/time", "deactivated")
    assert "deactivated from 2026-07-15 to 2026-07-20" in error["detail"]
    refused = imported(gap.date(), now)
    assert isinstance(refused, Violation)
    assert queued(gap.date(), now) == "refused"
    assert queued(date(2026, 7, 13), now) == "accepted"
    assert imported(START - timedelta(days=1), now) is IngestResult.ACCEPTED, "history is before the first contract"
    assert counted() == {date(2026, 7, day): Decimal(1) for day in (13, 14, 20)}


def test_late_usage_of_a_product_that_only_the_former_contract_had_counts(
    company: Company, stripe_account: Stripe, work: Any
) -> None:
    """E-mail is no longer subscribed to; on 14 July it was."""
    reactivate(company, stripe_account)
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    [item] = [each for each in stored_items() if each["sk"] == "PAGE#SUBSCRIPTION"]
    body = json.loads(item["body"])
    body["lines"] = [line for line in body["lines"] if line["product"] == "search"]
    table.put_item(Item={**item, "body": json.dumps(body)})

    events = [
        cloud_event(str(number), product="email", time=at) for number, at in enumerate([LAST_EVENING, REACTIVATED])
    ]
    given = report(events, now=REACTIVATED)

    assert outcomes(given) == ["accepted", "rejected"]
    assert given.body["results"][1]["errors"][0]["code"] == "unknown"


# ---- One of many ----


def refuse_often(count: int) -> list[list[str]]:
    """The outcomes of batches that each name a deactivated account among others."""
    events = [
        [cloud_event(f"a{number}", time=FIRST_NIGHT), cloud_event(f"b{number}", account=SPARE, time=FIRST_NIGHT)]
        for number in range(count)
    ]
    return [outcomes(report(each, now=ENDED + timedelta(hours=1))) for each in events]


def test_a_deactivated_account_among_others_is_told_with_one_write(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provisioned({**ACCOUNT, "account": SPARE}).status == 201
    deactivate(company)
    writes: list[str] = []
    record_once = UsageStore.record_once

    def noted(store: UsageStore, account: str, subject: str, event: Event) -> bool:
        writes.append(account)
        return record_once(store, account, subject, event)

    monkeypatch.setattr(UsageStore, "record_once", noted)

    assert refuse_often(20) == [["rejected", "accepted"]] * 20

    assert writes == [company.account]
    [told] = events_of("usage.refused")
    assert dict(told.after or {}) == {"stores": ["nordlys.example"]}


def test_a_collision_about_the_deactivated_account_does_not_change_the_others_answers(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provisioned({**ACCOUNT, "account": SPARE}).status == 201
    deactivate(company)

    def collides(*_: object) -> bool:
        raise ConcurrentChange

    with monkeypatch.context() as patch:
        patch.setattr(UsageStore, "record_once", collides)
        assert refuse_often(1) == [["rejected", "accepted"]]
    assert events_of("usage.refused") == []

    report([cloud_event("again", time=FIRST_NIGHT)], now=ENDED + timedelta(hours=1))

    assert len(events_of("usage.refused")) == 1
