"""Reads subscriptions, and the catalogue versions whose prices they signed."""

from __future__ import annotations

from billing.accounts.page_rows import page_rows
from billing.kernel.errors import NotFound
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.catalogue_mapping import catalogue_from
from billing.subscriptions.mapping import subscriber_of, subscription_body
from billing.subscriptions.rules import Subscription
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

    def announce_version(self, subscriber: Subscriber, changed: Subscription, event: Event | None = None) -> None:
        """Replaces the subscription after the mail about another version of the catalogue, and records an event if the
        mail was too late. One transaction.

        Raises ConcurrentChange when the account, its subscription or its running paid period has changed since it was
        read: the months that the version prices must not be fixed.
        """
        partition = keys.account(subscriber.account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, subscriber.account.version)
            item = Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(changed))
            write.replace(item, subscriber.subscription.version)
            write.check(partition, keys.PAGE_PERIOD, subscriber.fixed.version)
            if event is not None:
                write.record(event)
