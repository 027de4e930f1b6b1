"""What the release before has stored is read, billed on, exported and deleted by today's functions.

The fixture holds items, objects at Stripe and answers of version 0.1.0, byte for byte: the demonstration's companies
after a year, and accounts that are past due, cancelled, deactivated, within a deletion, and within a reactivation.
`make test-upgrade` has made it; docs/stored-items.md says when to make it again.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from billing import wiring
from billing.billing_page.list_index_records import ListIndexStore
from billing.platform.dynamodb import keys

from functions.administer_downloads.app import handler as downloads
from functions.administer_reactivation.app import handler as reactivation
from functions.administer_reviews.app import handler as administer_reviews
from functions.get_billing.app import handler as get_billing
from local.stripe.api import Stripe
from local.stripe.server import restore
from scripts.index_lists import index_lists
from tests.api_gateway import STAFF, Handler, answer, person, request
from tests.aws import ARCHIVE, DOCUMENTS, REGION, TABLE, items_behind_moto, stored_items
from tests.clients.http_gateway import routes
from tests.functions.ending import deliver, events_of, fire
from tests.stripe import later
from tests.upgrade.answers import differences, is_announced

RELEASE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "a_year_of_the_first_milestone.json").read_text("utf-8")
)
NOW = datetime.fromisoformat(RELEASE["now"])
ITEMS: list[dict[str, Any]] = RELEASE["items"]
"""In DynamoDB's JSON."""

DEMO = ("nordlys-kaffe", "lucciola-libri", "harbour-and-hound")
ENDED = ("cancelled", "left", "purging")
FAMILIES = {
    *(
        "AUTOSCALING",
        "BALANCE",
        "BOOKED",
        "CANCELLATION",
        "CONTENT",
        "DECISION",
        "DELIVERY",
        "DOWNLOAD",
        "DUE",
        "EVENT",
    ),
    *("INVOICE", "MANAGER", "MARKER", "PAGE", "PURGE", "REACTIVATION", "RECEIPT", "REVIEW", "REVIEW-OPEN", "SERIES"),
    *("TOLD", "TOTAL", "UNDELIVERABLE", "USER", "VERSION"),
}
"""All that the keys of that release had."""

DAY_SECONDS = 86_400
JOBS = ("ending", "renewal", "collection", "autoscaling")

pytestmark = pytest.mark.usefixtures("earlier")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """The items in moto's form, from the first test that needs them."""
    return {}


@pytest.fixture
def earlier(
    stored: dict[str, Any], store: Any, user_pool: Any, buckets: Any, stripe_account: Stripe, work_queue: Any
) -> None:
    """A table, an account at Stripe and a bucket as that release has left them."""
    restore(stripe_account, {**deepcopy(RELEASE["stripe"]), "objects": deepcopy(RELEASE["objects"])})
    later(stripe_account, NOW.timestamp() - stripe_account.clock())
    if not stored:
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        for item in ITEMS:
            dynamodb.put_item(TableName=TABLE, Item=item)
        stored.update(deepcopy(items_behind_moto()))
    else:
        items_behind_moto().update(deepcopy(stored))
    for account, number in invoices():
        if account in ENDED:
            key = f"accounts/{account}/invoices/{number}/{number}.pdf"
            buckets.Object(DOCUMENTS, key).put(Body=b"file")


def items(family: str = "", account: str | None = None) -> list[dict[str, Any]]:
    """The items of a family now, of one account or of all."""
    return [
        item
        for item in stored_items()
        if item["sk"].startswith(family) and (account is None or item["pk"].partition("#")[2] == account)
    ]


def invoices() -> list[tuple[str, str]]:
    """Account and number of each invoice that the release has issued."""
    return [
        (item["pk"]["S"].partition("#")[2], json.loads(item["body"]["S"])["number"])
        for item in ITEMS
        if item["sk"]["S"].startswith(keys.INVOICE)
    ]


def documents() -> dict[str, Any]:
    """What each invoice says now, by number, in either form. Each is there once."""
    bodies = [json.loads(item["body"]) for item in items(keys.INVOICE) + items(keys.DOCUMENT)]
    said = [(each["issued"]["number"], (each["issued"], each["digest"])) for each in bodies if "issued" in each]
    assert len(dict(said)) == len(said)
    return dict(said)


SAID = {
    body["number"]: (body["issued"], body["digest"])
    for item in ITEMS
    if item["sk"]["S"].startswith(keys.INVOICE)
    for body in [json.loads(item["body"]["S"])]
}


@cache
def all_routes() -> list[tuple[str, str, Handler]]:
    """Every route of the template with its function."""
    return routes()


def asked(path: str, **query: str) -> Any:
    """The answer of the function behind a GET, to staff at the time of the fixture."""
    for method, route, handler in all_routes():
        match = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route), path)
        if method == "GET" and match:
            values = {name: unquote(value) for name, value in match.groupdict().items()}
            return answer(
                handler, request("GET", route, claims=STAFF, path=values or None, query=query or None, now=NOW)
            )
    raise AssertionError(f"no route for {path}")


def admin_of(account: str) -> dict[str, str]:
    """The claims of the admin."""
    [admin] = [item for item in items("USER#", account) if json.loads(item["body"])["role"] == "admin"]
    return person(admin["sk"].removeprefix("USER#"))


def live_on(days: Sequence[int], work: Any, monkeypatch: pytest.MonkeyPatch, stripe_account: Stripe) -> None:
    """Runs every planner on these days, counted from the fixture's."""
    for day in days:
        later(stripe_account, NOW.timestamp() + day * DAY_SECONDS - stripe_account.clock())
        fire(NOW + timedelta(days=day), work, monkeypatch, *JOBS)


def test_the_fixture_has_every_family_of_that_release() -> None:
    stored = {item["sk"]["S"].partition("#")[0] for item in ITEMS}

    assert stored >= FAMILIES
    assert len(ITEMS) > 300


def test_every_answer_is_as_it_was() -> None:
    """New fields are added. The changelog has what is different."""
    different: list[str] = []
    for path, before in RELEASE["answers"].items():
        now = asked(path)
        different += [f"{path}: {now.status}"] if now.status != 200 else differences(before, now.body, path)

    assert [each for each in different if not is_announced(each)] == []


def test_every_event_is_read_and_fits_its_schema() -> None:
    kinds = Counter(event.type for event in events_of(*{json.loads(each["body"])["type"] for each in items("EVENT#")}))

    assert sum(kinds.values()) == len(items("EVENT#"))


def test_it_is_billed_on_and_nothing_twice(
    work_queue: Any, monkeypatch: pytest.MonkeyPatch, stripe_account: Stripe
) -> None:
    """Nine weeks of every planner: each period once, and what was said stays."""
    live_on((1, 3, 8, 16, 18, 31, 34, 48, 63), work_queue, monkeypatch, stripe_account)

    now = documents()
    kept = {number: said for number, said in SAID.items() if said[0]["account"] not in ENDED}
    assert {number: now.get(number) for number in kept} == kept
    periods: dict[str, list[tuple[str, str]]] = {}
    for issued, _ in now.values():
        draft = issued["draft"]
        # "returning" was reactivated within its paid period, because its end was played before its day.
        if draft["occasion"] == "period" and issued["account"] != "returning":
            periods.setdefault(issued["account"], []).append((draft["since"], draft["until"]))
    for account, each in periods.items():
        assert all(since >= until for (_, until), (since, _) in pairwise(sorted(each))), account
    new = Counter(issued["account"] for number, (issued, _) in now.items() if number not in SAID)
    assert new["nordlys-kaffe"] >= 2
    assert new["by-transfer"] == 2
    used = [issued["draft"]["credit"] for number, (issued, _) in now.items() if issued["account"] == "in-credit"]
    assert sorted(each["amount"] for each in used) == [0, 0, 0, 92_500]
    assert [json.loads(each["body"]) for each in items("BALANCE")] == [{"credit": 0}]
    assert items("DUE#collection") == []
    past_due = {json.loads(each["body"])["number"] for each in items(keys.INVOICE) if '"past_due"' in each["body"]}
    listed = {each["number"] for each in asked("/invoices/past-due").body["items"]}
    assert listed == past_due
    assert {number for account, number in invoices() if account in ("declined", "by-transfer")} & past_due


def test_its_accounts_are_taken_into_the_lists_of_staff(capsys: pytest.CaptureFixture[str]) -> None:
    said, accounts = documents(), {item["pk"].partition("#")[2] for item in items(keys.PAGE_ACCOUNT)}
    months = {
        str(body["issued"]["produced_on"])[:7]
        for body in map(json.loads, (each["body"] for each in items(keys.INVOICE)))
    }
    assert asked("/accounts").body["items"] == []
    store = ListIndexStore(TABLE, wiring.dynamodb())

    assert index_lists(store)

    assert {each["account"] for each in asked("/accounts", limit="100").body["items"]} == accounts
    listed = [
        each["number"]
        for month in sorted(months)
        for route in ("/invoices", "/credit-notes")
        for each in asked(route, month=month, limit="100").body["items"]
    ]
    assert sorted(listed) == sorted(number for account, number in invoices() if account in accounts)
    assert documents() == said
    late = {each["account"] for each in asked("/invoices/past-due").body["items"]}
    assert {each["account"] for each in asked("/accounts", past_due="true").body["items"]} == late != set()
    assert index_lists(store)
    assert ", 0 items taken in, 0 accounts" in capsys.readouterr().out.splitlines()[-1]


def test_refunds_that_were_to_come_are_made_once(
    work_queue: Any, monkeypatch: pytest.MonkeyPatch, stripe_account: Stripe
) -> None:
    live_on((1, 3), work_queue, monkeypatch, stripe_account)

    made = Counter(each["metadata"].get("credit_note") for each in stripe_account.objects["refund"].values())
    notes = {
        each["number"]
        for each, _ in SAID.values()
        if each["corrects"] and each["account"] in ("nordlys-kaffe", "harbour-and-hound")
    }
    assert made == dict.fromkeys(notes, 1)


def test_a_pending_reactivation_is_completed(
    work_queue: Any, monkeypatch: pytest.MonkeyPatch, stripe_account: Stripe
) -> None:
    route, path = "/accounts/{account}/reactivation", {"account": "returning"}
    pending = answer(reactivation, request("GET", route, claims=admin_of("returning"), path=path, now=NOW))
    assert pending.body["status"] == "pending"

    live_on((1,), work_queue, monkeypatch, stripe_account)

    assert asked("/accounts/returning/billing").body["status"] == "active"
    assert items("REACTIVATION", "returning") == []
    assert asked("/accounts/returning/invoices").body["items"][0]["status"] == "paid"


@pytest.mark.parametrize("account", [*DEMO, "declined", "by-transfer", "cancelled", "left", "returning"])
def test_all_of_an_account_is_exported(account: str) -> None:
    event = request("POST", "/accounts/{account}/export", claims=admin_of(account), path={"account": account}, now=NOW)
    wanted = answer(downloads, event)
    assert wanted.status == 202, wanted
    asked_for = [each for each in events_of("download.requested") if each.account == account]
    assert deliver(asked_for[-1]) == {"batchItemFailures": []}

    s3 = boto3.client("s3", region_name=REGION)
    [file] = [each["Key"] for each in s3.list_objects_v2(Bucket=DOCUMENTS)["Contents"] if each["Key"].endswith(".zip")]
    archive = zipfile.ZipFile(io.BytesIO(s3.get_object(Bucket=DOCUMENTS, Key=file)["Body"].read()))

    exported = json.loads(archive.read("data/invoice.json"))
    assert {each["number"] for each in exported} == {number for owner, number in invoices() if owner == account}
    if "data/document.json" in archive.namelist():
        exported += json.loads(archive.read("data/document.json"))
    said = {each["issued"]["number"]: each["issued"] for each in exported if "issued" in each}
    assert said == {number: issued for number, (issued, _) in SAID.items() if issued["account"] == account}
    assert {"data/page.json", "data/user.json", "data/event.json", "usage.csv"} <= {*archive.namelist()}


@pytest.mark.parametrize("account", ENDED)
def test_an_ended_account_is_deleted(
    account: str, work_queue: Any, monkeypatch: pytest.MonkeyPatch, stripe_account: Stripe
) -> None:
    """Cancelled, deactivated, or within its deletion: only the receipt and the archived invoices stay."""
    others = [item for item in ITEMS if item["pk"]["S"].partition("#")[2] in DEMO]
    for day in (0, 20, 40, 60, 80):
        fire(NOW + timedelta(days=day), work_queue, monkeypatch, "collection", "ending")

    left = [item for item in stored_items() if account in str(item["pk"]) or account in str(item.get("gsi1sk"))]
    assert left == []
    s3 = boto3.client("s3", region_name=REGION)
    files = s3.list_objects_v2(Bucket=DOCUMENTS).get("Contents", [])
    assert [each["Key"] for each in files if f"/{account}/" in each["Key"]] == []
    archived = {each["Key"].split("/")[2] for each in s3.list_objects_v2(Bucket=ARCHIVE)["Contents"]}
    # The release before has archived those of the deletion that it has begun.
    assert archived >= {number for owner, number in invoices() if owner == account != "purging"}
    assert len(items("RECEIPT#")) == len(ENDED) + 1, "and one from before"
    assert len([item for item in stored_items() if item["pk"].partition("#")[2] in DEMO]) >= len(others)


def test_a_review_that_is_booked_is_decided() -> None:
    [review] = asked("/accounts/nordlys-kaffe/reviews").body["items"]
    route = "/accounts/{account}/reviews/{review}/decision"
    path = {"account": "nordlys-kaffe", "review": review["review"]}
    body = {"outcome": "declined", "reason": "Christmas would not fit."}

    decided = answer(administer_reviews, request("PUT", route, claims=STAFF, path=path, body=body, now=NOW))

    assert decided.status == 200, decided


@pytest.mark.parametrize("account", DEMO)
def test_people_see_the_page_of_their_account(account: str) -> None:
    for user in items("USER#", account):
        claims = person(user["sk"].removeprefix("USER#"))
        event = request("GET", "/accounts/{account}/billing", claims=claims, path={"account": account}, now=NOW)
        page = answer(get_billing, event)

        assert page.status == 200, page
        assert page.body["payment_details"]["next_charge"] is not None
