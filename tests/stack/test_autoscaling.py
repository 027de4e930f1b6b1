"""Autoscaling through the deployed planner, queue and worker, to the mailbox."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from billing.usage.records import UsageStore
from billing.usage.rules import UsageEvent, month_before, month_of

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack

HARBOUR = COMPANIES[2]
EARLIEST = "Pacific/Kiritimati"
"""The earliest time zone: when its month begins, the demonstration's companies are not due yet, and stay unchanged."""

SECONDS_MAX = 60
TODAY = datetime.now(UTC).date()
NEXT_MONTH = month_before(month_of(TODAY), -1)


@pytest.fixture(scope="module")
def shop(stack: Stack) -> str:
    """An account of these tests whose search has outgrown its tier."""
    account = f"shop-{uuid.uuid4().hex[:8]}"
    harbour = HARBOUR.provisioning(TODAY)
    body = {
        **harbour,
        "contract": {**harbour["contract"], "time_zone": EARLIEST},
        "account": account,
        "lines": [{"product": "search", "up_to": 10_000}],
        "discounts": [],
        "first_admin": {"email": f"ada@{account}.example", "name": "Ada Holm"},
    }
    made = stack.api.request("POST", "/v1/accounts", token=stack.staff_token(), body=body)
    assert made.status == 201, made
    client(stack.settings, "cognito-idp").admin_set_user_password(
        UserPoolId=stack.outputs["UserPoolId"], Username=f"ada@{account}.example", Password=PASSWORD, Permanent=True
    )
    usage = UsageStore(stack.outputs["TableName"], client(stack.settings, "dynamodb"))
    first = month_before(NEXT_MONTH, 4)
    days = [first + timedelta(number) for number in range((NEXT_MONTH - first).days)]
    events = [used(account, day, 3000 if day == NEXT_MONTH - timedelta(9) else 400) for day in days]
    for start in range(0, len(events), 40):
        assert usage.count(events[start : start + 40], lambda _: None) == {}
    return account


def used(account: str, day: date, quantity: int) -> UsageEvent:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return UsageEvent(account, "stack", str(day), "search", "hound", "Slider", noon, day, Decimal(quantity))


def fire(stack: Stack) -> None:
    """Invokes the planner at noon UTC on the last day of the month: in the earliest zone the next month has begun."""
    at = f"{NEXT_MONTH - timedelta(1)}T12:00:00Z"
    event = {"time": at, "clock": at, "source": "aws.scheduler"}
    reply = client(stack.settings, "lambda").invoke(
        FunctionName=stack.outputs["PlanAutoscalingName"], Payload=json.dumps(event).encode()
    )
    assert "FunctionError" not in reply, reply["Payload"].read()


def decisions(stack: Stack, account: str) -> list[dict[str, Any]]:
    given = stack.api.request("GET", f"/v1/accounts/{account}/autoscaling", token=stack.staff_token())
    assert given.status == 200, given
    items: list[dict[str, Any]] = given.json()["items"]
    return items


def mails(stack: Stack, account: str) -> list[Any]:
    return [
        mail
        for mail in stack.mails()
        if mail["Delivered-To"] == f"ada@{account}.example" and "moves to another tier" in mail["Subject"]
    ]


def test_grown_usage_moves_once_with_a_mail_and_a_pending_change(stack: Stack, shop: str) -> None:
    """An unreadable message in the queue does not stop the work."""
    queue = stack.outputs["AutoscalingDueUrl"]
    client(stack.settings, "sqs").send_message(QueueUrl=queue, MessageBody="no work at all")

    fire(stack)
    assert wait_until(lambda: len(decisions(stack, shop)) == 1, SECONDS_MAX)
    [decision] = decisions(stack, shop)
    assert (decision["outcome"], decision["reason"], decision["target"]) == ("moves", "moved", 25_000)
    assert [each["day"] for each in decision["left_out"]] == [str(NEXT_MONTH - timedelta(9))]

    assert wait_until(lambda: bool(mails(stack, shop)), SECONDS_MAX)
    assert [part.get_content_type() for part in mails(stack, shop)[0].walk()].count("image/png") == 1
    page = stack.api.request("GET", f"/v1/accounts/{shop}/billing", token=stack.staff_token()).json()
    [line] = page["subscription"]["lines"]
    assert line["pending_change"]["effective_on"] == decision["effective_on"]

    fire(stack)
    assert [decision] == decisions(stack, shop)
    assert len(mails(stack, shop)) == 1


def test_the_autoscaling_schedule_fires_daily_at_noon(stack: Stack) -> None:
    scheduler = client(stack.settings, "scheduler")
    schedules = [scheduler.get_schedule(Name=each["Name"]) for each in scheduler.list_schedules()["Schedules"]]

    [daily] = [each for each in schedules if stack.outputs["PlanAutoscalingName"] in each["Target"]["Arn"]]
    assert daily["ScheduleExpression"] == "cron(0 12 * * ? *)"
