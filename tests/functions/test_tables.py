"""Lists as tables: CSV for machines, CSV for a spreadsheet of a locale, and workbooks with typed cells."""

from __future__ import annotations

import base64
import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing.platform.http.media_types import CSV, JSON, XLSX
from billing.platform.http.tables import preferred_type
from openpyxl import load_workbook

from functions.get_invoices.app import handler as get_invoices
from functions.get_usage.app import handler as get_usage
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.record_payment.app import handler as record_payment
from functions.update_billing_information.app import handler as update_information
from tests import contract
from tests.api_gateway import NOW, STAFF, Handler, answer, request
from tests.company import Company
from tests.functions.ending import fire
from tests.functions.test_usage_page import count, counted
from tests.samples import ACCOUNT

INVOICES = "/accounts/{account}/invoices"
USAGE = "/accounts/{account}/usage"
REGISTER = "/invoice-register"
ISSUED = NOW.replace(hour=13)


def asked(
    handler: Handler, route: str, company: Company, accept: str | None, query: dict[str, str] | None = None
) -> dict[str, Any]:
    """The function's whole answer, which must be one that the OpenAPI document has."""
    claims, path = (STAFF, None) if route == REGISTER else (company.member, company.path)
    headers = {} if accept is None else {"Accept": accept}
    event = request("GET", route, claims=claims, path=path, query=query, headers=headers)
    given = handler(event, LambdaContext())
    single = {name: values[0] for name, values in given["multiValueHeaders"].items()}
    assert contract.faults("GET", route, given["statusCode"], single, given["body"]) == []
    return {**given, "headers": single}


def rows_of(given: dict[str, Any], separator: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV answer."""
    assert (given["statusCode"], given["isBase64Encoded"]) == (200, False)
    assert given["headers"]["Content-Type"] == "text/csv; charset=utf-8"
    return [*csv.DictReader(io.StringIO(given["body"].removeprefix("\ufeff")), delimiter=separator)]


def cells_of(given: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a workbook, with the values of their cells."""
    assert (given["statusCode"], given["isBase64Encoded"]) == (200, True)
    assert given["headers"]["Content-Type"] == XLSX
    [page] = load_workbook(io.BytesIO(base64.b64decode(given["body"], validate=True))).worksheets
    [heading, *rows] = page.iter_rows(values_only=True)
    return [dict(zip(map(str, heading), row, strict=True)) for row in rows]


def same(cell: Any, text: str) -> bool:
    """Whether a cell of a workbook has the value that CSV for machines says, in its own type."""
    if isinstance(cell, int | float):
        return Decimal(str(cell)) == Decimal(text)
    if isinstance(cell, datetime):
        return cell.date().isoformat() == text
    return (cell or "") == text


# ---- Negotiation ----


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (XLSX, XLSX),
        (f"{XLSX.upper()}; q=1", XLSX),
        (f"{XLSX}, {CSV};q=0.9, {JSON};q=0.5", XLSX),
        (f"{XLSX};q=0.5, {CSV}", CSV),
        (f"{XLSX};q=0.5, */*", JSON),
        (f"{XLSX};q=0", JSON),
        (f"{XLSX}, {CSV}, {JSON}", JSON),  # the first of equals is ours to choose
        (f"{CSV};q=0.5, {XLSX}", CSV),  # the gateway would not decode it: it looks at the first one only
        (f"{JSON};q=0.5, {XLSX}", JSON),
        (f"image/png, {XLSX}", JSON),
        ("application/vnd.ms-excel", JSON),
    ],
)
def test_a_workbook_is_sent_where_the_gateway_decodes_it(accept: str | None, expected: str) -> None:
    assert preferred_type(accept) == expected


@pytest.mark.parametrize("accept", [None, CSV, XLSX])
def test_an_answer_says_what_it_depends_on(accept: str | None, company: Company) -> None:
    given = asked(get_usage, USAGE, company, accept)

    assert given["headers"]["Vary"] == "Accept"
    assert given["headers"]["Cache-Control"] == "no-store"


# ---- Usage ----


@pytest.fixture
def usage(company: Company) -> Company:
    count(
        counted(date(2026, 5, 29), 1_234, content="=1+1"),
        counted(date(2026, 5, 30), 2, store="nordlys-se", content="0012"),
    )
    return company


def test_usage_comes_as_a_workbook_with_dates_and_numbers(usage: Company) -> None:
    query = {"group_by": "content", "from": "2026-05-29", "until": "2026-06-01"}

    given = asked(get_usage, USAGE, usage, XLSX, query)

    assert given["headers"]["Content-Disposition"].endswith('usage-nordlys-kaffe-2026-05-29-2026-06-01.xlsx"')
    first, second = sorted(cells_of(given), key=lambda row: str(row["period"]))
    assert first == {
        "period": datetime(2026, 5, 29),  # noqa: DTZ001 - as a workbook has it
        "product": "search",
        "store": "nordlys-dk",
        "content": "=1+1",
        "usage": 1234,
        "peak": None,
    }
    assert second["content"] == "0012"
    by_month = cells_of(asked(get_usage, USAGE, usage, XLSX, {**query, "by": "month"}))
    assert {row["period"] for row in by_month} == {datetime(2026, 5, 1)}  # noqa: DTZ001


@pytest.mark.parametrize(
    ("locale", "separator", "language"),
    [("it", ";", "en"), ("da-DK", ";", "en"), ("de-CH", ";", "en"), ("en", ",", "it"), ("account", ";", "it")],
)
def test_usage_comes_as_csv_of_a_locale(locale: str, separator: str, language: str, usage: Company) -> None:
    if language != "en":
        speak(usage, language)

    given = asked(get_usage, USAGE, usage, CSV, {"group_by": "content", "by": "month", "locale": locale})

    assert given["body"].startswith("\ufeffperiod" + separator)
    assert {(row["period"], row["content"], row["usage"]) for row in rows_of(given, separator)} == {
        ("2026-05", "'=1+1", "1234"),
        ("2026-05", "0012", "2"),
    }


def speak(company: Company, language: str) -> None:
    """An admin changes the account's language."""
    route = "/accounts/{account}/billing-information/billing"
    body = {**ACCOUNT["billing"], "language": language}
    headers = {"If-Match": '"1"'}
    event = request("PUT", route, claims=company.admin, path=company.path, body=body, headers=headers)
    assert answer(update_information, event).status == 200


@pytest.mark.parametrize(
    ("route", "locale", "code"),
    [
        (USAGE, "xx", "unknown"),
        (USAGE, "de-XX", "unknown"),
        (USAGE, "it;drop", "pattern"),
        (INVOICES, "de_DE", "pattern"),
        (REGISTER, "account", "pattern"),
    ],
)
def test_an_unknown_locale_is_refused_with_its_parameter(route: str, locale: str, code: str, company: Company) -> None:
    handler = get_usage if route == USAGE else get_invoices
    claims, path = (STAFF, None) if route == REGISTER else (company.member, company.path)
    query = {"locale": locale} | ({"series": "LV", "year": "2026"} if route == REGISTER else {})

    given = answer(handler, request("GET", route, claims=claims, path=path, query=query))

    assert given.status == 422
    [error] = given.body["errors"]
    assert (error["parameter"], error["in"], error["code"]) == ("locale", "query", code)


def test_a_table_that_lambda_cannot_answer_is_refused(usage: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.platform.http.tables.ANSWER_BYTES_MAX", 20)

    for accept in (CSV, XLSX):
        event = request("GET", USAGE, claims=usage.member, path=usage.path, headers={"Accept": accept})
        given = answer(get_usage, event)
        assert (given.status, [(each["parameter"], each["code"]) for each in given.body["errors"]]) == (
            422,
            [("from", "too-many")],
        )


# ---- Invoices, credit notes and the register ----


@pytest.fixture
def books(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> Company:
    """Two invoices, the older one paid by transfer, the newer one corrected by a credit note."""
    fire(ISSUED, work, monkeypatch, "renewal")
    path = {**company.path, "number": "LV-2026-000001"}
    body: Any = {"paid_on": str(ISSUED.date()), "reference": "=BANK 0012"}
    event = request("POST", INVOICES + "/{number}/payments", claims=STAFF, path=path, body=body, now=ISSUED)
    assert answer(record_payment, event).status == 200
    path, body = {**company.path, "number": "LV-2026-000002"}, {"lines": None, "reason": "Invoiced by mistake"}
    event = request("POST", INVOICES + "/{number}/credit-notes", claims=STAFF, path=path, body=body, now=ISSUED)
    assert answer(issue_credit_note, event).status == 201
    return company


def test_invoices_and_credit_notes_have_what_a_bookkeeper_posts(books: Company) -> None:
    given = asked(get_invoices, INVOICES, books, CSV)

    rows = {row["number"]: row for row in rows_of(given)}
    path = {**books.path, "number": "LV-2026-000001"}
    shown = answer(get_invoices, request("GET", INVOICES + "/{number}", claims=books.member, path=path)).body
    [note] = [row for row in rows.values() if row["kind"] == "credit_note"]
    paid, corrected = rows["LV-2026-000001"], rows["LV-2026-000002"]
    for row in rows.values():
        assert Decimal(row["net"]) + Decimal(row["tax"]) == Decimal(row["total"])
        assert (row["company"], row["country"], row["vat_number"]) == ("Nordlys Kaffe ApS", "DK", "DK13585628")
    for amount, said in (("net", shown["net"]), ("tax", shown["tax"]["amount"]), ("total", shown["total"])):
        assert int(Decimal(paid[amount]) * 100) == said["amount"]
    assert (paid["tax_rule"], paid["tax_rate"]) == (shown["tax"]["rule"], shown["tax"]["rate"])
    assert (paid["status"], paid["paid_on"], paid["reference"]) == ("paid", str(ISSUED.date()), "'=BANK 0012")
    assert (paid["paid"], paid["left"]) == (paid["total"], "0.00")
    assert (corrected["paid"], corrected["left"], note["left"]) == ("0.00", "0.00", "0.00")
    assert (paid["period_from"], paid["period_to"]) == ("2026-01-15", "2026-04-14")
    assert (note["corrects"], Decimal(note["net"])) == ("LV-2026-000002", -Decimal(corrected["net"]))


def test_a_workbook_says_the_same_as_csv_in_types(books: Company) -> None:
    rows = rows_of(asked(get_invoices, INVOICES, books, CSV))
    given = asked(get_invoices, INVOICES, books, XLSX)
    cells = cells_of(given)

    assert given["headers"]["Content-Disposition"] == 'attachment; filename="invoices-nordlys-kaffe.xlsx"'
    for row, values in zip(rows, cells, strict=True):
        assert [*row] == [*values]
        assert [name for name in row if not same(values[name], row[name].removeprefix("'"))] == []
        for name in ("net", "tax", "tax_rate", "total"):
            assert isinstance(values[name], int | float)
        for name in ("produced_on", "due_on", "period_from", "period_to"):
            assert isinstance(values[name], datetime)


@pytest.mark.parametrize(("locale", "separator"), [("it", ";"), ("da", ";"), ("de", ";"), ("account", ",")])
def test_amounts_survive_in_a_spreadsheet_of_the_locale(locale: str, separator: str, books: Company) -> None:
    machine = rows_of(asked(get_invoices, INVOICES, books, CSV))
    local = rows_of(asked(get_invoices, INVOICES, books, CSV, {"locale": locale}), separator)

    point = "," if separator == ";" else "."
    amounts = {"net", "tax", "tax_rate", "total", "seller_tax", "paid", "left"}
    assert [
        {name: row[name].replace(point, ".") if name in amounts else row[name] for name in row} for row in local
    ] == (machine)
    assert point in local[0]["net"]


def test_a_long_table_leads_to_what_follows(books: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.get_invoices.app.SHEET_INVOICES_MAX", 2)
    query = {"year": "2026", "locale": "it"}

    first = asked(get_invoices, INVOICES, books, CSV, query)
    link = first["headers"]["Link"]
    assert link.startswith("<?")
    assert link.endswith('>; rel="next"')
    following = dict(parse_qsl(link[2:].partition(">")[0]))
    assert {name: following[name] for name in query} == query
    second = asked(get_invoices, INVOICES, books, CSV, following)
    as_workbook = asked(get_invoices, INVOICES, books, XLSX, following)
    listed = answer(get_invoices, request("GET", INVOICES, claims=books.member, path=books.path, query=following)).body

    assert "Link" not in second["headers"]
    numbers = [row["number"] for given in (first, second) for row in rows_of(given, ";")]
    assert len(set(numbers)) == 3
    assert [row["number"] for row in cells_of(as_workbook)] == numbers[2:]
    assert [row["number"] for row in listed["items"]] == numbers[2:]


def test_a_table_of_a_status_has_only_those(books: Company) -> None:
    paid = rows_of(asked(get_invoices, INVOICES, books, CSV, {"status": "paid"}))

    assert "LV-2026-000001" in {row["number"] for row in paid}
    assert {row["status"] for row in paid} == {"paid"}
    assert rows_of(asked(get_invoices, INVOICES, books, CSV, {"status": "past_due"})) == []
    assert cells_of(asked(get_invoices, INVOICES, books, XLSX, {"year": "2025"})) == []


def test_the_register_comes_as_a_workbook_and_as_csv_of_a_locale(
    books: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"series": "LV", "year": "2026"}

    rows = rows_of(asked(get_invoices, REGISTER, books, CSV, query))
    cells = cells_of(asked(get_invoices, REGISTER, books, XLSX, query))
    danish = rows_of(asked(get_invoices, REGISTER, books, CSV, {**query, "locale": "da"}), ";")
    monkeypatch.setattr("functions.get_invoices.app.SHEET_NUMBERS_MAX", 1)
    link = asked(get_invoices, REGISTER, books, XLSX, query)["headers"]["Link"]
    second = cells_of(asked(get_invoices, REGISTER, books, XLSX, dict(parse_qsl(link[2:].partition(">")[0]))))

    assert [row["number"] for row in rows] == ["LV-2026-000001", "LV-2026-000002"]
    for row, values in zip(rows, cells, strict=True):
        assert [name for name in row if not same(values[name], row[name])] == []
    assert [row["total"].replace(",", ".") for row in danish] == [row["total"] for row in rows]
    assert [row["number"] for row in second] == ["LV-2026-000002"]
