"""The catalogue in its versions."""

from __future__ import annotations

from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.catalogue_mapping import catalogue_body, catalogue_from


class CatalogueStore(Table):
    """The catalogue in the one table."""

    def newest_catalogue(self) -> Catalogue | None:
        """The newest version of the catalogue, as of now; None before the first. One query."""
        newest = self._reads.query(
            keys.CATALOGUE, keys.VERSION, keys.last_of(keys.VERSION), limit=1, newest_first=True, consistent=True
        )
        for row in newest:
            return catalogue_from(row.body, int(row.key.removeprefix(keys.VERSION)))
        return None

    def add_catalogue(self, catalogue: Catalogue, event: Event) -> None:
        """Adds a version that does not exist yet, and records it. Raises StaleVersion if it does. One transaction."""
        item = Item(keys.CATALOGUE, keys.catalogue_version(catalogue.version), catalogue_body(catalogue.products))
        with self._transaction(StaleVersion()) as write:
            write.add(item)
            write.record(event, shared=keys.CATALOGUE)
