"""An account with its subscription. Most rules need only these two."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.rules import Account
from billing.subscriptions.rules import Subscription


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An account and its subscription."""

    account: Account
    subscription: Subscription
