"""SEPA debits: their mandate and notice, the day of the debit, and deployments that do not offer them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from billing import wiring

from functions.update_payment_method.app import handler as update
from local.stripe.api import CREDITOR, Stripe
from tests.api_gateway import NOW, answer, request
from tests.cards import DECLINED_WHEN_CHARGED, card
from tests.company import Company
from tests.functions.ending import REACTIVATED, deactivate, deliver, events_of, fire, invoiced_elsewhere
from tests.functions.test_money import FIRST, ISSUED, METHOD, figures, one, post
from tests.functions.test_reactivation import agree, listed, requested
from tests.stripe import ask

pytestmark = pytest.mark.usefixtures("work")
NOTICE_DAYS = 5


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment announces its debits itself."""
    monkeypatch.setenv("SEPA_NOTICE_DAYS", str(NOTICE_DAYS))


def debit(company: Company, stripe: Stripe, now: Any = NOW) -> None:
    body = {"method": "sepa_debit"}
    event = request("POST", METHOD + "/setup", claims=company.admin, path=company.path, body=body, now=now)
    event["requestContext"]["requestId"] = f"setup-{len(stripe.requests)}"
    setup = answer(update, event).body
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    ask(stripe, "POST", f"/v1/setup_intents/{setup['setup_intent']}/confirm", iban)
    body = {"setup_intent": setup["setup_intent"]}
    given = answer(update, request("PUT", METHOD, claims=company.admin, path=company.path, body=body, now=now))
    assert given.status == 200, given


def issued() -> dict[str, Any]:
    return dict(events_of("invoice.issued")[0].after or {})


def test_an_announced_debit_is_made_when_its_notice_is_over(
    announced: None, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    debit(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")

    due = (ISSUED + timedelta(days=NOTICE_DAYS)).date()
    facts = issued()
    [mandate] = stripe_account.objects["mandate"].values()
    reference = mandate["payment_method_details"]["sepa_debit"]["reference"]
    assert (facts["due_on"], facts["charge_on"]) == (str(due), str(due))
    assert facts["debit"] == {"country": "DE", "last_four": "3000", "mandate": reference, "creditor": CREDITOR}
    assert one(company, FIRST)["due_on"] == str(due)

    fire(ISSUED + timedelta(days=NOTICE_DAYS - 1), work, monkeypatch, "collection")
    again = post(update, company, FIRST, "payment-attempts", None)
    assert (again.status, figures(company, FIRST)[0]) == (200, "open")
    assert stripe_account.objects["payment_intent"] == {}
    fire(ISSUED + timedelta(days=NOTICE_DAYS), work, monkeypatch, "collection")
    assert figures(company, FIRST)[0] == "in_transit"


def test_without_own_notices_a_debit_is_made_at_once(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe's own mail announces it."""
    debit(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")

    assert issued()["charge_on"] == str(ISSUED.date())
    assert figures(company, FIRST)[0] == "in_transit"


def test_a_debit_that_is_set_up_after_the_invoice_waits_for_its_days(
    announced: None, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    assert figures(company, FIRST)[0] == "open"
    day = ISSUED + timedelta(days=1)
    stripe_account.clock.seconds = day.timestamp()  # type: ignore[attr-defined]
    debit(company, stripe_account, now=day)
    intents = len(stripe_account.objects["payment_intent"])

    fire(day + timedelta(days=NOTICE_DAYS - 1), work, monkeypatch, "collection")
    assert figures(company, FIRST)[0] == "open"
    assert {each["status"] for each in stripe_account.objects["payment_intent"].values()} == {"requires_payment_method"}
    fire(day + timedelta(days=NOTICE_DAYS), work, monkeypatch, "collection")

    assert figures(company, FIRST)[0] == "in_transit"
    assert len(stripe_account.objects["payment_intent"]) == intents


def test_a_debit_is_not_made_where_debits_were_switched_off(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    debit(company, stripe_account)
    monkeypatch.setenv("CHARGED_METHODS", "card")
    wiring.forget()
    invoiced_elsewhere(company)
    fire(ISSUED + timedelta(days=36), work, monkeypatch, "renewal", "collection")

    assert {(event.after or {})["reason"] for event in events_of("payment.failed")} == {"no_payment_method"}
    assert stripe_account.objects["payment_intent"] == {}


def test_a_reactivation_does_not_wait_for_an_announced_debit(
    announced: None, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is active at once, as with a bank transfer, and its first invoice announces the debit."""
    debit(company, stripe_account)
    deactivate(company)
    assert agree(company).status == 202
    assert deliver(requested()) == {"batchItemFailures": []}

    invoice, *_ = listed(company)
    assert (invoice["produced_on"], invoice["status"], invoice["due_on"]) == ("2026-07-20", "open", "2026-07-25")
    assert (events_of("invoice.issued")[-1].after or {})["charge_on"] == "2026-07-25"
    assert stripe_account.objects["payment_intent"] == {}
    fire(REACTIVATED + timedelta(days=NOTICE_DAYS), work, monkeypatch, "collection")
    assert listed(company)[0]["status"] == "in_transit"
