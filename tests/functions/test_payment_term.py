"""Staff change the payment term of an account, and pause the reminders of an invoice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from billing import wiring

from functions.administer_users.app import handler as administer_users
from functions.advance_test_clock.app import handler as advance_test_clock  # noqa: F401 - the workers call it
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.record_payment.app import handler as record_payment
from functions.update_payment_method.app import handler as update_payment_method
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.cards import METHOD, card
from tests.company import Company, provisioned
from tests.functions.clocks import ON_CLOCK, InProcessWorkers, advanced, make, recorded
from tests.functions.clocks import workers as workers  # noqa: PLC0414 - pytest looks for it here
from tests.functions.test_debits import debit
from tests.samples import ACCOUNT, with_value

TERM = "/accounts/{account}/payment-term"
PAUSE = "/accounts/{account}/invoices/{number}/reminder-pause"


def term(company: Company, days: Any, tag: str | None, *, preview: bool = False) -> Answer:
    headers = {} if tag is None else {"If-Match": tag}
    query = {"preview": "true"} if preview else None
    body = {"days": days, "reason": "Agreed"}
    return answer(
        update_payment_method,
        request("PUT", TERM, claims=STAFF, path=company.path, body=body, headers=headers, query=query),
    )


def shown(company: Company) -> Answer:
    return answer(update_payment_method, request("GET", TERM, claims=STAFF, path=company.path))


def test_staff_give_an_account_a_term_of_its_own(company: Company) -> None:
    before = shown(company)
    assert before.body == {"days": 14, "is_own": False}
    tag = before.headers["ETag"]

    assert term(company, 30, None).status == 428
    assert term(company, 30, '"99"').status == 412
    assert term(company, 30, None, preview=True).body == {"days": 30, "is_own": True}
    assert shown(company).body == before.body
    changed = term(company, 30, tag)
    assert changed.body == {"days": 30, "is_own": True}
    assert term(company, 30, tag).headers["ETag"] == changed.headers["ETag"], "the same again changes nothing"
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    assert page.body["payment_details"]["payment_term_days"] == 30
    assert term(company, None, changed.headers["ETag"]).body == before.body


@pytest.mark.parametrize("days", [-1, 121, 1.5, "30", True])
def test_a_term_that_no_deployment_can_have_is_refused(company: Company, days: Any) -> None:
    refused = term(company, days, '"1"')

    assert refused.status == 422
    assert refused.body["errors"][0]["pointer"] == "#/days"


def test_an_account_on_a_test_clock_lives_its_own_term_and_reminders(
    catalogue: Any, buckets: Any, stripe_account: Stripe, workers: InProcessWorkers
) -> None:
    make()
    body = with_value(with_value(ACCOUNT, ON_CLOCK, "account"), "2026-06-10", "contract", "start")
    assert provisioned({**with_value(body, None, "invoiced_until"), "payment_term_days": 20}).status == 201
    path = {"account": ON_CLOCK}
    answer(
        update_payment_method,
        request("PUT", "/accounts/{account}/payment-method/bank-transfer", claims=STAFF, path=path),
    )
    advanced(NOW + timedelta(days=30))

    told = recorded(ON_CLOCK)
    [issued] = [each.after or {} for each in told if each.type == "invoice.issued"]
    [reminded] = [each.after or {} for each in told if each.type == "invoice.reminded"]
    assert issued["due_on"] == "2026-06-30"
    assert (reminded["reminder"], reminded["days_past_due"]) == (1, 7)

    path = {**path, "number": issued["number"]}
    one = answer(get_invoices, request("GET", "/accounts/{account}/invoices/{number}", claims=STAFF, path=path))
    assert one.body["payment"]["reminders"] == {
        "sent": [{"number": 1, "on": "2026-07-07"}],
        "next_on": "2026-07-14",
        "pause": None,
    }
    headers = {"If-Match": one.headers["ETag"]}

    def pause(until: str | None, headers: dict[str, str]) -> Answer:
        body = {"until": until, "reason": "Disputed"}
        return answer(record_payment, request("PUT", PAUSE, claims=STAFF, path=path, body=body, headers=headers))

    assert pause(None, {}).status == 428
    assert pause("2026-07-10", headers).body["errors"][0]["code"] == "too-early"
    assert pause("2027-08-01", headers).body["errors"][0]["code"] == "too-late"
    assert pause(None, {"If-Match": '"1"'}).status == 412
    paused = pause(None, headers)
    assert paused.status == 200
    assert paused.body["payment"]["reminders"]["pause"]["since"] == "2026-07-10"
    assert paused.body["payment"]["reminders"]["next_on"] is None
    advanced(NOW + timedelta(days=50))
    resumed = answer(record_payment, request("DELETE", PAUSE, claims=STAFF, path=path))
    assert resumed.body["payment"]["reminders"]["next_on"] == "2026-08-03"
    advanced(NOW + timedelta(days=70))

    assert [(each.after or {})["reminder"] for each in recorded(ON_CLOCK) if each.type == "invoice.reminded"] == [
        1,
        2,
        3,
    ]
    listed = wiring.invoice_store().past_due(limit=5, after=None, clock="q1").items
    assert [each.number for each in listed[0].payment.reminders.sent] == [1, 2, 3]


def company_of(account: str) -> Company:
    users = request("GET", "/accounts/{account}/users", claims=STAFF, path={"account": account})
    admin = person(answer(administer_users, users).body["items"][0]["user"])
    return Company(account, admin, admin)


def test_an_account_on_a_clock_that_is_ahead_goes_back_from_transfers_to_a_card(
    catalogue: Any, buckets: Any, stripe_account: Stripe, workers: InProcessWorkers
) -> None:
    make()
    assert provisioned(with_value(ACCOUNT, ON_CLOCK, "account")).status == 201
    company = company_of(ON_CLOCK)
    advanced(NOW + timedelta(days=30))
    transfer = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path)
    assert answer(update_payment_method, transfer).status == 200

    card(company, stripe_account)

    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path))
    assert page.body["payment_details"]["method"] == "card"


def test_a_debit_on_a_clock_that_is_behind_waits_for_the_days_of_its_notice_alone(
    catalogue: Any,
    buckets: Any,
    stripe_account: Stripe,
    workers: InProcessWorkers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEPA_NOTICE_DAYS", "5")
    begins = NOW - timedelta(days=100)
    make(begins)
    body = with_value(with_value(ACCOUNT, ON_CLOCK, "account"), "2026-03-02", "contract", "start")
    assert provisioned(with_value(body, None, "invoiced_until")).status == 201
    debit(company_of(ON_CLOCK), stripe_account)
    advanced(begins + timedelta(days=10))

    [payment] = stripe_account.objects["payment_intent"].values()
    assert payment["status"] == "processing"
