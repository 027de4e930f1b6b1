"""Corrections of usage: what was over- or under-reported is put right, with a reason, and all that follows from it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.correspondence.audiences import is_mailed
from billing.kernel.errors import ConcurrentChange
from billing.usage.records import UsageStore

from functions.correct_usage import app as correct_usage_app
from functions.watch_usage.app import handler as watch
from tests.api_gateway import MACHINE, NOW, STAFF, answer, person, request
from tests.aws import REGION, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, Context, cancel, deactivate, events_of, invoiced_elsewhere
from tests.functions.test_autoscaling import simulate
from tests.functions.test_usage_page import every_day, see
from tests.functions.test_watch_usage import alerts, stream
from tests.samples import ACCOUNT
from tests.usage import cloud_event, correct, correction, report, totals

YESTERDAY = date(2026, 6, 9)
JUNE = date(2026, 6, 1)


@pytest.fixture(autouse=True)
def backlog(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="usage-backlog")["QueueUrl"]
    for name, value in {"USAGE_BACKLOG_URL": url, "USAGE_REPORTED_WITHIN_DAYS": "366"}.items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    yield
    sqs.delete_queue(QueueUrl=url)


def use(quantity: Any, day: date = YESTERDAY, **more: Any) -> None:
    """The product reports usage of a day."""
    time = NOW.replace(month=day.month, day=day.day, hour=10)
    number = str(len(stored_items()))
    assert report([cloud_event(number, time=time, quantity=quantity, **more)]).body["accepted"] == 1


def grown() -> None:
    watch(stream(), Context())


def problem(body: dict[str, Any], **more: Any) -> tuple[int, str, list[tuple[str, str | None]]]:
    """Status, type, and pointers with codes of a refused correction, which must have changed nothing."""
    before = stored_items()
    given = correct(body, **more)
    assert stored_items() == before
    errors = [(each["pointer"], each.get("code")) for each in given.body.get("errors", [])]
    return given.status, str(given.body["type"]).removeprefix("urn:livello:problem:"), errors


# ---- The product reported bytes for kilobytes ----


def test_what_was_over_reported_is_taken_back_and_all_that_follows_changes(company: Company) -> None:
    every_day(300, since=date(2026, 5, 1), until=date(2026, 5, 31))
    use(10_240, date(2026, 5, 20), content="Search box", conversions=12, revenue={"amount": 3600, "currency": "EUR"})
    before = see(company).body["products"][0]
    taken_back = correction(
        day="2026-05-20",
        content="Search box",
        quantity="-10230",
        conversions=-2,
        revenue={"amount": -600, "currency": "EUR"},
    )

    given = correct(taken_back)

    assert given.status == 201, given
    assert given.body["before"] == {
        "usage": "10540",
        "content_usage": "10240",
        "conversions": 12,
        "revenue": {"amount": 3600, "currency": "EUR"},
    }
    assert given.body["after"] == {
        "usage": "310",
        "content_usage": "10",
        "conversions": 10,
        "revenue": {"amount": 3000, "currency": "EUR"},
    }
    assert (given.body["made_by"], given.body["reason"]) == ("staff", "Bytes were reported for kilobytes")
    page = see(company, by="month", from_="2026-05-01").body
    assert page["series"][0]["periods"] == [
        {"period": "2026-05", "usage": "9010", "peak": False, "corrected": "-10230"}
    ]
    assert page["corrections"] == [given.body]
    after = page["products"][0]
    assert (before["months"][-1]["usage"], after["months"][-1]["usage"]) == ("19240", "9010")
    assert (before["average"], after["average"]) == ("6413.333333", "3003.333333")
    assert after["forecast"] != before["forecast"]
    [box] = wiring.usage_store().contents(company.account, "search", date(2026, 5, 1), date(2026, 5, 1), limit=2)[1:]
    assert (box.quantity, box.conversions, box.revenue) == (Decimal(10), 10, {"EUR": 3000})


def test_a_peak_that_was_a_mistake_is_none_after_the_correction(company: Company) -> None:
    every_day(100, since=date(2026, 5, 1), until=date(2026, 5, 31))
    use(5000, date(2026, 5, 20))

    def peaks() -> list[str]:
        [searches] = [each for each in see(company).body["series"] if each["product"] == "search"]
        return [each["period"] for each in searches["periods"] if each["peak"]]

    assert peaks() == ["2026-05-20"]
    assert correct(correction(day="2026-05-20", quantity=-5000)).status == 201

    assert peaks() == []


def test_decisions_to_come_follow_and_reduction_too(company: Company) -> None:
    every_day(480, since=date(2026, 3, 1), until=JUNE, content="Slider")
    assert simulate(company, {"product": "search"}).body["reason"] == "moved"
    advice = see(company, "usage/reduction").body

    for day in range(1, 32):
        body = correction(str(day), day=f"2026-05-{day:02}", quantity=-300, content="Slider")
        assert correct(body).status == 201

    assert simulate(company, {"product": "search"}).body["reason"] != "moved"
    assert see(company, "usage/reduction").body != advice


def test_what_was_under_reported_is_added_by_the_product_itself(company: Company) -> None:
    use(5)

    given = correct(correction(quantity="7500"), account=company.account)
    grown()

    assert (given.status, given.body["made_by"]) == (201, "product")
    assert totals() == {"search": {YESTERDAY: Decimal(7505)}}
    assert [each["percent"] for each in alerts()] == [75]
    [event] = events_of("usage.corrected")
    assert (event.actor.kind, event.actor.user) == ("system", None)
    assert not is_mailed(event), "the threshold that it reaches has a mail of its own"


def test_the_audit_log_says_who_why_and_what_was_before(company: Company) -> None:
    use("12.5", content="Slider")

    assert correct(correction(quantity="-2.25", content="Slider")).status == 201

    [event] = events_of("usage.corrected")
    assert (event.actor.kind, event.actor.user, event.account) == ("staff", STAFF["sub"], company.account)
    assert event.before == {"usage": "12.5", "content_usage": "12.5", "conversions": 0, "revenue": None}
    after = dict(event.after or {})
    assert after.pop("figures") == {"usage": "10.25", "content_usage": "10.25", "conversions": 0, "revenue": None}
    assert after == {
        "correction": "c-1",
        "product": "search",
        "store": "nordlys-dk",
        "content": "Slider",
        "day": "2026-06-09",
        "quantity": "-2.25",
        "conversions": 0,
        "revenue": None,
        "reason": "Bytes were reported for kilobytes",
        "threshold": None,
    }


def test_conversions_alone_are_corrected_and_shown(company: Company) -> None:
    use(1, conversions=2)

    given = correct(correction(quantity=0, conversions=3))

    assert given.status == 201
    assert given.body["after"]["conversions"] == 5
    page = see(company).body
    assert [each["id"] for each in page["corrections"]] == ["c-1"]
    assert page["series"][0]["periods"][-1]["corrected"] == "0"


def test_csv_has_a_column_of_corrections_where_there_are_any(company: Company) -> None:
    for content in ("Slider", "Search box"):
        use(10, content=content)

    def rows(**query: str) -> list[list[str]]:
        from functions.get_usage.app import handler

        route = "/accounts/{account}/usage"
        asked = {"from": "2026-06-01", **query}
        event = request(
            "GET", route, claims=company.admin, path=company.path, query=asked, headers={"Accept": "text/csv"}
        )
        return [*csv.reader(io.StringIO(handler(event, Context())["body"]))]

    before = rows(group_by="content")
    correct(correction(quantity=-4, content="Slider"))

    assert before[0] == ["period", "product", "store", "content", "usage", "peak"]
    assert rows(group_by="content") == [
        ["period", "product", "store", "content", "usage", "peak", "corrected"],
        ["2026-06-09", "search", "nordlys-dk", "Search box", "10", "", ""],
        ["2026-06-09", "search", "nordlys-dk", "Slider", "6", "", "-4"],
    ]
    assert rows()[1] == ["2026-06-09", "search", "", "", "16", "", "-4"]


def test_only_the_corrections_of_the_shown_usage_are_listed(company: Company) -> None:
    use(10)
    use(10, product="email", store="nordlys-se")
    correct(correction("1", quantity=-1))
    correct(correction("2", quantity=-1, product="email", store="nordlys-se"))
    correct(correction("3", quantity=2, day="2026-05-31"))

    def listed(**query: Any) -> list[str]:
        return [each["id"] for each in see(company, **query).body["corrections"]]

    assert sorted(listed()) == ["1", "2", "3"]
    assert listed()[-1] == "3", "those of the latest day come first"
    assert listed(product="email") == ["2"]
    assert listed(store="nordlys-dk", group_by="store") == ["1", "3"]
    assert sorted(listed(from_="2026-06-01")) == ["1", "2"]
    assert listed(from_="2026-03-01", until="2026-04-01") == []


def test_the_export_has_the_corrections(company: Company) -> None:
    correct(correction(quantity=3))

    [item] = [each for each in wiring.download_store().everything(company.account) if each.family == "correction"]

    assert json.loads(item.body)["reason"] == "Bytes were reported for kilobytes"


# ---- Thresholds ----


def test_a_threshold_that_is_no_longer_reached_is_told_and_can_warn_again_once(company: Company) -> None:
    use(9500)
    grown()
    assert [each["percent"] for each in alerts()] == [90]

    correct(correction(quantity=-9400))
    grown()

    [event] = events_of("usage.corrected")
    threshold = (event.after or {})["threshold"]
    assert (threshold["percent"], threshold["usage"], threshold["month"]) == (90, "100", "2026-06")
    assert is_mailed(event)
    assert [each["percent"] for each in alerts()] == [90]
    use(8900)
    grown()
    grown()
    assert [each["percent"] for each in alerts()] == [90, 90]


def test_a_correction_that_leaves_the_threshold_reached_is_not_mailed_and_warns_of_nothing(company: Company) -> None:
    use(9500)
    grown()

    correct(correction(quantity=-100))
    grown()

    assert not is_mailed(events_of("usage.corrected")[0])
    assert [each["percent"] for each in alerts()] == [90]


def test_usage_that_was_corrected_before_it_was_watched_warns_of_nothing(company: Company) -> None:
    """The stream delivers the counter as it was before the correction."""
    use(9500)
    stale = stream()
    correct(correction(quantity=-9400))

    watch(stale, Context())

    assert alerts() == []


def test_an_alert_about_usage_from_before_a_correction_is_not_written(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher has read the month when the correction is made."""
    use(9500)
    month_usage = UsageStore.month_usage

    def then_corrected(*arguments: Any) -> Decimal | None:
        read = month_usage(*arguments)
        monkeypatch.undo()
        assert correct(correction(quantity=-9400)).status == 201
        return read

    monkeypatch.setattr(UsageStore, "month_usage", then_corrected)
    with pytest.raises(ConcurrentChange):  # the stream repeats the batch
        grown()
    grown()

    assert alerts() == []


def test_a_closed_month_has_no_threshold(company: Company) -> None:
    use(9500, date(2026, 5, 20))

    assert correct(correction(day="2026-05-20", quantity=-9500)).status == 201

    assert not [item for item in stored_items() if item["sk"].startswith("TOLD#")]


# ---- Once ----


def test_the_same_correction_again_is_the_same_one(company: Company) -> None:
    use(10)
    first = correct(correction(quantity="-2.50", reason=" A typing error "))
    before = stored_items()

    again = correct(correction(quantity=-2.5, reason="A typing error"), now=NOW + timedelta(days=300))

    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert stored_items() == before
    assert not [item for item in before if item["sk"].startswith("MARKER#") and "expires_at" not in item][1:]


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": -3},
        {"reason": "Another one"},
        {"day": "2026-06-08"},
        {"content": "Slider"},
        {"store": "nordlys-se"},
        {"product": "email"},
        {"conversions": 1},
        {"revenue": {"amount": 1, "currency": "EUR"}},
    ],
    ids=lambda each: str(*each),
)
def test_another_correction_under_the_same_id_is_a_conflict(change: dict[str, Any], company: Company) -> None:
    use(10)
    assert correct(correction(quantity=-2)).status == 201

    assert problem({**correction(quantity=-2), **change}) == (409, "correction-conflict", [])


def test_the_id_of_a_usage_event_is_another_one(company: Company) -> None:
    use(10)
    [marker] = [item for item in stored_items() if item["sk"].startswith("MARKER#")]

    assert correct(correction("0", quantity=-2)).status == 201
    assert marker in stored_items()


def test_usage_that_is_counted_meanwhile_is_not_lost(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    use(10)
    write = UsageStore.correct

    def overtaken(*arguments: Any) -> None:
        monkeypatch.undo()
        monkeypatch.setenv("USAGE_REPORTED_WITHIN_DAYS", "366")
        use(5)
        write(*arguments)

    monkeypatch.setattr(UsageStore, "correct", overtaken)
    given = correct(correction(quantity=-1))

    assert (given.status, given.body["before"]["usage"], given.body["after"]["usage"]) == (201, "15", "14")
    assert totals() == {"search": {YESTERDAY: Decimal(14)}}


def test_counters_that_stay_busy_are_a_conflict_that_may_be_tried_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any) -> None:
        raise ConcurrentChange

    monkeypatch.setattr(correct_usage_app, "BUDGET_SECONDS", 0)
    monkeypatch.setattr(UsageStore, "correct", busy)

    assert problem(correction()) == (409, "concurrent-change", [])


# ---- Refusals ----


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"quantity": -11}, [("#/quantity", "too-small")]),
        ({"quantity": "-10.000001"}, [("#/quantity", "too-small")]),
        ({"conversions": -3}, [("#/conversions", "too-small")]),
        ({"revenue": {"amount": -101, "currency": "EUR"}}, [("#/revenue/amount", "too-small")]),
        ({"revenue": {"amount": -1, "currency": "DKK"}}, [("#/revenue/amount", "too-small")]),
        ({"quantity": -11, "conversions": -3}, [("#/quantity", "too-small"), ("#/conversions", "too-small")]),
        ({"content": "Another", "quantity": -1}, [("#/quantity", "too-small")]),
        ({"store": "nordlys-se", "quantity": -1}, [("#/quantity", "too-small")]),
        ({"day": "2026-06-08", "quantity": -1}, [("#/quantity", "too-small")]),
        ({"quantity": 0}, [("#/quantity", "no-change")]),
        ({"day": "2026-01-14"}, [("#/day", "too-early")]),
        ({"day": "2026-06-11"}, [("#/day", "too-late")]),
        ({"store": "elsewhere"}, [("#/store", "unknown")]),
        ({"product": "chat"}, [("#/product", "unknown")]),
        ({"quantity": "1e3"}, [("#/quantity", "not-a-number")]),
        ({"quantity": "--1"}, [("#/quantity", "not-a-number")]),
        ({"quantity": "-"}, [("#/quantity", "not-a-number")]),
        ({"quantity": -1_000_000_001}, [("#/quantity", "too-small")]),
        ({"quantity": True}, [("#/quantity", "not-a-number")]),
        ({"quantity": None}, [("#/quantity", "not-a-number")]),
        ({"conversions": 1.5}, [("#/conversions", "wrong-type")]),
        ({"revenue": {"amount": -1}}, [("#/revenue/currency", "missing")]),
        ({"day": "yesterday"}, [("#/day", "not-a-date")]),
        ({"day": 1}, [("#/day", "not-a-date")]),
        ({"reason": " "}, [("#/reason", "too-short")]),
        ({"reason": None}, [("#/reason", "wrong-type")]),
        ({"reason": "x" * 201}, [("#/reason", "too-long")]),
        ({"id": ""}, [("#/id", "too-short")]),
        ({"content": "a\u0000b"}, [("#/content", "not-plain-text")]),
        ({"amount": 1}, [("#/amount", "unknown-field")]),
    ],
    ids=lambda each: str(each)[:50],
)
def test_a_refusal_names_the_field_and_changes_nothing(
    change: dict[str, Any], errors: list[tuple[str, str | None]], company: Company
) -> None:
    use(10, conversions=2, revenue={"amount": 100, "currency": "EUR"})

    for by in (None, company.account):
        status, _, found = problem({**correction(), **change}, account=by)
        assert (status, found) == (422, errors)


def test_numbers_are_taken_as_json_writes_them(company: Company) -> None:
    use(10, conversions=2, revenue={"amount": 100, "currency": "EUR"})
    text = '{"quantity": -2.50, "conversions": -1.0, "revenue": {"amount": -1e1, "currency": "EUR"}}'
    body = json.dumps({**correction(), "x": 0}).replace('"quantity": 1, ', "").replace('"x": 0}', text[1:])
    route = "/accounts/{account}/usage/corrections"

    given = answer(correct_usage_app.handler, request("POST", route, claims=STAFF, path=company.path, body=body))

    assert given.status == 201, given
    assert (given.body["quantity"], given.body["conversions"], given.body["revenue"]["amount"]) == ("-2.5", -1, -10)


def test_huge_numbers_are_refused(company: Company) -> None:
    route = "/accounts/{account}/usage/corrections"
    for field in ("quantity", "conversions"):
        body = json.dumps(correction(**{field: "HERE"}))
        for number in ("1e999999999", "-1e999999999", "1e-999999999", "-1e400", "9" * 400, "-" + "9" * 400):
            sent = body.replace('"HERE"', number)
            given = answer(
                correct_usage_app.handler, request("POST", route, claims=STAFF, path=company.path, body=sent)
            )
            assert given.status == 422, (field, number, given)
            assert [each["pointer"] for each in given.body["errors"]] == [f"#/{field}"]


def test_a_reason_is_required(company: Company) -> None:
    body = correction()
    del body["reason"]

    assert problem(body)[2] == [("#/reason", "missing")]


def test_all_of_a_day_can_be_taken_back_and_no_more(company: Company) -> None:
    use("0.3")

    assert correct(correction(quantity="-0.3")).status == 201
    assert problem(correction("2", quantity="-0.000001"))[2] == [("#/quantity", "too-small")]
    assert totals() == {"search": {YESTERDAY: Decimal(0)}}


def test_days_are_those_of_the_accounts_time_zone(company: Company) -> None:
    """At 22:30 UTC it is the 11th in Copenhagen."""
    late = NOW.replace(hour=22, minute=30)

    assert correct(correction(day="2026-06-11"), now=late).status == 201


def test_the_usage_of_a_closed_account_is_final(company: Company) -> None:
    invoiced_elsewhere(company)
    use(10)
    made = correct(correction("made", quantity=-1))
    deactivate(company)

    for by in (None, company.account):
        assert problem(correction(), account=by, now=ENDED) == (409, "account-closed", [])
    assert correct(correction("made", quantity=-1), now=ENDED).body == made.body


def test_a_cancelled_account_is_closed_on_its_day_although_the_deactivation_is_late(company: Company) -> None:
    invoiced_elsewhere(company)
    assert cancel(company).status == 201

    assert correct(correction("in time"), now=ENDED - timedelta(minutes=2)).status == 201
    assert problem(correction("late"), now=ENDED)[1] == "account-closed"


def test_an_unknown_account_is_named_to_the_product_only(company: Company) -> None:
    assert problem(correction(), account="nobody") == (422, "rule-violation", [("#/account", "unknown")])
    path = {"account": "nobody"}
    route = "/accounts/{account}/usage/corrections"
    body = correction()
    given = answer(correct_usage_app.handler, request("POST", route, claims=STAFF, path=path, body=body))
    assert (given.status, given.body["type"]) == (404, "urn:livello:problem:account-not-found")


def test_another_account_with_the_same_id_of_a_correction_has_its_own(company: Company) -> None:
    assert provisioned({**ACCOUNT, "account": "spare-shop"}).status == 201

    assert correct(correction(quantity=2)).status == 201
    assert correct(correction(quantity=3), account="spare-shop").status == 201


@pytest.mark.parametrize("claims", [None, STAFF, person("user-1"), {**MACHINE, "scope": "other/scope"}])
def test_only_the_product_may_use_its_route(claims: dict[str, str] | None, company: Company) -> None:
    body = {**correction(), "account": company.account}

    assert (
        answer(correct_usage_app.handler, request("POST", "/usage/corrections", claims=claims, body=body)).status == 401
    )


def test_no_correction_is_logged_with_its_words(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    correct(correction("secret-id", reason="secret reason", content="secret content"))

    assert "secret" not in capsys.readouterr().out
