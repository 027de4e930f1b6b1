"""Staff record that an account is exempt from tax, with the evidence; its end is told, and tax is charged again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.correspondence.audiences import Recipient, recipients

from functions.administer_exchange_rates.app import handler as lists
from functions.administer_subscriptions.app import handler as administer
from functions.end_account.app import handler as end
from functions.get_billing.app import handler as get_billing
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.issue_invoices.app import handler as issue
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company, provisioned
from tests.functions.clocks import ON_CLOCK, advanced, make, workers  # noqa: F401 - pytest looks for `workers` here
from tests.functions.ending import invoiced_elsewhere
from tests.functions.test_vat_numbers import recorded, run
from tests.samples import ACCOUNT, with_value

ROUTE = "/accounts/{account}/tax-exemptions"
RENEWAL, NEXT = "2026-07-15", "2026-10-15"
EMBASSY: dict[str, Any] = {
    "code": "VATEX-EU-151-1A",
    "words": {"en": "Exempt: diplomatic mission", "it": "Esente: missione diplomatica"},
    "certificate": {"reference": "DK-2026-0417", "authority": "Udenrigsministeriet", "issued_on": "2026-06-01"},
    "valid_from": RENEWAL,
    "valid_until": NEXT,
}
LONGER = {**EMBASSY, "valid_until": None}


@pytest.fixture
def company(company: Company, work_queue: Any, stripe_account: Any) -> Company:
    """The sample account. The quarter until RENEWAL is invoiced."""
    invoiced_elsewhere(company)
    return company


def listed(company: Company) -> Answer:
    return answer(administer, request("GET", ROUTE, claims=company.member, path=company.path))


def put(
    company: Company, *exemptions: dict[str, Any], tag: str | None = None, preview: bool = False, now: datetime = NOW
) -> Answer:
    headers = {"If-Match": tag or listed(company).headers["ETag"]} if tag != "" else {}
    query = {"preview": "true"} if preview else None
    body = {"exemptions": list(exemptions)}
    event = request("PUT", ROUTE, claims=STAFF, path=company.path, body=body, headers=headers, query=query, now=now)
    return answer(administer, event)


def errors(given: Answer) -> list[tuple[str, str]]:
    assert given.status in {400, 422}, given
    return [(each["pointer"], each["code"]) for each in given.body["errors"]]


def taxes(day: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What a run at noon of a day has issued in all: first day, rule and tax of each invoice, the oldest first."""
    run("renewal", issue, datetime.fromisoformat(f"{day}T12:00:00+00:00"), monkeypatch)
    found = []
    for each in stored_items():
        if each["sk"].startswith("DOCUMENT#LV"):
            draft = json.loads(each["body"])["issued"]["draft"]
            found.append((draft["since"], draft["tax"]["rule"], draft["tax_amount"]["amount"]))
    return sorted(found)


def next_charge(company: Company) -> dict[str, Any]:
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    found: dict[str, Any] = page.body["payment_details"]["next_charge"]
    return found


def test_an_exempt_account_pays_no_tax_until_the_end(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    before = next_charge(company)

    given = put(company, EMBASSY)

    assert given.status == 200, given
    assert given.body["exemptions"] == {"changes_from": RENEWAL, "exemptions": [EMBASSY]}
    assert given.body["next_charge_without"]["charge"] == before
    assert before["tax"]["amount"] > 0
    after = given.body["next_charge"]
    assert (after["charge"]["tax_rule"], after["charge"]["tax"]["amount"], after["tax_rate"]) == ("exempt", 0, "0")
    assert after["sentence"] == EMBASSY["words"]["en"]
    assert given.headers["ETag"] == listed(company).headers["ETag"] == '"1"'
    assert next_charge(company) == after["charge"]
    [event] = recorded("tax_exemptions.changed")
    assert event.before is not None
    assert event.after is not None
    assert event.before["next_charge"]["tax"]["amount"] == before["tax"]["amount"]
    assert event.after["next_charge"]["tax"]["amount"] == 0
    users = wiring.account_store().users(company.account)
    addressed = recipients(event, users, "invoices@nordlys.example", "staff@livello.example")
    assert {each.email for each in addressed} >= {"invoices@nordlys.example"}

    assert taxes("2026-07-16", monkeypatch) == [(RENEWAL, "exempt", 0)]
    assert taxes("2026-10-16", monkeypatch)[1] == (NEXT, "domestic", before["tax"]["amount"])
    [issued, _] = [json.loads(each["body"])["issued"] for each in stored_items() if each["sk"].startswith("DOCUMENT#")]
    assert issued["draft"]["tax"]["certificate"] == EMBASSY["certificate"], "the evidence stays with the invoice"
    assert issued["draft"]["tax"]["code"] == EMBASSY["code"]


def test_a_credit_note_stays_exempt_after_the_end(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    put(company, EMBASSY)
    taxes("2026-07-16", monkeypatch)
    [number] = [json.loads(each["body"])["number"] for each in stored_items() if each["sk"].startswith("INVOICE#")]

    event = request(
        "POST",
        "/accounts/{account}/invoices/{number}/credit-notes",
        claims=STAFF,
        path={**company.path, "number": number},
        body={"lines": None, "reason": "Invoiced by mistake"},
        now=datetime.fromisoformat("2026-11-16T12:00:00+00:00"),
    )
    note = answer(issue_credit_note, event).body

    assert (note["tax"]["rule"], note["tax"]["sentence"]) == ("exempt", EMBASSY["words"]["en"])
    assert note["total"]["amount"] == note["net"]["amount"] < 0


def test_a_new_account_is_exempt_from_its_first_invoice_on(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Company("krone-butik", STAFF, STAFF)
    assert provisioned(with_value(ACCOUNT, other.account, "account")).status == 201
    from_the_start = {**EMBASSY, "valid_from": "2026-01-15"}
    event = request(
        "PUT", ROUTE, claims=STAFF, path=other.path, body={"exemptions": [from_the_start]}, headers={"If-Match": '"0"'}
    )
    given = answer(administer, event)

    assert given.body["exemptions"]["changes_from"] == "2026-01-15"
    assert {rule for _, rule, _ in taxes("2026-06-10", monkeypatch)} == {"exempt"}


def test_a_preview_changes_nothing(company: Company) -> None:
    before = stored_items()

    shown = put(company, EMBASSY, preview=True, tag="")

    assert shown.body["next_charge"]["charge"]["tax"]["amount"] == 0
    assert stored_items() == before


def test_a_change_names_the_version_and_a_repeated_one_succeeds(company: Company) -> None:
    assert put(company, EMBASSY, tag="").status == 428
    assert put(company, EMBASSY, tag='"3"').status == 412
    assert put(company, EMBASSY).status == 200
    assert put(company, EMBASSY, tag='"0"').status == 200, "the same request again"
    assert put(company, LONGER, tag='"0"').status == 412
    assert put(company, LONGER).headers["ETag"] == '"2"'
    assert put(company).body["exemptions"]["exemptions"] == []
    assert len(recorded("tax_exemptions.changed")) == 3


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"code": "embassy"}, "#/exemptions/0/code", "not-allowed"),
        ({"code": "VATEX-EU-AE"}, "#/exemptions/0/code", "not-allowed"),
        ({"code": ""}, "#/exemptions/0/code", "too-short"),
        ({"valid_from": "2026-07-14"}, "#/exemptions/0/valid_from", "too-early"),
        ({"valid_until": RENEWAL}, "#/exemptions/0/valid_until", "too-early"),
        ({"valid_until": "never"}, "#/exemptions/0/valid_until", "not-a-date"),
        ({"words": {"en": "e" * 201}}, "#/exemptions/0/words/en", "too-long"),
        ({"certificate": None}, "#/exemptions/0/certificate", "wrong-type"),
        (
            {"certificate": {**EMBASSY["certificate"], "issued_on": "2026-06-11"}},
            "#/exemptions/0/certificate/issued_on",
            "too-late",
        ),
        (
            {"certificate": {**EMBASSY["certificate"], "reference": " "}},
            "#/exemptions/0/certificate/reference",
            "too-short",
        ),
        ({"reason": "x"}, "#/exemptions/0/reason", "unknown-field"),
    ],
)
def test_a_bad_exemption_is_named(company: Company, change: dict[str, Any], pointer: str, code: str) -> None:
    before = stored_items()

    assert (pointer, code) in errors(put(company, {**EMBASSY, **change}))
    assert stored_items() == before


def test_what_is_invoiced_stays(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    put(company, LONGER)
    later = datetime.fromisoformat("2026-07-20T12:00:00+00:00")
    assert taxes("2026-07-20", monkeypatch) == [(RENEWAL, "exempt", 0)]

    assert errors(put(company, now=later)) == [("#/exemptions", "missing")]
    refused = put(company, {**LONGER, "valid_until": "2026-08-01"}, now=later)
    assert errors(refused) == [("#/exemptions/0/valid_until", "too-early")]
    first = refused.body["errors"][0]["limits"]["min"]
    assert first == "2026-08-15", "the first contract month that is not fixed"
    assert put(company, {**LONGER, "valid_until": first}, now=later).status == 200
    assert taxes("2026-10-16", monkeypatch)[1][1] == "domestic"


def test_staff_are_told_once_of_an_end_before_it(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    put(company, EMBASSY)
    near = datetime.fromisoformat("2026-09-14T22:05:00+00:00")

    run("ending", end, near - timedelta(minutes=30), monkeypatch)
    assert recorded("tax_exemption.ending") == []
    for hour in range(3):
        run("ending", end, near + timedelta(hours=hour), monkeypatch)

    [event] = recorded("tax_exemption.ending")
    assert event.after is not None
    assert event.after["ends_on"] == NEXT
    users = wiring.account_store().users(company.account)
    addressed = recipients(event, users, "invoices@nordlys.example", "staff@livello.example")
    assert addressed == (Recipient("staff@livello.example", None),)
    [item] = [each for each in stored_items() if each["sk"] == "PAGE#TAX-EXEMPTIONS"]
    assert "gsi1pk" not in item, "nothing is due any more"


def test_staff_list_who_is_exempt(company: Company) -> None:
    def found() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = answer(lists, request("GET", "/tax-exemptions", claims=STAFF)).body["items"]
        return items

    assert found() == []
    other = Company("krone-butik", STAFF, STAFF)
    assert provisioned(with_value(ACCOUNT, other.account, "account")).status == 201
    later = {**LONGER, "valid_from": "2026-12-15"}
    assert (
        answer(
            administer,
            request(
                "PUT", ROUTE, claims=STAFF, path=other.path, body={"exemptions": [later]}, headers={"If-Match": '"0"'}
            ),
        ).status
        == 200
    )
    put(company, EMBASSY)

    assert [(each["account"], each["exemptions"]) for each in found()] == [
        (company.account, [EMBASSY]),
        (other.account, [later]),
    ]
    put(company)
    assert [each["account"] for each in found()] == [other.account]


def test_a_test_clock_tells_of_the_end_too(
    company: Company,
    workers: Any,  # noqa: F811 - the fixture
) -> None:
    make()
    assert provisioned(with_value(ACCOUNT, ON_CLOCK, "account"), now=NOW).status == 201
    path = {"account": ON_CLOCK}
    body = {"exemptions": [{**EMBASSY, "valid_until": "2026-07-20"}]}
    headers = {"If-Match": '"0"'}
    assert answer(administer, request("PUT", ROUTE, claims=STAFF, path=path, body=body, headers=headers)).status == 200

    advanced(NOW + timedelta(days=12))

    [event] = recorded("tax_exemption.ending")
    assert (event.account, event.time) == (ON_CLOCK, datetime.fromisoformat("2026-06-19T22:01:00+00:00"))
    query = {"test_clock": "q1"}
    assert answer(lists, request("GET", "/tax-exemptions", claims=STAFF)).body["items"] == []
    [listed] = answer(lists, request("GET", "/tax-exemptions", claims=STAFF, query=query)).body["items"]
    assert listed["account"] == ON_CLOCK
