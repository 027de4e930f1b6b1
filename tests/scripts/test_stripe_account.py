"""The operator's command that shows the kept account at Stripe, and changes it."""

from __future__ import annotations

from typing import Any

import pytest
from billing import wiring
from billing.payments.gateway import Merchant
from billing.payments.stripe_gateway import StripePayments

from local.stripe.api import ACCOUNT, Stripe
from scripts.stripe_account import show_or_change
from tests.stripe import payments


@pytest.fixture
def gateway(stripe_account: Stripe) -> StripePayments:
    return payments(stripe_account)


def test_the_account_of_the_key_is_kept_only_on_request(
    store: Any, stripe_account: Stripe, gateway: StripePayments, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = wiring.payment_store()
    assert show_or_change(methods, gateway, change=False)
    assert methods.merchant() is None
    methods.change_merchant(Merchant("acct_other", livemode=True))

    assert not show_or_change(methods, gateway, change=False)
    assert methods.merchant() == Merchant("acct_other", livemode=True)
    assert show_or_change(methods, gateway, change=True)
    assert methods.merchant() == Merchant(ACCOUNT, livemode=False)

    printed = capsys.readouterr().out
    assert f"kept: acct_other in live mode\nAPI key: {ACCOUNT} in test mode\n" in printed
    assert printed.endswith(f"kept from now on: {ACCOUNT} in test mode\n")
