"""What an account subscribes to, at the prices of the catalogue's version that it has signed."""

from __future__ import annotations

from billing.domain.catalogue import Catalogue
from billing.domain.errors import NotFound
from billing.domain.subscriber import Subscriber
from billing.store import keys
from billing.store.account_mapping import account_from
from billing.store.catalogue_mapping import catalogue_from
from billing.store.page_rows import page_rows
from billing.store.subscription_mapping import subscription_from
from billing.store.table import Table


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
