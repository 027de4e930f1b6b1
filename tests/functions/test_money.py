"""The money of invoices through the functions: refunds that fail, disputes, credit, write-offs, late and odd money."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from billing.kernel.errors import UpstreamFailed

from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as credit
from functions.note_payment_notice.app import handler as note
from functions.record_payment.app import handler as record_payment
from functions.update_payment_method.app import handler as update
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import REGION, TABLE, stored_items
from tests.cards import DECLINED_WHEN_CHARGED, VISA, card
from tests.company import Company
from tests.functions.ending import Context, deactivate, events_of, fire
from tests.functions.ending import record as queued
from tests.stripe import later

INVOICES = "/accounts/{account}/invoices"
METHOD = "/accounts/{account}/payment-method"
ISSUED = NOW + timedelta(days=5)
REFUND_TAKES_DAYS = "4000000000007726"
FIRST, SECOND = "LV-2026-000001", "LV-2026-000002"
ALL = {"lines": None, "reason": "Invoiced by mistake"}

pytestmark = pytest.mark.usefixtures("work")


def post(handler: Any, company: Company, number: str, what: str, body: Any, *, now: datetime = ISSUED) -> Answer:
    path = {**company.path, "number": number}
    claims = company.admin if what == "payment-attempts" else STAFF
    event = request("POST", f"{INVOICES}/{{number}}/{what}", claims=claims, path=path, body=body, now=now)
    return answer(handler, event)


def one(company: Company, number: str) -> Any:
    path = {**company.path, "number": number}
    return answer(get_invoices, request("GET", INVOICES + "/{number}", claims=company.member, path=path)).body


def figures(company: Company, number: str) -> tuple[str, int]:
    payment = one(company, number)["payment"]
    return payment["status"], payment["left"]["amount"]


def upcoming_credit(company: Company) -> int:
    path = company.path
    event = request("GET", INVOICES + "/upcoming", claims=company.member, path=path, now=ISSUED)
    return int(answer(get_invoices, event).body["credit"]["amount"])


def tell(stripe: Stripe, kind: str) -> None:
    """Stripe's newest notice of this kind, delivered."""
    happened = [event for event in stripe.objects["event"].values() if event["type"] == kind]
    about = happened[-1]["data"]["object"]
    notice = {"notice": happened[-1]["id"], "type": kind, "object": about["id"], "customer": about.get("customer")}
    assert note({"Records": [queued(json.dumps(notice))]}, Context()) == {"batchItemFailures": []}


def transfers(company: Company, now: datetime = NOW) -> None:
    event = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path, now=now)
    assert answer(update, event).status == 200


def transferred(company: Company, number: str) -> None:
    body = {"paid_on": str(ISSUED.date()), "reference": f"transfer of {number}"}
    assert post(record_payment, company, number, "payments", body).status == 200


@pytest.fixture
def refunding(company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The number of a credit note whose refund takes days."""
    card(company, stripe_account, REFUND_TAKES_DAYS)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    number = post(credit, company, FIRST, "credit-notes", ALL).body["number"]
    fire(ISSUED, work, monkeypatch, "collection")
    return str(number)


# ---- Refunds -----------------------------------------------------------------------------------------


def test_a_refund_is_pending_until_the_bank_has_it(company: Company, stripe_account: Stripe, refunding: str) -> None:
    total = one(company, FIRST)["total"]["amount"]
    assert figures(company, refunding) == ("in_transit", total)
    assert events_of("credit_note.refunded") == []

    [refund] = stripe_account.objects["refund"]
    stripe_account.settle_refund(refund, succeed=True)
    for _ in range(2):
        tell(stripe_account, "refund.updated")

    assert figures(company, refunding) == ("paid", 0)
    assert len(events_of("credit_note.refunded")) == 1


@pytest.mark.parametrize("settled_first", [False, True])
def test_a_refund_that_fails_days_later_is_owed_again(
    settled_first: bool, company: Company, stripe_account: Stripe, refunding: str
) -> None:
    """M10."""
    total = one(company, FIRST)["total"]["amount"]
    [refund] = stripe_account.objects["refund"]
    if settled_first:
        stripe_account.settle_refund(refund, succeed=True)
        tell(stripe_account, "refund.updated")
    stripe_account.settle_refund(refund, succeed=False)
    for _ in range(2):
        tell(stripe_account, "refund.failed")

    assert figures(company, refunding) == ("past_due", total)
    [event] = events_of("payment.past_due")
    assert ((event.after or {})["number"], (event.after or {})["corrects"]) == (refunding, FIRST)

    again = post(update, company, refunding, "payment-attempts", None)
    assert again.status == 200, again
    assert len(stripe_account.objects["refund"]) == 2
    assert figures(company, refunding) == ("in_transit", total)


def test_what_was_repaid_by_hand_is_recorded_and_no_more_than_is_owed(
    company: Company, stripe_account: Stripe, refunding: str
) -> None:
    total = one(company, FIRST)["total"]
    repaid = {"amount": total, "repaid_on": str(ISSUED.date()), "reference": "E2E-1"}
    under_way = post(record_payment, company, refunding, "repayments", repaid)
    assert (under_way.status, under_way.body["type"]) == (409, "urn:livello:problem:refund-under-way")
    [refund] = stripe_account.objects["refund"]
    stripe_account.settle_refund(refund, succeed=False)
    tell(stripe_account, "refund.failed")
    too_much = {**repaid, "amount": {**total, "amount": total["amount"] + 1}}
    before = stored_items()

    assert post(record_payment, company, refunding, "repayments", too_much).status == 422
    other = {**repaid, "amount": {**total, "currency": "DKK"}}
    assert post(record_payment, company, refunding, "repayments", other).status == 422
    assert stored_items() == before
    for _ in range(2):
        assert post(record_payment, company, refunding, "repayments", repaid).status == 200

    assert figures(company, refunding) == ("paid", 0)
    assert len(events_of("payment.repaid")) == 1
    assert post(record_payment, company, FIRST, "repayments", repaid).status == 422


def test_a_redelivered_notice_of_the_payment_leaves_a_waiting_refund_alone(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M11."""
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    number = post(credit, company, FIRST, "credit-notes", ALL).body["number"]
    [intent] = [
        each["id"] for each in stripe_account.objects["payment_intent"].values() if each["metadata"]["invoice"] == FIRST
    ]
    happened = stripe_account.objects["event"].values()
    newest = [each for each in happened if each["type"] == "payment_intent.succeeded"]
    newest[-1]["data"]["object"]["id"] = intent

    tell(stripe_account, "payment_intent.succeeded")

    assert figures(company, number)[0] == "open"
    assert events_of("credit_note.refunded") == []
    fire(ISSUED, work, monkeypatch, "collection")
    assert figures(company, number) == ("paid", 0)
    assert len(stripe_account.objects["refund"]) == 1


# ---- Disputes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [None, 1_000])
def test_a_lost_dispute_takes_the_money_back(
    amount: int | None, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    total = one(company, FIRST)["total"]["amount"]
    intent = next(iter(stripe_account.objects["payment_intent"]))
    dispute = stripe_account.dispute(intent, amount)["id"]
    for _ in range(2):
        tell(stripe_account, "charge.dispute.created")
    assert figures(company, FIRST) == ("paid", 0)

    stripe_account.close_dispute(dispute, won=False)
    for _ in range(2):
        tell(stripe_account, "charge.dispute.closed")

    assert figures(company, FIRST) == ("past_due", amount or total)
    assert len(events_of("payment.disputed")) == 1
    [event] = events_of("payment.past_due")
    assert (event.after or {})["reason"] == "charged_back"
    assert len(stripe_account.objects["payment_intent"]) == 2, "it is not charged again by itself"
    again = post(update, company, FIRST, "payment-attempts", None)
    assert (again.status, again.body["payment"]["status"]) == (200, "paid")
    assert len(stripe_account.objects["payment_intent"]) == 3


def test_a_won_dispute_leaves_the_invoice_paid(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    intent = next(iter(stripe_account.objects["payment_intent"]))
    dispute = stripe_account.dispute(intent)["id"]
    tell(stripe_account, "charge.dispute.created")
    stripe_account.close_dispute(dispute, won=True)
    tell(stripe_account, "charge.dispute.closed")

    assert figures(company, FIRST) == ("paid", 0)
    # The money is ours again: it can be refunded.
    given = post(credit, company, FIRST, "credit-notes", ALL).body
    assert given["payment"]["left"] == one(company, FIRST)["total"]


# ---- Credit ------------------------------------------------------------------------------------------


def test_credit_pays_what_is_open_at_once(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """M33."""
    transfers(company)
    fire(ISSUED, work, monkeypatch, "renewal")
    transferred(company, FIRST)
    owed = figures(company, SECOND)[1]

    given = post(credit, company, FIRST, "credit-notes", ALL)
    assert given.status == 201

    assert figures(company, SECOND) == ("paid", 0)
    left = one(company, FIRST)["total"]["amount"] - owed
    assert upcoming_credit(company) == left
    paid = {(event.after or {})["number"]: (event.after or {})["method"] for event in events_of("invoice.paid")}
    assert paid == {FIRST: "bank_transfer", SECOND: None}


def test_credit_waits_until_a_live_charge_is_cancelled(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    transferred(company, FIRST)

    assert post(credit, company, FIRST, "credit-notes", ALL).status == 201
    assert figures(company, SECOND)[0] == "open"
    fire(ISSUED, work, monkeypatch, "collection")

    assert figures(company, SECOND) == ("paid", 0)
    assert {each["status"] for each in stripe_account.objects["payment_intent"].values()} == {"canceled"}


def test_money_that_arrives_for_a_settled_invoice_is_credit(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    [first, _] = [*stripe_account.objects["payment_intent"].values()]
    twin = stripe_account.handle(
        "POST",
        "/v1/payment_intents",
        {"authorization": "Bearer sk_test_livello"},
        f"amount={first['amount']}&currency=eur&customer={first['customer']}"
        f"&metadata[account]={company.account}&metadata[invoice]={FIRST}",
    ).body
    method = next(iter(stripe_account.numbers))
    stripe_account.handle(
        "POST",
        f"/v1/payment_intents/{twin['id']}/confirm",
        {"authorization": "Bearer sk_test_livello"},
        f"payment_method={method}",
    )
    for _ in range(2):
        tell(stripe_account, "payment_intent.succeeded")

    assert figures(company, FIRST) == ("paid", 0)
    assert upcoming_credit(company) == first["amount"]
    repaid = {
        "amount": {"amount": first["amount"], "currency": "EUR"},
        "repaid_on": str(ISSUED.date()),
        "reference": "1",
    }
    assert post(record_payment, company, FIRST, "repayments", repaid).status == 200
    assert upcoming_credit(company) == 0


def test_a_reactivation_that_stripe_does_not_answer_holds_up_no_invoice(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(*_: object, **__: object) -> None:
        raise UpstreamFailed("Stripe answered 500.")

    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal")
    monkeypatch.setattr("functions.collect_payments.app.complete_reactivation", unanswered)
    with pytest.raises(AssertionError):  # the message is a failure of its batch
        fire(ISSUED, work, monkeypatch, "collection")

    assert figures(company, FIRST) == ("paid", 0)


# ---- Not paid ----------------------------------------------------------------------------------------


def test_what_will_not_be_paid_is_written_off_once(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    for _ in range(2):
        given = post(record_payment, company, FIRST, "write-off", {"reason": "Insolvent"})
        assert (given.status, given.body["payment"]["status"]) == (200, "uncollectible")

    assert figures(company, FIRST) == ("uncollectible", 0)
    assert [(event.after or {})["reason"] for event in events_of("invoice.written_off")] == ["Insolvent"]
    card(company, stripe_account, VISA, ISSUED)
    fire(ISSUED + timedelta(days=3), work, monkeypatch, "collection")
    assert [figures(company, each)[0] for each in (FIRST, SECOND)] == ["uncollectible", "paid"]
    refused = post(record_payment, company, SECOND, "write-off", {"reason": "No"})
    assert (refused.status, refused.body["type"]) == (409, "urn:livello:problem:already-paid")


def test_a_small_rest_is_written_off_where_no_invoice_comes_any_more(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    boto3.resource("dynamodb", region_name=REGION).Table(TABLE).put_item(
        Item={"pk": f"ACCOUNT#{company.account}", "sk": "BALANCE", "body": '{"credit":36308}', "version": 1}
    )
    fire(ISSUED, work, monkeypatch, "renewal")
    transferred(company, SECOND)
    deactivate(company)
    fire(ISSUED + timedelta(days=365), work, monkeypatch, "collection")

    assert figures(company, FIRST) == ("uncollectible", 0)
    [event] = events_of("invoice.written_off")
    assert (event.after or {})["written_off"] == {"amount": 20, "currency": "EUR"}


def test_what_stripe_calls_too_small_is_written_off_where_no_invoice_comes_any_more(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe publishes no smallest charge for most currencies: it refuses the charge."""
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal")
    transferred(company, SECOND)
    deactivate(company)
    stripe_account.faults.append(
        {"method": "POST", "path": "payment_intents$", "kind": "refused", "code": "amount_too_small"}
    )
    fire(ISSUED + timedelta(days=365), work, monkeypatch, "collection")

    assert figures(company, FIRST) == ("uncollectible", 0)


def test_an_admin_tries_again_now(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(ISSUED, work, monkeypatch, "renewal")
    without = post(update, company, FIRST, "payment-attempts", None)
    assert (without.status, without.body["type"]) == (409, "urn:livello:problem:no-payment-method")
    card(company, stripe_account)

    given = post(update, company, FIRST, "payment-attempts", None)
    assert (given.status, given.body["payment"]["status"], given.body["payment"]["left"]["amount"]) == (200, "paid", 0)
    again = post(update, company, FIRST, "payment-attempts", None)
    assert (again.status, again.body["type"]) == (409, "urn:livello:problem:already-paid")


# ---- Days --------------------------------------------------------------------------------------------


def last_failure(number: str) -> Any:
    failures = [event.after or {} for event in events_of("payment.failed")]
    return [each for each in failures if each["number"] == number][-1]


def test_a_missing_method_uses_up_no_retry_day_and_is_not_past_due_early(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M18 and M19."""
    due_on = ISSUED + timedelta(days=14)
    fire(ISSUED, work, monkeypatch, "renewal")
    for day in range(15):
        fire(ISSUED + timedelta(days=day), work, monkeypatch, "collection")
    assert figures(company, FIRST)[0] == "open"
    assert events_of("payment.past_due") == []
    assert last_failure(FIRST)["next_attempt_on"] is None
    fire(due_on + timedelta(days=1), work, monkeypatch, "collection")
    assert len(events_of("payment.past_due")) == 2

    at = due_on + timedelta(days=2)
    card(company, stripe_account, DECLINED_WHEN_CHARGED, at)
    given = post(update, company, FIRST, "payment-attempts", None, now=at)
    assert given.body["payment"]["next_attempt_on"] == str((at + timedelta(days=1)).date())


def test_an_agreed_transfer_has_its_whole_term(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M20."""
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    agreed = ISSUED + timedelta(days=2)
    transfers(company, agreed)
    for day in range(2, 17):
        fire(ISSUED + timedelta(days=day), work, monkeypatch, "collection")
    assert figures(company, FIRST)[0] == "open"
    assert {each["status"] for each in stripe_account.objects["payment_intent"].values()} == {"canceled"}
    fire(agreed + timedelta(days=15), work, monkeypatch, "collection")
    assert figures(company, FIRST)[0] == "past_due"


def test_a_late_message_pays_on_the_day_of_the_charge(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M21: the message of 15 June waits five days."""
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal")
    later(stripe_account, timedelta(days=10).total_seconds())
    fire(ISSUED, work, monkeypatch, "collection", real=ISSUED + timedelta(days=5))

    assert one(company, FIRST)["payment"]["paid_on"] == "2026-06-20"


def test_a_late_message_counts_retry_days_from_the_charge(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal")
    later(stripe_account, timedelta(days=10).total_seconds())
    fire(ISSUED, work, monkeypatch, "collection", real=ISSUED + timedelta(days=5))

    assert one(company, FIRST)["payment"]["next_attempt_on"] == "2026-06-21"
