"""A customer's browser with Stripe's own script: it sends the card to Stripe only."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from local.settings import Settings

TEST_CARD = "4242424242424242"


def confirm_setup(
    settings: Settings, setup: Mapping[str, str], number: str, expiry: tuple[int, int] = (12, 2034)
) -> dict[str, Any]:
    """Confirms a SetupIntent with a card. Returns the SetupIntent. Raises urllib's HTTPError for a declined card."""
    card = {"number": number, "exp_month": expiry[0], "exp_year": expiry[1]}
    form = {f"payment_method_data[card][{name}]": str(value) for name, value in card.items()}
    form |= {"payment_method_data[type]": "card", "client_secret": setup["client_secret"]}
    return ask(settings, f"/v1/setup_intents/{setup['setup_intent']}/confirm", setup["publishable_key"], form)


def ask(settings: Settings, path: str, key: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Calls the stand-in with one of its keys: POST with a form, GET without. Raises urllib's HTTPError."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    address = settings.stripe_address + path
    request = urllib.request.Request(address, data, {"Authorization": f"Bearer {key}"})  # noqa: S310 - it is ours
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        body: dict[str, Any] = json.loads(answer.read())
        return body
