"""Reads subscriptions, and the catalogue versions whose prices they signed."""

from __future__ import annotations

from billing.accounts.page_rows import page_rows
from billing.kernel.errors import NotFound
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.table import Table
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.catalogue_mapping import catalogue_from
from billing.subscriptions.mapping import subscriber_of
from billing.subscriptions.subscriber import Subscriber


class SubscriptionStore(Table):
    """Subscriptions in the table."""

    def catalogue(self, version: int) -> Catalogue:
        """Returns one version of the catalogue. Raises NotFound. One read."""
        key = (keys.CATALOGUE, keys.catalogue_version(version))
        row = self._reads.get_all([key]).get(key)
        if row is None:
            raise NotFound("There is no such version of the catalogue.")
        return catalogue_from(row.body, version)

    def subscriber(self, account: str, *, consistent: bool = False) -> Subscriber:
        """Returns the account and its subscription. Raises AccountNotFound. One query.

        An eventually consistent read may miss the last moment's changes; `consistent` costs twice the read units.
        """
        page, _ = page_rows(self._reads, account, consistent=consistent)
        return subscriber_of(
            page[keys.PAGE_ACCOUNT], page[keys.PAGE_SUBSCRIPTION], page.get(keys.PAGE_PERIOD), page[keys.PAGE_BILLING]
        )
