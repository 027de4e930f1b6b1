"""A deactivated account is taken up again: on what the admin has agreed to, charged first, and only then active."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.ending.cancellation.commands import end_account

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
    asked,
    cancel,
    deactivate,
    deliver,
    fire,
    record,
    told,
)
from tests.samples import CATALOGUE

ROUTE = "/accounts/{account}/reactivation"

pytestmark = pytest.mark.usefixtures("work")


def ask(company: Company, method: str, body: Any = None, *, now: datetime = REACTIVATED, claims: Any = None) -> Answer:
    who = claims or company.admin
    return answer(reactivation, request(method, ROUTE, claims=who, path=company.path, body=body, now=now))


def agree(company: Company, **more: Any) -> Answer:
    """What an admin sees, and confirms."""
    shown = ask(company, "GET", **more)
    assert shown.status == 200, shown
    return ask(company, "POST", {"due": shown.body["offer"]["invoice"]["due"], "confirmed": True}, **more)


def page(company: Company, now: datetime = REACTIVATED) -> Any:
    route = "/accounts/{account}/billing"
    return answer(get_billing, request("GET", route, claims=company.member, path=company.path, now=now)).body


def listed(company: Company) -> Any:
    route = "/accounts/{account}/invoices"
    return answer(get_invoices, request("GET", route, claims=company.member, path=company.path)).body["items"]


def charges(account: Stripe) -> list[Any]:
    return [each for each in account.objects["payment_intent"].values() if each["status"] == "succeeded"]


def requested() -> Any:
    """What the bus delivers of the one that is on its way."""
    [pending] = [item for item in stored_items() if item["sk"] == "REACTIVATION"] or [{"body": "{}"}]
    wanted = json.loads(pending["body"]).get("reactivation")
    events = told("account.reactivation_requested")
    return next((event for event in events if (event.after or {})["reactivation"] == wanted), events[-1])


def test_an_admin_takes_it_up_again(company: Company, stripe_account: Stripe, work: Any, monkeypatch: Any) -> None:
    card(company, stripe_account)
    deactivate(company)
    shown = ask(company, "GET").body
    assert (shown["status"], shown["reactivate_until"], shown["purge_on"]) == ("possible", "2026-07-28", "2026-07-29")
    assert shown["offer"]["contract"]["start"] == "2026-07-20"
    due = shown["offer"]["invoice"]["due"]

    given = agree(company)
    again = agree_again(company, due)

    assert (given.status, given.body["status"]) == (202, "pending")
    assert again.body == given.body
    assert page(company)["status"] == "deactivated"
    for _ in range(2):
        assert deliver(requested()) == {"batchItemFailures": []}
    now_active = page(company)
    assert now_active["status"] == "active"
    assert now_active["contract"]["start"] == "2026-07-20"
    assert now_active["payment_details"]["next_charge_on"] == "2026-07-20"
    [invoice] = listed(company)
    assert (invoice["status"], invoice["total"], invoice["produced_on"]) == ("paid", due, "2026-07-20")
    [charge] = charges(stripe_account)
    assert (charge["amount"], charge["currency"].upper()) == (due["amount"], due["currency"])
    [event] = told("account.reactivated")
    assert event.actor.user == company.admin["sub"]
    # Nothing of the end is left, and the new contract goes on by itself.
    assert not [item for item in stored_items() if item["sk"] in {"CANCELLATION", "REACTIVATION"}]
    fire(PURGED + timedelta(days=1), work, monkeypatch, "ending", "renewal", "collection")
    assert page(company)["status"] == "active"
    fire(datetime(2026, 10, 20, 1, tzinfo=UTC), work, monkeypatch, "ending", "renewal", "collection")
    assert [each["produced_on"] for each in listed(company)] == ["2026-10-20", "2026-07-20"]
    assert len(charges(stripe_account)) == 2
    assert ask(company, "GET").status == 409
    # It can be cancelled anew, on the new contract's calendar.
    shown_again = asked(company, "GET", now=datetime(2026, 10, 21, tzinfo=UTC)).body
    assert shown_again["preview"]["active_until"] == "2027-01-20"


def agree_again(company: Company, due: Any) -> Answer:
    return ask(company, "POST", {"due": due, "confirmed": True})


@pytest.mark.parametrize(
    ("number", "failure"), [(DECLINED_WHEN_CHARGED, "declined"), (ASKS, "authentication_required")]
)
def test_a_charge_that_fails_leaves_it_deactivated(
    number: str, failure: str, company: Company, stripe_account: Stripe, work: Any, monkeypatch: Any
) -> None:
    card(company, stripe_account, number)
    deactivate(company)
    assert agree(company).status == 202

    for _ in range(2):
        deliver(requested())

    assert page(company)["status"] == "deactivated"
    assert listed(company) == []
    shown = ask(company, "GET").body
    assert (shown["status"], shown["failure"]) == ("failed", failure)
    assert shown["offer"]["invoice"]["due"]["amount"]
    [event] = told("account.reactivation_failed")
    assert (event.after or {})["reason"] == failure
    # What has failed can never be charged later, and another card is tried anew.
    assert [each["status"] for each in stripe_account.objects["payment_intent"].values()] == ["canceled"]
    card(company, stripe_account)
    assert agree(company).status == 202
    deliver(requested())
    assert page(company)["status"] == "active"
    assert len(charges(stripe_account)) == 1


def test_the_clock_goes_on_after_a_failure(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    deactivate(company)
    agree(company)
    deliver(requested())

    late = ask(company, "POST", {"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}, now=PURGED)

    assert (late.status, late.body["type"]) == (409, "urn:livello:problem:not-deactivated")


def test_without_the_bus_the_schedule_sees_to_it(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    deactivate(company)
    agree(company)

    fire(REACTIVATED + timedelta(hours=1), work, monkeypatch, "collection")

    assert page(company)["status"] == "active"


def test_while_it_is_charged_for_nothing_is_deleted(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    deactivate(company)
    last = PURGED - timedelta(minutes=2)
    assert agree(company, now=last).status == 202
    end_account(company.account, now=PURGED, correlation="end", store=wiring.cancellation_store())
    message = record(f'{{"account": "{company.account}", "at": "{PURGED.isoformat()}"}}')

    held = end({"Records": [message]}, Context())

    assert held["batchItemFailures"]
    deliver(requested())
    assert page(company)["status"] == "active"
    assert end({"Records": [message]}, Context()) == {"batchItemFailures": []}
    assert page(company)["status"] == "active"


def test_on_todays_prices(company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    deactivate(company)
    before = ask(company, "GET").body["offer"]["invoice"]["due"]
    raised: Any = {
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
    assert put_catalogue(raised, replaces=1).status == 200

    stale = ask(company, "POST", {"due": before, "confirmed": True})
    fresh = ask(company, "GET").body["offer"]["invoice"]["due"]

    assert (stale.status, stale.body["type"]) == (409, "urn:livello:problem:reactivation-changed")
    assert fresh["amount"] == before["amount"] * 2
    assert agree(company).status == 202
    # From here on it is what was agreed to, whatever the catalogue says.
    assert put_catalogue(CATALOGUE, replaces=2).status == 200
    deliver(requested())
    assert charges(stripe_account)[0]["amount"] == fresh["amount"]


def test_without_a_card_it_says_so(company: Company) -> None:
    deactivate(company)

    given = agree(company)

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:no-payment-method")
    assert page(company)["status"] == "deactivated"


def test_who_transfers_the_money_is_served_and_invoiced(company: Company) -> None:
    by_transfer = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path)
    assert answer(update, by_transfer).status == 200
    deactivate(company)
    assert agree(company).status == 202

    deliver(requested())

    assert page(company)["status"] == "active"
    [invoice] = listed(company)
    assert (invoice["status"], invoice["due_on"]) == ("open", "2026-08-03")


@pytest.mark.parametrize("claims", ["member", "staff"])
def test_nobody_but_an_admin_can(claims: str, company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    deactivate(company)
    who = STAFF if claims == "staff" else company.member
    before = stored_items()

    assert ask(company, "GET", claims=who).status == 403
    assert ask(company, "POST", {"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}, claims=who).status == 403
    assert stored_items() == before


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
def test_bad_input(body: Any, pointer: str, company: Company, stripe_account: Stripe) -> None:
    card(company, stripe_account)
    deactivate(company)
    before = stored_items()

    given = ask(company, "POST", body)

    assert given.status == 422
    assert given.body["errors"][0]["pointer"] == pointer
    assert stored_items() == before


def test_what_is_active_or_cancelling_cannot_be_taken_up(company: Company) -> None:
    body = {"due": {"amount": 1, "currency": "EUR"}, "confirmed": True}
    for _ in ("active", "cancelling"):
        assert ask(company, "GET").status == 409
        assert ask(company, "POST", body).status == 409
        cancel(company)
    assert answer(
        cancellation, request("DELETE", CANCELLATION, claims=company.admin, path=company.path, now=ENDED)
    ).status in {204, 409}
