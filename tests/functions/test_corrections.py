"""Staff correct an invoice, or credit a part of a line: documents, money, refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from billing import wiring
from billing.accounts.rules import existing
from billing.invoicing.periods import PaidPeriod, owed_by_product
from billing.kernel.money import rounded

from functions.get_billing.app import handler as get_billing
from functions.issue_credit_note.app import handler as credit
from functions.reconcile_books.app import handler as reconcile
from functions.release_invoicing.app import handler as one_offs
from functions.update_billing_information.app import handler as change_information
from local.stripe.api import Stripe
from tests.api_gateway import STAFF, answer, request
from tests.cards import DECLINED_WHEN_CHARGED, card
from tests.company import Company
from tests.functions.ending import WORKERS, events_of, fire
from tests.functions.test_money import (
    FIRST,
    ISSUED,
    SECOND,
    figures,
    one,
    post,
    tell,
    transferred,
    transfers,
    upcoming_credit,
)

pytestmark = pytest.mark.usefixtures("work")

WRONG_ADDRESS = {"reason": "The address was wrong"}
THIRD = "LV-2026-000003"


def corrected(company: Company, number: str, **body: Any) -> Any:
    given = post(credit, company, number, "correction", {**WRONG_ADDRESS, **body})
    assert given.status == 201, given
    return given.body


def preview(company: Company, number: str, what: str, body: Any) -> Any:
    given = post(credit, company, number, f"{what}/preview", body)
    assert given.status == 200, given
    return given.body


def move(company: Company, **changed: Any) -> None:
    route = "/accounts/{account}/billing-information/company"
    found = answer(get_billing, request("GET", route, claims=company.admin, path=company.path))
    body = {name: value for name, value in found.body.items() if name != "version"} | changed
    headers = {"If-Match": found.headers["ETag"]}
    event = request("PUT", route, claims=company.admin, path=company.path, body=body, headers=headers, now=ISSUED)
    given = answer(change_information, event)
    assert given.status == 200, given


def periods(company: Company) -> list[PaidPeriod]:
    store = wiring.invoice_store()
    running = existing(store.billing_context(company.account)).period
    assert running is not None
    return [*(period for period, _ in store.closed_periods(company.account)), running]


def assert_owed_is_invoiced(company: Company) -> None:
    billing = existing(wiring.invoice_store().billing_context(company.account))
    contract, subscription = billing.subscriber.account.contract, billing.subscriber.subscription
    for period in periods(company):
        to_come = subscription if period.fixed_through + 1 < period.until_month else None
        owed = owed_by_product(period, contract, to_come)
        assert {product: period.invoiced_of(product) for product in owed} == owed


def assert_books_agree(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKERS, "reconciliation", reconcile)
    fire(ISSUED + timedelta(days=1), work, monkeypatch, "reconciliation")
    assert events_of("reconciliation.differed") == []


# ---- Correct and issue again -----------------------------------------------------------------------------


def test_an_invoice_with_a_wrong_address_is_issued_again(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M36."""
    fire(ISSUED, work, monkeypatch, "renewal")
    before = one(company, SECOND)
    move(company, address_line_1="Nyhavn 17")

    shown = preview(company, SECOND, "correction", WRONG_ADDRESS)
    new = corrected(company, SECOND)

    assert new["number"] == THIRD
    assert new["company"]["address_line_1"] == "Nyhavn 17"
    assert new["replaces"] == {
        "number": SECOND,
        "produced_on": before["produced_on"],
        "credit_note": "CN-2026-000001",
        "reason": "The address was wrong",
    }
    for field in ("lines", "net", "tax", "total", "due", "since", "until"):
        assert new[field] == before[field] == shown["invoice"][field]
    note = one(company, "CN-2026-000001")
    assert note["corrects"]["replaced_by"] == THIRD
    assert note["total"]["amount"] == -before["total"]["amount"] == shown["credit_note"]["total"]["amount"]
    assert shown["waived"] == before["total"]
    assert (shown["refunded"]["amount"], shown["carried"]["amount"]) == (0, 0)
    assert figures(company, SECOND) == ("void", 0)
    assert figures(company, THIRD) == ("open", before["due"]["amount"])
    [issued] = [event for event in events_of("invoice.issued") if (event.after or {})["replaces"]]
    assert (issued.after or {})["replaces"] == SECOND
    [credited] = events_of("credit_note.issued")
    assert (credited.after or {})["replaced_by"] == THIRD
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


@pytest.mark.parametrize("number", [FIRST, SECOND])
def test_what_was_paid_by_card_pays_the_new_invoice(
    number: str, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    total = one(company, number)["total"]

    shown = preview(company, number, "correction", WRONG_ADDRESS)
    new = corrected(company, number)

    assert shown["carried"] == total == new["credit"] == shown["invoice"]["credit"]
    assert figures(company, new["number"]) == ("paid", 0)
    assert figures(company, number)[0] == "paid"
    fire(ISSUED, work, monkeypatch, "collection")
    assert stripe_account.objects.get("refund", {}) == {}
    assert len(stripe_account.objects["payment_intent"]) == 2
    assert upcoming_credit(company) == 0
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


def test_an_amount_that_was_too_large_goes_back_to_the_card(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    before = one(company, FIRST)
    email = before["lines"][1]["net"]["amount"]
    body = {**WRONG_ADDRESS, "lines": [{"line": 1, "net": email - 3_000}]}

    shown = preview(company, FIRST, "correction", body)
    new = corrected(company, FIRST, lines=body["lines"])

    assert new["net"]["amount"] == before["net"]["amount"] - 3_000
    assert new["lines"][1]["net"]["amount"] == email - 3_000
    less = before["total"]["amount"] - new["total"]["amount"]
    assert shown["refunded"]["amount"] == less > 0
    assert figures(company, new["number"]) == ("paid", 0)
    fire(ISSUED, work, monkeypatch, "collection")
    [refund] = stripe_account.objects["refund"].values()
    assert refund["amount"] == less
    [adjustment] = [each for period in periods(company) for each in period.adjustments]
    assert (adjustment.product, adjustment.amount, adjustment.reason) == ("email", -3_000, WRONG_ADDRESS["reason"])
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


def test_an_amount_that_was_too_small_is_charged(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    before = one(company, SECOND)
    search = before["lines"][0]["net"]["amount"]

    new = corrected(company, SECOND, lines=[{"line": 0, "net": search + 2_000}])

    more = new["total"]["amount"] - before["total"]["amount"]
    assert new["due"]["amount"] == more > 2_000 - 1
    fire(ISSUED, work, monkeypatch, "collection")
    assert figures(company, new["number"]) == ("paid", 0)
    charged = sorted(each["amount"] for each in stripe_account.objects["payment_intent"].values())
    assert charged[0] == more
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


def test_the_months_after_a_correction_owe_what_they_owed(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the next month nor the next period makes up for what was corrected."""
    fire(ISSUED, work, monkeypatch, "renewal")
    corrected(company, SECOND, lines=[{"line": 1, "net": 100}])
    fire(ISSUED + timedelta(days=65), work, monkeypatch, "renewal")

    numbers = [(event.after or {})["number"] for event in events_of("invoice.issued")]
    assert sorted(numbers) == [FIRST, SECOND, THIRD, "LV-2026-000004"]
    assert one(company, "LV-2026-000004")["since"] == "2026-07-15"
    assert len(events_of("credit_note.issued")) == 1
    assert_owed_is_invoiced(company)


def test_the_same_request_again_is_the_same_invoice(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")
    first = corrected(company, SECOND)

    again = post(credit, company, SECOND, "correction", WRONG_ADDRESS)

    assert (again.status, again.body["number"]) == (201, first["number"])
    assert len(events_of("credit_note.issued")) == 1
    other = post(credit, company, SECOND, "correction", {"reason": "Another reason"})
    assert (other.status, other.body["type"].rpartition(":")[2]) == (409, "already-credited")


def test_another_request_with_the_same_reason_is_not_answered_by_the_first(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for other amounts, or for tax that follows anew, must not take the first answer for theirs."""
    fire(ISSUED, work, monkeypatch, "renewal")
    right = [{"line": 1, "net": 1_600}]
    first = corrected(company, SECOND, lines=right)
    move(company, country="US", postcode="10001", city="New York", vat_number=None)

    for body in ({}, {"lines": [{"line": 1, "net": 1_700}]}, {"lines": right, "tax": "anew"}):
        given = post(credit, company, SECOND, "correction", {**WRONG_ADDRESS, **body})
        assert (given.status, given.body["type"].rpartition(":")[2]) == (409, "already-credited"), body
    again = post(credit, company, SECOND, "correction", {**WRONG_ADDRESS, "lines": right})
    assert (again.status, again.body["number"]) == (201, first["number"])


@pytest.mark.parametrize("series", [{"LV"}, {"CN"}, {"LV", "CN"}], ids=sorted)
def test_numbers_that_another_process_gave_to_the_same_account_stop_no_correction(
    series: set[str], company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number that this process believes to be next is that of another document of the account."""
    fire(ISSUED, work, monkeypatch, "renewal")
    store = wiring.invoice_store()
    corrected(company, FIRST)
    known = dict(store._counters)
    second = corrected(company, SECOND)
    store._counters |= {key: counter for key, counter in known.items() if key[0] in series}

    third = corrected(company, second["number"])

    assert [second["number"], third["number"]] == ["LV-2026-000004", "LV-2026-000005"]
    assert third["replaces"]["credit_note"] == "CN-2026-000003"
    assert_books_agree(company, work, monkeypatch)


def test_the_invoice_in_its_place_may_be_corrected_too(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")
    second = corrected(company, SECOND)
    third = corrected(company, second["number"], reason="The new one was wrong too")

    assert third["replaces"]["number"] == second["number"]
    assert third["total"] == second["total"]
    assert figures(company, second["number"]) == ("void", 0)
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


def test_a_credit_note_of_the_invoice_in_its_place_replaces_nothing(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It corrects one invoice, and names no other in its documents."""
    fire(ISSUED, work, monkeypatch, "renewal")
    second = corrected(company, SECOND)

    given = post(credit, company, second["number"], "credit-notes", {"lines": [0], "reason": "Goodwill"})

    note = one(company, given.body["number"])
    assert (given.status, note["corrects"]["number"], note["replaces"]) == (201, second["number"], None)
    issued = [(event.after or {})["replaces"] for event in events_of("invoice.issued")]
    assert issued.count(SECOND) == 1
    assert_books_agree(company, work, monkeypatch)


def test_what_was_credited_before_is_not_invoiced_again(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")
    post(credit, company, SECOND, "credit-notes", {"lines": [0], "reason": "Goodwill"})
    before = one(company, SECOND)

    new = corrected(company, SECOND)

    assert [line["product"] for line in new["lines"]] == ["email", None]
    assert new["due"] == before["payment"]["left"]
    assert figures(company, SECOND) == ("void", 0)
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


@pytest.mark.parametrize("part", [1, 2, 3])
def test_what_has_the_same_amounts_asks_for_no_other_tax(
    part: int, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tax of a part that was credited is rounded, and so is that of the rest: together they may be a cent more."""
    fire(ISSUED, work, monkeypatch, "renewal")
    body = {"lines": None, "parts": [{"line": 1, "amount": part}], "reason": "A part"}
    assert post(credit, company, SECOND, "credit-notes", body).status == 201
    left = one(company, SECOND)["payment"]["left"]

    new = corrected(company, SECOND)

    assert new["due"] == new["total"] == left
    assert one(company, new["replaces"]["credit_note"])["total"]["amount"] == -left["amount"]
    assert_books_agree(company, work, monkeypatch)


def test_an_invoice_that_was_rounded_half_to_even_is_issued_again_with_its_tax(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first release has rounded so. An address that was wrong changes no amount."""
    with monkeypatch.context() as before:
        before.setattr("billing.invoicing.tax.rounded_tax", rounded)
        fire(ISSUED, work, before, "renewal")
        email = one(company, SECOND)["lines"][1]["net"]["amount"]
        old = corrected(company, SECOND, lines=[{"line": 1, "net": email - 4}])
    assert (old["net"]["amount"], old["total"]["amount"]) == (29_058, 29_058 + 7_264)  # of 7,264.5

    new = corrected(company, old["number"])

    assert (new["total"], new["due"]) == (old["total"], old["due"])


def test_an_invoice_of_a_one_off_alone_is_issued_again(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is of no paid period, and neither are its credit note and the invoice in its place."""
    fire(ISSUED, work, monkeypatch, "renewal")
    body = {"description": "Setup", "amount": 40_000, "currency": "EUR", "invoice": "at_once", "reason": "Agreed"}
    route, path = "/accounts/{account}/one-offs/{one_off}", {**company.path, "one_off": "setup"}
    event = request("PUT", route, claims=STAFF, path=path, body=body, now=ISSUED)
    number = answer(one_offs, event).body["one_off"]["uses"][0]["number"]

    new = corrected(company, number)
    again = corrected(company, new["number"], lines=[{"line": 0, "net": 30_000}], reason="The price was wrong too")

    assert (new["total"]["amount"], again["net"]["amount"]) == (50_000, 30_000)
    assert_books_agree(company, work, monkeypatch)


def test_the_tax_is_kept_unless_it_is_to_follow_anew(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")
    before = one(company, SECOND)
    move(company, country="US", postcode="10001", city="New York", vat_number=None)
    body = {"reason": "Another company"}

    kept = post(credit, company, SECOND, "correction/preview", body)
    anew = preview(company, SECOND, "correction", {**body, "tax": "anew"})

    if before["tax"]["rule"] == "reverse_charge":
        assert (kept.status, kept.body["errors"][0]["pointer"]) == (422, "#/tax")
    else:
        assert kept.body["invoice"]["tax"]["rule"] == before["tax"]["rule"]
    assert anew["invoice"]["tax"]["rule"] != before["tax"]["rule"]
    assert anew["credit_note"]["tax"]["rule"] == before["tax"]["rule"]


@pytest.mark.parametrize(
    ("lines", "pointer", "code"),
    [
        ([{"line": 9, "net": 1}], "#/lines/0/line", "unknown"),
        ([{"line": 2, "net": 1}], "#/lines/0/line", "unsupported"),
        ([{"line": 0, "net": 1}, {"line": 0, "net": 2}], "#/lines/1/line", "duplicate"),
        ([{"line": 0, "net": 0}, {"line": 1, "net": 1_500}], "#/lines", "too-small"),
        ([{"line": 0, "net": -1}], "#/lines/0/net", "too-small"),
        ([{"line": 0, "net": 1.5}], "#/lines/0/net", "wrong-type"),
        ([{"line": 0, "net": 10**12 + 1}], "#/lines/0/net", "too-large"),
        ([{"line": 0, "net": 10**20}], "#/lines/0/net", "too-large"),
    ],
)
def test_amounts_that_cannot_be_right_are_refused(
    lines: Any, pointer: str, code: str, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")

    given = post(credit, company, SECOND, "correction", {**WRONG_ADDRESS, "lines": lines})

    assert (given.status, given.body["errors"][0]["pointer"]) == (422, pointer), given
    assert given.body["errors"][0]["code"] == code
    assert figures(company, SECOND)[0] == "open"
    assert events_of("credit_note.issued") == []


def test_an_invoice_whose_payment_is_disputed_is_not_corrected(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    for intent in [*stripe_account.objects["payment_intent"]]:
        stripe_account.dispute(intent)
        tell(stripe_account, "charge.dispute.created")

    given = post(credit, company, FIRST, "correction", WRONG_ADDRESS)

    assert (given.status, given.body["type"].rpartition(":")[2]) == (409, "not-correctable")


def test_a_charge_that_was_begun_is_cancelled_first(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")

    new = corrected(company, SECOND)

    begun = [
        each for each in stripe_account.objects["payment_intent"].values() if each["metadata"]["invoice"] == SECOND
    ]
    assert {each["status"] for each in begun} == {"canceled"}
    assert figures(company, new["number"])[0] == "open"


# ---- A part of a line ------------------------------------------------------------------------------------


def test_months_of_a_line_that_was_paid_ahead_are_given_back(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M37."""
    transfers(company)
    fire(ISSUED, work, monkeypatch, "renewal")
    transferred(company, FIRST)
    before = one(company, FIRST)
    body = {"lines": None, "parts": [{"line": 1, "months": 2}], "reason": "Two months without e-mail"}

    shown = preview(company, FIRST, "credit-notes", body)
    note = post(credit, company, FIRST, "credit-notes", body)

    assert note.status == 201, note
    # Two of three months of 59.00, and their share of 15.00 off a whole of 305.62.
    assert [line["net"]["amount"] for line in note.body["lines"]] == [-11_800, 579]
    assert note.body["lines"][0]["description"].endswith("2 months")
    assert note.body["lines"][0]["steps"][0]["since"] == "2026-02-15"
    assert note.body["total"] == shown["credit_note"]["total"]
    assert note.body["corrects"]["parts"] == [{"line": 1, "amount": 11_800, "months": 2}]
    assert shown["carried"]["amount"] == -note.body["total"]["amount"]
    rest = post(credit, company, FIRST, "credit-notes", {"lines": None, "reason": "The rest"}).body
    assert rest["total"]["amount"] + note.body["total"]["amount"] == -before["total"]["amount"]
    assert rest["net"]["amount"] + note.body["net"]["amount"] == -before["net"]["amount"]
    assert_owed_is_invoiced(company)
    assert_books_agree(company, work, monkeypatch)


def test_parts_together_never_exceed_their_line(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")
    email = one(company, SECOND)["lines"][1]["net"]["amount"]

    def credited(amount: int, reason: str) -> Any:
        body = {"lines": None, "parts": [{"line": 1, "amount": amount}], "reason": reason}
        return post(credit, company, SECOND, "credit-notes", body)

    assert credited(10_000, "A week without e-mail").status == 201
    refused = credited(email - 10_000 + 1, "Too much")
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "#/parts/0/amount")
    assert refused.body["errors"][0]["limits"]["max"] == email - 10_000
    again = credited(10_000, "A week without e-mail")
    assert (again.status, again.body["number"]) == (201, "CN-2026-000001")
    last = credited(email - 10_000, "All of it").body
    assert last["corrects"]["lines"] == [1]
    assert credited(1, "One more").body["type"].endswith("already-credited")
    assert figures(company, SECOND)[0] == "open"
    rest = post(credit, company, SECOND, "credit-notes", {"lines": None, "reason": "The rest"})
    assert rest.status == 201
    assert figures(company, SECOND) == ("void", 0)
    assert_books_agree(company, work, monkeypatch)


@pytest.mark.parametrize(
    ("parts", "pointer", "code"),
    [
        ([{"line": 1}], "#/parts/0", "not-allowed"),
        ([{"line": 1, "amount": 1, "months": 1}], "#/parts/0", "not-allowed"),
        ([{"line": 1, "months": 4}], "#/parts/0/months", "too-large"),
        ([{"line": 1, "amount": 0}], "#/parts/0/amount", "too-small"),
        ([{"line": 2, "amount": 1}], "#/parts/0/line", "unsupported"),
        ([{"line": 3, "amount": 1}], "#/parts/0/line", "unknown"),
        ([{"line": 1, "amount": 1}, {"line": 1, "months": 1}], "#/parts/1/line", "duplicate"),
    ],
)
def test_parts_that_there_are_not_are_refused(
    parts: Any, pointer: str, code: str, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")

    given = post(credit, company, SECOND, "credit-notes", {"lines": None, "parts": parts, "reason": "A part"})

    assert (given.status, given.body["errors"][0]["pointer"]) == (422, pointer), given
    assert given.body["errors"][0]["code"] == code
