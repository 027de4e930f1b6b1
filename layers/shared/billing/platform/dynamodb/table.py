"""The base of all stores: one reader and one writer of the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from billing.kernel.errors import BillingError, ConcurrentChange
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Reader

if TYPE_CHECKING:  # the first write loads PynamoDB
    from billing.platform.dynamodb.transaction import Transaction, Writer


StoreT = TypeVar("StoreT", bound="Table")


class Table:
    """The base of the stores. A store has the verbs of one business area; each names its cost in round trips."""

    _restored: str | None = None

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's client of DynamoDB."""
        self._name = table_name
        self._client = client
        self._reads = Reader(table_name, client)

    @cached_property
    def _writes(self) -> Writer:
        from billing.platform.dynamodb.transaction import Writer

        return Writer(self._name, self._client, self._reads.last_events, self._restored)

    def _transaction(self, otherwise: BillingError | None = None) -> AbstractContextManager[Transaction]:
        """One transaction: see Writer.transaction. A failed condition raises `otherwise`, or ConcurrentChange."""
        return self._writes.transaction(otherwise)

    def accounts(self, after: str | None = None) -> Iterator[str]:
        """The ids of all accounts, or of those behind one. Scans the whole table: for an operator's commands only."""
        behind = None if after is None else keys.account(after)
        for partition in self._reads.partitions_with(keys.PAGE_ACCOUNT, behind):
            yield partition.removeprefix(keys.account(""))

    def record_once(self, account: str, subject: str, event: Event) -> bool:
        """Records an event, unless one is recorded for this subject already. Returns whether it recorded the event.

        Returns False for an account that does not exist. One transaction. Raises ConcurrentChange after a collision.
        """

        def alert(recorded: Event) -> Item:
            return Item(keys.account(account), keys.alert(subject), text({"event": recorded.id}))

        try:
            with self._transaction(_RecordedBefore()) as write:
                write.require_account(account)
                write.record_with(event, alert)
        except _RecordedBefore:
            return False
        return True


def quiet(store: StoreT, restored: str) -> StoreT:
    """A store whose events are kept and not published: what they say was said before a restore.

    `restored` names the restore. Before the store's first write.
    """
    store._restored = restored
    return store


class _RecordedBefore(ConcurrentChange):
    """The subject has an event already, or the account does not exist."""
