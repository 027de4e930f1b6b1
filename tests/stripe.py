"""Stripe for tests: the stand-in of the local stack, called by the official SDK without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import stripe
from billing.payments.stripe_gateway import StripePayments

from local.stripe.api import Stripe
from local.stripe.process import KEYS

ADDRESS = "http://127.0.0.1:1"
"""No server listens there, and no request is sent."""


class Clock:
    """Stripe's clock, in seconds since 1970. Each call advances it by a second: no two objects have the same time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


class InProcess(stripe.HTTPClient):
    """An HTTP client of the SDK that calls the stand-in directly."""

    name = "in process"

    def __init__(self, account: Stripe) -> None:
        super().__init__()
        self.account = account

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        answer = self.account.handle(method.upper(), url.removeprefix(ADDRESS), lower, post_data or "")
        if answer.lost:
            raise stripe.APIConnectionError("No answer.")  # type: ignore[no-untyped-call]
        return json.dumps(answer.body), answer.status, answer.headers


def stripe_account(seconds: float) -> Stripe:
    """An empty Stripe account whose clock starts at `seconds` since 1970."""
    return Stripe(KEYS["api_key"], KEYS["publishable_key"], Clock(seconds))


def later(account: Stripe, seconds: float) -> None:
    """Advances Stripe's clock by `seconds`."""
    clock = account.clock
    assert isinstance(clock, Clock)
    clock.seconds += seconds


def payments(account: Stripe) -> StripePayments:
    """The real gateway over a Stripe account."""
    return StripePayments(KEYS.__getitem__, ADDRESS, lambda _: None, InProcess(account))


def ask(account: Stripe, method: str, path: str, body: str = "", *, key: str = KEYS["api_key"]) -> Any:
    """The body of the account's response to a request with its key."""
    return account.handle(method, path, {"authorization": f"Bearer {key}"}, body).body


def confirm(
    account: Stripe, setup: Mapping[str, Any], number: str = "4242424242424242", expiry: str = "12/2034"
) -> Any:
    """Confirms a SetupIntent as a customer's browser does: it sends the card to Stripe only."""
    month, year = expiry.split("/")
    card = (
        f"payment_method_data[type]=card&payment_method_data[card][number]={number}"
        f"&payment_method_data[card][exp_month]={month}&payment_method_data[card][exp_year]={year}"
    )
    path = f"/v1/setup_intents/{setup['setup_intent']}/confirm"
    secret = f"client_secret={setup['client_secret']}"
    return ask(account, "POST", path, f"{card}&{secret}", key=KEYS["publishable_key"])


def attached(account: Stripe) -> list[str]:
    """The last four digits of every attached card, sorted."""
    return sorted(
        method["card"]["last4"] for method in account.objects["payment_method"].values() if method["customer"]
    )
