"""What staff, a bank or a customer do at Stripe itself is taken in, and money that nobody has asked for is told of."""

from __future__ import annotations

from typing import Any

import pytest
from billing import wiring
from billing.payments.gateway import Merchant

from functions.collect_payments.app import handler as collect
from functions.issue_credit_note.app import handler as credit
from functions.update_payment_method.app import handler as update
from local.stripe.api import ACCOUNT, Stripe
from tests.api_gateway import answer, request
from tests.aws import stored_items
from tests.cards import DECLINED_WHEN_CHARGED, VISA, card
from tests.company import Company
from tests.functions.ending import Context, events_of, fire
from tests.functions.ending import record as queued
from tests.functions.test_money import (
    ALL,
    FIRST,
    ISSUED,
    METHOD,
    REFUND_TAKES_DAYS,
    SECOND,
    figures,
    one,
    post,
    tell,
    transfers,
    upcoming_credit,
)
from tests.stripe import ask

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def paid(company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The PaymentIntent that has paid the first invoice."""
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    return intent_of(stripe_account, FIRST)


def intent_of(stripe: Stripe, number: str) -> dict[str, Any]:
    intents: list[dict[str, Any]] = [*stripe.objects["payment_intent"].values()]
    return next(each for each in reversed(intents) if each["metadata"].get("invoice") == number)


def refund(stripe: Stripe, intent: dict[str, Any], amount: int | None = None) -> dict[str, Any]:
    """Staff refund a payment in Stripe's dashboard."""
    more = "" if amount is None else f"&amount={amount}"
    refunded: dict[str, Any] = ask(stripe, "POST", "/v1/refunds", f"payment_intent={intent['id']}{more}")
    return refunded


def pay(stripe: Stripe, company: Company, amount: int, name: str, *, currency: str = "eur") -> dict[str, Any]:
    """A payment with our metadata that Livello has not begun."""
    customer, method = [*stripe.objects["customer"]][-1], [*stripe.objects["payment_method"]][-1]
    paid: dict[str, Any] = ask(
        stripe,
        "POST",
        "/v1/payment_intents",
        f"amount={amount}&currency={currency}&customer={customer}&payment_method={method}&confirm=true&off_session=true"
        f"&metadata[account]={company.account}&metadata[invoice]={name}",
    )
    assert paid["status"] == "succeeded"
    return paid


def facts(kind: str) -> list[dict[str, Any]]:
    return [dict(event.after or {}) for event in events_of(kind)]


def telling_twice(stripe: Stripe, kind: str) -> None:
    for _ in range(2):
        tell(stripe, kind)


# ---- Refunds in Stripe's dashboard -----------------------------------------------------------------


@pytest.mark.parametrize("part", [None, 10_000])
def test_a_refund_without_a_credit_note_is_told_and_counted_by_the_next_one(
    part: int | None,
    company: Company,
    stripe_account: Stripe,
    paid: dict[str, Any],
    work: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = refund(stripe_account, paid, part)
    telling_twice(stripe_account, "refund.created")

    total, refunded = one(company, FIRST)["total"]["amount"], {"amount": part or paid["amount"], "currency": "EUR"}
    assert figures(company, FIRST) == ("paid", 0), "the customer owes nothing because of it"
    assert one(company, FIRST)["payment"]["refunded"] == refunded
    assert facts("payment.refunded_outside") == [
        {
            "number": FIRST,
            "refund": made["id"],
            "refunded": refunded,
            "credit": {"amount": 0, "currency": "EUR"},
            "state": "made",
        }
    ]

    note = post(credit, company, FIRST, "credit-notes", ALL).body
    fire(ISSUED, work, monkeypatch, "collection")

    assert facts("credit_note.issued")[0]["refunded"]["amount"] == total
    assert figures(company, note["number"]) == ("paid", 0)
    assert sum(each["amount"] for each in stripe_account.objects["refund"].values()) == total
    assert one(company, FIRST)["payment"]["refunded"]["amount"] == total
    assert upcoming_credit(company) == 0


def test_a_refund_in_the_dashboard_that_fails_is_made_by_the_credit_note(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, REFUND_TAKES_DAYS)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    made = refund(stripe_account, intent_of(stripe_account, FIRST))
    tell(stripe_account, "refund.created")
    stripe_account.settle_refund(made["id"], succeed=False)
    telling_twice(stripe_account, "refund.failed")

    assert [each["state"] for each in facts("payment.refunded_outside")] == ["made", "failed"]
    assert one(company, FIRST)["payment"]["refunded"]["amount"] == 0
    total = one(company, FIRST)["total"]["amount"]
    note = post(credit, company, FIRST, "credit-notes", ALL).body
    fire(ISSUED, work, monkeypatch, "collection")
    assert figures(company, note["number"]) == ("in_transit", total)


def test_a_refund_in_the_dashboard_is_that_of_a_waiting_credit_note(
    company: Company, stripe_account: Stripe, paid: dict[str, Any], work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = post(credit, company, FIRST, "credit-notes", ALL).body["number"]
    made = refund(stripe_account, paid)
    telling_twice(stripe_account, "refund.created")
    fire(ISSUED, work, monkeypatch, "collection")

    assert figures(company, note) == ("paid", 0)
    assert [*stripe_account.objects["refund"]] == [made["id"]]
    assert facts("payment.refunded_outside") == []

    stripe_account.settle_refund(made["id"], succeed=False)
    telling_twice(stripe_account, "refund.failed")
    assert figures(company, note) == ("past_due", paid["amount"])


def test_a_refund_of_a_doubled_payment_takes_its_credit_back(
    company: Company, stripe_account: Stripe, paid: dict[str, Any]
) -> None:
    twin = pay(stripe_account, company, paid["amount"], FIRST)
    tell(stripe_account, "payment_intent.succeeded")
    assert upcoming_credit(company) == paid["amount"]

    made = refund(stripe_account, twin)
    telling_twice(stripe_account, "refund.created")

    assert (upcoming_credit(company), figures(company, FIRST)) == (0, ("paid", 0))
    assert one(company, FIRST)["payment"]["refunded"]["amount"] == 0
    [told] = facts("payment.refunded_outside")
    assert told["credit"] == told["refunded"] == {"amount": paid["amount"], "currency": "EUR"}

    stripe_account.settle_refund(made["id"], succeed=False)
    telling_twice(stripe_account, "refund.failed")
    assert upcoming_credit(company) == paid["amount"]


# ---- Payments that are cancelled there ---------------------------------------------------------------


@pytest.mark.parametrize("has_notice", [True, False])
def test_a_payment_that_is_cancelled_there_makes_way_for_another(
    has_notice: bool, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    begun = intent_of(stripe_account, FIRST)
    ask(stripe_account, "POST", f"/v1/payment_intents/{begun['id']}/cancel")
    if has_notice:
        telling_twice(stripe_account, "payment_intent.canceled")
    assert figures(company, FIRST)[0] == "open"
    assert len(facts("payment.failed")) == 2

    card(company, stripe_account, VISA)
    again = post(update, company, FIRST, "payment-attempts", None)

    assert (again.status, again.body["payment"]["status"]) == (200, "paid")
    assert intent_of(stripe_account, FIRST)["id"] != begun["id"]


# ---- Money that nobody has asked for -----------------------------------------------------------------


def test_a_doubled_payment_is_told_once(company: Company, stripe_account: Stripe, paid: dict[str, Any]) -> None:
    twin = pay(stripe_account, company, paid["amount"], FIRST)
    telling_twice(stripe_account, "payment_intent.succeeded")

    amount = {"amount": paid["amount"], "currency": "EUR"}
    told = {"number": FIRST, "payment": twin["id"], "received": amount, "credit": amount}
    assert facts("payment.unexpected") == [told]
    assert upcoming_credit(company) == paid["amount"]


def test_money_for_a_void_invoice_is_credit_and_told(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    transfers(company)
    fire(ISSUED, work, monkeypatch, "renewal")
    assert post(credit, company, FIRST, "credit-notes", ALL).status == 201
    assert figures(company, FIRST)[0] == "void"
    card(company, stripe_account)

    pay(stripe_account, company, 5_000, FIRST)
    telling_twice(stripe_account, "payment_intent.succeeded")

    assert [(each["number"], each["credit"]["amount"]) for each in facts("payment.unexpected")] == [(FIRST, 5_000)]
    total = one(company, SECOND)["total"]["amount"]
    assert figures(company, SECOND) == ("open", total - 5_000), "credit pays what is open at once"


@pytest.mark.parametrize("name", ["LV-2019-000007", "reactivation 01M83DRBER6HR1QAESBEGZCQ20"])
def test_money_for_an_invoice_that_we_do_not_know_is_credit_and_told(
    name: str, company: Company, stripe_account: Stripe, paid: dict[str, Any]
) -> None:
    pay(stripe_account, company, 5_000, name)
    telling_twice(stripe_account, "payment_intent.succeeded")

    assert [(each["number"], each["credit"]["amount"]) for each in facts("payment.unexpected")] == [(SECOND, 5_000)]
    assert upcoming_credit(company) == 5_000


def test_money_without_any_invoice_is_told(company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    unknown = pay(stripe_account, company, 5_000, "LV-2019-000007")
    telling_twice(stripe_account, "payment_intent.succeeded")

    [told] = facts("payment.unexpected")
    assert (told["number"], told["payment"], told["received"]["amount"]) == (None, unknown["id"], 5_000)
    assert upcoming_credit(company) == 0


def test_money_in_another_currency_is_told_and_no_credit(
    company: Company, stripe_account: Stripe, paid: dict[str, Any]
) -> None:
    pay(stripe_account, company, 5_000, FIRST, currency="dkk")
    telling_twice(stripe_account, "payment_intent.succeeded")

    [told] = facts("payment.unexpected")
    assert (told["number"], told["received"]) == (None, {"amount": 5_000, "currency": "DKK"})
    assert (upcoming_credit(company), figures(company, FIRST)) == (0, ("paid", 0))


def test_notices_about_an_account_and_an_invoice_that_never_existed_change_nothing(
    company: Company, stripe_account: Stripe, paid: dict[str, Any]
) -> None:
    """Such as those of another deployment. A number that was given is one of a deleted account (test_open_claims)."""
    paid["metadata"] |= {"account": "no-such-account", "invoice": "LV-2026-999999"}
    refund(stripe_account, paid, 100)
    stripe_account.dispute(paid["id"])
    before = stored_items()

    for kind in ("payment_intent.succeeded", "refund.created", "charge.dispute.created"):
        tell_about(stripe_account, kind, paid)

    assert stored_items() == before


def tell_about(stripe: Stripe, kind: str, intent: dict[str, Any]) -> None:
    """The notice of this kind about a PaymentIntent, or about what belongs to it."""
    about = [
        each
        for each in stripe.objects["event"].values()
        if each["type"] == kind
        and intent["id"] in {each["data"]["object"]["id"], each["data"]["object"].get("payment_intent")}
    ]
    stripe.objects["event"][about[-1]["id"]] = stripe.objects["event"].pop(about[-1]["id"])
    tell(stripe, kind)


# ---- Another account at Stripe -----------------------------------------------------------------------


@pytest.mark.parametrize("kept", [Merchant("acct_other", livemode=False), Merchant(ACCOUNT, livemode=True)])
def test_a_key_of_another_account_or_mode_stops_everything(
    kept: Merchant, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    methods = wiring.payment_store()
    assert methods.merchant() == Merchant(ACCOUNT, livemode=False)
    fire(ISSUED, work, monkeypatch, "renewal")
    methods.change_merchant(kept)
    wiring.forget()
    before = stored_items()
    asked = len(stripe_account.requests)
    body = queued(f'{{"account": "{company.account}", "at": "{ISSUED.isoformat()}"}}')

    assert collect({"Records": [body]}, Context())["batchItemFailures"] != []
    event = request("POST", METHOD + "/setup", claims=company.admin, path=company.path, body={})
    assert answer(update, event).status == 502

    assert stored_items() == before, "nobody is dunned"
    assert {each["path"] for each in stripe_account.requests[asked:]} == {"/v1/account"}
    methods.change_merchant(Merchant(ACCOUNT, livemode=False))
    assert collect({"Records": [body]}, Context()) == {"batchItemFailures": []}
    assert figures(company, FIRST) == ("paid", 0)


def test_the_account_at_stripe_is_asked_for_once_per_process(
    company: Company, stripe_account: Stripe, paid: dict[str, Any]
) -> None:
    assert [each["path"] for each in stripe_account.requests].count("/v1/account") == 1
