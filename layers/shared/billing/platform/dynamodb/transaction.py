"""Every guarded write: its condition, the event that it records, what becomes due with it, what a refusal means.

The only module that knows PynamoDB. A store loads it with its first write (billing.platform.dynamodb.table), because a
function that only reads must not pay for it; a function that answers writes loads it at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

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
from billing.platform.dynamodb.refusals import CONDITION, error_of, translated
from billing.platform.events.mapping import event_body


class WholeNumberAttribute(Attribute[int]):
    """A whole number, exact. PynamoDB's own number attribute reads and writes floats as well."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return f"{value:d}"

    def deserialize(self, value: str) -> int:
        return int(value)


class StoredItem(Model):
    """The table's items as PynamoDB sends them. The sort key says what kind an item is."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    claimed_until = UnicodeAttribute(null=True)
    expires_at = WholeNumberAttribute(null=True)
    body = UnicodeAttribute(null=True)
    version = WholeNumberAttribute(null=True)
    counted = WholeNumberAttribute(null=True, attr_name="count")  # a model has a method of that name


class SharedClient(Connection):
    """PynamoDB's connection over the client that the process has already, instead of a session of its own."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._shared = client

    @property
    def client(self) -> Any:
        return self._shared


@cache
def items_of(table_name: str) -> type[StoredItem]:
    """The items of one table: PynamoDB keeps a table's name, and how to write to it, with the class."""
    meta = type("Meta", (), {"table_name": table_name})
    return type("StoredItem", (StoredItem,), {"Meta": meta})


class Transaction:
    """Up to 100 writes, all or none. Each verb adds one action; no two may concern the same item."""

    def __init__(self, items: type[StoredItem], write: TransactWrite) -> None:
        self._items = items
        self._write = write
        self._before_puts = 0  # PynamoDB sends checks, then deletes, then puts
        self._puts = 0
        self._numbered: tuple[int, Callable[[int], Exception]] | None = None

    # ---- Items ----

    def put(self, item: Item) -> None:
        """Writes an item, whatever it replaces."""
        self._put(_stored(self._items, item), None)

    def add(self, item: Item) -> None:
        """Writes an item that must not exist yet."""
        self._put(_stored(self._items, item), self._items.pk.does_not_exist())

    def replace(self, item: Item, version: int) -> None:
        """Replaces version `version` of an item by the next; with 0 it must not exist yet."""
        stored = _stored(self._items, item)
        stored.version = version + 1
        self._put(stored, self._at(version))

    def replace_if(self, item: Item, before: str | None) -> None:
        """Replaces an item whose body must still be `before`; with None it must not exist yet."""
        self._put(_stored(self._items, item), self._unchanged(before))

    def claim(self, item: Item, now: datetime) -> None:
        """Writes an item that must not exist yet, or whose claim must have run out at `now`."""
        free = self._items.pk.does_not_exist() | (self._items.claimed_until < now.isoformat())
        self._put(_stored(self._items, item), free)

    def delete(self, partition: str, key: str, *, version: int | None = None) -> None:
        """Deletes an item, if there is one; with a `version` it must exist at that."""
        self._delete(partition, key, None if version is None else self._at(version))

    def number(self, partition: str, key: str, count: int, taken: Callable[[int], Exception]) -> None:
        """Counts one further: `count - 1` must be the count so far.

        If this alone is no longer so, the transaction raises what `taken` makes of the count.
        """
        stored = self._items(partition, key, counted=count)
        condition = self._items.pk.does_not_exist() if count == 1 else self._items.counted == count - 1
        self._numbered = (self._puts, taken)
        self._put(stored, condition, return_values="ALL_OLD")

    # ---- Conditions ----

    def check(self, partition: str, key: str, version: int | None = None) -> None:
        """An item must exist; with a `version` it must be at that, with version 0 it must not exist."""
        self._check(partition, key, self._items.pk.exists() if version is None else self._at(version))

    def require_account(self, account: str) -> None:
        """Nothing is written for an account that is gone."""
        self.check(keys.account(account), keys.PAGE_ACCOUNT)

    # ---- What goes with a change ----

    def record(self, event: Event, *, shared: str | None = None) -> None:
        """Records an event of an account; one of no account is recorded in the partition `shared`."""
        partition = shared if event.account is None else keys.account(event.account)
        if partition is None:
            raise ValueError("an event of no account needs a partition")
        self.put(Item(partition, keys.event(event.id), event_body(event)))

    def due(self, account: str, job: Job, at: datetime | None, body: str = "") -> None:
        """Sets when a job is due next for an account; it is not due any more if `at` is None."""
        self._due(account, job, at, body, None)

    def due_if(self, before: str | None, account: str, job: Job, at: datetime | None, body: str = "") -> None:
        """Sets when a job is due next, if what is due has still the body `before`; with None nothing may be due."""
        self._due(account, job, at, body, self._unchanged(before))

    # ---- How ----

    def error_of(self, failure: TransactWriteError, otherwise: BillingError) -> Exception | None:
        """What a refusal means; None where it is not one of ours."""
        reasons = failure.cancellation_reasons
        if self._numbered is not None:
            put, taken = self._numbered
            place = self._before_puts + put
            if [each for each, reason in enumerate(reasons) if reason and reason.code == CONDITION] == [place]:
                number = reasons[place]
                old = number.raw_item if number else None
                return taken(int(old["count"]["N"]) if old else 0)
        codes = {failure.cause_response_code or "", *(reason.code for reason in reasons if reason)}
        return error_of(codes, otherwise)

    def _due(self, account: str, job: Job, at: datetime | None, body: str, condition: Condition | None) -> None:
        partition, key = keys.account(account), keys.due(job)
        if at is None:
            self._delete(partition, key, condition)
        else:
            item = Item(partition, key, body, index=(keys.shard_of(job, account), keys.instant(at)))
            self._put(_stored(self._items, item), condition)

    def _put(self, stored: StoredItem, condition: Condition | None, return_values: str | None = None) -> None:
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
    """Writes to one table."""

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's client of DynamoDB."""
        self._items = items_of(table_name)
        self._connection = SharedClient(client)

    @contextmanager
    def transaction(self, otherwise: BillingError | None = None) -> Iterator[Transaction]:
        """All or nothing, sent when the block ends.

        A failed condition raises `otherwise`, ConcurrentChange if that is not given; a collision raises
        ConcurrentChange, a throttle Busy, every other failure botocore's error.
        """
        write = TransactWrite(connection=self._connection)
        transaction = Transaction(self._items, write)
        try:
            with write:
                yield transaction
        except TransactWriteError as failure:
            error = transaction.error_of(failure, otherwise or ConcurrentChange())
            if error is not None:
                raise error from failure
            raise failure.cause or failure from None

    def delete(self, partition: str, key: str) -> None:
        """Deletes an item, if there is one. One write. Raises Busy."""
        self._send("DeleteItem", self._items(partition, key).get_delete_kwargs_from_instance())

    def replace_existing(self, item: Item) -> bool:
        """Replaces an item; False if it does not exist. One write. Raises Busy."""
        stored = _stored(self._items, item)
        return self._held("PutItem", stored.get_save_kwargs_from_instance(self._items.pk.exists()))

    def release(self, item: Item) -> bool:
        """Deletes an item that is still claimed with this body; False if it is not. One write. Raises Busy."""
        claimed = (self._items.body == item.body) & self._items.claimed_until.exists()
        stored = self._items(item.partition, item.key)
        return self._held("DeleteItem", stored.get_delete_kwargs_from_instance(claimed))

    def _held(self, operation: str, request: dict[str, Any]) -> bool:
        try:
            self._send(operation, request)
        except _ConditionFailed:
            return False
        return True

    def _send(self, operation: str, request: dict[str, Any]) -> None:
        with translated(_ConditionFailed()):
            self._connection.dispatch(operation, request)


class _ConditionFailed(ConcurrentChange):
    """The condition of a single write does not hold."""


def _stored(items: type[StoredItem], item: Item) -> StoredItem:
    partition, key = (None, None) if item.index is None else item.index
    return items(
        item.partition,
        item.key,
        gsi1pk=partition,
        gsi1sk=key,
        claimed_until=item.claimed_until,
        expires_at=None if item.expires_at is None else int(item.expires_at.timestamp()),
        body=item.body,
    )
