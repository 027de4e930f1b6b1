"""Staff change the stores of a running account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from billing import wiring
from billing.accounts.rules import Store
from billing.kernel.errors import Conflict

from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.get_billing.app import handler as get_billing
from functions.record_usage.app import handler as record_usage
from tests.api_gateway import MACHINE, NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company
from tests.functions.ending import deactivate
from tests.functions.test_autoscaling import events
from tests.usage import cloud_event

ROUTE = "/accounts/{account}/stores"
SE = {"store": "nordlys-se", "name": "nordlys.example/se", "closed_on": None}
DK = {"store": "nordlys-dk", "name": "nordlys.example", "closed_on": None}


def listed(company: Company) -> Answer:
    return answer(administer_subscriptions, request("GET", ROUTE, claims=company.member, path=company.path))


def change(
    company: Company,
    store: str,
    body: dict[str, Any],
    *,
    tag: str | None = None,
    preview: bool = False,
    now: datetime = NOW,
) -> Answer:
    """Staff change a store, at the version that they see unless `tag` names another."""
    headers = {"If-Match": tag or listed(company).headers["ETag"]} if tag != "" else {}
    path = {**company.path, "store": store}
    query = {"preview": "true"} if preview else None
    event = request(
        "PUT", ROUTE + "/{store}", claims=STAFF, path=path, body=body, headers=headers, query=query, now=now
    )
    return answer(administer_subscriptions, event)


def report(store: str, time: str, now: datetime) -> Answer:
    sent = cloud_event(f"{store} {time}", store=store, time=datetime.fromisoformat(time))
    return answer(record_usage, request("POST", "/usage", claims=MACHINE, body=sent, now=now))


def test_a_second_shop_is_added_and_its_usage_counts_at_once(company: Company) -> None:
    refused = report("nordlys-fi", "2026-06-10T11:00:00Z", NOW)
    given = change(company, "nordlys-fi", {"name": "nordlys.example/fi"})

    assert refused.body["errors"][0]["code"] == "unknown"
    assert given.status == 200
    assert given.body["items"] == [DK, SE, {"store": "nordlys-fi", "name": "nordlys.example/fi", "closed_on": None}]
    assert given.headers["ETag"] == listed(company).headers["ETag"]
    assert report("nordlys-fi", "2026-06-10T11:00:00Z", NOW).status == 202
    [event] = events("store.changed")
    assert (event.before, event.after) == (None, given.body["items"][2])
    assert event.actor.user == "staff-1"


def test_a_store_gets_another_name(company: Company) -> None:
    given = change(company, "nordlys-se", {"name": "Nordlys Sweden"})

    assert given.body["items"] == [DK, {**SE, "name": "Nordlys Sweden"}]
    [event] = events("store.changed")
    assert event.before == SE


def test_a_store_closes_from_a_day_on(company: Company) -> None:
    given = change(company, "nordlys-se", {"name": SE["name"], "closed_on": "2026-06-12"})
    later = datetime(2026, 6, 13, 12, tzinfo=UTC)

    assert given.body["items"][1] == {**SE, "closed_on": "2026-06-12"}
    assert report("nordlys-se", "2026-06-10T11:00:00Z", NOW).status == 202
    # The evening of the 11th in Copenhagen counts, also if it is reported later.
    assert report("nordlys-se", "2026-06-11T21:59:00Z", later).status == 202
    refused = report("nordlys-se", "2026-06-11T22:00:00Z", later)
    assert (refused.status, refused.body["errors"][0]["code"]) == (422, "unusable")
    page = answer(
        get_billing, request("GET", "/accounts/{account}/billing", claims=STAFF, path=company.path, now=later)
    )
    assert [each["store"] for each in page.body["stores"]] == ["nordlys-dk"]


def test_a_closed_store_is_opened_again(company: Company) -> None:
    change(company, "nordlys-se", {"name": SE["name"], "closed_on": "2026-06-12"})
    later = datetime(2026, 6, 13, 12, tzinfo=UTC)

    assert change(company, "nordlys-se", {"name": SE["name"]}, now=later).body["items"] == [DK, SE]
    assert report("nordlys-se", "2026-06-12T11:00:00Z", later).status == 202


def test_a_closed_store_can_be_renamed_and_stays_closed(company: Company) -> None:
    change(company, "nordlys-se", {"name": SE["name"], "closed_on": "2026-06-12"})
    later = datetime(2026, 6, 13, 12, tzinfo=UTC)
    given = change(company, "nordlys-se", {"name": "Old shop", "closed_on": "2026-06-12"}, now=later)

    assert given.status == 200
    assert given.body["items"][1] == {**SE, "name": "Old shop", "closed_on": "2026-06-12"}


def test_a_store_closes_in_the_future(company: Company) -> None:
    before = stored_items()
    for store in ("nordlys-se", "nordlys-fi"):
        for day in ("2026-06-10", "2026-06-01", "2062-06-01"):  # usage of today may be counted already
            given = change(company, store, {"name": "x", "closed_on": day})
            assert (given.status, given.body["errors"][0]["pointer"]) == (422, "#/closed_on")
    assert stored_items() == before


def test_the_last_open_store_stays(company: Company) -> None:
    assert change(company, "nordlys-se", {"name": "x", "closed_on": "2026-06-12"}).status == 200
    given = change(company, "nordlys-dk", {"name": "x", "closed_on": "2026-07-12"})

    assert (given.status, given.body["errors"][0]["pointer"]) == (422, "#/closed_on")


def test_a_preview_shows_the_same_and_changes_nothing(company: Company) -> None:
    before = stored_items()
    shown = change(company, "nordlys-fi", {"name": "Finland"}, tag="", preview=True)

    assert stored_items() == before
    assert shown.body == change(company, "nordlys-fi", {"name": "Finland"}).body
    assert change(company, "nordlys-no", {"name": "Norway"}, tag='"2"', preview=True).status == 412


def test_a_change_names_the_version_that_it_replaces(company: Company) -> None:
    tag = listed(company).headers["ETag"]

    assert change(company, "nordlys-fi", {"name": "Finland"}, tag="").status == 428
    assert change(company, "nordlys-fi", {"name": "Finland"}, tag=tag).status == 200
    assert change(company, "nordlys-no", {"name": "Norway"}, tag=tag).status == 412
    # The same again is no change, whatever version it names.
    assert change(company, "nordlys-fi", {"name": "Finland"}, tag=tag).status == 200
    assert len(events("store.changed")) == 1


def test_an_account_has_at_most_fifty_open_stores(company: Company) -> None:
    account = wiring.account_store().account(company.account)
    today = NOW.date()
    for number in range(48):
        account = account.with_store(Store(f"shop-{number}", "Shop"), today)

    with pytest.raises(Conflict):
        account.with_store(Store("one-more", "Shop"), today)
    assert account.with_store(Store("nordlys-se", "Renamed"), today).stores[1].name == "Renamed"


def test_a_new_store_has_an_identifier(company: Company) -> None:
    for store in ("A", "a", "a b", "x" * 41, "-a"):
        assert change(company, store, {"name": "Shop"}).status == 422


def test_a_deactivated_account_keeps_its_stores(company: Company) -> None:
    deactivate(company)

    assert change(company, "nordlys-fi", {"name": "Finland"}).status == 409
