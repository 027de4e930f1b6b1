"""Sets up customers' cards through the functions themselves."""

from __future__ import annotations

from datetime import datetime

from functions.update_payment_method.app import handler as update
from local.stripe.api import Stripe
from tests.api_gateway import NOW, answer, request
from tests.company import Company
from tests.stripe import confirm

METHOD = "/accounts/{account}/payment-method"
VISA, DECLINED_WHEN_CHARGED, ASKS, LOST = (
    "4242424242424242",
    "4000000000000341",
    "4000002760003184",
    "4000000000009987",
)


def card(company: Company, stripe: Stripe, number: str = VISA, now: datetime = NOW) -> None:
    """An admin sets up a card, and gives the consent that their bank asks for."""
    event = request("POST", METHOD + "/setup", claims=company.admin, path=company.path, body={}, now=now)
    event["requestContext"]["requestId"] = f"setup-{len(stripe.requests)}"
    setup = answer(update, event).body
    if confirm(stripe, setup, number)["status"] == "requires_action":
        stripe.authenticate_setup(setup["setup_intent"], succeed=True)
    body = {"setup_intent": setup["setup_intent"]}
    replaced = answer(update, request("PUT", METHOD, claims=company.admin, path=company.path, body=body, now=now))
    assert replaced.status == 200, replaced
