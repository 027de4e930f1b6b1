"""Invalid input gets a problem document that names the field, and writes nothing."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.platform.http.resolver import BODY_CHARACTERS_MAX

from functions.administer_catalogue.app import handler as administer_catalogue
from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import UserPool, stored_items
from tests.company import Company, provisioned
from tests.samples import ACCOUNT, CATALOGUE, with_value, without

TIERS = ("products", 0, "tiers")
TODAY = NOW.date()


def put_catalogue(body: Any, headers: dict[str, str] | None = None) -> Answer:
    return answer(
        administer_catalogue,
        request("PUT", "/catalogue", claims=STAFF, body=body, headers=headers or {"If-Match": '"1"'}),
    )


def put_information(company: Company, area: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
    return answer(
        update_billing_information,
        request(
            "PUT",
            f"/accounts/{{account}}/billing-information/{area}",
            claims=company.admin,
            path=company.path,
            body=body,
            headers={"If-Match": '"1"'} if headers is None else headers,
        ),
    )


def put_user(company: Company, body: Any) -> Answer:
    return answer(
        administer_users,
        request("PUT", "/accounts/{account}/users", claims=company.admin, path=company.path, body=body),
    )


def pointers(given: Answer) -> list[str]:
    assert given.headers["Content-Type"] == "application/problem+json"
    return [error["pointer"] for error in given.body["errors"]]


# ---- Provisioning ----


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (without(ACCOUNT, "account"), "#/account"),
        (without(ACCOUNT, "contract", "currency"), "#/contract/currency"),
        ({**ACCOUNT, "colour": "blue"}, "#/colour"),
        (with_value(ACCOUNT, "blue", "contract", "colour"), "#/contract/colour"),
        (with_value(ACCOUNT, 1, "discounts", 0, "colour"), "#/discounts/0/colour"),
        (with_value(ACCOUNT, 12, "account"), "#/account"),
        (with_value(ACCOUNT, "Nordlys Kaffe", "account"), "#/account"),
        (with_value(ACCOUNT, "a", "account"), "#/account"),
        (with_value(ACCOUNT, "x" * 41, "account"), "#/account"),
        (with_value(ACCOUNT, "../admin", "account"), "#/account"),
        (with_value(ACCOUNT, "shop\n", "account"), "#/account"),
        (with_value(ACCOUNT, "", "name"), "#/name"),
        (with_value(ACCOUNT, "   ", "name"), "#/name"),
        (with_value(ACCOUNT, "x" * 201, "name"), "#/name"),
        (with_value(ACCOUNT, "a\u0000b", "name"), "#/name"),
        (with_value(ACCOUNT, "2026-02-30", "contract", "start"), "#/contract/start"),
        (with_value(ACCOUNT, "2026-13-01", "contract", "start"), "#/contract/start"),
        (with_value(ACCOUNT, "15.01.2026", "contract", "start"), "#/contract/start"),
        (with_value(ACCOUNT, "2026-01-15T00:00:00", "contract", "start"), "#/contract/start"),
        (with_value(ACCOUNT, 1_768_435_200, "contract", "start"), "#/contract/start"),
        (with_value(ACCOUNT, None, "contract", "start"), "#/contract/start"),
        (with_value(ACCOUNT, 2, "contract", "interval_months"), "#/contract/interval_months"),
        (with_value(ACCOUNT, "3", "contract", "interval_months"), "#/contract/interval_months"),
        (with_value(ACCOUNT, True, "contract", "interval_months"), "#/contract/interval_months"),
        (with_value(ACCOUNT, 3.5, "contract", "interval_months"), "#/contract/interval_months"),
        (with_value(ACCOUNT, "EURO", "contract", "currency"), "#/contract/currency"),
        (with_value(ACCOUNT, "eur", "contract", "currency"), "#/contract/currency"),
        (with_value(ACCOUNT, "XAU", "contract", "currency"), "#/contract/currency"),
        (with_value(ACCOUNT, "Europe/Copenhagn", "contract", "time_zone"), "#/contract/time_zone"),
        (with_value(ACCOUNT, "localtime", "contract", "time_zone"), "#/contract/time_zone"),
        (with_value(ACCOUNT, "Factory", "contract", "time_zone"), "#/contract/time_zone"),
        (with_value(ACCOUNT, "Nordlys \u202e ApS", "company", "name"), "#/company/name"),
        (with_value(ACCOUNT, "1\u00002", "company", "postcode"), "#/company/postcode"),
        (with_value(ACCOUNT, "jösé@nordlys.example", "first_admin", "email"), "#/first_admin/email"),
        (with_value(ACCOUNT, f"{'a' * 60}@{'b' * 60}.example", "first_admin", "email"), "#/first_admin/email"),
        (with_value(ACCOUNT, "../../etc/passwd", "contract", "time_zone"), "#/contract/time_zone"),
        (with_value(ACCOUNT, "+01:00", "contract", "time_zone"), "#/contract/time_zone"),
        (with_value(ACCOUNT, "XX", "company", "country"), "#/company/country"),
        (with_value(ACCOUNT, "Denmark", "company", "country"), "#/company/country"),
        (with_value(ACCOUNT, "DK12345678", "company", "vat_number"), "#/company/vat_number"),
        (with_value(ACCOUNT, "IT00743110157", "company", "vat_number"), "#/company/vat_number"),
        (with_value(ACCOUNT, "ada at nordlys", "billing", "email"), "#/billing/email"),
        (with_value(ACCOUNT, "ada@localhost", "first_admin", "email"), "#/first_admin/email"),
        (with_value(ACCOUNT, "Win: https://evil.example", "first_admin", "name"), "#/first_admin/name"),
        (with_value(ACCOUNT, "See WWW.evil.example", "first_admin", "name"), "#/first_admin/name"),
        (with_value(ACCOUNT, "klingon", "billing", "language"), "#/billing/language"),
        (with_value(ACCOUNT, "a@x.example\r\nBcc: b@x.example", "billing", "email"), "#/billing/email"),
        (with_value(ACCOUNT, "call me", "contact", "phone"), "#/contact/phone"),
        (with_value(ACCOUNT, [], "stores"), "#/stores"),
        (with_value(ACCOUNT, [ACCOUNT["stores"][0]] * 2, "stores"), "#/stores"),
        (with_value(ACCOUNT, {}, "stores"), "#/stores"),
        (with_value(ACCOUNT, [], "lines"), "#/lines"),
        (with_value(ACCOUNT, [ACCOUNT["lines"][0]] * 31, "lines"), "#/lines"),
        (with_value(ACCOUNT, "10000", "lines", 0, "up_to"), "#/lines/0/up_to"),
        (with_value(ACCOUNT, 10_000.5, "lines", 0, "up_to"), "#/lines/0/up_to"),
        (with_value(ACCOUNT, 0, "lines", 0, "up_to"), "#/lines/0/up_to"),
        (with_value(ACCOUNT, "100.01", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, "0", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, "-5", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, "NaN", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, "\uff11\uff12.5", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, "\u0661\u0662", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, "12.34567", "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, True, "discounts", 0, "percent"), "#/discounts/0/percent"),
        (with_value(ACCOUNT, 0, "discounts", 1, "amount"), "#/discounts/1/amount"),
        (with_value(ACCOUNT, 10**13, "discounts", 1, "amount"), "#/discounts/1/amount"),
        (with_value(ACCOUNT, 100, "discounts", 0, "amount"), "#/discounts/0"),
        (with_value(ACCOUNT, None, "discounts", 0, "percent"), "#/discounts/0"),
        (with_value(ACCOUNT, "2026-01-15", "discounts", 0, "until"), "#/discounts/0"),
    ],
)
def test_an_invalid_field_is_named(body: Any, pointer: str, catalogue: UserPool) -> None:
    before, invited = stored_items(), catalogue.emails()

    given = provisioned(body)

    assert given.status == 422, given
    assert given.body["type"] == "urn:livello:problem:invalid"
    assert pointers(given) == [pointer]
    assert stored_items() == before
    assert catalogue.emails() == invited


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (with_value(ACCOUNT, "chat", "lines", 0, "product"), ["#/lines/0/product"]),
        (with_value(ACCOUNT, 12_345, "lines", 0, "up_to"), ["#/lines/0/up_to"]),
        (with_value(ACCOUNT, None, "lines", 0, "up_to"), ["#/lines/0/up_to"]),
        (with_value(ACCOUNT, "search", "lines", 1, "product"), ["#/lines/1/product"]),
        (with_value(ACCOUNT, "USD", "contract", "currency"), ["#/lines/0/up_to", "#/lines/1/up_to"]),
        (with_value(ACCOUNT, "chat", "discounts", 0, "product"), ["#/discounts/0/product"]),
        (with_value(ACCOUNT, 10_801, "discounts", 1, "amount"), ["#/discounts/1/amount"]),
        (with_value(ACCOUNT, str(TODAY - timedelta(days=732)), "contract", "start"), ["#/contract/start"]),
        (with_value(ACCOUNT, str(TODAY + timedelta(days=367)), "contract", "start"), ["#/contract/start"]),
        (with_value(ACCOUNT, "0001-01-01", "contract", "start"), ["#/contract/start"]),
        (with_value(ACCOUNT, str(date.max), "contract", "start"), ["#/contract/start"]),
    ],
)
def test_valid_fields_that_break_a_rule_are_named(body: Any, expected: list[str], catalogue: UserPool) -> None:
    before, invited = stored_items(), catalogue.emails()

    given = provisioned(body)

    assert given.status == 422, given
    assert given.body["type"] == "urn:livello:problem:rule-violation"
    assert pointers(given) == expected
    assert stored_items() == before
    assert catalogue.emails() == invited


def test_a_currency_that_stripe_does_not_charge_is_refused_unless_all_pay_by_transfer(
    catalogue: UserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.loads(json.dumps(CATALOGUE).replace('"DKK"', '"CUP"'))
    before = stored_items()

    given = put_catalogue(body)

    assert (given.status, given.body["type"]) == (422, "urn:livello:problem:rule-violation")
    assert pointers(given) == ["#/products/0/tiers/0/prices/CUP"]
    assert stored_items() == before
    monkeypatch.setenv("CHARGED_METHODS", "none")
    wiring.charged_methods.cache_clear()
    assert put_catalogue(body).status == 200
    monkeypatch.undo()
    wiring.charged_methods.cache_clear()


def test_all_invalid_fields_are_named_at_once(catalogue: UserPool) -> None:
    twice_wrong = with_value(without(ACCOUNT, "name"), "XX", "company", "country")

    assert pointers(provisioned(twice_wrong)) == ["#/name", "#/company/country"]


def test_an_error_does_not_repeat_the_value_that_was_sent(catalogue: UserPool) -> None:
    given = provisioned(with_value(ACCOUNT, "4242 4242 4242 4242 secret", "billing", "email"))

    assert "secret" not in str(given.body)


def test_an_account_id_that_is_taken_is_refused(company: Company) -> None:
    before = stored_items()

    given = provisioned(with_value(ACCOUNT, "Another company", "name"))

    assert given.status == 409
    assert given.body["type"] == "urn:livello:problem:account-exists"
    assert stored_items() == before


def test_a_repeated_provisioning_returns_the_same_account(company: Company) -> None:
    before = stored_items()

    again = provisioned(ACCOUNT)

    assert again.status == 201
    assert again.body["account"] == ACCOUNT["account"]
    assert stored_items() == before


def test_no_account_is_provisioned_without_a_catalogue(store: object, user_pool: UserPool) -> None:
    given = provisioned(ACCOUNT)

    assert given.status == 409
    assert "catalogue" in given.body["detail"]
    assert stored_items() == []


def test_staff_cannot_be_the_first_admin(catalogue: UserPool) -> None:
    catalogue.add_staff("support@vendor.example")
    before = stored_items()

    given = provisioned(with_value(ACCOUNT, "support@vendor.example", "first_admin", "email"))

    assert given.status == 422
    assert pointers(given) == ["#/first_admin/email"]
    assert stored_items() == before


# ---- Bodies ----


@pytest.mark.parametrize(
    "text",
    ["{", " ", "null,", '{"a": NaN}', '{"a": Infinity}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\ud800"],
    ids=["cut", "blank", "comma", "NaN", "infinity", "deep", "thousands of digits", "surrogate"],
)
def test_a_body_that_is_not_json_is_malformed(text: str, catalogue: UserPool) -> None:
    before = stored_items()

    given = put_catalogue(text)

    assert given.status == 400, given
    assert given.body["type"] == "urn:livello:problem:malformed"
    assert stored_items() == before


@pytest.mark.parametrize("text", ["null", "[]", '"text"', "12", "true"])
def test_a_json_body_that_is_no_object_is_invalid(text: str, catalogue: UserPool) -> None:
    assert put_catalogue(text).status == 422


def test_a_missing_body_is_invalid(catalogue: UserPool) -> None:
    given = put_catalogue(None)

    assert given.status == 422
    assert pointers(given) == ["#"]


def test_a_body_that_is_too_large_is_refused(catalogue: UserPool) -> None:
    given = put_catalogue('{"products": "' + "x" * BODY_CHARACTERS_MAX + '"}')

    assert given.status == 413
    assert given.body["type"] == "urn:livello:problem:too-large"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_media_type_is_refused(media_type: str, catalogue: UserPool) -> None:
    given = put_catalogue(CATALOGUE, {"If-Match": '"1"', "Content-Type": media_type})

    assert given.status == 415
    assert given.body["type"] == "urn:livello:problem:unsupported-media-type"


def test_json_with_a_character_set_is_accepted(catalogue: UserPool) -> None:
    sent = {"If-Match": '"1"', "Content-Type": "application/json; charset=utf-8"}

    assert put_catalogue(CATALOGUE, sent).status == 200


# ---- Catalogue ----


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (with_value(CATALOGUE, 10_000, *TIERS, 1, "up_to"), ["#/products/0/tiers/1/up_to"]),
        (with_value(CATALOGUE, 9_000, *TIERS, 1, "up_to"), ["#/products/0/tiers/1/up_to"]),
        (with_value(CATALOGUE, None, *TIERS, 1, "up_to"), ["#/products/0/tiers/1/up_to"]),
        (with_value(CATALOGUE, 100, *TIERS, 1, "prices", "EUR"), ["#/products/0/tiers/1/prices/EUR"]),
        (without(CATALOGUE, *TIERS, 1, "prices", "DKK"), ["#/products/0/tiers/1/prices"]),
        (with_value(CATALOGUE, "search", "products", 1, "product"), ["#/products/1/product"]),
    ],
)
def test_tiers_that_overlap_or_shrink_are_refused(body: Any, expected: list[str], catalogue: UserPool) -> None:
    before = stored_items()

    given = put_catalogue(body)

    assert given.status == 422
    assert given.body["type"] == "urn:livello:problem:rule-violation"
    assert pointers(given) == expected
    assert stored_items() == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (with_value(CATALOGUE, [], "products"), "#/products"),
        (with_value(CATALOGUE, [], *TIERS), "#/products/0/tiers"),
        (with_value(CATALOGUE, "49.00", *TIERS, 0, "prices", "EUR"), "#/products/0/tiers/0/prices/EUR"),
        (with_value(CATALOGUE, 49.5, *TIERS, 0, "prices", "EUR"), "#/products/0/tiers/0/prices/EUR"),
        (with_value(CATALOGUE, -1, *TIERS, 0, "prices", "EUR"), "#/products/0/tiers/0/prices/EUR"),
        (with_value(CATALOGUE, {}, *TIERS, 0, "prices"), "#/products/0/tiers/0/prices"),
        (without(CATALOGUE, *TIERS, 0, "up_to"), "#/products/0/tiers/0/up_to"),
        (with_value(CATALOGUE, 1, "version"), "#/version"),
    ],
)
def test_an_invalid_field_of_a_catalogue_is_named(body: Any, pointer: str, catalogue: UserPool) -> None:
    given = put_catalogue(body)

    assert given.status == 422
    assert pointers(given) == [pointer]


def test_an_unknown_currency_in_a_catalogue_is_named(catalogue: UserPool) -> None:
    given = put_catalogue(with_value(CATALOGUE, 4900, *TIERS, 0, "prices", "EURO"))

    assert given.status == 422
    assert pointers(given)[0].startswith("#/products/0/tiers/0/prices/EURO")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"7"'}, 412),
        ({"If-Match": "1"}, 412),
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-Match": '"one"'}, 412),
        ({"If-Match": f'"{"9" * 4400}"'}, 412),
        ({"If-Match": '"\u0661"'}, 412),
        ({"If-Match": '"-1"'}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-Match": "*"}, 428),
        ({"X-Nothing": "said"}, 428),
    ],
)
def test_replacing_a_catalogue_needs_its_current_etag(
    headers: dict[str, str], status: int, catalogue: UserPool
) -> None:
    before = stored_items()

    given = put_catalogue(with_value(CATALOGUE, "Suche", "products", 0, "name"), headers)

    assert given.status == status, given
    assert stored_items() == before


def test_a_repeated_catalogue_stays_the_same_version(catalogue: UserPool) -> None:
    before = stored_items()

    again = put_catalogue(CATALOGUE, {"If-None-Match": "*"})

    assert (again.status, again.headers["ETag"]) == (200, '"1"')
    assert stored_items() == before


# ---- Billing information ----


@pytest.mark.parametrize(
    ("area", "body", "pointer"),
    [
        ("company", without(ACCOUNT["company"], "city"), "#/city"),
        ("company", {**ACCOUNT["company"], "country": "ZZ"}, "#/country"),
        ("company", {**ACCOUNT["company"], "country": "DE"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "vat_number": "DK13585629"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "vat_number": "13585628"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "AU", "vat_number": "83 914 571 674"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "postcode": "1"}, "#/postcode"),
        ("company", {**ACCOUNT["company"], "postcode": "1\u200b"}, "#/postcode"),
        ("company", {**ACCOUNT["company"], "postcode": "\u0391-1058"}, "#/postcode"),
        ("company", {**ACCOUNT["company"], "postcode": "\u3105\u3106"}, "#/postcode"),
        # Greek and Cyrillic letters that look Latin, a letter with an ASCII capital only, no letters or digits.
        ("company", {**ACCOUNT["company"], "country": "GR", "vat_number": "\u0395\u039b094259216"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "US", "vat_number": "\u0410\u0412123456"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "US", "vat_number": "\u0131\u0131123456"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "US", "vat_number": "12\u00bd3456"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "US", "vat_number": "-- --"}, "#/vat_number"),
        (
            "company",
            {**ACCOUNT["company"], "country": "US", "vat_number": "\u200b\u200b12\u200b\u200b"},
            "#/vat_number",
        ),
        ("company", {**ACCOUNT["company"], "country": "US", "vat_number": "12\u00003456"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "GR", "vat_number": "EL094259217"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "IE", "vat_number": "XI980780684"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "IE", "vat_number": "GB980780684"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "IT", "vat_number": "IT\uff10\uff10743110158"}, "#/vat_number"),
        ("company", {**ACCOUNT["company"], "country": "AX", "vat_number": "AX20774740"}, "#/vat_number"),
        ("billing", {"email": "no address", "language": "it"}, "#/email"),
        ("billing", {"email": "a@nordlys.example", "language": "it", "name": "Ada"}, "#/name"),
        ("billing", {"email": "a@nordlys.example", "language": "IT"}, "#/language"),
        ("billing", {"email": "a@nordlys.example"}, "#/language"),
        ("contact", {"phone": "+45 33 12 34 56"}, "#/name"),
        ("contact", {"name": "Ada", "phone": "0" * 31}, "#/phone"),
        ("contact", {"name": "Ada", "phone": "+45 \uff13\uff13 12 34 56"}, "#/phone"),
    ],
)
def test_an_invalid_field_of_billing_information_is_named(area: str, body: Any, pointer: str, company: Company) -> None:
    before = stored_items()

    given = put_information(company, area, body)

    assert given.status == 422, given
    assert pointers(given) == [pointer]
    assert stored_items() == before


@pytest.mark.parametrize(("headers", "status"), [({"If-Match": '"2"'}, 412), ({"If-Match": "*"}, 428), ({}, 428)])
def test_changing_billing_information_needs_its_current_etag(
    headers: dict[str, str], status: int, company: Company
) -> None:
    before = stored_items()

    given = put_information(company, "billing", {"email": "finance@nordlys.example", "language": "it"}, headers)

    assert given.status == status, given
    assert stored_items() == before


def test_a_repeated_change_returns_the_same_version(company: Company) -> None:
    moved = {"email": "finance@nordlys.example", "language": "it"}
    first = put_information(company, "billing", moved)

    again = put_information(company, "billing", moved)

    assert (first.status, first.headers["ETag"]) == (200, '"2"')
    assert (again.status, again.headers["ETag"]) == (200, '"2"')


@pytest.mark.parametrize(
    ("country", "written", "normal"),
    [
        ("DK", "dk 13 58 56 28", "DK13585628"),
        ("IT", "IT 00743110157", "IT00743110157"),
        ("GR", "EL 094259216", "EL094259216"),
        ("DE", "DE 136,695 976", "DE136695976"),
        ("GB", "GB 980 7806 84", "GB980780684"),
        ("US", "US-12-3456789", "US123456789"),
        ("AU", "83 914 571 673", "83914571673"),
        ("AU", "AU 83 914 571 673", "AU83914571673"),
        ("BR", "16.727.230/0001-97", "16727230000197"),
        ("CH", "CHE-107.787.577 IVA", "CHE107787577IVA"),
        ("NO", "NO 995 525 828 MVA", "NO995525828MVA"),
        ("MC", "FR 53 0000 04605", "FR53000004605"),
        ("US", None, None),
        ("IT", "IT\uff10\uff10\uff17\uff14\uff13\uff11\uff11\uff10\uff11\uff15\uff17", "IT00743110157"),
        ("IT", "\uff49\uff54\u300000743110157", "IT00743110157"),
        ("IT", "IT\u0660\u0660\u0667\u0664\u0663\u0661\u0661\u0660\u0661\u0665\u0667", "IT00743110157"),
        ("IT", "\ufeffIT\u200b0074\u00ad3110\u2060157", "IT00743110157"),
        ("IT", "IT\u00a00074\u20113110\u2212157", "IT00743110157"),
        ("IT", "it.007/4311:0157", "IT00743110157"),
        ("GR", "GR 094259216", "EL094259216"),
        ("GB", "xi 980 7806 84", "XI980780684"),
        ("IM", "GB 980 7806 84", "GB980780684"),
        ("GP", "FR 53 0000 04605", "FR53000004605"),
        ("AX", "FI 2077474-0", "FI20774740"),
    ],
)
def test_a_vat_number_is_normalised(country: str, written: str | None, normal: str | None, company: Company) -> None:
    given = put_information(company, "company", {**ACCOUNT["company"], "country": country, "vat_number": written})

    assert given.status == 200, given
    assert given.body["vat_number"] == normal


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("1058", "1058"),
        ("\uff11\uff10\uff15\uff18", "1058"),
        ("\u0661\u0660\u0665\u0668", "1058"),
        ("DK\u20131058", "DK-1058"),
        ("\u200b10\u00a0\u00a058", "10 58"),
        ("sw1a 1aa", "sw1a 1aa"),
    ],
)
def test_a_postcode_is_normalised(written: str, normal: str, company: Company) -> None:
    given = put_information(company, "company", {**ACCOUNT["company"], "postcode": written})

    assert given.status == 200, given
    assert given.body["postcode"] == normal


# ---- Users ----


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "cy", "name": "Cy", "role": "member"}, "#/email"),
        ({"email": "cy@nordlys.example", "name": "", "role": "member"}, "#/name"),
        ({"email": "cy@nordlys.example", "name": "Cy", "role": "owner"}, "#/role"),
        ({"email": "cy@nordlys.example", "name": "Cy", "role": "staff"}, "#/role"),
        ({"email": "cy@nordlys.example", "name": "Cy"}, "#/role"),
        ({"email": "cy@nordlys.example", "name": "Cy", "role": "member", "staff": True}, "#/staff"),
    ],
)
def test_an_invalid_field_of_a_user_is_named(body: Any, pointer: str, company: Company, user_pool: UserPool) -> None:
    before, invited = stored_items(), user_pool.emails()

    given = put_user(company, body)

    assert given.status == 422
    assert pointers(given) == [pointer]
    assert stored_items() == before
    assert user_pool.emails() == invited


def test_removing_an_unknown_user_is_not_found(company: Company) -> None:
    path = {**company.path, "user": "nobody"}
    refused = answer(
        administer_users, request("DELETE", "/accounts/{account}/users/{user}", claims=company.admin, path=path)
    )

    assert refused.status == 404


# ---- Lists ----


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": "x" * 401}, "cursor"),
    ],
)
def test_an_invalid_query_parameter_is_named(query: dict[str, str], parameter: str, company: Company) -> None:
    given = answer(
        get_invoices,
        request("GET", "/accounts/{account}/invoices", claims=company.admin, path=company.path, query=query),
    )

    assert given.status == 422
    assert [(error["parameter"], error["in"]) for error in given.body["errors"]] == [(parameter, "query")]


@pytest.mark.parametrize("account", ["x" * 41, "x" * 5000])
def test_an_invalid_account_id_in_the_path_is_named(account: str, company: Company) -> None:
    given = answer(
        get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path={"account": account})
    )

    assert given.status == 422
    assert [(error["parameter"], error["in"]) for error in given.body["errors"]] == [("account", "path")]


@pytest.mark.parametrize("account", ["a/b", "æøå\n", "a?b"])
def test_an_unknown_path_is_not_found(account: str, company: Company) -> None:
    given = answer(
        get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path={"account": account})
    )

    assert given.status == 404
    assert given.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("cursor", ["%%%", "abc", "/w==", "8J-YgA==", "é", "\ud800"])
def test_an_invalid_cursor_is_named(cursor: str, company: Company) -> None:
    given = answer(
        get_invoices,
        request(
            "GET", "/accounts/{account}/invoices", claims=company.admin, path=company.path, query={"cursor": cursor}
        ),
    )

    assert given.status == 422
    assert [(error["parameter"], error["in"]) for error in given.body["errors"]] == [("cursor", "query")]
