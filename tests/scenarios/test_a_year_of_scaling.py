"""The demonstration's companies through a year of months: one has grown, one falls, one has a Black Friday."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.domain.events import Event
from billing.domain.usage import UsageEvent
from billing.store.mapping import event_from
from billing.store.store import BillingStore

from functions.administer_autoscaling.app import handler as administer_autoscaling
from functions.get_billing.app import handler as get_billing
from functions.plan_due_work.app import handler as plan
from functions.scale_account.app import handler as scale
from local.demo import past_year, usage
from local.demo.companies import COMPANIES, DemoCompany
from tests.api_gateway import STAFF, answer, request
from tests.aws import REGION, UserPool, stored_items
from tests.company import provisioned, put_catalogue

NORDLYS, LUCCIOLA, _ = COMPANIES
CATALOGUE = Path(past_year.__file__).parent / "catalogue.json"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
BATCH = 40
PRODUCTS = ("search", "email")


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture
def queue(store: BillingStore, user_pool: UserPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    assert put_catalogue(json.loads(CATALOGUE.read_text("utf-8"))).status == 200
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="a-year-of-work")["QueueUrl"]
    monkeypatch.setenv("JOB", "autoscaling")
    monkeypatch.setenv("WORK_QUEUE_URL", url)
    wiring.work_queue.cache_clear()
    yield boto3.resource("sqs", region_name=REGION).Queue(url)
    sqs.delete_queue(QueueUrl=url)
    wiring.work_queue.cache_clear()


def live_through(company: DemoCompany, queue: Any) -> None:
    """From the contract's start to NOW: each day's usage is there, and the schedule fires month by month."""
    body = company.provisioning(NOW.date())
    assert provisioned(body, now=NOW).status == 201
    _use(company, date.fromisoformat(body["contract"]["start"]))

    def fire(at: datetime) -> None:
        plan({"time": at.isoformat()}, Context())
        for message in queue.receive_messages(MaxNumberOfMessages=10):
            record = {
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            assert scale({"Records": [record]}, Context()) == {"batchItemFailures": []}
            message.delete()

    past_year.live_through([company.account], NOW, wiring.autoscaling_store(), fire)


def _use(company: DemoCompany, start: date) -> None:
    """The demonstration's usage of what this is about, without its parts."""
    rows = (row for row in usage.usage(company, start, NOW.date()) if row.product in PRODUCTS)
    events = [
        UsageEvent(
            account=company.account,
            source="test",
            id=f"{product} {day}",
            product=product,
            store=next(iter(company.stores)),
            content=None,
            time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            day=day,
            quantity=sum((row.quantity for row in parts), Decimal()),
        )
        for (product, day), parts in groupby(rows, lambda row: (row.product, row.day))
    ]
    for first in range(0, len(events), BATCH):
        assert wiring.usage_store().count(events[first : first + BATCH], lambda _: None) == {}


def decisions(company: DemoCompany, product: str) -> dict[str, tuple[str, str]]:
    event = request(
        "GET",
        "/accounts/{account}/autoscaling",
        claims=STAFF,
        path={"account": company.account},
        query={"limit": "100"},
    )
    given = answer(administer_autoscaling, event)
    found = [each for each in given.body["items"] if each["product"] == product]
    return {each["month"]: (each["outcome"], each["reason"]) for each in reversed(found)}


def told() -> list[Event]:
    found = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    kinds = ("subscription.autoscaled", "usage.above_tiers", "usage.below_tier")
    return [event for event in found if event.type in kinds]


def line(company: DemoCompany, product: str) -> dict[str, Any]:
    given = answer(
        get_billing,
        request("GET", "/accounts/{account}/billing", claims=STAFF, path={"account": company.account}, now=NOW),
    )
    [found] = [each for each in given.body["subscription"]["lines"] if each["product"] == product]
    return dict(found)


def test_one_has_grown_and_moves_once_and_one_falls_and_is_told_once(queue: Any) -> None:
    live_through(NORDLYS, queue)

    new_shop = dict.fromkeys(("2026-02", "2026-03", "2026-04"), ("stays", "too_few_months"))
    assert decisions(NORDLYS, "search") == new_shop | {
        "2026-05": ("stays", "fits"),
        "2026-06": ("stays", "fits"),
        "2026-07": ("stays", "fits"),
        "2026-08": ("stays", "near"),
        "2026-09": ("stays", "near"),
        "2026-10": ("moves", "moved"),
        "2026-11": ("stays", "fits"),
    }
    fits = {f"2026-{month:02}": ("stays", "fits") for month in range(5, 12)}
    assert decisions(NORDLYS, "email") == new_shop | fits
    below, moved = told()
    assert (below.type, below.time.date()) == ("usage.below_tier", date(2026, 9, 1))
    assert (below.after or {})["fitting"] == {"up_to": 25_000, "price": {"amount": 44_000, "currency": "DKK"}}
    facts = moved.after or {}
    assert (moved.type, moved.time.date()) == ("subscription.autoscaled", date(2026, 10, 1))
    assert [month["typical"] for month in facts["months"]] == ["29672.24", "29587.02", "28686.94"]
    # 1,260.00 less 12.5 %, from the very next contract month on; the month before was 740.00 less 12.5 %.
    assert (facts["effective_on"], facts["extra"]) == ("2026-10-15", None)
    assert line(NORDLYS, "search")["price_per_month_after_discounts"] == {"amount": 110_250, "currency": "DKK"}


def test_a_black_friday_never_moves_anybody(queue: Any) -> None:
    live_through(LUCCIOLA, queue)

    found = decisions(LUCCIOLA, "search")
    assert {outcome for outcome, _ in found.values()} == {"stays"}
    assert len(found) == 14
    # By spring a lower tier would do. Averages a bit above and below its volume are no reason to say so again.
    below = [event for event in told() if (event.after or {})["product"]["product"] == "search"]
    assert [(event.type, event.time.date()) for event in below] == [("usage.below_tier", date(2026, 4, 1))]
    assert line(LUCCIOLA, "search")["up_to"] == 100_000
