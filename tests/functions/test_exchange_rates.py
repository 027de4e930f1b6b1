"""The tax in the seller's currency, from the rates that staff give to the invoice; and invoices that wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.correspondence.audiences import Recipient, recipients
from billing.invoicing.due import InvoicingDue
from billing.invoicing.due_mapping import invoicing_due_body, invoicing_due_from
from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.mapping import is_as_issued

from functions.administer_exchange_rates.app import handler as exchange_rates
from functions.administer_reactivation.app import handler as reactivation
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.issue_invoices.app import handler as issue
from functions.release_invoicing.app import handler as release
from functions.update_billing_information.app import handler as update
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company, provisioned
from tests.functions.clocks import ON_CLOCK, advanced, make
from tests.functions.clocks import workers as workers  # noqa: PLC0414 - pytest looks for it here
from tests.functions.ending import deactivate
from tests.functions.test_policies import Permission, allowed, used  # noqa: F401 - pytest looks for `used` here
from tests.functions.test_round_trips import Calls, calls  # noqa: F401 - and for this
from tests.functions.test_vat_numbers import Context, put_transfer, recorded, run
from tests.samples import ACCOUNT, with_value

RATES = {"base": "EUR", "rates": {"DKK": "7.4604", "USD": "1.0850"}, "source": "ECB"}
JANUARY, APRIL = "2026-01-14", "2026-04-14"
"""The days before the paid periods that are due at NOW begin."""

ROUTE = "/exchange-rates/{day}"
INVOICE = "/accounts/{account}/invoices/{number}"


@pytest.fixture(params=["DKK"])
def seller_currency(request: pytest.FixtureRequest) -> str:
    """The deployment's SellerCurrency."""
    chosen: str = request.param
    return chosen


@pytest.fixture(autouse=True)
def deployment(
    company: Company, work_queue: Any, stripe_account: Any, seller_currency: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("SELLER_CURRENCY", seller_currency)
    wiring.forget()
    yield
    wiring.forget()


def put(day: str, body: Any = RATES, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in (headers or {"If_None_Match": "*"}).items()}
    return answer(exchange_rates, request("PUT", ROUTE, claims=STAFF, path={"day": day}, body=body, headers=named))


def get(day: str) -> Answer:
    return answer(exchange_rates, request("GET", ROUTE, claims=STAFF, path={"day": day}))


def waiting() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(
        exchange_rates, request("GET", "/invoicing/awaiting-rates", claims=STAFF)
    ).body["items"]
    return found


def issue_due(at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers of the invoices so far, after the hourly run."""
    run("renewal", issue, at, monkeypatch)
    return [json.loads(each["body"])["number"] for each in stored_items() if each["sk"].startswith("INVOICE#")]


def shown(company: Company, number: str) -> dict[str, Any]:
    path = {**company.path, "number": number}
    body: dict[str, Any] = answer(get_invoices, request("GET", INVOICE, claims=company.member, path=path)).body
    return body


def upcoming(company: Company) -> Answer:
    event = request("GET", "/accounts/{account}/invoices/upcoming", claims=company.admin, path=company.path)
    return answer(get_invoices, event)


# ---- Invoices ----


def test_an_invoice_has_its_tax_in_the_sellers_currency(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    assert put(JANUARY).status == 200
    assert put(APRIL, {**RATES, "rates": {"DKK": "7.5"}}).status == 200

    first, second = issue_due(NOW, monkeypatch)

    tax = shown(company, first)["tax"]
    in_kroner = tax["seller_tax"]
    assert tax["amount"]["currency"] == "EUR"
    assert in_kroner["amount"] == {"amount": round(tax["amount"]["amount"] * 7.4604), "currency": "DKK"}
    assert in_kroner["rate"] == {
        "base": "EUR",
        "invoice_rate": "1",
        "seller_rate": "7.4604",
        "day": JANUARY,
        "source": "ECB",
    }
    assert shown(company, second)["tax"]["seller_tax"]["rate"]["seller_rate"] == "7.5"
    assert waiting() == []
    assert recorded("exchange_rate.missing") == []
    assert all(is_as_issued(each["body"]) for each in stored_items() if each["sk"].startswith("DOCUMENT#"))
    told = {each.after["number"]: each.after["seller_tax"] for each in recorded("invoice.issued") if each.after}
    assert told[first] == in_kroner["amount"]


def test_the_sales_journal_has_it_too(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    put(JANUARY), put(APRIL)
    first, _ = issue_due(NOW, monkeypatch)
    query = {"series": "LV", "year": "2026"}
    in_kroner = shown(company, first)["tax"]["seller_tax"]["amount"]

    listed = answer(get_invoices, request("GET", "/invoice-register", claims=STAFF, query=query)).body["items"]
    event = request("GET", "/invoice-register", claims=STAFF, query=query, headers={"Accept": "text/csv"})
    table = get_invoices(event, Context())["body"]

    assert listed[0]["seller_tax"] == in_kroner
    header, row, *_ = table.splitlines()
    assert header == "number,produced_on,total,tax,currency,seller_tax,seller_currency"
    assert row.endswith(f",EUR,{in_kroner['amount'] / 100:.2f},DKK")


def test_a_credit_note_keeps_the_rate_of_its_invoice(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    put(JANUARY), put(APRIL)
    first, _ = issue_due(NOW, monkeypatch)
    before = shown(company, first)["tax"]["seller_tax"]
    # The rate is corrected, and the day of the credit note has another one.
    assert put(JANUARY, {**RATES, "rates": {"DKK": "9.1", "USD": "1"}}, If_Match='"1"').status == 200
    assert put("2026-06-10", {**RATES, "rates": {"DKK": "9.2"}}).status == 200

    path = {**company.path, "number": first}
    body = {"lines": None, "reason": "Invoiced by mistake"}
    event = request("POST", INVOICE + "/credit-notes", claims=STAFF, path=path, body=body)
    note = answer(issue_credit_note, event)

    assert note.status == 201
    credited = note.body["tax"]["seller_tax"]
    assert credited["rate"] == before["rate"]
    assert credited["amount"]["amount"] == -before["amount"]["amount"]
    assert shown(company, first)["tax"]["seller_tax"] == before
    [issued] = recorded("credit_note.issued")
    assert issued.after is not None
    assert issued.after["seller_tax"] == credited["amount"]


@pytest.mark.parametrize(("seller_currency", "gets"), [("", 0), ("EUR", 0), ("DKK", 2)], indirect=["seller_currency"])
def test_a_rate_is_read_only_where_one_is_needed(
    seller_currency: str,
    gets: int,
    company: Company,
    calls: Calls,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(JANUARY), put(APRIL)
    calls.clear()

    numbers = issue_due(NOW, monkeypatch)

    assert len(numbers) == 2
    assert calls.count("GetItem") == gets, "one get for each invoice"
    assert (shown(company, numbers[0])["tax"]["seller_tax"] is None) == (not gets)
    [registered, *_] = [json.loads(each["body"]) for each in stored_items() if each["sk"].startswith("NUMBER#LV")]
    assert ("seller_tax" in registered) == bool(gets)


def test_reverse_charge_needs_no_rate(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move_to_germany(company)

    numbers = issue_due(NOW, monkeypatch)

    assert [shown(company, number)["tax"]["seller_tax"] for number in numbers] == [None, None]


def move_to_germany(company: Company) -> None:
    german = {"country": "DE", "postcode": "10115", "city": "Berlin", "vat_number": "DE136695976"}
    route = "/accounts/{account}/billing-information/company"
    headers = {"If-Match": '"1"'}
    body = {**ACCOUNT["company"], **german}
    event = request("PUT", route, claims=company.admin, path=company.path, body=body, headers=headers)
    assert answer(update, event).status == 200


# ---- A missing rate ----


def test_an_invoice_waits_for_its_rate_and_staff_are_told_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = with_value(with_value(ACCOUNT, "krone-butik", "account"), "DKK", "contract", "currency")
    assert provisioned(other).status == 201

    issued = issue_due(NOW, monkeypatch)

    # Only the invoices in another currency wait.
    assert {shown(Company("krone-butik", STAFF, STAFF), number)["total"]["currency"] for number in issued} == {"DKK"}
    assert waiting() == [{"account": company.account, "day": JANUARY, "currency": "EUR"}]
    [event] = recorded("exchange_rate.missing")
    assert (event.account, event.before) == (company.account, None)
    assert event.after == {"day": JANUARY, "currency": "EUR", "seller_currency": "DKK"}
    users = wiring.account_store().users(company.account)
    addressed = recipients(event, users, "invoices@nordlys.example", "staff@livello.example")
    assert addressed == (Recipient("staff@livello.example", None),)

    before = stored_items()
    assert issue_due(NOW + timedelta(hours=1), monkeypatch) == issued
    assert stored_items() == before, "a run that still waits writes nothing"

    assert put(JANUARY).status == 200
    assert len(issue_due(NOW + timedelta(hours=2), monkeypatch)) == len(issued) + 1
    assert waiting() == [{"account": company.account, "day": APRIL, "currency": "EUR"}]

    # Rates without the one that is needed change nothing.
    assert put(APRIL, {**RATES, "rates": {"USD": "1.0850"}}).status == 200
    assert len(issue_due(NOW + timedelta(hours=3), monkeypatch)) == len(issued) + 1

    assert put(APRIL, If_Match='"1"').status == 200
    assert len(issue_due(NOW + timedelta(hours=4), monkeypatch)) == len(issued) + 2
    assert waiting() == []
    assert [(each.after or {})["day"] for each in recorded("exchange_rate.missing")] == [JANUARY, APRIL]


@pytest.mark.usefixtures("workers")
def test_staff_are_told_of_customers_also_where_a_test_clock_lacked_the_rate_before(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make().status == 201
    assert provisioned(with_value(ACCOUNT, ON_CLOCK, "account")).status == 201
    advanced(NOW + timedelta(hours=2))

    issue_due(NOW, monkeypatch)

    missing = recorded("exchange_rate.missing")
    assert sorted(str(each.account) for each in missing) == [company.account, ON_CLOCK]
    assert {(each.after or {})["day"] for each in missing} == {JANUARY}


def test_previews_work_without_a_rate(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    assert issue_due(NOW, monkeypatch) == []

    preview = upcoming(company)
    event = request("GET", "/accounts/{account}/invoicing/release", claims=STAFF, path=company.path)
    pending = answer(release, event)

    assert preview.status == 200
    assert preview.body["tax"]["amount"]["amount"] > 0
    assert preview.body["tax"]["seller_tax"] is None
    assert len(pending.body["invoices"]) == 2


def test_an_account_that_needs_no_rate_any_more_leaves_the_list(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_due(NOW, monkeypatch)
    assert waiting()
    move_to_germany(company)

    assert len(issue_due(NOW + timedelta(hours=1), monkeypatch)) == 2
    assert waiting() == []


def test_a_reactivation_is_refused_in_words_without_a_rate(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    put(JANUARY), put(APRIL)
    issue_due(NOW, monkeypatch)
    deactivate(company)
    put_transfer(company)
    route = "/accounts/{account}/reactivation"
    asked = answer(reactivation, request("GET", route, claims=company.admin, path=company.path)).body["offer"]
    body = {"due": asked["invoice"]["due"], "confirmed": True}

    def ask() -> Answer:
        return answer(reactivation, request("POST", route, claims=company.admin, path=company.path, body=body))

    refused = ask()
    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "exchange-rate-missing")
    assert ask().status == 409
    [event] = recorded("exchange_rate.missing")
    day = (event.after or {})["day"]
    assert day in refused.body["detail"]
    assert waiting() == [], "no due invoice waits"

    assert put(day).status == 200
    assert ask().status == 202
    [pending] = [json.loads(each["body"]) for each in stored_items() if each["sk"] == "REACTIVATION"]
    assert pending["invoice"]["draft"]["seller_tax"]["rate"]["day"] == day


def test_older_due_items_keep_their_bytes() -> None:
    """A condition compares the whole body of a due item."""
    older = '{"month":3,"settled":["2026-03#search"]}'
    assert invoicing_due_body(invoicing_due_from(older)) == older
    waits = InvoicingDue(3, (), AwaitedRate(datetime(2026, 6, 9, tzinfo=UTC).date(), "EUR"))
    assert invoicing_due_from(invoicing_due_body(waits)) == waits


# ---- What staff give ----


def test_rates_are_kept_in_versions(company: Company) -> None:
    assert get(APRIL).status == 404
    assert put(APRIL, If_Match='"1"').status == 412
    assert answer(exchange_rates, request("PUT", ROUTE, claims=STAFF, path={"day": APRIL}, body=RATES)).status == 428

    given = put(APRIL)

    assert (given.status, given.headers["ETag"]) == (200, '"1"')
    assert given.body == {"day": APRIL, **RATES}
    assert put(APRIL).headers["ETag"] == '"1"', "a repeated request"
    more = {**RATES, "rates": {**RATES["rates"], "GBP": "0.8421"}}  # type: ignore[dict-item]
    assert put(APRIL, more).status == 412
    assert put(APRIL, more, If_Match='"1"').headers["ETag"] == '"2"'
    assert get(APRIL).body == {"day": APRIL, **more}
    assert put(JANUARY).status == 200
    events = recorded("exchange_rates.replaced")
    assert sorted((each.before is None, (each.after or {})["day"]) for each in events) == [
        (False, APRIL),
        (True, JANUARY),
        (True, APRIL),
    ]


def test_the_days_are_listed_newest_first(company: Company) -> None:
    put(JANUARY), put(APRIL), put("2026-06-10")

    first = answer(exchange_rates, request("GET", "/exchange-rates", claims=STAFF, query={"limit": "2"})).body
    query = {"limit": "2", "cursor": first["next_cursor"]}
    rest = answer(exchange_rates, request("GET", "/exchange-rates", claims=STAFF, query=query)).body

    assert [each["day"] for each in first["items"]] == ["2026-06-10", APRIL]
    assert ([each["day"] for each in rest["items"]], rest["next_cursor"]) == ([JANUARY], None)


@pytest.mark.parametrize(
    ("day", "rates", "pointer"),
    [
        ("2026-06-11", {"DKK": "7.4604"}, "#/day"),  # in the future
        ("2026-06-06", {"DKK": "7.4604"}, "#/day"),  # a Saturday
        ("2026-04-03", {"DKK": "7.4604"}, "#/day"),  # Good Friday
        (APRIL, {}, "#/rates"),
        (APRIL, {"XXX": "1"}, "#/rates/XXX"),
        (APRIL, {"dkk": "1"}, "#/rates/dkk"),
        (APRIL, {"EUR": "1"}, "#/rates/EUR"),
        (APRIL, {"DKK": "0"}, "#/rates/DKK"),
        (APRIL, {"DKK": "0.000"}, "#/rates/DKK"),
        (APRIL, {"DKK": "-7.46"}, "#/rates/DKK"),
        (APRIL, {"DKK": 7.46}, "#/rates/DKK"),
        (APRIL, {"DKK": 7}, "#/rates/DKK"),
        (APRIL, {"DKK": True}, "#/rates/DKK"),
        (APRIL, {"DKK": None}, "#/rates/DKK"),
        (APRIL, {"DKK": "7,46"}, "#/rates/DKK"),
        (APRIL, {"DKK": "7.46e1"}, "#/rates/DKK"),
        (APRIL, {"DKK": "NaN"}, "#/rates/DKK"),
        (APRIL, {"DKK": "Infinity"}, "#/rates/DKK"),
        (APRIL, {"DKK": " 7.46"}, "#/rates/DKK"),
        (APRIL, {"DKK": "\u0667.46"}, "#/rates/DKK"),
        (APRIL, {"DKK": "7.1234567891"}, "#/rates/DKK"),
        (APRIL, {"DKK": "1234567890"}, "#/rates/DKK"),
    ],
)
def test_wrong_rates_are_refused_with_their_place(day: str, rates: Any, pointer: str, company: Company) -> None:
    before = stored_items()

    refused = put(day, {**RATES, "rates": rates})

    assert refused.status == 422, refused
    assert any(each["pointer"].startswith(pointer) for each in refused.body["errors"]), refused.body
    assert stored_items() == before


@pytest.mark.parametrize(
    "body",
    [{"base": "EUR", "rates": {"DKK": "7"}}, {**RATES, "base": "XXX"}, {**RATES, "source": " "}, {**RATES, "x": 1}, []],
)
def test_incomplete_rates_are_refused(body: Any, company: Company) -> None:
    assert put(APRIL, body).status == 422


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", "20260414", "1770000000", "2026-04-14T00:00"])
def test_a_day_that_is_none_is_refused(day: str, company: Company) -> None:
    assert put(day).status == 422
    assert get(day).status == 422


def test_a_rate_is_not_removed(company: Company) -> None:
    put(APRIL)

    refused = put(APRIL, {**RATES, "rates": {"DKK": "7.4604"}}, If_Match='"1"')

    assert refused.status == 422
    assert "Missing: USD" in refused.body["detail"]


# ---- Permissions ----


def test_each_function_may_do_what_it_needs(
    company: Company,
    used: set[Permission],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(at: datetime) -> None:
        body = json.dumps({"account": company.account, "at": at.isoformat(), "clock": at.isoformat()})
        record = {"messageId": "1", "receiptHandle": "1", "body": body, "eventSource": "aws:sqs"}
        record["attributes"] = {"ApproximateReceiveCount": "1"}  # type: ignore[assignment]
        assert issue({"Records": [record]}, Context()) == {"batchItemFailures": []}

    def steps() -> Iterator[tuple[str, Any]]:
        yield "issue_invoices", lambda: work(NOW)
        yield "administer_exchange_rates", waiting
        yield "administer_exchange_rates", lambda: put(JANUARY)
        yield "administer_exchange_rates", lambda: put(APRIL)
        yield "issue_invoices", lambda: work(NOW)

    for function, step in steps():
        used.clear()
        step()
        assert used
        assert used <= allowed(function), function
