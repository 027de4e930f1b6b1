"""Items of success managers, their accounts, and their booked time."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.records import account_item
from billing.accounts.rules import Account
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table
from billing.scaling.reviews.mapping import success_manager_body, success_manager_from
from billing.scaling.reviews.success_managers import SuccessManager

BOOKED_MAX = 32 * 24 * 4
"""Cells that one query reads at most: more than the days of one answer have."""


class SuccessManagerStore(Table):
    """Reads and writes success managers in the one table."""

    def success_managers(self, *, limit: int, after: str | None) -> Slice[SuccessManager]:
        """All success managers, by id. One query."""
        return self._reads.oldest(keys.MANAGERS, keys.MANAGER, _manager_from, limit=limit, after=after)

    def success_manager(self, success_manager: str) -> SuccessManager | None:
        """One success manager, read consistently; None if it does not exist. One get."""
        row = self._reads.get(keys.MANAGERS, keys.success_manager(success_manager))
        return None if row is None else _manager_from(row)

    def replace_success_manager(self, manager: SuccessManager, version: int, event: Event) -> None:
        """Replaces version `version` of a success manager by the next version, and records the event; 0 adds one.

        Raises StaleVersion, and ConcurrentChange after a collision. One transaction.
        """
        item = Item(keys.MANAGERS, keys.success_manager(manager.id), success_manager_body(manager))
        with self._transaction(StaleVersion()) as write:
            write.replace(item, version)
            write.record(event, shared=keys.MANAGERS)

    def assign_success_manager(self, account: Account, event: Event) -> None:
        """Saves the account with its success manager, and records the event.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.record(event)

    def booked(self, success_manager: str, first: datetime, last: datetime, account: str) -> frozenset[datetime]:
        """The beginnings of a success manager's booked cells from `first` to `last`, both included.

        They are those that matter to `account`: the cells of its test clock, if it is on one. Read consistently. One
        query of a tenth of a kilobyte per cell.
        """
        partition = keys.booked_time(success_manager, account)
        rows = self._reads.query(partition, keys.booked(first), keys.booked(last), limit=BOOKED_MAX, consistent=True)
        return frozenset(datetime.fromisoformat(row.key.removeprefix(keys.BOOKED)) for row in rows)


def _manager_from(row: Row) -> SuccessManager:
    return success_manager_from(row.body, row.version)
