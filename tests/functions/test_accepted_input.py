"""Valid requests are taken however a client writes them: media types, encodings, numbers, ETags, cursors, names."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from decimal import Decimal
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing.platform.http.bodies import number
from billing.platform.http.media_types import JSON, preferred
from billing.platform.http.pages import ListPages
from billing.platform.http.preferences import prefers_strict
from billing.platform.http.resolver import BODY_CHARACTERS_MAX

from functions.administer_catalogue.app import handler as administer_catalogue
from functions.administer_users.app import handler as administer_users
from functions.get_usage.app import handler as get_usage
from functions.list_accounts.app import handler as list_accounts
from functions.provision_account.app import handler as provision_account
from scripts.openapi import document
from tests.api_gateway import STAFF, Answer, answer, request
from tests.aws import UserPool, stored_items
from tests.company import Company, provisioned
from tests.functions.test_permissions import MATRIX, NOTHING, Cell
from tests.samples import ACCOUNT, CATALOGUE, with_value

OPERATIONS = document()["paths"]
RENAMED = with_value(CATALOGUE, "Suche", "products", 0, "name")


def put_catalogue(body: Any, *, is_bytes: bool = False, **headers: str) -> Answer:
    """Staff replace the first version. Bytes come as API Gateway hands them on, in base64."""
    sent = {"If-Match": '"1"'} | {name.replace("_", "-"): value for name, value in headers.items()}
    text = base64.b64encode(body).decode() if is_bytes else body
    event = request("PUT", "/catalogue", claims=STAFF, body=text, headers=sent)
    return answer(administer_catalogue, {**event, "isBase64Encoded": is_bytes})


# ---- Media types and encodings of bodies ----


@pytest.mark.parametrize(
    "media_type",
    ["Application/JSON", "application/json;charset=UTF-8", 'APPLICATION/JSON ; x="a;b"', " application/json"],
)
def test_a_media_type_is_compared_without_case_and_parameters(media_type: str, catalogue: UserPool) -> None:
    assert put_catalogue(RENAMED, Content_Type=media_type).status == 200


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(json.dumps(RENAMED).encode())),
        ("GZip", gzip.compress(json.dumps(RENAMED).encode())),
        ("x-gzip", gzip.compress(b" ") + gzip.compress(json.dumps(RENAMED).encode())),
        ("deflate", zlib.compress(json.dumps(RENAMED).encode())),
        ("deflate", zlib.compress(json.dumps(RENAMED).encode(), wbits=9)),  # RFC 1950 has windows of many sizes
        ("identity", json.dumps(RENAMED).encode()),
        ("gzip", json.dumps(RENAMED).encode()),  # the gateway has undone it already
    ],
    ids=["gzip", "case", "members", "deflate", "small window", "identity", "undone"],
)
def test_an_encoded_body_is_decoded(coding: str, content: bytes, catalogue: UserPool) -> None:
    assert put_catalogue(content, is_bytes=True, Content_Encoding=coding).status == 200


def test_the_gateway_may_have_decoded_a_body(catalogue: UserPool) -> None:
    assert put_catalogue(RENAMED, Content_Encoding="gzip").status == 200


@pytest.mark.parametrize(
    ("coding", "content", "status", "code"),
    [
        ("br", b"{}", 415, "unsupported-encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), 415, "unsupported-encoding"),
        ("gzip", gzip.compress(b" " * (4 * BODY_CHARACTERS_MAX + 1)), 413, "too-large"),
        ("gzip", gzip.compress(b" " * 2 * BODY_CHARACTERS_MAX), 413, "too-large"),
        ("gzip", gzip.compress(b" " * 2**27), 413, "too-large"),
        ("deflate", zlib.compress(b" " * 2**27), 413, "too-large"),
        ("gzip", gzip.compress(b"") * 50_000 + gzip.compress(b"{"), 400, "malformed"),
        ("deflate", zlib.compress(json.dumps(RENAMED).encode())[:-9], 400, "malformed"),
        ("gzip", gzip.compress(json.dumps(RENAMED).encode())[:-9], 400, "malformed"),
        ("gzip", b"\x1f\x8bnonsense", 400, "malformed"),
        ("identity", b"\xff\xfe", 400, "malformed"),
    ],
    ids=[
        "brotli",
        "twice",
        "beyond the limit",
        "twice the limit",
        "a bomb",
        "a bomb of zlib",
        "members",
        "cut off zlib",
        "cut off",
        "nonsense",
        "not UTF-8",
    ],
)
def test_an_encoded_body_is_decoded_within_limits(
    coding: str, content: bytes, status: int, code: str, catalogue: UserPool
) -> None:
    before = stored_items()

    given = put_catalogue(content, is_bytes=True, Content_Encoding=coding)

    assert (given.status, given.body["type"]) == (status, f"urn:livello:problem:{code}")
    assert ("Accept-Encoding" in given.headers) == (status == 415)
    assert stored_items() == before


# ---- Numbers ----


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0.6000000000000001", "0.6"),
        ("0.30000000000000004", "0.3"),
        ("1998.9999999999998", "1999"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("12.5", "12.5"),
        ("0.1234567890123456789", "0.1234567890123456789"),  # no double prints so many digits
        ("1234567890123456.5", "1234567890123456.5"),
        ("1e999999999", "1e999999999"),
        ("1e-999999999", "1e-999999999"),
    ],
)
def test_a_number_is_the_decimal_that_was_meant(text: str, meant: str) -> None:
    assert number(text) == Decimal(meant)
    assert isinstance(number(text), int) == (Decimal(meant) == Decimal(meant).to_integral_value() and "e9" not in text)


def test_a_number_that_no_decimal_can_be_is_no_number() -> None:
    assert number("1e" + "9" * 30) == Decimal("Infinity")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(with_value(ACCOUNT, 3.0, "contract", "interval_months")),
        json.dumps(with_value(ACCOUNT, 10_000.0, "lines", 0, "up_to")),
        json.dumps(ACCOUNT).replace('"up_to": 10000', '"up_to": 1e4'),
        json.dumps(with_value(ACCOUNT, 0.1 * 3 * 100, "discounts", 0, "percent")),  # 30.000000000000004
    ],
)
def test_a_whole_number_with_a_point_is_an_integer_in_every_body(text: str, catalogue: UserPool) -> None:
    event = request("POST", "/accounts", claims=STAFF, body=text)

    assert answer(provision_account, event).status == 201


# ---- What a client accepts ----


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("text/*, */*;q=0.1", "text/csv"),
        ("application/json, text/csv", JSON),
        ("application/json;q=0.5, text/*", "text/csv"),
        ("text/csv;q=0.4, */*;q=0.5", JSON),
        ("*/*, application/json;q=0", "text/csv"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),  # a browser
        ("text/html, image/gif, *; q=.2, */*; q=.2", JSON),  # Java's HttpURLConnection
        ('application/json;q="0.2", text/csv;q=0.5', "text/csv"),
        ("text/csv;q=high", None),
        ("application/xml", None),
        ("text/csv;q=0", None),
        (",;,", None),
    ],
)
def test_the_preferred_media_type_is_found_as_rfc_9110_says(accept: str | None, expected: str | None) -> None:
    assert preferred(accept, (JSON, "text/csv")) == expected


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [(["text/*"], "text/csv"), (["application/xml"], JSON), (["image/*", "text/csv"], "text/csv")],
)
def test_a_list_comes_as_the_client_accepts_it(accept: list[str], media_type: str, company: Company) -> None:
    event = request("GET", "/accounts/{account}/usage", claims=company.member, path=company.path)
    event["headers"]["accept"], event["multiValueHeaders"]["accept"] = accept[-1], accept

    given = get_usage(event, LambdaContext())

    assert given["multiValueHeaders"]["Content-Type"][0].partition(";")[0] == media_type


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        (None, False),
        ("handling=strict", True),
        ('respond-async, Handling = "STRICT"; x=1', True),
        ("handling=lenient, handling=strict", False),
        ("handling", False),
        ('wait="handling=strict"', False),
        (", ;", False),
    ],
)
def test_a_preference_is_read_as_rfc_7240_says(prefer: str | None, strict: bool) -> None:
    assert prefers_strict(prefer) == strict


# ---- ETags ----


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"7", "1"'}, 200),
        ({"If-Match": '"1" , W/"7",, "a,b"'}, 200),
        ({"If-Match": '"1"', "If-None-Match": '"7"'}, 200),
        ({"If-Match": '"7", "8"'}, 412),
        ({"If-Match": '"01"'}, 412),  # compared character by character (RFC 9110, 8.8.3.2)
        ({"If-Match": 'W/"1", "2"'}, 412),
        ({"If-Match": '"1", 2'}, 412),
        ({"If-Match": '*, "1"'}, 412),
        ({"If-Match": '"1"', "If-None-Match": "*"}, 412),
        ({"If-Match": ","}, 412),
    ],
    ids=str,
)
def test_if_match_may_list_versions(headers: dict[str, str], status: int, catalogue: UserPool) -> None:
    event = request("PUT", "/catalogue", claims=STAFF, body=RENAMED, headers=headers)

    assert answer(administer_catalogue, event).status == status


def test_lines_of_a_header_are_one_list(catalogue: UserPool) -> None:
    event = request("PUT", "/catalogue", claims=STAFF, body=RENAMED, headers={"If-Match": '"7"'})
    event["multiValueHeaders"]["If-Match"] = ['"1"', '"7"']

    assert answer(administer_catalogue, event).status == 200


# ---- Cursors ----

LISTS = [
    cell
    for cell in MATRIX
    if cell.method == "GET"
    and "cursor" in {each["name"] for each in OPERATIONS[cell.route]["get"].get("parameters", ())}
]


def listed(cell: Cell, company: Company, **query: str) -> Answer:
    path = {**NOTHING, "account": company.account}
    claims = STAFF if cell.staff == 200 else company.admin
    event = request("GET", cell.route, claims=claims, path=path, query={**(cell.query or {}), **query})
    return answer(cell.handler, event)


def test_every_list_is_tried() -> None:
    assert len(LISTS) >= 13
    assert len(LISTS) == sum(
        "next_cursor" in json.dumps(each.get("get", {})) or _has_cursor(each) for each in OPERATIONS.values()
    )


def _has_cursor(operations: dict[str, Any]) -> bool:
    return "cursor" in {each["name"] for each in operations.get("get", {}).get("parameters", ())}


@pytest.mark.parametrize("cell", LISTS, ids=lambda cell: cell.route)
def test_the_cursor_of_another_list_is_refused_and_an_empty_one_is_the_first_page(cell: Cell, company: Company) -> None:
    foreign = [ListPages("0" * 16).cursor("2026-01-01#x"), base64.urlsafe_b64encode(b"2026-01-01#x").decode()]

    for cursor in foreign:
        given = listed(cell, company, cursor=str(cursor))
        assert (given.status, given.body["type"]) == (422, "urn:livello:problem:bad-cursor")
        assert [each["code"] for each in given.body["errors"]] == ["bad-cursor"]
    assert listed(cell, company, cursor="").body == listed(cell, company).body


def test_a_persons_own_list_has_cursors_of_its_own(company: Company) -> None:
    for account in ("shop-a", "shop-b"):
        assert provisioned(with_value(ACCOUNT, account, "account")).status == 201
    path = "/accounts"
    first = answer(list_accounts, request("GET", path, claims=company.admin, query={"limit": "1"}))
    query = {"limit": "1", "cursor": first.body["next_cursor"]}

    assert answer(list_accounts, request("GET", path, claims=company.admin, query=query)).status == 200
    assert answer(list_accounts, request("GET", path, claims=company.member, query=query)).status == 422


# ---- Names and addresses ----


def invited(company: Company, **person: str) -> Answer:
    body = {"email": "cy@nordlys.example", "name": "Cy Berg", "role": "member", **person}
    return answer(
        administer_users,
        request("PUT", "/accounts/{account}/users", claims=company.admin, path=company.path, body=body),
    )


@pytest.mark.parametrize(
    "name", ["Cy", "Dr. Cy St.John", "J.R.R. Berg", "سي\u200cبرگ", "Cy \U0001f469\u200d\U0001f680", "O'Neil"]
)
def test_a_name_that_can_be_seen_is_taken(name: str, company: Company) -> None:
    assert invited(company, name=name).body["name"] == name


def test_characters_that_say_nothing_are_left_out(company: Company) -> None:
    assert invited(company, name="\ufeffCy\u200b Be\u00adrg\u2060").body["name"] == "Cy Berg"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("\u200b\u200b", "invisible"),
        ("\u200d \u200e", "invisible"),
        ("\u3164", "invisible"),
        ("\u2800\u00a0", "invisible"),
        ("\ufe0f", "invisible"),
        ("Cy\u2028Berg", "not-plain-text"),
        ("\u202eyC", "not-plain-text"),
        ("evil.example/login", "link"),
        ("Cy evil.example:8080", "link"),
        ("Cy http://127.0.0.1", "link"),
        ("evil\uff0eexample/x", "link"),
        ("evil.xn--p1ai/login", "link"),
        ("192.0.2.7/login", "link"),
        ("mailto:cy@evil.example", "link"),
    ],
)
def test_a_name_that_is_invisible_or_a_link_is_refused(name: str, code: str, company: Company) -> None:
    given = invited(company, name=name)

    assert (given.status, [each["code"] for each in given.body["errors"]]) == (422, [code])


@pytest.mark.parametrize(
    "email", ["=?utf-8?q?x?=@shop.example", "a=?b@shop.example", "cy@shop.internal", "cy@shop.alt"]
)
def test_an_address_that_no_mail_reaches_is_refused(email: str, company: Company) -> None:
    before = stored_items()

    given = invited(company, email=email)

    assert (given.status, [each["code"] for each in given.body["errors"]]) == (422, ["undeliverable"])
    assert stored_items() == before
