"""Staff add one-off charges and goodwill; each is invoiced once, with the next invoice, at once, or at the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.invoicing.one_offs import OPEN_MAX
from billing.invoicing.settings import InvoicingSettings

from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as credit
from functions.release_invoicing.app import handler as one_offs
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company
from tests.functions.ending import (
    CONTRACT_ENDS,
    call_cancellation,
    cancel,
    deactivate,
    events_of,
    fire,
    invoiced_elsewhere,
)

LIST = "/accounts/{account}/one-offs"
ROUTE = "/accounts/{account}/one-offs/{one_off}"
RENEWAL = "2026-07-15"
QUARTER = 29_062
"""What the sample company pays for the quarter from RENEWAL on, before 25 % of tax."""
RENEWED = datetime(2026, 7, 15, 12, tzinfo=UTC)
TRAINING = {
    "description": "Training",
    "translations": {"it": "Formazione"},
    "amount": 40_000,
    "currency": "EUR",
    "quantity": 3,
    "reason": "Agreed on the phone",
}
GOODWILL = {"kind": "goodwill", "description": "Sorry", "amount": 9_062, "currency": "EUR", "reason": "An outage"}


@pytest.fixture
def company(company: Company) -> Company:
    """The sample account. The quarter until RENEWAL is invoiced."""
    invoiced_elsewhere(company)
    return company


@pytest.fixture
def work(work_queue: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WORK_QUEUE_URL", work_queue.url)
    return work_queue


def put(company: Company, one_off: str, body: dict[str, Any], *, preview: bool = False, now: datetime = NOW) -> Answer:
    path, query = {**company.path, "one_off": one_off}, {"preview": "true"} if preview else None
    return answer(one_offs, request("PUT", ROUTE, claims=STAFF, path=path, body=body, query=query, now=now))


def take_back(company: Company, one_off: str, *, preview: bool = False, now: datetime = NOW) -> Answer:
    path, query = {**company.path, "one_off": one_off}, {"preview": "true"} if preview else None
    return answer(one_offs, request("DELETE", ROUTE, claims=STAFF, path=path, query=query, now=now))


def listed(company: Company) -> Any:
    return answer(one_offs, request("GET", LIST, claims=company.member, path=company.path)).body


def issued() -> list[Any]:
    return [each.after for each in events_of("invoice.issued")]


def upcoming(company: Company, now: datetime = NOW) -> Answer:
    route = "/accounts/{account}/invoices/upcoming"
    return answer(get_invoices, request("GET", route, claims=company.member, path=company.path, now=now))


def totals(invoices: list[Any]) -> list[tuple[str, int, int]]:
    return [(each["on"], each["net"]["amount"], each["total"]["amount"]) for each in invoices]


def test_a_charge_is_on_the_next_invoice_once(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    added = put(company, "training", TRAINING)

    assert added.status == 200, added
    assert added.body["one_off"]["mark"] == "open"
    assert added.body["one_off"]["amount"] == {"amount": 120_000, "currency": "EUR"}
    net, total = QUARTER + 120_000, 186_328  # tax of 37,265.5, rounded once
    assert totals(added.body["follows"]["invoices"]) == [(RENEWAL, net, total)]
    assert totals(added.body["follows"]["invoices_without"]) == [(RENEWAL, QUARTER, 36_328)]
    shown = upcoming(company).body
    assert shown == added.body["follows"]["invoices"][0]
    assert [line["one_off"] for line in shown["lines"]] == [None, None, None, "training"]
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path))
    charge = page.body["payment_details"]["next_charge"]
    assert (charge["on"], charge["net"]["amount"], charge["total"]["amount"]) == (RENEWAL, net, total)

    fire(RENEWED, work, monkeypatch, "renewal")
    fire(RENEWED, work, monkeypatch, "renewal")

    [invoice] = issued()
    assert (invoice["net"]["amount"], invoice["total"]["amount"]) == (net, total)
    assert invoice["lines"][-1] == {
        "description": "Training, 3 \N{MULTIPLICATION SIGN} 400.00 EUR",
        "amount": {"amount": 120_000, "currency": "EUR"},
    }
    found = listed(company)
    assert found["open"] == []
    [closed] = found["closed"]
    assert (closed["mark"], closed["left"]["amount"]) == ("invoiced", 0)
    assert closed["uses"] == [
        {"number": invoice["number"], "amount": {"amount": 120_000, "currency": "EUR"}, "on": RENEWAL}
    ]
    following = upcoming(company, RENEWED).body
    assert (following["on"], following["net"]["amount"]) == ("2026-10-15", QUARTER)


def test_a_preview_shows_the_same_and_changes_nothing(company: Company) -> None:
    before = stored_items()
    for body in (TRAINING, GOODWILL, {**TRAINING, "invoice": "at_once"}):
        shown = put(company, "training", body, preview=True)
        assert shown.status == 200, shown
        assert stored_items() == before
    shown = put(company, "training", TRAINING, preview=True)
    assert put(company, "training", TRAINING).body == shown.body
    again = take_back(company, "training", preview=True).body
    assert again["follows"]["invoices_without"] == shown.body["follows"]["invoices"]
    assert again["follows"]["invoices"] == shown.body["follows"]["invoices_without"]
    assert listed(company)["open"][0]["mark"] == "open"


def test_a_charge_can_be_invoiced_at_once(company: Company) -> None:
    body = {**TRAINING, "invoice": "at_once"}
    shown = put(company, "training", body, preview=True).body["follows"]["invoices"]
    given = put(company, "training", body)

    assert given.status == 200, given
    [invoice] = issued()
    assert (invoice["since"], invoice["net"]["amount"], invoice["total"]["amount"]) == (
        str(NOW.date()),
        120_000,
        150_000,
    )
    assert totals(shown) == totals(given.body["follows"]["invoices"]) == [(str(NOW.date()), 120_000, 150_000)]
    assert given.body["one_off"]["uses"][0]["number"] == invoice["number"]
    # The same again is the same; the next invoice is without it.
    assert put(company, "training", body).body["one_off"] == given.body["one_off"]
    assert len(issued()) == 1
    assert upcoming(company).body["net"]["amount"] == QUARTER
    assert len(events_of("one_off.changed")) == 1
    path = {**company.path, "number": invoice["number"]}
    details = answer(
        get_invoices, request("GET", "/accounts/{account}/invoices/{number}", claims=company.member, path=path)
    ).body
    assert (details["occasion"], details["lines"][0]["quantity"]) == ("one_off", 3)


def test_the_day_of_an_invoice_at_once_is_the_sellers(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer says the same as the list and the invoice."""
    tomorrow = NOW + timedelta(days=1)
    monkeypatch.setattr(InvoicingSettings, "day_of_issue", lambda *_: tomorrow.date())

    given = put(company, "training", {**TRAINING, "invoice": "at_once"})

    assert [each["on"] for each in given.body["one_off"]["uses"]] == [str(tomorrow.date())]
    assert [given.body["one_off"]] == listed(company)["closed"]
    assert [each["produced_on"] for each in issued()] == [str(tomorrow.date())]


def test_goodwill_reduces_invoices_before_tax_until_it_is_used_up(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = put(company, "sorry", {**GOODWILL, "amount": QUARTER + 562})

    nothing, rest = given.body["follows"]["invoices"]
    assert (nothing["on"], nothing["net"]["amount"], nothing["total"]["amount"]) == (RENEWAL, 0, 0)
    assert (rest["on"], rest["net"]["amount"], rest["total"]["amount"]) == ("2026-10-15", QUARTER - 562, 35_625)
    fire(RENEWED, work, monkeypatch, "renewal")
    assert issued() == []  # a total of zero is not issued
    assert len(events_of("period.free")) == 1
    [left] = listed(company)["open"]
    assert left["left"]["amount"] == 562
    fire(datetime(2026, 10, 15, 12, tzinfo=UTC), work, monkeypatch, "renewal")
    [invoice] = issued()
    assert invoice["net"]["amount"] == QUARTER - 562
    [used] = listed(company)["closed"]
    assert [(each["number"], each["amount"]["amount"]) for each in used["uses"]] == [
        (None, QUARTER),
        (invoice["number"], 562),
    ]


def test_what_was_added_on_the_day_of_an_invoice_waits_for_the_next(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a run that is late invoices the same as one in time."""
    given = put(company, "training", TRAINING, now=RENEWED)

    assert totals(given.body["follows"]["invoices"])[1][:2] == ("2026-10-15", QUARTER + 120_000)
    fire(RENEWED, work, monkeypatch, "renewal")
    assert [each["net"]["amount"] for each in issued()] == [QUARTER]


def test_what_is_left_is_invoiced_at_the_end(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(company, "training", TRAINING)
    put(company, "sorry", {**GOODWILL, "amount": 130_000})
    preview = call_cancellation(company, "GET").body["preview"]
    assert [each["total"]["amount"] for each in preview["charges_still_due"]] == []
    assert preview["goodwill_lapses"]["amount"] == 10_000
    take_back(company, "sorry")
    put(company, "sorry-2", GOODWILL)
    preview = call_cancellation(company, "GET").body["preview"]
    last = {"on": CONTRACT_ENDS, "net": 110_938, "total": 138_673}
    assert [
        {"on": each["on"], "net": each["net"]["amount"], "total": each["total"]["amount"]}
        for each in preview["charges_still_due"]
    ] == [last]
    receipt = cancel(company)
    assert receipt.status == 201
    assert receipt.body["charges_still_due"] == preview["charges_still_due"]
    assert upcoming(company).body["total"]["amount"] == 138_673

    fire(RENEWED, work, monkeypatch, "ending", "renewal", "ending")

    [invoice] = issued()
    assert (invoice["since"], invoice["total"]["amount"]) == (CONTRACT_ENDS, 138_673)
    assert listed(company)["open"] == []
    assert upcoming(company, RENEWED).status == 404


def test_goodwill_that_is_left_at_the_end_lapses(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(company, "sorry", GOODWILL)
    preview = call_cancellation(company, "GET").body["preview"]
    assert (preview["charges_still_due"], preview["goodwill_lapses"]["amount"]) == ([], 9_062)
    assert cancel(company).status == 201
    more = put(company, "sorry-2", GOODWILL)
    assert (more.body["follows"]["invoices"], more.body["follows"]["goodwill_lapses"]["amount"]) == ([], 18_124)

    fire(RENEWED, work, monkeypatch, "ending", "renewal", "ending")

    assert issued() == []
    assert [each["mark"] for each in listed(company)["closed"]] == ["lapsed", "lapsed"]
    lapsed = [each.after for each in events_of("one_off.changed") if each.after and each.after["mark"] == "lapsed"]
    assert [each["left"]["amount"] for each in lapsed] == [9_062, 9_062]


def test_an_open_charge_can_be_taken_back_and_an_invoiced_one_cannot(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(company, "training", TRAINING)
    given = take_back(company, "training")

    assert given.body["one_off"]["mark"] == "taken_back"
    assert totals(given.body["follows"]["invoices"]) == [(RENEWAL, QUARTER, 36_328)]
    assert take_back(company, "training").status == 200
    assert len(events_of("one_off.changed")) == 2
    assert put(company, "training", {**TRAINING, "amount": 1}).body["type"].endswith("one-off-exists")
    put(company, "setup", TRAINING)
    fire(RENEWED, work, monkeypatch, "renewal")
    assert take_back(company, "setup").body["type"].endswith("one-off-closed")
    assert take_back(company, "unknown").status == 404


REFUSED: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"amount": 0}, [("#/amount", "too-small")]),
    ({"amount": -1}, [("#/amount", "too-small")]),
    ({"amount": 10**12 + 1}, [("#/amount", "too-large")]),
    ({"amount": 10**12, "quantity": 2}, [("#/amount", "too-large")]),
    ({"amount": 1.5}, [("#/amount", "wrong-type")]),
    ({"currency": "DKK"}, [("#/currency", "not-allowed")]),
    ({"currency": "XYZ"}, [("#/currency", "not-a-currency")]),
    ({"quantity": 0}, [("#/quantity", "too-small")]),
    ({"quantity": 1001}, [("#/quantity", "too-large")]),
    ({"description": " "}, [("#/description", "too-short")]),
    ({"description": "a\u202eb"}, [("#/description", "not-plain-text")]),
    ({"description": "a" * 201}, [("#/description", "too-long")]),
    ({"translations": {"xx": "a"}}, [("#/translations/xx/[key]", "not-allowed")]),
    ({"reason": "\u200b"}, [("#/reason", "invisible")]),
    ({"invoice": "never"}, [("#/invoice", "not-allowed")]),
    ({"kind": "goodwill", "invoice": "at_once"}, [("#/invoice", "not-together"), ("#/quantity", "not-together")]),
]


def test_what_cannot_be_is_refused_by_code_and_pointer(company: Company) -> None:
    before = stored_items()

    for change, expected in REFUSED:
        given = put(company, "training", {**TRAINING, **change})
        assert given.status == 422, (change, given)
        assert [(each["pointer"], each["code"]) for each in given.body["errors"]] == expected, change
    assert put(company, "Not_an_id", TRAINING).status == 422
    assert stored_items() == before


def test_an_account_has_so_many_open_one_offs_at_most(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One invoice has them all: its transaction has room for them."""
    for number in range(OPEN_MAX):
        assert put(company, f"training-{number}", TRAINING).status == 200
    assert put(company, "one-more", TRAINING).body["type"].endswith("too-many-one-offs")
    assert put(company, "one-more", {**TRAINING, "invoice": "at_once"}).status == 200

    fire(RENEWED, work, monkeypatch, "renewal")

    assert [len(each["lines"]) for each in issued()] == [1, 3 + OPEN_MAX]


def test_an_ended_account_gets_no_one_off(company: Company) -> None:
    deactivate(company)

    for body in (TRAINING, GOODWILL, {**TRAINING, "invoice": "at_once"}):
        given = put(company, "training", body, now=RENEWED)
        assert (given.status, given.body["type"].rpartition(":")[2]) == (409, "account-ended")


def test_a_charge_at_once_waits_for_no_number_and_no_rate(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused instead, and can be put on the next invoice."""
    monkeypatch.setenv("SELLER_CURRENCY", "DKK")
    wiring.forget()
    given = put(company, "training", {**TRAINING, "invoice": "at_once"})

    assert (given.status, given.body["type"].rpartition(":")[2]) == (409, "exchange-rate-missing")
    assert [*listed(company)["open"], *listed(company)["closed"]] == issued() == []
    assert put(company, "training", TRAINING).status == 200


def test_an_invoiced_charge_is_credited_by_its_line(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(company, "training", TRAINING)
    put(company, "sorry", {**GOODWILL, "amount": 14_906})
    fire(RENEWED, work, monkeypatch, "renewal")
    [invoice] = issued()
    path = {**company.path, "number": invoice["number"]}
    route = "/accounts/{account}/invoices/{number}/credit-notes"
    body = {"lines": [3], "reason": "It did not take place"}
    note = answer(credit, request("POST", route, claims=STAFF, path=path, body=body, now=RENEWED))

    assert note.status == 201, note
    # Of 1,505.62, 15.00 and 149.06 are taken off the whole: of the training 130.76.
    assert note.body["net"]["amount"] == -(120_000 - 13_076)
    assert [line["one_off"] for line in note.body["lines"]] == ["training", None, "sorry"]


def test_whether_any_is_open_can_be_asked(company: Company) -> None:
    store = wiring.one_off_store()
    assert not store.open_charges(company.account)
    put(company, "training", TRAINING)
    assert store.open_charges(company.account)
    take_back(company, "training")
    assert not store.open_charges(company.account)
