"""Usage by product and day. Several areas decide by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from billing.platform.dynamodb import keys
from billing.platform.dynamodb.reader import Image
from billing.subscriptions.records import SubscriptionStore
from billing.usage.mapping import daily_from, month_from


class UsageReads(SubscriptionStore):
    """Reads the usage by product in the one table."""

    def totals(self, account: str, first: date, last: date) -> dict[str, dict[date, Decimal]]:
        """The usage by product and day, from the month `first` to the month `last`, both included.

        One eventually consistent query of less than a kilobyte per product and month.
        """
        by_product: dict[str, dict[date, Decimal]] = {}
        for product, month, image in self._totals(account, first, last):
            by_product.setdefault(product, {}).update(daily_from(image, month))
        return by_product

    def _totals(self, account: str, first: date, last: date) -> Iterator[tuple[str, date, Image]]:
        """The counters by product from the month `first` to the month `last`: product, month and item."""
        for row in self._reads.query(keys.usage(account), keys.total(first, ""), keys.last_of(keys.total(last, ""))):
            month, product = row.key.removeprefix(keys.TOTAL).split("#", 1)
            yield product, month_from(month), row.image
