"""What every store is: a way to read the one table, and a way to write to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from billing.kernel.errors import BillingError, ConcurrentChange
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Reader

if TYPE_CHECKING:  # PynamoDB is loaded with the first write
    from billing.platform.dynamodb.transaction import Transaction, Writer


class Table:
    """The base of the stores. A store has the verbs of one business area; each says its cost in round trips."""

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's client of DynamoDB."""
        self._name = table_name
        self._client = client
        self._reads = Reader(table_name, client)

    @cached_property
    def _writes(self) -> Writer:
        from billing.platform.dynamodb.transaction import Writer

        return Writer(self._name, self._client)

    def _transaction(self, otherwise: BillingError | None = None) -> AbstractContextManager[Transaction]:
        """All or nothing: see billing.platform.dynamodb.transaction. A failed condition is a ConcurrentChange unless
        named."""
        return self._writes.transaction(otherwise)

    def accounts(self) -> Iterator[str]:
        """The id of every account. Reads the whole table: for an operator's own commands only."""
        for partition in self._reads.partitions_with(keys.PAGE_ACCOUNT):
            yield partition.removeprefix(keys.account(""))

    def record_once(self, account: str, subject: str, event: Event) -> bool:
        """Records an event unless one was recorded about this subject before; whether it was now.

        False for an account that is gone. One transaction.
        """
        named = text({"event": event.id})
        try:
            with self._transaction(_RecordedBefore()) as write:
                write.require_account(account)
                write.add(Item(keys.account(account), keys.alert(subject), named))
                write.record(event)
        except _RecordedBefore:
            return False
        return True


class _RecordedBefore(ConcurrentChange):
    """It was recorded before, or the account is gone."""
