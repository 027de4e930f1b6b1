"""Reads and adds versions of the catalogue."""

from __future__ import annotations

from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.catalogue_mapping import catalogue_body, catalogue_from


class CatalogueStore(Table):
    """Catalogue versions in the table."""

    def newest_catalogue(self) -> Catalogue | None:
        """Returns the newest version, read consistently; None before the first. One query."""
        rows = self._reads.query(
            keys.CATALOGUE, keys.VERSION, keys.last_of(keys.VERSION), limit=1, newest_first=True, consistent=True
        )
        for row in rows:
            return catalogue_from(row.body, int(row.key.removeprefix(keys.VERSION)))
        return None

    def add_catalogue(self, catalogue: Catalogue, event: Event) -> None:
        """Adds a version, and records the event. One transaction.

        Raises StaleVersion if the version exists, ConcurrentChange after a collision.
        """
        item = Item(keys.CATALOGUE, keys.catalogue_version(catalogue.version), catalogue_body(catalogue.products))
        with self._transaction(StaleVersion()) as write:
            write.add(item)
            write.record(event, shared=keys.CATALOGUE)
