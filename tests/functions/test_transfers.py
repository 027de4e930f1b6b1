"""Transfers as they arrive, through the functions: a part, several invoices, too much, and one that was wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from billing import wiring
from billing.correspondence.audiences import is_mailed

from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.record_payment.app import handler as record_payment
from tests.api_gateway import STAFF, Answer, answer, request
from tests.aws import TABLE, stored_items
from tests.company import Company
from tests.functions.ending import events_of, fire
from tests.functions.test_money import FIRST, INVOICES, ISSUED, SECOND, figures, one, post, transfers, upcoming_credit

TRANSFERS = "/accounts/{account}/transfers"
DAY = str(ISSUED.date())

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def total(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """The amount of each of two open invoices of a customer who transfers."""
    transfers(company, ISSUED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    return int(one(company, FIRST)["total"]["amount"])


def arrives(company: Company, units: int, *allocations: tuple[str, int], preview: bool = False, **more: Any) -> Answer:
    given = [{"invoice": number, "amount": share} for number, share in allocations] or None
    body = {"amount": {"amount": units, "currency": "EUR"}, "booked_on": DAY, "reference": "4711", **more}
    query = {"preview": "true"} if preview else None
    event = request(
        "POST",
        TRANSFERS,
        claims=STAFF,
        path=company.path,
        body={**body, "allocations": given},
        query=query,
        now=ISSUED,
    )
    return answer(record_payment, event)


def take_back(company: Company, transfer: str, *, preview: bool = False) -> Answer:
    event = request(
        "POST",
        TRANSFERS + "/{transfer}/take-back",
        claims=STAFF,
        path={**company.path, "transfer": transfer},
        body={"reason": "It was another customer's"},
        query={"preview": "true"} if preview else None,
        now=ISSUED + timedelta(days=30),
    )
    return answer(record_payment, event)


def listed(company: Company) -> dict[str, int]:
    """What is left of each invoice, as the list says; the billing page must say the same."""
    rows = answer(get_invoices, request("GET", INVOICES, claims=company.member, path=company.path)).body["items"]
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    shown = {each["number"]: each["left"]["amount"] for each in page.body["invoices"]}
    left = {each["number"]: each["left"]["amount"] for each in rows}
    assert shown == left
    return left


def test_a_part_of_an_invoice_is_paid_and_the_customer_is_told_what_is_left(company: Company, total: int) -> None:
    before = stored_items()
    shown = arrives(company, total - 1_200, (FIRST, total - 1_200), preview=True)
    assert stored_items() == before

    made = arrives(company, total - 1_200, (FIRST, total - 1_200))

    assert (shown.status, made.status) == (200, 200)
    assert shown.body == made.body
    [share] = made.body["transfer"]["invoices"]
    assert (share["left"]["amount"], share["credit"]["amount"]) == (1_200, 0)
    assert figures(company, FIRST) == ("open", 1_200)
    assert one(company, FIRST)["payment"]["paid"]["amount"] == total - 1_200
    assert listed(company) == {FIRST: 1_200, SECOND: total}
    [recorded] = events_of("transfer.recorded")
    assert is_mailed(recorded)
    assert events_of("invoice.paid") == []
    rest = {"reference": "bank fees", "paid_on": DAY, "amount": {"amount": 200, "currency": "EUR"}}
    for _ in range(2):
        assert post(record_payment, company, FIRST, "payments", rest).body["payment"]["left"]["amount"] == 1_000
    given = post(record_payment, company, FIRST, "write-off", {"reason": "bank fees"})
    assert given.body["payment"]["left"]["amount"] == 0
    assert [(event.after or {})["reason"] for event in events_of("invoice.written_off")] == ["bank fees"]


def test_the_payment_of_one_invoice_has_the_limit_of_every_amount(company: Company, total: int) -> None:
    body = {"reference": "4711", "paid_on": DAY, "amount": {"amount": 10**20, "currency": "EUR"}}

    given = post(record_payment, company, FIRST, "payments", body)

    assert (given.status, given.body["errors"][0]["code"]) == (422, "too-large")
    assert given.body["errors"][0]["pointer"] == "#/amount/amount"


def test_several_invoices_and_too_much(company: Company, total: int) -> None:
    made = arrives(company, 2 * total + 500)

    assert listed(company) == {FIRST: 0, SECOND: 0}
    assert [each["invoice"] for each in made.body["transfer"]["invoices"]] == [FIRST, SECOND]
    assert made.body["transfer"]["credit"]["amount"] == 500
    assert upcoming_credit(company) == 500
    assert arrives(company, 2 * total + 500).body == {**made.body, "is_new": False}
    other = arrives(company, 2 * total + 500, (FIRST, 2 * total + 500))
    assert (other.status, other.body["type"]) == (409, "urn:livello:problem:transfer-differs")
    assert len(events_of("invoice.paid")) == 2
    path = {**company.path, "transfer": made.body["transfer"]["id"]}
    found = answer(record_payment, request("GET", TRANSFERS + "/{transfer}", claims=STAFF, path=path)).body
    page = answer(record_payment, request("GET", TRANSFERS, claims=STAFF, path=company.path)).body
    assert page == {"items": [found], "next_cursor": None}
    assert found == made.body["transfer"]


def test_what_cannot_be_is_refused_in_words(company: Company, total: int) -> None:
    refused = arrives(company, 100, (FIRST, 99), ("LV-2026-000009", 1))
    assert [(each["pointer"], each["code"]) for each in refused.body["errors"]] == [
        ("#/allocations/1/invoice", "unknown")
    ]
    short = arrives(company, 100, (FIRST, 99))
    assert [(each["pointer"], each["code"]) for each in short.body["errors"]] == [("#/allocations", "too-small")]
    late = arrives(company, 100, booked_on=str((ISSUED + timedelta(days=1)).date()))
    assert [(each["pointer"], each["code"]) for each in late.body["errors"]] == [("#/booked_on", "too-late")]
    foreign = arrives(company, 100, amount={"amount": 100, "currency": "DKK"})
    [error] = foreign.body["errors"]
    assert (error["pointer"], error["code"], error["limits"]) == (
        "#/amount/currency",
        "not-allowed",
        {"allowed": ["EUR"]},
    )
    many = arrives(company, 21, *((f"LV-2026-{number:06}", 1) for number in range(21)))
    assert [(each["pointer"], each["code"]) for each in many.body["errors"]] == [("#/allocations", "too-many")]
    nothing = arrives(company, 0)
    assert [(each["pointer"], each["code"]) for each in nothing.body["errors"]] == [("#/amount/amount", "too-small")]
    assert events_of("transfer.recorded") == []
    assert total


def test_a_wrong_transfer_is_taken_back(company: Company, total: int) -> None:
    made = arrives(company, total + 500, (FIRST, total + 500)).body["transfer"]["id"]
    assert listed(company) == {FIRST: 0, SECOND: total - 500}
    before = stored_items()
    shown = take_back(company, made, preview=True)
    assert stored_items() == before

    taken = take_back(company, made)

    assert taken.body["invoices"] == shown.body["invoices"]
    assert taken.body["transfer"]["taken_back"]["reason"] == "It was another customer's"
    assert figures(company, FIRST) == ("past_due", total)
    assert listed(company) == {FIRST: total, SECOND: total}
    assert take_back(company, made).status == 200
    [event] = events_of("transfer.taken_back")
    assert is_mailed(event)
    assert {each["number"] for each in (event.after or {})["invoices"]} == {FIRST, SECOND}
    again = arrives(company, total + 500, booking="bank-1").body
    assert again["is_new"]
    assert wiring.transfer_store().transfer(company.account, made).taken_back is not None
    assert take_back(company, "20260101-0-1").status == 404


def test_what_an_earlier_release_has_recorded_can_be_taken_back(company: Company, total: int) -> None:
    body = {"paid_on": DAY, "reference": "of before"}
    assert post(record_payment, company, FIRST, "payments", body).status == 200
    page = answer(record_payment, request("GET", TRANSFERS, claims=STAFF, path=company.path)).body["items"]
    wiring.dynamodb().delete_item(
        TableName=TABLE,
        Key={"pk": {"S": f"ACCOUNT#{company.account}"}, "sk": {"S": f"TRANSFER#{page[0]['id']}"}},
    )

    assert post(record_payment, company, FIRST, "payments", body).status == 200

    assert take_back(company, page[0]["id"]).status == 200
    assert figures(company, FIRST) == ("past_due", total)
