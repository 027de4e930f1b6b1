"""The lists of staff through the API: what they show, what they refuse, and what they cost."""

from __future__ import annotations

import csv
import io
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.accounts.rules import existing
from billing.billing_page.list_index_records import Indexed, ListIndexStore
from billing.invoicing.dunning import mark_past_due
from billing.invoicing.issue_invoices import issue_invoices
from billing.kernel.errors import Busy
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed
from billing.platform.dynamodb.reader import Reader
from billing.scaling.autoscaling import Decision
from billing.scaling.tier_changes import Hold, ProductDecision
from botocore.client import BaseClient

from functions.administer_autoscaling.app import handler as administer_autoscaling
from functions.administer_cancellation.app import handler as administer_cancellation
from functions.administer_reviews.app import handler as administer_reviews
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.list_accounts.app import handler as list_accounts
from scripts.index_lists import index_lists
from tests.api_gateway import NOW, STAFF, Answer, Handler, answer, request
from tests.aws import TABLE, items_behind_moto, restore_items, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import call_cancellation, cancel
from tests.functions.reviews import MANAGER, make_reviewable
from tests.functions.test_round_trips import BATCH, GET, QUERY, Calls, calls  # noqa: F401 - pytest looks for it here
from tests.samples import ACCOUNT, with_value

SHOPS = ("nordlys-kaffe", "pizza", "zebra")


@pytest.fixture(scope="module")
def made() -> list[Any]:
    """The items of the companies, from the first test that needs them."""
    return []


@pytest.fixture
def shops(company: Company, made: list[Any]) -> Company:
    """The sample company and two others."""
    if not made:
        for account in SHOPS[1:]:
            body = with_value(with_value(ACCOUNT, account, "account"), account.title(), "name")
            assert provisioned(with_value(body, f"{account}@invoices.example", "billing", "email")).status == 201
        made.append(deepcopy(items_behind_moto()))
    items_behind_moto().clear()
    items_behind_moto().update(deepcopy(made[0]))
    return company


def asked(handler: Handler, route: str, claims: Any = STAFF, **query: str) -> Answer:
    return answer(handler, request("GET", route, claims=claims, query=query or None))


def pages_of(handler: Handler, route: str, **query: str) -> list[dict[str, Any]]:
    """The items of a list, through pages."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        given = asked(handler, route, **{"limit": "2", **query}, **({} if cursor is None else {"cursor": cursor}))
        assert given.status == 200, given
        found += given.body["items"]
        cursor = given.body["next_cursor"]
        if cursor is None:
            return found


def bodies(account: str, family: str) -> list[Any]:
    """The stored bodies of a family of an account."""
    mine = (item for item in stored_items() if item["pk"] == f"ACCOUNT#{account}")
    return [parsed(item["body"]) for item in mine if item["sk"].startswith(family)]


def make_past_due(account: str) -> None:
    issued(account)
    store = wiring.invoice_store()
    record = store.summaries(account)[-1]
    store.save_payment(wiring.account_store().account(account), record, mark_past_due(record.payment))


# ---- Accounts ----


def test_customers_see_their_own_accounts_as_before(shops: Company) -> None:
    given = asked(list_accounts, "/accounts", shops.member, search="zebra", past_due="true")

    assert given.body == {
        "items": [{"account": "nordlys-kaffe", "name": "Nordlys Kaffe", "role": "member"}],
        "next_cursor": None,
    }


def test_staff_see_who_it_is_and_how_it_stands(shops: Company) -> None:
    [item] = asked(list_accounts, "/accounts", search="nordlys-kaffe").body["items"]

    assert item == {
        "account": "nordlys-kaffe",
        "name": "Nordlys Kaffe",
        "role": "staff",
        "details": {
            "status": "active",
            "active_until": None,
            "company": "Nordlys Kaffe ApS",
            "country": "DK",
            "vat_number": "DK13585628",
            "billing_email": "invoices@nordlys.example",
            "success_manager": None,
            "payment_method": None,
            "usable_method": False,
            "paused_until": None,
        },
    }


# ---- Other lists ----


def issued(account: str, now: datetime = NOW) -> list[str]:
    return [
        *issue_invoices(
            account, now=now, correlation="test", settings=wiring.invoicing_settings(), store=wiring.invoice_store()
        )
    ]


def test_the_invoices_and_credit_notes_of_a_month(shops: Company) -> None:
    numbers = [number for account in SHOPS for number in issued(account)]
    path = {"account": "zebra", "number": bodies("zebra", "INVOICE#")[0]["number"]}
    note = request(
        "POST",
        "/accounts/{account}/invoices/{number}/credit-notes",
        claims=STAFF,
        path=path,
        body={"lines": None, "reason": "Wrong"},
    )
    assert answer(issue_credit_note, note).status == 201
    summaries = {each["number"]: each for account in SHOPS for each in bodies(account, "INVOICE#")}

    invoices = pages_of(get_invoices, "/invoices", month="2026-06", limit="4")
    [credit_note] = pages_of(get_invoices, "/credit-notes", month="2026-06")

    assert [each["number"] for each in invoices] == sorted(numbers)
    assert {each["number"]: (each["status"], each["total"]["amount"]) for each in [*invoices, credit_note]} == {
        number: (each["status"], each["total"]["amount"]) for number, each in summaries.items()
    }
    assert credit_note["corrects"] == path["number"]
    assert all(each["net"]["amount"] + each["tax"]["amount"] == each["total"]["amount"] for each in invoices)
    assert {each["account"] for each in invoices} == {*SHOPS}
    assert pages_of(get_invoices, "/invoices", month="2026-05") == []


def test_the_invoices_of_a_month_as_a_table_and_the_rest_by_its_link(
    shops: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = sorted(number for account in SHOPS for number in issued(account))
    monkeypatch.setattr("functions.get_invoices.app.SHEET_INVOICES_MAX", 2)
    found: list[dict[str, str]] = []
    query = {"month": "2026-06"}
    for _ in numbers:
        response = get_invoices(
            request("GET", "/invoices", claims=STAFF, query=query, headers={"Accept": "text/csv"}), LambdaContext()
        )
        headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
        assert headers["Content-Disposition"] == 'attachment; filename="invoices-2026-06.csv"'
        found += csv.DictReader(io.StringIO(response["body"]))
        if "Link" not in headers:
            break
        query = dict(parse_qsl(headers["Link"].removeprefix("<?").partition(">")[0]))

    assert [row["number"] for row in found] == numbers
    assert len(numbers) > 2
    assert {row["account"] for row in found} == {*SHOPS}
    assert {row["company"] for row in found} == {"Nordlys Kaffe ApS"}


def test_cancellations_with_their_reasons(shops: Company) -> None:
    assert cancel(shops).status == 201

    [item] = pages_of(administer_cancellation, "/cancellations")
    receipt = call_cancellation(shops, "GET").body["receipt"]

    assert item == {"account": shops.account, **receipt}
    assert (item["reason"], item["text"]) == (
        "closing_business",
        "We close two of our four shops.\nThank you for the help.",
    )
    assert pages_of(administer_cancellation, "/cancellations", month="2026-06") == [item]
    assert pages_of(administer_cancellation, "/cancellations", month="2026-05") == []
    assert call_cancellation(shops, "DELETE").status == 204
    assert pages_of(administer_cancellation, "/cancellations") == []


def test_cancellations_in_pages_the_newest_first(shops: Company) -> None:
    for minute, account in enumerate(SHOPS):
        assert cancel(Company(account, shops.admin, shops.admin), now=NOW + timedelta(minutes=minute)).status == 201

    found = pages_of(administer_cancellation, "/cancellations", limit="1")

    assert [each["account"] for each in found] == [*reversed(SHOPS)]


def decision(product: str, *, moves: bool = False, hold: Hold | None = None) -> ProductDecision:
    decided = Decision(
        rule_version=1,
        month=date(2026, 6, 1),
        current=0,
        target=1 if moves or hold else 0,
        limit=Decimal(10_000),
        reason="moved" if moves or hold else "fits",
        months=(),
        left_out=(),
        weeks=(),
        highest_before=None,
        season=None,
        steady=Decimal(12_000),
    )
    effective_on = date(2026, 6, 15) if moves else None
    return ProductDecision(
        product, NOW, decided, (10_000, 25_000), {}, (), hold, "Campaign" if hold else None, effective_on
    )


def test_the_decisions_of_a_month(shops: Company) -> None:
    store = wiring.autoscaling_store()
    made = {
        "zebra": (decision("email"), decision("search", moves=True)),
        "pizza": (decision("search", hold=Hold.PAUSED),),
        "nordlys-kaffe": (decision("search", moves=True),),
    }
    for account, decided in made.items():
        state = existing(store.state(account))
        assert state.due is not None
        store.decide(state, decided, None, (), state.due, NOW)

    found = pages_of(administer_autoscaling, "/autoscaling-decisions", month="2026-06", limit="1")

    assert [(each["outcome"], each["account"], each["product"]) for each in found] == [
        ("held", "pizza", "search"),
        ("moves", "nordlys-kaffe", "search"),
        ("moves", "zebra", "search"),
        ("stays", "zebra", "email"),
    ]
    moves = pages_of(administer_autoscaling, "/autoscaling-decisions", month="2026-06", outcome="moves", limit="1")
    assert moves == found[1:3]
    assert found[0]["hold_reason"] == "Campaign"
    assert pages_of(administer_autoscaling, "/autoscaling-decisions", month="2026-05") == []


def test_the_reviews_of_a_manager(company: Company) -> None:
    client = make_reviewable(company)
    first = client.booked()
    assert client.cancel(first).status == 204
    second = client.booked("2026-06-17T07:00:00Z")

    found = pages_of(administer_reviews, "/reviews", manager=MANAGER, limit="1")

    assert [(each["account"], each["review"], each["status"]) for each in found] == [
        (company.account, second, "booked"),
        (company.account, first, "cancelled"),
    ]
    assert pages_of(administer_reviews, "/reviews", manager="nobody") == []


# ---- Bad input ----

LISTS: list[tuple[Handler, str, dict[str, str]]] = [
    (list_accounts, "/accounts", {}),
    (get_invoices, "/invoices", {"month": "2026-06"}),
    (get_invoices, "/credit-notes", {"month": "2026-06"}),
    (administer_cancellation, "/cancellations", {}),
    (administer_autoscaling, "/autoscaling-decisions", {"month": "2026-06"}),
    (administer_reviews, "/reviews", {"manager": MANAGER}),
]


@pytest.mark.parametrize(
    ("handler", "route", "query", "code"),
    [
        (get_invoices, "/invoices", {}, "missing"),
        (get_invoices, "/credit-notes", {}, "missing"),
        (administer_autoscaling, "/autoscaling-decisions", {}, "missing"),
        (administer_reviews, "/reviews", {}, "missing"),
        (administer_reviews, "/reviews", {"manager": ""}, "too-short"),
        *((get_invoices, "/invoices", {"month": month}, "not-a-month") for month in ("2026-13", "2026-6", "June", "")),
        (get_invoices, "/invoices", {"month": "1999-12"}, "too-small"),
        (get_invoices, "/invoices", {"month": "2100-01"}, "too-large"),
        (administer_cancellation, "/cancellations", {"month": "2026-06-01"}, "not-a-month"),
        (administer_autoscaling, "/autoscaling-decisions", {"month": "2026-06", "outcome": "x"}, "not-allowed"),
        (list_accounts, "/accounts", {"status": "gone"}, "not-allowed"),
        (list_accounts, "/accounts", {"past_due": "perhaps"}, "wrong-type"),
        (list_accounts, "/accounts", {"search": "x" * 255}, "too-long"),
    ],
)
def test_bad_questions_are_refused(
    company: Company, handler: Handler, route: str, query: dict[str, str], code: str
) -> None:
    given = asked(handler, route, **query)

    assert given.status == 422, given
    assert [each["code"] for each in given.body["errors"]] == [code]


def test_a_position_that_was_made_up_leads_to_nothing_else(shops: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client can make a cursor with the mark of its list, and any text after it."""
    for position in (":", "9:x", "0:%FF", "x", "-1:", "0:ACCOUNT%23zebra", "2:zz", "²:x", "1:%F0%9F", "~"):
        monkeypatch.setattr("billing.platform.http.pages.ListPages.position", lambda _, cursor, at=position: at)
        found = asked(list_accounts, "/accounts", cursor="x", search="pizza")
        assert found.status == 200
        assert {each["account"] for each in found.body["items"]} <= {"pizza"}, position
        for handler, route, query in LISTS[1:]:
            assert asked(handler, route, cursor="x", **query).body["items"] == []


# ---- What they cost ----


def test_a_list_of_accounts_costs_its_round_trips(
    shops: Company,
    calls: Calls,  # noqa: F811 - the fixture
) -> None:
    make_past_due("zebra")
    make_past_due("pizza")
    costs: list[tuple[dict[str, str], list[str]]] = [
        ({}, [QUERY] * keys.SHARDS + [BATCH]),
        ({"search": "nordlys"}, [GET, QUERY] + [QUERY] * (keys.SHARDS + 1) + [BATCH]),
        ({"search": "zebra@invoices.example"}, [QUERY, BATCH]),
        ({"status": "cancelling"}, [QUERY]),
        ({"usable_method": "false"}, [QUERY, BATCH]),
        ({"paused": "true"}, [QUERY]),
        ({"past_due": "true"}, [QUERY, QUERY, BATCH, QUERY, QUERY]),
    ]
    for query, cost in costs:
        calls.clear()
        asked(list_accounts, "/accounts", **query)
        assert calls == cost, query


def test_a_month_costs_a_query_per_shard_and_a_read_of_its_summaries(
    shops: Company,
    calls: Calls,  # noqa: F811 - the fixture
) -> None:
    for account in SHOPS:
        issued(account)
    calls.clear()

    asked(get_invoices, "/invoices", month="2026-06")

    assert calls == [QUERY] * keys.SHARDS + [BATCH]


def test_no_list_scans(shops: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each query names a partition: DynamoDB knows no other one. That no role allows a scan is another test."""
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def refuse(client: Any, operation: str, parameters: Any) -> Any:
        assert operation in {"Query", "GetItem", "BatchGetItem"}
        return send(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    for handler, route, query in LISTS:
        assert asked(handler, route, **query).status == 200
    for question in ({"search": "n"}, {"search": "a@b.example"}, {"past_due": "true"}, {"paused": "true"}):
        assert asked(list_accounts, "/accounts", **question).status == 200


def in_indexes(item: dict[str, Any]) -> int:
    return sum(f"{index}pk" in item for index in (keys.INDEX, keys.LIST_INDEX))


def test_what_an_account_writes_into_the_indexes(company: Company) -> None:
    """Each is a write unit per kilobyte. DUE and USER items were in gsi1 before."""
    assert {
        item["sk"]: in_indexes(item)
        for item in stored_items()
        if item["pk"] == f"ACCOUNT#{company.account}" and item["sk"].startswith(("PAGE#", "USER#"))
    } == {
        "PAGE#ACCOUNT": 1,
        "PAGE#BILLING": 1,
        "PAGE#COMPANY": 2,
        "PAGE#CONTACT": 0,
        "PAGE#PAYMENT-METHOD": 1,
        "PAGE#SUBSCRIPTION": 0,
        f"USER#{company.admin['sub']}": 2,
        f"USER#{company.member['sub']}": 2,
    }


def test_a_long_list_is_read_a_page_at_a_time(shops: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a whole partition for three rows of it."""
    reader = Reader(TABLE, wiring.dynamodb())
    asked_for: list[int] = []
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def note(client: Any, operation: str, parameters: Any) -> Any:
        asked_for.append(parameters["Limit"])
        return send(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    lists = [(each, keys.LIST_INDEX) for each in keys.list_shards(keys.ACCOUNTS)]
    rows = [key for key, _ in reader.merged(lists, " ", keys.last_listed(""), at_once=1)]

    assert rows == sorted(rows)
    assert len(rows) == len(SHOPS)
    assert {*asked_for} == {1}


# ---- Accounts of an earlier release ----


@pytest.fixture
def older(shops: Company) -> None:
    """Users, companies and accounts as a release before has written them."""
    for item in stored_items():
        if item["sk"].startswith(("PAGE#", "USER#")):
            restore_items([{name: value for name, value in item.items() if not name.startswith("gsi2")}])


def listed() -> list[str]:
    return [each["account"] for each in asked(list_accounts, "/accounts").body["items"]]


@pytest.mark.usefixtures("older")
def test_the_command_takes_all_accounts_in_and_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    store = ListIndexStore(TABLE, wiring.dynamodb())
    assert listed() == []

    assert index_lists(store)
    assert listed() == [*SHOPS]
    assert capsys.readouterr().out.endswith("3 accounts, 16 items taken in, 0 accounts to look at again\n")

    assert index_lists(store)
    assert capsys.readouterr().out.endswith("3 accounts, 0 items taken in, 0 accounts to look at again\n")


@pytest.mark.usefixtures("older")
def test_the_command_goes_on_behind_an_account_and_says_who_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ListIndexStore(TABLE, wiring.dynamodb())
    in_order = [*store.accounts()]
    index_account = store.index_account

    def busy(account: str) -> Indexed:
        if account == in_order[1]:
            raise Busy
        return index_account(account)

    monkeypatch.setattr(store, "index_account", busy)
    assert not index_lists(store)
    assert f"{in_order[1]}: busy" in capsys.readouterr().out
    monkeypatch.undo()

    assert [*store.accounts(in_order[0])] == in_order[1:]
    assert index_lists(store, after=in_order[0])
    assert listed() == [*SHOPS]
