"""Guarded writes: conditions, the events recorded with a change, due items, and the errors of a refusal.

Only this module uses PynamoDB. A store imports it with its first write (billing.platform.dynamodb.table), so a function
that only reads does not pay for it. A function that answers writes imports it at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.constants import NUMBER
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from billing.kernel.errors import BillingError, ConcurrentChange
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image
from billing.platform.dynamodb.refusals import CONDITION, error_of, translated
from billing.platform.events.mapping import event_body


class WholeNumberAttribute(Attribute[int]):
    """A whole number. PynamoDB's NumberAttribute also accepts and returns floats."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return f"{value:d}"

    def deserialize(self, value: str) -> int:
        return int(value)


class ItemModel(Model):
    """The PynamoDB model of all items. The sort key says which kind an item is (billing.platform.dynamodb.keys)."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    gsi2pk = UnicodeAttribute(null=True)
    gsi2sk = UnicodeAttribute(null=True)
    claimed_until = UnicodeAttribute(null=True)
    expires_at = WholeNumberAttribute(null=True)
    body = UnicodeAttribute(null=True)
    version = WholeNumberAttribute(null=True)
    dated = UnicodeAttribute(null=True)
    counted = WholeNumberAttribute(null=True, attr_name="count")  # `count` is a method of Model
    restored = UnicodeAttribute(null=True)


class SharedClient(Connection):
    """A PynamoDB connection over the one client of the process. PynamoDB would make its own session and client."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._shared = client

    @property
    def client(self) -> Any:
        return self._shared


@cache
def items_of(table_name: str) -> type[ItemModel]:
    """The model class for one table. PynamoDB keeps the name of the table in the class."""
    meta = type("Meta", (), {"table_name": table_name})
    return type("ItemModel", (ItemModel,), {"Meta": meta})


class Transaction:
    """Up to 100 actions, all or none. Each verb adds one action. Two actions must not use the same item."""

    def __init__(self, items: type[ItemModel], write: TransactWrite, restored: str | None = None) -> None:
        self._items = items
        self._write = write
        self._restored = restored
        self._before_puts = 0  # PynamoDB sends checks first, then deletes, then puts
        self._puts = 0
        self._counter: tuple[int, Callable[[Image | None], Exception]] | None = None

    # ---- Items ----

    def put(self, item: Item) -> None:
        """Writes an item without a condition."""
        self._put(_stored(self._items, item), None)

    def add(self, item: Item) -> None:
        """Writes an item; the item must not exist."""
        self._put(_stored(self._items, item), self._items.pk.does_not_exist())

    def replace(self, item: Item, version: int) -> None:
        """Replaces version `version` of an item by the next version. With 0 the item must not exist."""
        stored = _stored(self._items, item)
        stored.version = version + 1
        self._put(stored, self._at(version))

    def replace_if(self, item: Item, before: str | None) -> None:
        """Replaces an item whose body is still `before`. With None the item must not exist."""
        self._put(_stored(self._items, item), self._unchanged(before))

    def claim(self, item: Item, now: datetime) -> None:
        """Writes an item; either the item must not exist, or its claim must have expired at `now`."""
        free = self._items.pk.does_not_exist() | (self._items.claimed_until < now.isoformat())
        self._put(_stored(self._items, item), free)

    def delete(self, partition: str, key: str, *, version: int | None = None) -> None:
        """Deletes an item, if it exists. With `version` the item must exist at that version."""
        self._delete(partition, key, None if version is None else self._at(version))

    def number(self, item: Item, count: int, day: date, taken: Callable[[Image | None], Exception]) -> None:
        """Sets a counter to `count` and its day to `day`.

        The stored count must be `count - 1` (no item counts as 0), and the stored day, if it has one, not later than
        `day`. If only this condition fails, the transaction raises `taken(stored item, or None)`.
        """
        stored = _stored(self._items, item)
        stored.counted, stored.dated = count, day.isoformat()
        not_later = self._items.dated.does_not_exist() | (self._items.dated <= stored.dated)
        at_count = self._items.counted == count - 1
        condition = self._items.pk.does_not_exist() if count == 1 else at_count & not_later
        self._counter = (self._puts, taken)
        self._put(stored, condition, return_values="ALL_OLD")

    # ---- Conditions ----

    def check(self, partition: str, key: str, version: int | None = None) -> None:
        """Requires that an item exists. With `version` it must be at that version; with version 0 it must not exist."""
        self._check(partition, key, self._items.pk.exists() if version is None else self._at(version))

    def require_account(self, account: str) -> None:
        """Requires that the account exists, so nothing is written for a deleted account."""
        self.check(keys.account(account), keys.PAGE_ACCOUNT)

    # ---- Events and due items ----

    def record(self, event: Event, *, shared: str | None = None) -> None:
        """Records an event in the partition of its account, or in `shared` if it has no account.

        Raises ValueError for an event without an account and without `shared`.
        """
        partition = shared if event.account is None else keys.account(event.account)
        if partition is None:
            raise ValueError("an event without an account needs a partition")
        self.put(Item(partition, keys.event(event.id), event_body(event)))

    def due(self, account: str, job: Job, at: datetime | None, body: str = "") -> None:
        """Sets when a job is due next for an account. With `at` None the job is no longer due."""
        self._due(account, job, at, body, None)

    def due_if(
        self,
        before: str | None,
        account: str,
        job: Job,
        at: datetime | None,
        body: str = "",
        list_index: tuple[str, str] | None = None,
    ) -> None:
        """Like due, if the body of the due item is still `before`. With None no due item must exist.

        With `list_index` the due item is in a list of staff until it is set again.
        """
        self._due(account, job, at, body, self._unchanged(before), list_index)

    # ---- Refusals and actions ----

    def error_of(self, failure: TransactWriteError, otherwise: BillingError) -> Exception | None:
        """Our error for a cancelled transaction; None if no code has an error of ours (see refusals.error_of)."""
        if not isinstance(failure.cause, ClientError):  # no answer; PynamoDB cannot read a code from a time-out either
            return None
        reasons = failure.cancellation_reasons
        if self._counter is not None:
            put, taken = self._counter
            place = self._before_puts + put
            if [number for number, each in enumerate(reasons) if each and each.code == CONDITION] == [place]:
                reason = reasons[place]
                stored = reason.raw_item if reason else None
                return taken(stored or None)
        codes = {failure.cause_response_code or "", *(each.code for each in reasons if each)}
        return error_of(codes, otherwise)

    def _due(
        self,
        account: str,
        job: Job,
        at: datetime | None,
        body: str,
        condition: Condition | None,
        list_index: tuple[str, str] | None = None,
    ) -> None:
        partition, key = keys.account(account), keys.due(job)
        if at is None:
            self._delete(partition, key, condition)
        else:
            index = keys.shard_of(job, account), keys.instant(at)
            item = Item(partition, key, body, index=index, list_index=list_index)
            self._put(_stored(self._items, item), condition)

    def _put(self, stored: ItemModel, condition: Condition | None, return_values: str | None = None) -> None:
        if self._restored is not None and stored.sk.startswith(keys.EVENT):
            stored.restored = self._restored
        self._write.save(stored, condition=condition, return_values=return_values)
        self._puts += 1

    def _delete(self, partition: str, key: str, condition: Condition | None) -> None:
        self._write.delete(self._items(partition, key), condition=condition)
        self._before_puts += 1

    def _check(self, partition: str, key: str, condition: Condition) -> None:
        self._write.condition_check(self._items, partition, key, condition=condition)
        self._before_puts += 1

    def _at(self, version: int) -> Condition:
        return self._items.version == version if version else self._items.pk.does_not_exist()

    def _unchanged(self, before: str | None) -> Condition:
        return self._items.pk.does_not_exist() if before is None else self._items.body == before


class Writer:
    """Writes to one table: transactions, and three single writes."""

    def __init__(self, table_name: str, client: Any, restored: str | None = None) -> None:
        """`client` is botocore's client of DynamoDB. Events with `restored` are kept, and not published."""
        self._items = items_of(table_name)
        self._restored = restored
        self._connection = SharedClient(client)

    @contextmanager
    def transaction(self, otherwise: BillingError | None = None) -> Iterator[Transaction]:
        """A transaction that is sent at the end of the block. One TransactWriteItems.

        A failed condition raises `otherwise`, or ConcurrentChange if it is None. A collision raises ConcurrentChange, a
        throttle Busy, and every other failure botocore's error.
        """
        write = TransactWrite(connection=self._connection)
        transaction = Transaction(self._items, write, self._restored)
        try:
            with write:
                yield transaction
        except TransactWriteError as failure:
            error = transaction.error_of(failure, otherwise or ConcurrentChange())
            if error is not None:
                raise error from failure
            raise failure.cause or failure from None

    def delete(self, partition: str, key: str) -> None:
        """Deletes an item, if it exists. One write. Raises Busy and ConcurrentChange."""
        self._send("DeleteItem", self._items(partition, key).get_delete_kwargs_from_instance())

    def replace_existing(self, item: Item) -> bool:
        """Replaces an item; False if it does not exist. One write. Raises Busy and ConcurrentChange."""
        stored = _stored(self._items, item)
        return self._send_if("PutItem", stored.get_save_kwargs_from_instance(self._items.pk.exists()))

    def release(self, item: Item) -> bool:
        """Deletes an item that is claimed with this body; False if not. One write. Raises Busy and ConcurrentChange."""
        claimed = (self._items.body == item.body) & self._items.claimed_until.exists()
        stored = self._items(item.partition, item.key)
        return self._send_if("DeleteItem", stored.get_delete_kwargs_from_instance(claimed))

    def _send_if(self, operation: str, request: dict[str, Any]) -> bool:
        try:
            self._send(operation, request)
        except _ConditionFailed:
            return False
        return True

    def _send(self, operation: str, request: dict[str, Any]) -> None:
        with translated(_ConditionFailed()):
            self._connection.dispatch(operation, request)


class _ConditionFailed(ConcurrentChange):
    """The condition of a single write failed."""


def _stored(items: type[ItemModel], item: Item) -> ItemModel:
    partition, key = item.index or (None, None)
    list_partition, list_key = item.list_index or (None, None)
    return items(
        item.partition,
        item.key,
        gsi1pk=partition,
        gsi1sk=key,
        gsi2pk=list_partition,
        gsi2sk=list_key,
        claimed_until=item.claimed_until,
        expires_at=None if item.expires_at is None else int(item.expires_at.timestamp()),
        body=item.body,
    )
