"""GET /accounts/{account}/usage and …/usage/reduction: the usage page and the reduction advice."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.usage.rules import UsageEvent

from functions.get_usage.app import handler
from tests.api_gateway import NOW, Answer, answer, request
from tests.company import Company
from tests.samples import ACCOUNT

TODAY = date(2026, 6, 10)


def counted(
    day: date,
    quantity: float | str,
    *,
    product: str = "search",
    store: str = "nordlys-dk",
    content: str | None = None,
    conversions: int = 0,
    revenue: int = 0,
) -> UsageEvent:
    return UsageEvent(
        account=ACCOUNT["account"],
        source="test",
        id=f"{day} {product} {store} {content}",
        product=product,
        store=store,
        content=content,
        time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        day=day,
        quantity=Decimal(str(quantity)),
        conversions=conversions,
        revenue=Money(revenue, "EUR") if revenue else None,
    )


def count(*events: UsageEvent) -> None:
    for first in range(0, len(events), 40):
        assert wiring.usage_store().count(events[first : first + 40], lambda _: None) == {}


def every_day(quantity: float, *, since: date = date(2026, 1, 15), until: date = TODAY, **place: Any) -> None:
    days = (since + timedelta(days=number) for number in range((until - since).days))
    count(*(counted(day, quantity, **place) for day in days))


def see(
    company: Company, what: str = "usage", *, accept: str | None = None, now: datetime = NOW, **query: str
) -> Answer:
    asked = {name.rstrip("_"): value for name, value in query.items()}
    headers = {} if accept is None else {"Accept": accept}
    route = f"/accounts/{{account}}/{what}"
    event = request("GET", route, claims=company.member, path=company.path, query=asked, headers=headers, now=now)
    return answer(handler, event)


def series(given: Answer) -> dict[str, dict[str, str]]:
    """Usage by period, of each series by its product, store and content."""
    assert given.status == 200, given
    return {
        "/".join(each[name] for name in ("product", "store", "content") if each[name]): {
            period["period"]: period["usage"] for period in each["periods"]
        }
        for each in given.body["series"]
    }


# ---- A range of days ----


def test_the_default_is_usage_by_day_since_the_month_three_months_ago(company: Company) -> None:
    count(
        counted(TODAY, "2.2"),
        counted(date(2026, 3, 1), 7),
        counted(date(2026, 2, 28), 9),
        counted(TODAY, 1, product="email"),
    )

    given = see(company)

    assert (given.body["from"], given.body["until"]) == ("2026-03-01", "2026-06-11")
    assert (given.body["by"], given.body["group_by"], given.body["time_zone"]) == (
        "day",
        "product",
        "Europe/Copenhagen",
    )
    assert series(given) == {"search": {"2026-03-01": "7", "2026-06-10": "2.2"}, "email": {"2026-06-10": "1"}}
    assert [each["total"] for each in given.body["series"]] == ["9.2", "1"]


def test_usage_by_month_counts_only_the_days_of_the_range(company: Company) -> None:
    every_day(1)

    given = see(company, from_="2026-01-30", until="2026-04-02", by="month", product="search")

    assert series(given) == {"search": {"2026-01": "2", "2026-02": "28", "2026-03": "31", "2026-04": "1"}}


def test_usage_is_grouped_by_store_or_content(company: Company) -> None:
    count(
        counted(TODAY, 5, content="Slider"),
        counted(TODAY - timedelta(days=1), 3, content="Slider"),
        counted(TODAY, 2),
        counted(TODAY, 1, store="nordlys-se", content="Slider"),
        counted(TODAY, 4, product="email", content="Newsletter"),
    )

    by_store = see(company, group_by="store", by="month")
    by_content = see(company, group_by="content", by="month", store="nordlys-dk")

    assert series(by_store) == {
        "search/nordlys-dk": {"2026-06": "10"},
        "search/nordlys-se": {"2026-06": "1"},
        "email/nordlys-dk": {"2026-06": "4"},
    }
    assert series(by_content) == {
        "search/nordlys-dk/Slider": {"2026-06": "8"},
        "search/nordlys-dk": {"2026-06": "2"},
        "email/nordlys-dk/Newsletter": {"2026-06": "4"},
    }
    assert series(see(company, store="nordlys-se")) == {"search/nordlys-se": {"2026-06-10": "1"}}


def test_a_peak_is_marked_in_every_range(company: Company) -> None:
    every_day(100)
    count(counted(date(2026, 5, 29), 900, store="nordlys-se"))

    ranges = [("2026-03-01", "2026-06-11"), ("2026-05-29", "2026-05-30"), ("2026-01-01", "2027-01-01")]
    for first, until in ranges:
        [search, _] = see(company, from_=first, until=until).body["series"]
        assert [each["period"] for each in search["periods"] if each["peak"]] == ["2026-05-29"]
    [search, _] = see(company, by="month").body["series"]
    assert not any(each["peak"] for each in search["periods"])


def test_months_without_usage_do_not_lower_the_usual_day(company: Company) -> None:
    """The range does not matter either: it may begin before or after the months without usage."""
    count(counted(date(2026, 1, 16), 10))
    every_day(100, since=date(2026, 4, 20), until=date(2026, 6, 1))
    count(counted(date(2026, 5, 28), 100, store="nordlys-se"), counted(date(2026, 5, 29), 250, store="nordlys-se"))

    for first in ("2026-01-01", "2026-04-01", "2026-05-01"):
        [search, _] = see(company, from_=first, until="2026-06-01").body["series"]
        in_may = [each for each in search["periods"] if each["period"] >= "2026-05"]
        assert [each["period"] for each in in_may if each["peak"]] == ["2026-05-29"]


@pytest.mark.parametrize(("first", "queries"), [(None, 1), ("2025-08-01", 1), ("2025-07-31", 2), ("2026-12-01", 1)])
def test_a_range_in_the_last_year_needs_one_query(company: Company, first: str | None, queries: int) -> None:
    client = wiring.usage_store()._client
    with patch.object(client, "query", wraps=client.query) as asked:
        given = see(company) if first is None else see(company, from_=first, until=f"{first[:4]}-12-31")

    of_usage = [
        call
        for call in asked.call_args_list
        if call.kwargs["ExpressionAttributeValues"][":partition"]["S"] == keys.usage(company.account)
    ]
    assert (given.status, len(of_usage)) == (200, queries)


def test_older_usage_is_returned(company: Company) -> None:
    count(counted(date(2024, 11, 29), 7))

    assert series(see(company, from_="2024-01-01", until="2025-02-01", product="search")) == {
        "search": {"2024-11-29": "7"}
    }


# ---- The summary of a product ----


def test_the_summary_has_the_running_month_closed_months_and_a_forecast(company: Company) -> None:
    every_day(300)
    count(counted(TODAY, 12))

    [search, email] = see(company, from_="2026-06-01", until="2026-06-02").body["products"]

    assert {name: value for name, value in search.items() if name != "forecast"} == {
        "product": "search",
        "name": "Search",
        "unit": "searches",
        "up_to": 10_000,
        "running": {"month": "2026-06", "usage": "2712", "percent": "27.1"},
        "months": [
            {"month": "2026-03", "usage": "9300", "percent": "93.0"},
            {"month": "2026-04", "usage": "9000", "percent": "90.0"},
            {"month": "2026-05", "usage": "9300", "percent": "93.0"},
        ],
        "average": "9200",
        "average_percent": "92.0",
        "note": None,
    }
    assert search["forecast"]["running"]["expected"] == "9000"
    assert search["forecast"]["coming"]["month"] == "2026-07"
    assert (email["average"], email["forecast"]) == ("0", None)
    assert "14 days" in email["note"]


def test_a_new_account_has_fewer_closed_months(company: Company) -> None:
    march = datetime(2026, 3, 20, 12, tzinfo=UTC)

    [search, _] = see(company, now=march).body["products"]

    assert [each["month"] for each in search["months"]] == ["2026-02"]
    [search, _] = see(company, now=datetime(2026, 1, 20, tzinfo=UTC)).body["products"]
    assert (search["months"], search["average"], search["average_percent"]) == ([], None, None)


def test_months_of_imported_usage_count_as_closed_months(company: Company) -> None:
    every_day(10, since=date(2025, 11, 1), until=date(2026, 1, 15))

    [search, _] = see(company, now=datetime(2026, 1, 20, tzinfo=UTC)).body["products"]

    assert [each["month"] for each in search["months"]] == ["2025-11", "2025-12"]


# ---- CSV ----


def table(company: Company, accept: str, **query: str) -> tuple[dict[str, list[str]], list[list[str]]]:
    """The headers and the rows of a CSV answer."""
    asked = {name.rstrip("_"): value for name, value in query.items()}
    route = "/accounts/{account}/usage"
    event = request("GET", route, claims=company.member, path=company.path, query=asked, headers={"Accept": accept})
    given = handler(event, LambdaContext())
    assert given["statusCode"] == 200
    assert given["isBase64Encoded"] is False
    return given["multiValueHeaders"], [*csv.reader(io.StringIO(given["body"]))]


def test_the_series_are_available_as_csv(company: Company) -> None:
    every_day(100)
    count(counted(date(2026, 5, 29), 900, store="nordlys-se", content='=HYPERLINK("//evil")'))
    header = ["period", "product", "store", "content", "usage", "peak"]

    headers, by_day = table(company, "text/csv, application/json;q=0.5", from_="2026-05-29", until="2026-05-31")
    _, by_content = table(company, "text/csv", group_by="content", by="month", from_="2026-05-01", until="2026-06-01")

    assert headers["Content-Type"] == ["text/csv; charset=utf-8"]
    assert headers["Content-Disposition"] == ['attachment; filename="usage-nordlys-kaffe-2026-05-29-2026-05-31.csv"']
    assert by_day == [
        header,
        ["2026-05-29", "search", "", "", "1000", "peak"],
        ["2026-05-30", "search", "", "", "100", ""],
    ]
    assert by_content == [
        header,
        ["2026-05", "search", "nordlys-dk", "", "3100", ""],
        ["2026-05", "search", "nordlys-se", '\'=HYPERLINK("//evil")', "900", ""],
    ]


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json, text/csv;q=0.9", "image/png", "text/csv;q=0", "text/csv;q=x", ";;,,"]
)
def test_other_media_types_get_json(company: Company, accept: str | None) -> None:
    assert see(company, accept=accept).headers["Content-Type"] == "application/json"


# ---- Limits and refusals ----


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"from_": "2026-06-10", "until": "2026-06-10"}, "until"),
        ({"from_": "2026-06-10", "until": "2026-06-01"}, "until"),
        ({"from_": "2025-01-01", "until": "2026-02-02"}, "until"),
        ({"from_": "0001-01-01", "until": "0001-02-01"}, "from"),
        ({"until": "9999-12-31"}, "until"),
        ({"from_": "yesterday"}, "from"),
        ({"from_": "2026-02-30"}, "from"),
        ({"until": "1780000000"}, "until"),
        ({"by": "hour"}, "by"),
        ({"group_by": "page"}, "group_by"),
        ({"product": "chat"}, "product"),
        ({"product": "No Product"}, "product"),
        ({"store": "nordlys-no"}, "store"),
    ],
)
def test_an_invalid_query_is_refused_with_its_parameter(
    company: Company, query: dict[str, str], parameter: str
) -> None:
    asked: Any = query
    given = see(company, **asked)

    assert given.status == 422
    assert [(each["parameter"], each["in"]) for each in given.body["errors"]] == [(parameter, "query")]


def test_a_range_may_have_thirteen_months(company: Company) -> None:
    assert see(company, from_="2025-01-01", until="2026-02-01").status == 200
    assert see(company, from_="2000-01-01", until="2000-02-01").status == 200


def test_too_many_contents_are_refused_with_advice(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.usage.show_usage.CONTENTS_MAX", 3)
    count(*(counted(TODAY, 1, content=str(number)) for number in range(4)))

    given = see(company, group_by="content")

    assert (given.status, given.body["errors"][0]["parameter"]) == (422, "product")
    assert see(company, group_by="content", product="email").status == 200
    assert see(company, group_by="content", product="search").body["errors"][0]["parameter"] == "from"
    assert see(company).status == 200
    # A range that ends on the first of a month does not include that month.
    assert see(company, group_by="content", from_="2026-05-01", until="2026-06-01").status == 200


def test_small_series_are_added_up_in_one(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.usage.summary.SERIES_MAX", 2)
    count(*(counted(TODAY, number, content=f"c{number}") for number in range(1, 6)))

    largest = see(company, group_by="content").body["series"]

    assert [(each["content"], each["parts"], each["total"]) for each in largest] == [
        ("c5", 1, "5"),
        ("c4", 1, "4"),
        (None, 3, "6"),
    ]
    monkeypatch.setattr("billing.usage.summary.SERIES_MAX", 4)
    assert see(company, group_by="content").body["series"][-1]["content"] == "c1", (
        "a single small series keeps its name"
    )


# ---- Reduction advice ----


def test_the_advice_names_the_content_to_remove(company: Company) -> None:
    every_day(200, product="email", content="Newsletter", conversions=4, revenue=9000)
    every_day(150, product="email", content="Birthday greeting", conversions=1, revenue=10)
    every_day(40, product="email", store="nordlys-se", content="Basket", conversions=9, revenue=90_000)

    [search, email] = see(company, "usage/reduction").body["products"]

    assert (email["verdict"], email["measure"]) == ("plan", "revenue")
    assert email["tier"] == {"up_to": 25_000, "price_per_month": {"amount": 5900, "currency": "EUR"}}
    assert email["lower_tier"] == {"up_to": 10_000, "price_per_month": {"amount": 2900, "currency": "EUR"}}
    assert email["saving_per_month"] == {"amount": 3000, "currency": "EUR"}
    assert email["average"] == "11960"
    assert [(each["content"], each["usage_per_month"]) for each in email["remove"]] == [("Birthday greeting", "4600")]
    assert email["average_without"] == "7360"
    assert [each["content"] for each in email["ranking"]] == ["Birthday greeting", "Newsletter", "Basket"]
    assert email["ranking"][2]["revenue"] == [{"amount": 90_000 * 92, "currency": "EUR"}]
    assert (search["verdict"], search["lower_tier"]) == ("lowest-tier", None)
    assert search["detail"] == "There is no lower tier."


def test_the_advice_may_be_for_one_product(company: Company) -> None:
    assert [each["product"] for each in see(company, "usage/reduction", product="email").body["products"]] == ["email"]
    assert see(company, "usage/reduction", product="chat").status == 422


def test_the_advice_explains_why_there_is_no_plan(company: Company) -> None:
    every_day(400, product="email", content="Newsletter")

    [email] = see(company, "usage/reduction", product="email").body["products"]

    assert (email["verdict"], email["remove"], email["measure"]) == ("nothing-earned", [], None)
    assert "nobody can tell" in email["detail"]
