"""Cards through the deployed gateway, functions, queues and webhooks, with the stand-in for Stripe as a server."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack
from local.stripe.browser import ask, confirm_setup
from local.stripe.process import KEYS

SECONDS_MAX = 60
VISA, MASTERCARD, AMEX = "4242424242424242", "5555555555554444", "378282246310005"


class Shop:
    """An account of these tests, with its admin."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.account = f"shop-{uuid.uuid4().hex[:8]}"
        self.email = f"ada@{self.account}.example"
        body = {
            **COMPANIES[2].provisioning(datetime.now(UTC).date()),
            "account": self.account,
            "first_admin": {"email": self.email, "name": "Ada Holm"},
        }
        made = stack.api.request("POST", "/v1/accounts", token=stack.staff_token(), body=body)
        assert made.status == 201, made
        client(stack.settings, "cognito-idp").admin_set_user_password(
            UserPoolId=stack.outputs["UserPoolId"], Username=self.email, Password=PASSWORD, Permanent=True
        )
        self.token = stack.api.person_token(stack.outputs["BillingPageClientId"], self.email, PASSWORD)

    def ask_api(self, method: str, path: str, body: Any = None) -> Any:
        return self.stack.api.request(method, f"/v1/accounts/{self.account}{path}", token=self.token, body=body)

    def set_up(self, number: str, expiry: tuple[int, int] = (12, 2034)) -> str:
        """Sets up a card as a browser does, with the publishable key and the client secret. Returns the SetupIntent."""
        created = self.ask_api("POST", "/payment-method/setup", {})
        assert created.status == 201, created
        setup = created.json()
        confirmed = confirm_setup(self.stack.settings, setup, number, expiry)
        assert confirmed["status"] == "succeeded", confirmed
        setup_intent: str = setup["setup_intent"]
        return setup_intent

    def replace(self, setup_intent: str) -> Any:
        return self.ask_api("PUT", "/payment-method", {"setup_intent": setup_intent})

    def last_four(self) -> str | None:
        card = self.ask_api("GET", "/payment-method").json()["card"]
        return None if card is None else str(card["last_four"])

    def cards_at_stripe(self) -> list[str]:
        # A list, because a search finds new objects only after a while, as Stripe's does.
        customers = self.stripe("/v1/customers?limit=100")["data"]
        [customer] = [each for each in customers if each["metadata"].get("account") == self.account]
        return [
            each["card"]["last4"] for each in self.stripe(f"/v1/customers/{customer['id']}/payment_methods")["data"]
        ]

    def mails(self, words: str) -> list[Any]:
        return [each for each in self.stack.mails() if each["Delivered-To"] == self.email and words in each["Subject"]]

    def stripe(self, path: str) -> Any:
        return ask(self.stack.settings, path, KEYS["api_key"])


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def test_a_new_card_replaces_the_old_one_which_is_detached(shop: Shop) -> None:
    first = shop.set_up(VISA)
    assert shop.replace(first).json()["card"]["last_four"] == "4242"
    assert shop.replace(shop.set_up(MASTERCARD)).status == 200

    assert wait_until(lambda: shop.cards_at_stripe() == ["4444"], SECONDS_MAX), shop.cards_at_stripe()
    assert shop.last_four() == "4444"
    assert wait_until(lambda: len(shop.mails("card ending in")) == 2, SECONDS_MAX)
    assert shop.replace(first).status == 409
    assert shop.replace("seti_none").status == 422


def test_the_webhook_finishes_an_update_whose_browser_vanished(shop: Shop) -> None:
    shop.set_up(AMEX)

    assert wait_until(lambda: shop.last_four() == "0005", SECONDS_MAX)
    assert wait_until(lambda: shop.cards_at_stripe() == ["0005"], SECONDS_MAX), shop.cards_at_stripe()


def test_a_forged_webhook_is_refused(stack: Stack) -> None:
    given = stack.api.request("POST", "/v1/webhooks/stripe", token="", body={"type": "setup_intent.succeeded"})

    assert given.status == 400


def test_the_warning_about_an_expiring_card_is_mailed_once(stack: Stack, shop: Shop) -> None:
    assert shop.replace(shop.set_up(VISA, (8, 2030))).status == 200

    def plan() -> None:
        reply = client(stack.settings, "lambda").invoke(
            FunctionName=stack.outputs["PlanCardExpiryName"],
            Payload=b'{"time": "2030-08-01T12:15:00Z", "clock": "2030-08-01T12:15:00Z"}',
        )
        assert "FunctionError" not in reply, reply["Payload"].read()

    plan()
    assert wait_until(lambda: len(shop.mails("expires on")) == 1, SECONDS_MAX)
    plan()
    assert len(shop.mails("expires on")) == 1
