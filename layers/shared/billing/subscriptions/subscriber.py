"""An account with its subscription: most rules need these two and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.rules import Account
from billing.subscriptions.rules import Subscription


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An account and what it subscribes to."""

    account: Account
    subscription: Subscription
