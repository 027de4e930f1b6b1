"""A seller outside of the EU: staff give its tax rates, and invoices at home wait for a missing one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.correspondence.audiences import Recipient, recipients
from billing.invoicing.mapping import is_as_issued

from functions.administer_cancellation.app import handler as cancellation
from functions.administer_exchange_rates.app import handler as rates
from functions.administer_reactivation.app import handler as reactivation
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.issue_invoices.app import handler as issue
from functions.update_billing_information.app import handler as update
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company
from tests.functions.ending import deactivate
from tests.functions.test_round_trips import Calls, calls  # noqa: F401 - pytest looks for `calls` here
from tests.functions.test_vat_numbers import Context, put_transfer, recorded, run
from tests.samples import ACCOUNT

ROUTE = "/tax-rates"
INVOICE = "/accounts/{account}/invoices/{number}"
ABROAD = {
    "country": None,
    "valid_from": "2018-01-01",
    "treatment": "zero_rated",
    "name": "VAT",
    "rate": "0",
    "words": {"en": "Zero-rated export", "it": None},
}
AT_HOME = {
    "country": "NO",
    "valid_from": "2018-01-01",
    "treatment": "taxed",
    "name": "MOMS",
    "rate": "8.1",
    "words": None,
}
FROM_APRIL = {**AT_HOME, "valid_from": "2026-04-15", "rate": "8.125"}
JANUARY = "2026-01-15"


@pytest.fixture(params=["CH"])
def place(request: pytest.FixtureRequest) -> str:
    """The seller's country. The buyer is in Denmark."""
    chosen: str = request.param
    return chosen


@pytest.fixture(autouse=True)
def deployment(
    company: Company, work_queue: Any, stripe_account: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("SELLER_COUNTRY", place)
    wiring.forget()
    yield
    wiring.forget()


def put(*given: dict[str, Any], now: datetime = NOW, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in (headers or {"If_None_Match": "*"}).items()}
    return answer(rates, request("PUT", ROUTE, claims=STAFF, body={"rates": list(given)}, headers=named, now=now))


def get() -> Answer:
    return answer(rates, request("GET", ROUTE, claims=STAFF))


def waiting() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(rates, request("GET", "/invoicing/awaiting-tax-rates", claims=STAFF)).body[
        "items"
    ]
    return found


def issue_due(at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers of the invoices so far, after the hourly run."""
    run("renewal", issue, at, monkeypatch)
    return [json.loads(each["body"])["number"] for each in stored_items() if each["sk"].startswith("INVOICE#")]


def tax_of(company: Company, number: str) -> dict[str, Any]:
    path = {**company.path, "number": number}
    body = answer(get_invoices, request("GET", INVOICE, claims=company.member, path=path)).body
    found: dict[str, Any] = {**body["tax"], "net": body["net"]}
    return found


def refusals(given: Answer) -> list[tuple[str, str]]:
    assert given.status == 422, given
    return [(each["pointer"], each["code"]) for each in given.body["errors"]]


# ---- Abroad ----


def test_a_sale_abroad_says_the_words_of_staff(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    assert put(ABROAD).status == 200

    first, _ = issue_due(NOW, monkeypatch)

    tax = tax_of(company, first)
    assert (tax["rule"], tax["country"], tax["rate"], tax["amount"]["amount"]) == ("zero_rated", "CH", "0", 0)
    assert tax["sentence"] == "Zero-rated export"
    assert all(is_as_issued(each["body"]) for each in stored_items() if each["sk"].startswith("DOCUMENT#"))
    table = get_invoices(
        request("GET", "/invoices", claims=STAFF, query={"month": "2026-06"}, headers={"Accept": "text/csv"}), Context()
    )["body"]
    assert table.count(",zero_rated,CH,") == 2


def test_without_a_table_a_sale_abroad_is_as_before(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = issue_due(NOW, monkeypatch)

    assert tax_of(company, first)["rule"] == "seller_outside_eu"
    assert get().body == {"apply": True, "changes_from": "2026-06-12", "rates": []}
    [document, *_] = [json.loads(each["body"]) for each in stored_items() if each["sk"].startswith("DOCUMENT#")]
    assert document["issued"]["draft"]["tax"].keys() == {"rule", "country", "rate"}, "the bytes stay"


# ---- At home ----


HOME = pytest.mark.parametrize("place", ["NO"], indirect=True)
"""The seller is in Norway, and the company moves there."""


def move_home(company: Company) -> None:
    body = {**ACCOUNT["company"], "country": "NO", "postcode": "0150", "city": "Oslo", "vat_number": None}
    event = request(
        "PUT",
        "/accounts/{account}/billing-information/company",
        claims=company.admin,
        path=company.path,
        body=body,
        headers={"If-Match": '"1"'},
    )
    assert answer(update, event).status == 200


@HOME
def test_an_invoice_at_home_has_the_rate_of_its_first_day(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move_home(company)
    assert put(AT_HOME, FROM_APRIL).status == 200

    first, second = issue_due(NOW, monkeypatch)

    before, after = tax_of(company, first), tax_of(company, second)
    assert [(each["rule"], each["country"], each["rate"]) for each in (before, after)] == [
        ("own_rate", "NO", "8.1"),
        ("own_rate", "NO", "8.125"),
    ]
    assert before["amount"]["amount"] == (before["net"]["amount"] * 81 + 500) // 1000
    assert after["amount"]["amount"] == (after["net"]["amount"] * 8125 + 50_000) // 100_000

    # A credit note keeps the rate of its invoice.
    event = request(
        "POST",
        INVOICE + "/credit-notes",
        claims=STAFF,
        path={**company.path, "number": first},
        body={"lines": None, "reason": "Invoiced by mistake"},
    )
    note = answer(issue_credit_note, event).body["tax"]
    assert (note["rule"], note["rate"], note["amount"]["amount"]) == ("own_rate", "8.1", -before["amount"]["amount"])
    documents = [json.loads(each["body"])["issued"] for each in stored_items() if each["sk"].startswith("DOCUMENT#")]
    assert {each["draft"]["tax"]["name"] for each in documents} == {"MOMS"}


@HOME
def test_an_invoice_at_home_waits_for_its_rate_and_staff_are_told_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_home(company)

    assert issue_due(NOW, monkeypatch) == []

    assert waiting() == [{"account": company.account, "country": "NO", "day": JANUARY}]
    [event] = recorded("tax_rate.missing")
    assert (event.account, event.after) == (company.account, {"country": "NO", "day": JANUARY})
    users = wiring.account_store().users(company.account)
    addressed = recipients(event, users, "invoices@nordlys.example", "staff@livello.example")
    assert addressed == (Recipient("staff@livello.example", None),)
    before = stored_items()
    assert issue_due(NOW + timedelta(hours=1), monkeypatch) == []
    assert stored_items() == before, "a run that still waits writes nothing"

    # A rate for later days is none for this one; the first rate at home may begin on any day.
    assert put({**ABROAD, "country": "SE"}).status == 200
    assert issue_due(NOW + timedelta(hours=2), monkeypatch) == []
    assert put({**ABROAD, "country": "SE"}, AT_HOME, If_Match='"1"').status == 200
    assert len(issue_due(NOW + timedelta(hours=3), monkeypatch)) == 2
    assert waiting() == []
    assert len(recorded("tax_rate.missing")) == 1


@HOME
def test_previews_name_the_missing_rate(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move_home(company)

    event = request("GET", "/accounts/{account}/invoices/upcoming", claims=company.admin, path=company.path)
    tax = answer(get_invoices, event).body["tax"]
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path))

    assert tax["rule"] == "rate_missing"
    assert "not known yet" in tax["sentence"]
    assert page.body["payment_details"]["next_charge"]["tax_rule"] == "rate_missing"
    put(AT_HOME)
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path))
    charge = page.body["payment_details"]["next_charge"]
    assert charge["tax_rule"] == "own_rate"
    assert charge["total"]["amount"] > charge["net"]["amount"]
    event = request("GET", "/accounts/{account}/cancellation", claims=company.admin, path=company.path)
    due = answer(cancellation, event).body["preview"]["charges_still_due"]
    assert due[0]["tax"]["amount"] == charge["tax"]["amount"]


@HOME
def test_a_reactivation_is_refused_in_words_without_a_rate(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    issue_due(NOW, monkeypatch)
    deactivate(company)
    put_transfer(company)
    move_home(company)
    route = "/accounts/{account}/reactivation"
    asked = answer(reactivation, request("GET", route, claims=company.admin, path=company.path)).body["offer"]
    body = {"due": asked["invoice"]["due"], "confirmed": True}

    refused = answer(reactivation, request("POST", route, claims=company.admin, path=company.path, body=body))

    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "tax-rate-missing")
    assert len(recorded("tax_rate.missing")) == 1
    assert waiting() == [], "no due invoice waits"


@HOME
def test_a_correction_keeps_the_tax_or_takes_the_rate_of_the_same_day(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transfer(company)
    first, _ = issue_due(NOW, monkeypatch)
    move_home(company)

    def correct(tax: str, path: str = "/correction/preview") -> Answer:
        body = {"reason": "The wrong place", "tax": tax}
        of = {**company.path, "number": first}
        return answer(issue_credit_note, request("POST", INVOICE + path, claims=STAFF, path=of, body=body))

    assert correct("kept").status == 200
    refused = correct("anew")
    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "tax-rate-missing")
    put(AT_HOME, FROM_APRIL)
    assert correct("anew", "/correction").status == 201
    drafts = [json.loads(each["body"])["issued"] for each in stored_items() if each["sk"].startswith("DOCUMENT#LV")]
    [corrected] = [each["draft"] for each in drafts if each.get("replaces")]
    assert (corrected["tax"]["rule"], corrected["tax"]["rate"]) == ("own_rate", "8.1"), "of January, not of today"


# ---- What staff give ----


def test_rates_are_kept_in_versions(company: Company) -> None:
    assert put(ABROAD, If_Match='"1"').status == 412
    assert answer(rates, request("PUT", ROUTE, claims=STAFF, body={"rates": [ABROAD]})).status == 428
    first = put(ABROAD)
    assert (first.status, first.headers["ETag"], first.body["rates"]) == (200, '"1"', [ABROAD])
    assert put(ABROAD, If_Match='"7"').status == 200, "the same again, whatever version it names"

    later = {**ABROAD, "valid_from": "2026-09-01", "words": {"en": "Outside the scope", "it": "Fuori campo"}}
    assert put(ABROAD, later, If_Match='"7"').status == 412
    second = put(ABROAD, later, If_Match='"1"')
    assert (second.headers["ETag"], second.body["rates"]) == ('"2"', [ABROAD, later])
    assert get().body["rates"] == [ABROAD, later]
    assert put(ABROAD, If_Match='"2"').status == 200, "what has not begun is taken back"
    events = recorded("tax_rates.replaced")
    assert [len((each.after or {})["rates"]) for each in events] == [1, 2, 1]
    assert [each.before is None for each in events] == [True, False, False]


def test_a_change_costs_a_get_and_a_transaction(
    company: Company,
    calls: Calls,  # noqa: F811 - the fixture
) -> None:
    put(ABROAD)
    calls.clear()

    assert put(ABROAD, {**ABROAD, "valid_from": "2026-09-01"}, If_Match='"1"').status == 200

    assert calls == ["GetItem", "TransactWriteItems"]


def test_what_has_begun_stays(company: Company) -> None:
    put(ABROAD)

    assert refusals(put({**ABROAD, "valid_from": "2018-01-02"}, If_Match='"1"')) == [
        ("#/rates/0/valid_from", "too-early"),
        ("#/rates", "missing"),
    ]
    refused = put(ABROAD, {**AT_HOME, "valid_from": "2026-06-11"}, If_Match='"1"')
    assert refusals(refused) == [("#/rates/1/valid_from", "too-early")]
    assert refused.body["errors"][0]["limits"] == {"min": "2026-06-12"}


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"rate": "8.12345"}, "#/rates/0/rate", "pattern"),
        ({"rate": "-1"}, "#/rates/0/rate", "pattern"),
        ({"rate": 8.1}, "#/rates/0/rate", "pattern"),
        ({"rate": "100"}, "#/rates/0/rate", "pattern"),
        ({"rate": "\u0661"}, "#/rates/0/rate", "pattern"),
        ({"rate": "0"}, "#/rates/0/rate", "too-small"),
        ({"treatment": "exempt", "words": {"en": "Exempt"}}, "#/rates/0/rate", "too-large"),
        ({"treatment": "export", "rate": "0"}, "#/rates/0/words", "missing"),
        ({"country": "XX"}, "#/rates/0/country", "not-a-country"),
        ({"country": "MC"}, "#/rates/0/country", "unsupported"),
        ({"name": ""}, "#/rates/0/name", "too-short"),
        ({"name": "n" * 201}, "#/rates/0/name", "too-long"),
        ({"valid_from": "2018-02-30"}, "#/rates/0/valid_from", "not-a-date"),
        ({"words": {"it": "Fuori"}}, "#/rates/0/words/en", "missing"),
        ({"colour": "red"}, "#/rates/0/colour", "unknown-field"),
    ],
)
def test_a_bad_rate_is_named(company: Company, change: dict[str, Any], pointer: str, code: str) -> None:
    refused = put({**AT_HOME, **change})

    assert (pointer, code) in [(each["pointer"], each["code"]) for each in refused.body["errors"]]
    assert refused.status in {400, 422}
    assert get().body["rates"] == []


@pytest.mark.parametrize("place", ["DK"], indirect=True)
def test_a_seller_with_the_vat_of_a_member_state_gives_none(
    company: Company,
    calls: Calls,  # noqa: F811 - the fixture
) -> None:
    refused = put(AT_HOME)

    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "tax-rates-built-in")
    assert get().body["apply"] is False
    calls.clear()
    answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    assert calls.count("GetItem") == 0, "such a seller does not pay for the table"
