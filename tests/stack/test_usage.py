"""Usage through the front door: reported, counted exactly once, shown, with alerts, and lowered by a review."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from billing.usage.rules import UsageEvent
from billing.usage.sqs_backlog import message_of

from local.api_client import Answer
from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack

NORDLYS, LUCCIOLA, HARBOUR = COMPANIES
SECONDS_MAX = 60
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture(scope="module")
def shop(stack: Stack) -> str:
    """An account of these tests."""
    account = f"shop-{uuid.uuid4().hex[:8]}"
    body = {
        **HARBOUR.provisioning(datetime.now(UTC).date()),
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
    return account


def event(account: str, number: object, quantity: str = "0.2", store: str = "hound") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "//shop.example/stack",
        "type": "usage.search",
        "subject": f"{account}/{store}",
        "time": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "data": {"quantity": quantity, "content": f"Slider {len(str(number))}"},
    }


def report(stack: Stack, events: list[dict[str, Any]], token: str | None = None) -> Answer:
    return stack.api.request("POST", "/v1/usage", token=token or stack.machine_token(), body=events, headers=BATCH)


def used(stack: Stack, account: str) -> Decimal:
    """The running month's usage on the usage page."""
    token = stack.staff_token()
    given = stack.api.request("GET", f"/v1/accounts/{account}/usage?by=month", token=token)
    assert given.status == 200, given
    return Decimal(given.json()["products"][0]["running"]["usage"])


def test_concurrent_writers_with_overlapping_batches_count_each_event_once(stack: Stack, shop: str) -> None:
    """Eight writers send most events several times, in any order. The page shows the sum of the distinct events."""
    chance = Random(20261123)
    events = [event(shop, number, chance.choice(["0.2", "1", "0.000001"])) for number in range(400)]
    before = used(stack, shop)
    batches = [chance.sample(events, k=120) for _ in range(16)] + [events[:200], events[200:]]
    token = stack.machine_token()

    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda batch: report(stack, batch, token), batches)]

    assert {answer.status for answer in answers} == {200}
    counts = [answer.json() for answer in answers]
    assert sum(each["accepted"] + each["queued"] for each in counts) >= len(events)
    assert sum(each["accepted"] for each in counts) <= len(events)
    assert sum(each["conflict"] + each["rejected"] for each in counts) == 0
    expected = before + sum((Decimal(each["data"]["quantity"]) for each in events), Decimal(0))
    assert wait_until(lambda: used(stack, shop) == expected, SECONDS_MAX)


def test_each_event_of_a_batch_has_its_own_result(stack: Stack, shop: str) -> None:
    name = uuid.uuid4().hex
    first = event(shop, name)
    bad = {**event(shop, "x" * 10_240), "time": "yesterday"}

    given = report(stack, [first, first, {**first, "data": {"quantity": 7}}, bad, event("no-such-account", 1)])

    assert given.status == 207
    assert [each["status"] for each in given.json()["results"]] == [202, 200, 409, 422, 422]
    assert {each["pointer"] for each in given.json()["results"][3]["errors"]} == {"#/id", "#/time"}
    assert given.json()["results"][4]["errors"][0]["detail"] == "There is no account no-such-account."


@pytest.mark.parametrize("who", ["nobody", "admin", "staff"])
def test_only_the_product_reports_usage(who: str, stack: Stack, shop: str) -> None:
    tokens = {"nobody": "nonsense", "admin": stack.admin_token(NORDLYS), "staff": stack.staff_token()}

    assert report(stack, [event(shop, 1)], tokens[who]).status == 401


def test_the_products_token_reads_nothing(stack: Stack) -> None:
    page = f"/v1/accounts/{NORDLYS.account}/usage"

    assert stack.api.request("GET", page, token=stack.machine_token()).status == 401


def test_queued_usage_is_counted_once(stack: Stack, shop: str) -> None:
    before, now = used(stack, shop), datetime.now(UTC)
    waiting = UsageEvent(shop, "queue", uuid.uuid4().hex, "search", "hound", None, now, now.date(), Decimal(3))
    for _ in range(3):
        client(stack.settings, "sqs").send_message(
            QueueUrl=stack.outputs["UsageBacklogUrl"], MessageBody=message_of([waiting]).decode()
        )

    assert wait_until(lambda: used(stack, shop) == before + 3, SECONDS_MAX)
    queue = {"QueueUrl": stack.outputs["UsageBacklogUrl"], "AttributeNames": ["All"]}
    sqs = client(stack.settings, "sqs")
    assert wait_until(
        lambda: (
            {
                sqs.get_queue_attributes(**queue)["Attributes"][name]
                for name in ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
            }
            == {"0"}
        ),
        SECONDS_MAX,
    )
    assert used(stack, shop) == before + 3


def test_each_threshold_of_a_tier_is_mailed_once(stack: Stack, shop: str) -> None:
    def mails() -> list[str]:
        return [str(mail["Subject"]) for mail in stack.mails() if f"ada@{shop}.example" in str(mail["To"])]

    report(stack, [event(shop, uuid.uuid4().hex, "7600")])
    assert wait_until(lambda: any("75%" in subject for subject in mails()), SECONDS_MAX)
    for _ in range(5):
        report(stack, [event(shop, uuid.uuid4().hex, "1")])
    report(stack, [event(shop, uuid.uuid4().hex, "1800")])
    assert wait_until(lambda: any("90%" in subject for subject in mails()), SECONDS_MAX)

    assert len([subject for subject in mails() if "%" in subject]) == 2


def test_usage_of_a_deactivated_account_is_refused_and_mailed_once(stack: Stack, shop: str) -> None:
    table, name = client(stack.settings, "dynamodb"), stack.outputs["TableName"]
    key = {"pk": {"S": f"ACCOUNT#{shop}"}, "sk": {"S": "PAGE#ACCOUNT"}}
    item = table.get_item(TableName=name, Key=key)["Item"]
    body = {**json.loads(item["body"]["S"]), "status": "deactivated"}
    table.put_item(TableName=name, Item={**item, "body": {"S": json.dumps(body)}})

    def mails() -> list[str]:
        return [str(mail["Subject"]) for mail in stack.mails() if f"ada@{shop}.example" in str(mail["To"])]

    for number in range(3):
        given = report(stack, [event(shop, f"late-{number}")])
        assert given.status == 207, given
        assert "deactivated" in given.json()["results"][0]["errors"][0]["detail"]

    assert wait_until(lambda: any("still sending" in subject for subject in mails()), SECONDS_MAX)
    assert len([subject for subject in mails() if "still sending" in subject]) == 1


def test_the_demonstration_shows_its_stories(stack: Stack) -> None:
    """One product has grown, one has fallen, one had a Black Friday."""
    page = stack.api.request("GET", f"/v1/accounts/{NORDLYS.account}/usage", token=stack.member_token(NORDLYS)).json()
    search, email = page["products"]
    assert min(Decimal(each["percent"]) for each in search["months"]) > 100
    assert Decimal(email["average_percent"]) < 50
    assert search["forecast"]["coming"]["expected"]

    year = datetime.now(UTC).year - 1
    token = stack.admin_token(LUCCIOLA)
    path = f"/v1/accounts/{LUCCIOLA.account}/usage?product=search&from={year}-11-01&until={year}-12-01"
    [series] = stack.api.request("GET", path, token=token).json()["series"]
    peaks = [each["period"] for each in series["periods"] if each["peak"]]
    if series["periods"]:  # the contract may have begun later
        assert all(date.fromisoformat(each).day >= 22 for each in peaks)

    path = f"/v1/accounts/{HARBOUR.account}/usage?group_by=content&by=month&product=chat"
    table = stack.api.request("GET", path, token=stack.admin_token(HARBOUR), headers={"Accept": "text/csv"})
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert b"Where is my order" in table.body


def test_a_review_leads_to_a_lower_tier(stack: Stack) -> None:
    """From the slots to the pending change on the billing page, with an invitation by mail."""
    account, admin = f"/v1/accounts/{NORDLYS.account}", stack.admin_token(NORDLYS)
    slots = stack.api.request("GET", f"{account}/reviews/slots", token=admin).json()
    assert slots["usage_fits"]
    begins = slots["items"][0]["begins"]

    refused = stack.api.request(
        "POST", f"/v1/accounts/{LUCCIOLA.account}/reviews", token=stack.admin_token(LUCCIOLA), body={"begins": begins}
    )
    assert (refused.status, refused.json()["type"]) == (409, "urn:livello:problem:review-not-yet")
    assert "must be ≤ 25,000" in refused.json()["detail"]

    booked = stack.api.request("POST", f"{account}/reviews", token=admin, body={"begins": begins})
    assert booked.status == 201, booked
    left = stack.api.request("GET", f"{account}/reviews/slots", token=admin).json()
    assert begins not in {each["begins"] for each in left["items"]}

    path = f"{account}/reviews/{booked.json()['review']}"
    review = stack.api.request("GET", path, token=stack.staff_token()).json()
    [email] = [each for each in review["prepared"] if each["product"] == "email"]
    assert email["fitting"]["up_to"] == 25_000
    assert [each["product"] for each in review["reduction"]] == ["search", "email"]
    assert stack.api.request("GET", path, token=admin).json()["prepared"] is None

    decision = {"outcome": "applied", "tiers": [{"product": "email", "up_to": 25_000}]}
    assert stack.api.request("PUT", f"{path}/decision", token=admin, body=decision).status == 403
    applied = stack.api.request("PUT", f"{path}/decision", token=stack.staff_token(), body=decision)
    assert applied.status == 200, applied
    lines = stack.api.request("GET", f"{account}/billing", token=admin).json()["subscription"]["lines"]
    [pending] = [each["pending_change"] for each in lines if each["product"] == "email"]
    assert pending["up_to"] == 25_000
    assert date.fromisoformat(pending["effective_on"]) > datetime.now(UTC).date() - timedelta(days=1)

    def subjects() -> list[str]:
        return [str(mail["Subject"]) for mail in stack.mails() if NORDLYS.admin.email in str(mail["To"])]

    assert wait_until(lambda: any("lower tier" in each for each in subjects()), SECONDS_MAX)
    [invitation] = [
        mail
        for mail in stack.mails()
        if str(mail["Subject"]).startswith("Review of Nordlys") and NORDLYS.admin.email in str(mail["To"])
    ]
    assert "text/calendar" in {part.get_content_type() for part in invitation.walk()}
