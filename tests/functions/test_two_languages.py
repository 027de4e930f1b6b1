"""Two languages: what the catalogue calls a product, and why something was decided, is told in the account's."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from billing.correspondence.event_kinds import published
from billing.languages.explanations import Explanation
from billing.platform.dynamodb import keys
from billing.platform.events.mapping import event_from
from billing.platform.http.models import ExplanationView

from functions.administer_catalogue.app import handler as administer_catalogue
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.get_usage.app import handler as get_usage
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company, provisioned, put_catalogue
from tests.functions.reviews import make_reviewable, report
from tests.functions.test_autoscaling import run as decide
from tests.functions.test_autoscaling import see, set_, use
from tests.functions.test_invoices import run as invoice
from tests.samples import ACCOUNT, CATALOGUE, with_value

JULY = datetime(2026, 7, 1, 12, tzinfo=UTC)
RENEWAL = datetime(2026, 7, 15, 6, tzinfo=UTC)

NAMES = {"it": {"name": "Ricerca", "unit": "ricerche"}}
"""What search is called in Italian. E-mail is called the same in each language."""


def translated(**changes: Any) -> dict[str, Any]:
    body = copy.deepcopy(CATALOGUE)
    body["products"][0] |= {"translations": NAMES, **changes}
    return body


@pytest.fixture
def italian(company: Company) -> Company:
    """The sample account, whose admin has chosen Italian, at prices of a catalogue in two languages."""
    assert put_catalogue(translated(), replaces=1).status == 200
    theirs = with_value(with_value(ACCOUNT, "bottega", "account"), "it", "billing", "language")
    assert provisioned(theirs).status == 201
    return Company("bottega", company.admin, company.member)


def as_staff(handler: Any, company: Company, route: str, **more: Any) -> Answer:
    given = answer(handler, request("GET", route, claims=STAFF, path=company.path, **more))
    assert given.status == 200, given
    return given


def page_lines(company: Company, **more: Any) -> list[dict[str, Any]]:
    page = as_staff(get_billing, company, "/accounts/{account}/billing", **more).body
    lines: list[dict[str, Any]] = page["subscription"]["lines"]
    return lines


def choose(company: Company, language: str) -> None:
    route = "/accounts/{account}/billing-information/billing"
    headers = {"If-Match": as_staff(get_billing, company, route).headers["ETag"]}
    body = {**ACCOUNT["billing"], "language": language}
    event = request("PUT", route, claims=company.admin, path=company.path, body=body, headers=headers)
    assert answer(update_billing_information, event).status == 200


# ---- The catalogue ---------------------------------------------------------------------------------


def test_a_catalogue_says_what_it_was_given(company: Company) -> None:
    put = put_catalogue(translated(), replaces=1)

    search, email = put.body["products"]
    assert search["translations"] == NAMES
    assert (email["translations"], email["name"]) == ({}, "E-mail")
    again = answer(administer_catalogue, request("GET", "/catalogue", claims=STAFF))
    assert again.body == put.body
    # The same once more is no new version.
    assert put_catalogue(translated(), replaces=1).body["version"] == put.body["version"]


@pytest.mark.parametrize(
    ("translations", "pointer"),
    [
        ({"xx": NAMES["it"]}, "#/products/0/translations/xx/[key]"),
        ({"it": {"name": "Ricerca"}}, "#/products/0/translations/it/unit"),
        ({"it": {"name": " ", "unit": "ricerche"}}, "#/products/0/translations/it/name"),
        ({"it": None}, "#/products/0/translations/it"),
        ([NAMES["it"]], "#/products/0/translations"),
    ],
)
def test_names_in_an_unknown_language_or_without_a_unit_are_refused(
    translations: Any, pointer: str, company: Company
) -> None:
    given = put_catalogue(translated(translations=translations), replaces=1)

    assert given.status == 422
    assert [error["pointer"] for error in given.body["errors"]] == [pointer]


# ---- What customers see ----------------------------------------------------------------------------


def test_products_are_called_as_in_the_accounts_language(italian: Company) -> None:
    search, email = page_lines(italian)

    assert (search["name"], search["unit"], search["translations"]) == ("Ricerca", "ricerche", NAMES)
    assert (email["name"], email["unit"]) == ("E-mail", "e-mails")
    usage = as_staff(get_usage, italian, "/accounts/{account}/usage").body
    assert [each["name"] for each in usage["products"]] == ["Ricerca", "E-mail"]


def test_the_catalogues_names_are_kept_and_come_back_with_another_language(italian: Company) -> None:
    choose(italian, "en")

    assert [each["name"] for each in page_lines(italian)] == ["Search", "E-mail"]
    place = (keys.account(italian.account), keys.PAGE_SUBSCRIPTION)
    [stored] = [json.loads(each["body"]) for each in stored_items() if (each["pk"], each["sk"]) == place]
    assert stored["lines"][0]["name"] == "Search"


def test_what_is_written_about_the_account_has_the_names_of_its_language(
    italian: Company, work_queue: Any, stripe_account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice(RENEWAL, monkeypatch, charged=False)

    facts = {
        str(event.type): event.after or {}
        for item in stored_items()
        if item["pk"] == keys.account(italian.account) and item["sk"].startswith("EVENT#")
        for event in [event_from(item["body"])]
        if published(event)
    }
    assert [each["name"] for each in facts["account.provisioned"]["lines"]] == ["Ricerca", "E-mail"]
    first = facts["invoice.issued"]["lines"][0]["description"]
    assert first.startswith("Ricerca, fino a 10.000 ricerche al mese")
    listed = as_staff(get_invoices, italian, "/accounts/{account}/invoices", now=RENEWAL).body["items"]
    route = "/accounts/{account}/invoices/{number}"
    path = {**italian.path, "number": listed[0]["number"]}
    shown = answer(get_invoices, request("GET", route, claims=STAFF, path=path, now=RENEWAL))
    assert shown.body["lines"][0]["description"] == first


# ---- Why -------------------------------------------------------------------------------------------


def test_decisions_are_explained_by_codes_and_in_the_accounts_language(
    company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB", "autoscaling")
    choose(company, "it")
    use(400, date(2026, 1, 15), date(2026, 7, 1))
    paused = {"pause": {"until": "2026-08-01", "reason": "Trasloco"}, "known_peaks": []}
    assert set_(company, paused).status == 200

    decide(JULY, work_queue)

    [newest, *_] = [each for each in see(company)["items"] if each["product"] == "search"]
    because, nevertheless = newest["explanations"]
    assert because["code"] == "autoscaling.moved"
    assert because["values"] == {
        "limit": "10000",
        "months_above": 3,
        "months_known": 3,
        "months_needed": 3,
        "weeks_above": 13,
        "weeks": 13,
    }
    assert because["text"].startswith("Tutti e tre i mesi superano 10.000 anche senza i picchi")
    assert nevertheless["values"] == {"reason": "Trasloco"}
    assert newest["explanation"] == f"{because['text']} {nevertheless['text']}"


def test_what_is_not_known_is_not_among_the_values_of_an_explanation() -> None:
    """A value that is text, a number or null has no type in the client of openapi-generator for Python."""
    known = ExplanationView.of(Explanation("autoscaling.fits", {"limit": Decimal(10_000), "weeks_above": None}), "en")

    assert (known.values, known.text) == ({"limit": "10000"}, "All three months are within 10,000.")


def test_reviews_and_reductions_say_what_is_missing_in_the_accounts_language(italian: Company) -> None:
    advice = as_staff(get_usage, italian, "/accounts/{account}/usage/reduction").body["products"][0]
    assert (advice["verdict"], advice["months_needed"]) == ("lowest-tier", 3)
    assert (advice["name"], advice["detail"]) == ("Ricerca", "Non esiste una fascia inferiore.")


def test_a_booking_is_refused_in_the_accounts_language(company: Company) -> None:
    client = make_reviewable(company)
    report(company.account, "email", date(2026, 5, 2), "6000.25")
    choose(company, "it")

    given = client.book()

    assert given.status == 409
    assert [each["detail"] for each in given.body["missing"]] == [
        "fascia più bassa",
        "mesi sotto il limite: 2 su 3; media 10.000,09, deve essere ≤ 10.000",
    ]
    assert client.slots().body["missing"] == given.body["missing"]
