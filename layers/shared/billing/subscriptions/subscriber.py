"""An account with its subscription. Most rules need only these two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from billing.accounts.information import DEFAULT_LANGUAGE
from billing.accounts.rules import Account
from billing.subscriptions.rules import Subscription, TierChange


@dataclass(frozen=True, slots=True)
class FixedMonths:
    """The contract months before `until` are fixed: what they cost can no longer change.

    `version` is that of the running paid period's item, 0 where there is none. A change of what months cost is written
    under it, so no month is fixed in between.
    """

    until: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An account and its subscription, with the months of it that are fixed.

    `language` is the account's, which the names of the products are in; DEFAULT_LANGUAGE where it was not read.
    """

    account: Account
    subscription: Subscription
    fixed: FixedMonths = FixedMonths()
    language: str = DEFAULT_LANGUAGE

    def change_tiers(self, changes: tuple[TierChange, ...], today: date) -> Subscription:
        """Returns the subscription with these changes. They replace pending changes of the same products.

        The changes of every paid period that has a month that is not fixed are kept, so its invoices can be made late.
        """
        return self.subscription.changed(changes, today, self.open_since(today) - timedelta(days=1))

    def open_since(self, today: date) -> date:
        """The first day of the earliest paid period that has a month that is not fixed: no invoice needs days before
        it any more."""
        contract = self.account.contract
        month = max(0, min(contract.month_of(today), self.fixed.until))
        return contract.month_start(contract.paid_period(month)[0])

    def next_open_month(self, today: date) -> date:
        """The first day of the first contract month after `today` that is not fixed; at the earliest the contract's
        start."""
        contract = self.account.contract
        return contract.month_start(max(0, contract.month_of(today) + 1, self.fixed.until))

    def next_open_renewal(self, today: date) -> date:
        """The first day of the next paid period after `today` of which no month is fixed.

        What takes effect then changes nothing that is invoiced, nor what a late run invoices for earlier days.
        """
        contract = self.account.contract
        _, day = next(contract.renewals(max(today + timedelta(days=1), contract.month_start(self.fixed.until))))
        return day
