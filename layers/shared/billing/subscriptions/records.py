"""What an account subscribes to, at the prices of the catalogue's version that it has signed."""

from __future__ import annotations

from billing.accounts.mapping import account_from
from billing.accounts.page_rows import page_rows
from billing.kernel.errors import NotFound
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.table import Table
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.catalogue_mapping import catalogue_from
from billing.subscriptions.mapping import subscription_from
from billing.subscriptions.subscriber import Subscriber


class SubscriptionStore(Table):
    """The subscriptions in the one table."""

    def catalogue(self, version: int) -> Catalogue:
        """One version of the catalogue, such as an account has signed. Raises NotFound. One read."""
        key = (keys.CATALOGUE, keys.catalogue_version(version))
        row = self._reads.get_all([key]).get(key)
        if row is None:
            raise NotFound("There is no such version of the catalogue.")
        return catalogue_from(row.body, version)

    def subscriber(self, account: str, *, consistent: bool = False) -> Subscriber:
        """An account with its subscription. Raises AccountNotFound. One query.

        Lags behind a change by a moment unless it is read `consistent`, at twice the price.
        """
        page, _ = page_rows(self._reads, account, consistent=consistent)
        found, subscription = page[keys.PAGE_ACCOUNT], page[keys.PAGE_SUBSCRIPTION]
        return Subscriber(
            account_from(found.body, found.version), subscription_from(subscription.body, subscription.version)
        )
