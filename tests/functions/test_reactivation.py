"""Reactivation: the admin agrees to a price, the account is charged, and only then it is active."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.ending.cancellation.commands import end_account
from billing.ending.reactivation.records import ReactivationStore
from billing.kernel.errors import ConcurrentChange

from functions.administer_cancellation.app import handler as cancellation
from functions.administer_reactivation.app import handler as reactivation
from functions.end_account.app import handler as end
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.update_payment_method.app import handler as update
from local.stripe.api import Stripe
from tests.api_gateway import STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.cards import ASKS, DECLINED_WHEN_CHARGED, METHOD, card
from tests.company import Company, put_catalogue
from tests.functions.ending import (
    CANCELLATION,
    ENDED,
    PURGED,
    REACTIVATED,
    Context,
    call_cancellation,
    cancel,
    deactivate,
    deliver,
    events_of,
    fire,
    invoiced_elsewhere,
    record,
)
from tests.samples import CATALOGUE

ROUTE = "/accounts/{account}/reactivation"

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def company(company: Company) -> Company:
    """The sample account. All that it owes by now is invoiced."""
    invoiced_elsewhere(company)
    return company


def ask(company: Company, method: str, body: Any = None, *, now: datetime = REACTIVATED, claims: Any = None) -> Answer:
    caller = claims or company.admin
    return answer(reactivation, request(method, ROUTE, claims=caller, path=company.path, body=body, now=now))


def agree(company: Company, **more: Any) -> Answer:
    """Reads the offer, and requests the reactivation at its price."""
    view = ask(company, "GET", **more)
    assert view.status == 200, view
    return ask(company, "POST", {"due": view.body["offer"]["invoice"]["due"], "confirmed": True}, **more)


def page(company: Company, now: datetime = REACTIVATED) -> Any:
    route = "/accounts/{account}/billing"
    return answer(get_billing, request("GET", route, claims=company.member, path=company.path, now=now)).body


def listed(company: Company) -> Any:
    route = "/accounts/{account}/invoices"
    return answer(get_invoices, request("GET", route, claims=company.member, path=company.path)).body["items"]


def charges(account: Stripe) -> list[Any]:
    return [each for each in account.objects["payment_intent"].values() if each["status"] == "succeeded"]


def requested() -> Any:
    """The event that requested the pending reactivation; the latest request if none is pending."""
    [pending] = [item for item in stored_items() if item["sk"] == "REACTIVATION"] or [{"body": "{}"}]
    reactivation_id = json.loads(pending["body"]).get("reactivation")
    events = events_of("account.reactivation_requested")
    return next((event for event in events if (event.after or {})["reactivation"] == reactivation_id), events[-1])


def test_an_admin_reactivates_the_account(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: Any
) -> None:
    card(company, stripe_account)
    deactivate(company)
    view = ask(company, "GET").body
    assert (view["status"], view["reactivate_until"], view["purge_on"]) == ("possible", "2026-07-28", "2026-07-29")
    assert view["offer"]["contract"]["start"] == "2026-07-20"
    due = view["offer"]["invoice"]["due"]

    response = agree(company)
    again = request_at(company, due)

    assert (response.status, response.body["status"]) == (202, "pending")
    assert again.body == response.body
    assert page(company)["status"] == "deactivated"
    for _ in range(2):
        assert deliver(requested()) == {"batchItemFailures": []}
    active = page(company)
    assert active["status"] == "active"
    assert active["contract"]["start"] == "2026-07-20"
    # 20 July is paid: the next one is that of the next period.
    assert active["payment_details"]["next_charge_on"] == "2026-10-20"
    [invoice] = listed(company)
    assert (invoice["status"], invoice["total"], invoice["produced_on"]) == ("paid", due, "2026-07-20")
    [charge] = charges(stripe_account)
    assert (charge["amount"], charge["currency"].upper()) == (due["amount"], due["currency"])
    [event] = events_of("account.reactivated")
    assert event.actor.user == company.admin["sub"]
    # Cancellation and reactivation are deleted, and the new contract renews itself.
    assert not [item for item in stored_items() if item["sk"] in {"CANCELLATION", "REACTIVATION"}]
    fire(PURGED + timedelta(days=1), work, monkeypatch, "ending", "renewal", "collection")
    assert page(company)["status"] == "active"
    fire(datetime(2026, 10, 20, 1, tzinfo=UTC), work, monkeypatch, "ending", "renewal", "collection")
    assert [each["produced_on"] for each in listed(company)] == ["2026-10-20", "2026-07-20"]
    assert len(charges(stripe_account)) == 2
    assert ask(company, "GET").status == 409
    # A new cancellation counts on the new contract's calendar.
    cancellation_page = call_cancellation(company, "GET", now=datetime(2026, 10, 21, tzinfo=UTC)).body
    assert cancellation_page["preview"]["active_until"] == "2027-01-20"


def test_a_charged_reactivation_that_is_cut_off_is_not_paid_twice(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: Any
) -> None:
    """M14: it was charged, the worker ended before it could write that, and staff agreed on bank transfer."""
    card(company, stripe_account)
    deactivate(company)
    assert agree(company).status == 202
    with monkeypatch.context() as cut_off:
        cut_off.setattr(ReactivationStore, "complete", _cut_off)
        assert deliver(requested()) != {"batchItemFailures": []}
    transfers = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path, now=REACTIVATED)
    assert answer(update, transfers).status == 200

    assert deliver(requested()) == {"batchItemFailures": []}

    assert page(company)["status"] == "active"
    [invoice] = listed(company)
    assert invoice["status"] == "paid"
    assert len(charges(stripe_account)) == 1
    [event] = events_of("invoice.paid")
    assert (event.after or {})["method"] == "card"
    fire(REACTIVATED + timedelta(days=30), work, monkeypatch, "collection")
    assert len(charges(stripe_account)) == 1


def _cut_off(*_: Any, **__: Any) -> None:
    raise ConcurrentChange


def request_at(company: Company, due: Any) -> Answer:
    return ask(company, "POST", {"due": due, "confirmed": True})


@pytest.mark.parametrize(
    ("number", "failure"), [(DECLINED_WHEN_CHARGED, "declined"), (ASKS, "authentication_required")]
)
def test_a_failed_charge_leaves_the_account_deactivated(
    number: str, failure: str, company: Company, stripe_account: Stripe, work: Any, monkeypatch: Any
) -> None:
    card(company, stripe_account, number)
    deactivate(company)
    assert agree(company).status == 202

    for _ in range(2):
        deliver(requested())

    assert page(company)["status"] == "deactivated"
    assert listed(company) == []
    view = ask(company, "GET").body
    assert (view["status"], view["failure"]) == ("failed", failure)
    assert view["offer"]["invoice"]["due"]["amount"]
    [event] = events_of("account.reactivation_failed")
    assert (event.after or {})["reason"] == failure
    # The failed payment is cancelled, so it can never succeed later. Another card gets a new payment.
    assert [each["status"] for each in stripe_account.objects["payment_intent"].values()] == ["canceled"]
    card(company, stripe_account)
    assert agree(company).status == 202
    deliver(requested())
    assert page(company)["status"] == "active"
    assert len(charges(stripe_account)) == 1


def test_a_failed_reactivation_does_not_delay_the_deletion(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    deactivate(company)
    agree(company)
    deliver(requested())

    late = ask(company, "POST", {"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}, now=PURGED)

    assert (late.status, late.body["type"]) == (409, "urn:livello:problem:not-deactivated")


def test_the_schedule_completes_a_reactivation_if_the_bus_fails(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    deactivate(company)
    agree(company)

    fire(REACTIVATED + timedelta(hours=1), work, monkeypatch, "collection")

    assert page(company)["status"] == "active"


def test_a_pending_reactivation_holds_back_the_deletion(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    deactivate(company)
    last = PURGED - timedelta(minutes=2)
    assert agree(company, now=last).status == 202
    end_account(
        company.account,
        now=PURGED,
        correlation="end",
        seller=wiring.seller_address(),
        policy=None,
        store=wiring.cancellation_store(),
    )
    message = record(f'{{"account": "{company.account}", "at": "{PURGED.isoformat()}"}}')

    refused = end({"Records": [message]}, Context())

    assert refused["batchItemFailures"]
    deliver(requested())
    assert page(company)["status"] == "active"
    assert end({"Records": [message]}, Context()) == {"batchItemFailures": []}
    assert page(company)["status"] == "active"


def test_a_reactivation_costs_todays_prices(company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    deactivate(company)
    before = ask(company, "GET").body["offer"]["invoice"]["due"]
    doubled: Any = {
        "products": [
            {
                **product,
                "tiers": [
                    {
                        **tier,
                        "prices": tier["prices"] and {name: price * 2 for name, price in tier["prices"].items()},
                    }
                    for tier in product["tiers"]
                ],
            }
            for product in CATALOGUE["products"]
        ]
    }
    assert put_catalogue(doubled, replaces=1).status == 200

    stale = ask(company, "POST", {"due": before, "confirmed": True})
    fresh = ask(company, "GET").body["offer"]["invoice"]["due"]

    assert (stale.status, stale.body["type"]) == (409, "urn:livello:problem:reactivation-changed")
    assert fresh["amount"] == before["amount"] * 2
    assert agree(company).status == 202
    # The agreed price holds, even if the catalogue changes before the charge.
    assert put_catalogue(CATALOGUE, replaces=2).status == 200
    deliver(requested())
    assert charges(stripe_account)[0]["amount"] == fresh["amount"]


def test_a_reactivation_needs_a_payment_method(company: Company) -> None:
    deactivate(company)

    response = agree(company)

    assert (response.status, response.body["type"]) == (409, "urn:livello:problem:no-payment-method")
    assert page(company)["status"] == "deactivated"


def test_an_account_that_pays_by_transfer_is_active_before_it_pays(company: Company) -> None:
    by_transfer = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path)
    assert answer(update, by_transfer).status == 200
    deactivate(company)
    assert agree(company).status == 202

    deliver(requested())

    assert page(company)["status"] == "active"
    [invoice] = listed(company)
    assert (invoice["status"], invoice["due_on"]) == ("open", "2026-08-03")


@pytest.mark.parametrize("caller", ["member", "staff"])
def test_only_an_admin_can_reactivate(caller: str, company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    deactivate(company)
    claims = STAFF if caller == "staff" else company.member
    before = stored_items()

    assert ask(company, "GET", claims=claims).status == 403
    assert (
        ask(company, "POST", {"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}, claims=claims).status == 403
    )
    assert stored_items() == before


def test_what_is_to_be_confirmed_is_said_as_a_limit(company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    deactivate(company)

    refused = ask(company, "POST", {"due": {"amount": 1, "currency": "EUR"}, "confirmed": False})

    [error] = refused.body["errors"]
    assert (error["code"], error["limits"]) == ("not-allowed", {"allowed": ["true"]})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"due": {"amount": 1, "currency": "SEK"}, "confirmed": True}, "#/due/currency"),
        ({"due": {"amount": -1, "currency": "EUR"}, "confirmed": True}, "#/due/amount"),
        ({"due": {"amount": 1.5, "currency": "EUR"}, "confirmed": True}, "#/due/amount"),
        ({"due": {"amount": 1, "currency": "EUR"}, "confirmed": False}, "#/confirmed"),
        ({"due": {"amount": 1, "currency": "EUR"}}, "#/confirmed"),
        ({"confirmed": True}, "#/due"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    body: Any, pointer: str, company: Company, stripe_account: Stripe
) -> None:
    card(company, stripe_account)
    deactivate(company)
    before = stored_items()

    response = ask(company, "POST", body)

    assert response.status == 422
    assert response.body["errors"][0]["pointer"] == pointer
    assert stored_items() == before


def test_only_a_deactivated_account_can_be_reactivated(company: Company) -> None:
    body = {"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}
    for _ in ("active", "cancelling"):
        assert ask(company, "GET").status == 409
        assert ask(company, "POST", body).status == 409
        cancel(company)
    assert answer(
        cancellation, request("DELETE", CANCELLATION, claims=company.admin, path=company.path, now=ENDED)
    ).status in {204, 409}
