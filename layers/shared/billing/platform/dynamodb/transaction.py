"""Guarded writes: conditions, the events recorded with a change, due items, and the errors of a refusal.

Only this module uses PynamoDB. A store imports it with its first write (billing.platform.dynamodb.table), so a function
that only reads does not pay for it. A function that answers writes imports it at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, reduce
from operator import and_
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.constants import NUMBER
from pynamodb.exceptions import CancellationReason, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from billing.kernel.errors import BillingError, ConcurrentChange
from billing.kernel.events import ORDER_ATTEMPTS, Event, in_order
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image, LastEvents, Row
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
    last_event = UnicodeAttribute(null=True)
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


Put = tuple[ItemModel, Condition | None, str | None]
"""An item, the condition under which it is written, and what a failed condition returns."""


@dataclass(frozen=True, slots=True)
class _AccountWrite:
    """What a transaction requires of an account's own item, and writes to it.

    The item must be at `version`; with None it must exist. `item` replaces its body and its keys in the indexes; None
    leaves them. `unmarked` are the attributes beside the body that it loses, `without` those that it must not have.
    """

    version: int | None = None
    item: Item | None = None
    unmarked: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def fits(self, image: Image) -> bool:
        """Whether a stored item, empty without one, is as required."""
        if any(mark in image for mark in self.without):
            return False
        if self.version is None:
            return bool(image)
        return image.get("version", {}).get("N") == str(self.version)


class Transaction:
    """Up to 100 actions, all or none. Each verb adds one action. Two actions must not use the same item.

    An event of an account needs an action on the account's own item. Where no other verb adds it, `record` does.
    """

    def __init__(self, items: type[ItemModel], restored: str | None = None) -> None:
        self._items = items
        self._restored = restored
        self._others: list[Callable[[TransactWrite], object]] = []
        self._rewrites: list[Callable[[TransactWrite], object]] = []
        self._puts: list[Put] = []
        self._pages: dict[str, _AccountWrite] = {}
        self._new_pages: dict[str, ItemModel] = {}
        self._counters: list[tuple[int, Callable[[Image | None], Exception]]] = []
        self._events: dict[str, list[Event]] = {}
        self._abouts: list[tuple[str, int, Callable[[Event], Item]]] = []

    # ---- Items ----

    def put(self, item: Item) -> None:
        """Writes an item without a condition."""
        self._put(_stored(self._items, item), None)

    def add(self, item: Item) -> None:
        """Writes an item; the item must not exist."""
        self._put(_stored(self._items, item), self._items.pk.does_not_exist())

    def replace(self, item: Item, version: int) -> None:
        """Replaces version `version` of an item by the next version. With 0 the item must not exist."""
        if item.key == keys.PAGE_ACCOUNT and version:
            self.replace_account(item, version)
            return
        stored = _stored(self._items, item)
        stored.version = version + 1
        if item.key == keys.PAGE_ACCOUNT:
            self._new_pages[item.partition] = stored
        self._put(stored, self._at(version))

    def replace_account(
        self, item: Item, version: int, *, unmarked: Iterable[str] = (), without: Iterable[str] = ()
    ) -> None:
        """Replaces version `version` of an account's own item by the next version.

        It loses the marks `unmarked`, and must not have the marks `without` (billing.platform.dynamodb.mark).
        """
        self._write_account(item.partition, _AccountWrite(version, item, (*unmarked,), (*without,)))

    def replace_if(self, item: Item, before: str | None) -> None:
        """Replaces an item whose body is still `before`. With None the item must not exist."""
        self._put(_stored(self._items, item), self._unchanged(before))

    def claim(self, item: Item, now: datetime) -> None:
        """Writes an item; either the item must not exist, or its claim must have expired at `now`."""
        free = self._items.pk.does_not_exist() | (self._items.claimed_until < now.isoformat())
        self._put(_stored(self._items, item), free)

    def unmark_account(self, account: str, marks: Iterable[str]) -> None:
        """Requires that the account exists, and takes marks from its own item (billing.platform.dynamodb.mark)."""
        self._write_account(keys.account(account), _AccountWrite(unmarked=(*marks,)))

    def put_unclaimed(self, item: Item) -> None:
        """Writes an item, unless one with this key is claimed, even if that claim has expired."""
        self._put(_stored(self._items, item), self._items.claimed_until.does_not_exist())

    def delete_unclaimed(self, partition: str, key: str) -> None:
        """Deletes an item, if it exists. It must not be claimed, even if the claim has expired."""
        self._delete(partition, key, self._items.claimed_until.does_not_exist())

    def rewrite(self, row: Row, body: str) -> None:
        """Replaces the body of an item as it was read, and leaves its other attributes. A version counts the change."""
        items = self._items
        actions: list[Action] = [items.body.set(body)]
        condition = items.body == row.body
        if row.version:
            actions.append(items.version.set(row.version + 1))
            condition &= items.version == row.version
        model = items(row.partition, row.key)
        self._rewrites.append(lambda write: write.update(model, actions=actions, condition=condition))

    def delete_if(self, partition: str, key: str, before: str) -> None:
        """Deletes an item, if it exists. Its body must be `before`."""
        self._delete(partition, key, self._items.pk.does_not_exist() | self._unchanged(before))

    def delete(self, partition: str, key: str, *, version: int | None = None) -> None:
        """Deletes an item, if it exists. With `version` the item must exist at that version."""
        self._delete(partition, key, None if version is None else self._at(version))

    def number(self, item: Item, count: int, day: date, taken: Callable[[Image | None], Exception]) -> None:
        """Sets a counter to `count` and its day to `day`.

        The stored count must be `count - 1` (no item counts as 0), and the stored day, if it has one, not later than
        `day`. If this condition fails, the transaction raises `taken(stored item, or None)`, whatever else fails: the
        next number may be of a document that the same partition has already. The next try tells what else is wrong.
        """
        stored = _stored(self._items, item)
        stored.counted, stored.dated = count, day.isoformat()
        not_later = self._items.dated.does_not_exist() | (self._items.dated <= stored.dated)
        at_count = self._items.counted == count - 1
        condition = self._items.pk.does_not_exist() if count == 1 else at_count & not_later
        self._counters.append((len(self._puts), taken))
        self._put(stored, condition, return_values="ALL_OLD")

    # ---- Conditions ----

    def check(self, partition: str, key: str, version: int | None = None) -> None:
        """Requires that an item exists. With `version` it must be at that version; with version 0 it must not exist."""
        if key == keys.PAGE_ACCOUNT and version != 0:
            self._write_account(partition, _AccountWrite(version))
            return
        items, condition = self._items, self._at(version)
        self._others.append(lambda write: write.condition_check(items, partition, key, condition=condition))

    def require_account(self, account: str) -> None:
        """Requires that the account exists, so nothing is written for a deleted account."""
        self.check(keys.account(account), keys.PAGE_ACCOUNT)

    # ---- Events and due items ----

    def record(self, event: Event, *, shared: str | None = None) -> None:
        """Records an event in the partition of its account, or in `shared` if it has no account.

        The events of an account sort in the order of their transactions, and within one as they were recorded. An
        event whose id does not sort after the account's last one gets another id, whatever the clocks of the machines
        say. Raises ValueError for an event without an account and without `shared`.
        """
        partition = shared if event.account is None else keys.account(event.account)
        if partition is None:
            raise ValueError("an event without an account needs a partition")
        self._events.setdefault(partition, []).append(event)
        if event.account is not None and not self._new_pages:
            self._pages.setdefault(partition, _AccountWrite())

    def record_with(self, event: Event, item_of: Callable[[Event], Item]) -> None:
        """Records an event of an account, and adds the item about it, which must not exist.

        `item_of` takes the event as it is recorded, because its id may be another one.
        """
        self.record(event)
        partition = keys.account(str(event.account))
        self._abouts.append((partition, len(self._events[partition]) - 1, item_of))

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

    # ---- Sending ----

    def send(self, connection: Connection, otherwise: BillingError, last: LastEvents) -> None:
        """Sends the transaction; again, with later ids, if other events were recorded last and nothing else is wrong.

        One TransactWriteItems. A second one only if another process has recorded an event that this one does not know,
        in the same millisecond or with a faster clock. Raises the error of a refusal: see Writer.transaction.
        """
        after = {
            partition: "" if partition in self._new_pages else last.before(partition, events[0])
            for partition, events in self._events.items()
        }
        for _ in range(ORDER_ATTEMPTS):
            sent = _Sent(connection)
            try:
                recorded = self._send(sent, after)
            except TransactWriteError as failure:
                if isinstance(failure.cause, ClientError):
                    reasons = _reasons(failure)
                    later = self._later(sent, reasons)
                    if later and not any(reasons):
                        after |= later
                        continue
                    error = self._error_of(failure, sent, reasons, otherwise)
                    if error is not None:
                        raise error from failure
                # Without an answer PynamoDB cannot read a code; nor of a time-out.
                raise failure.cause or failure from None
            last.recorded(recorded)
            return
        raise ConcurrentChange

    def _send(self, sent: _Sent, after: Mapping[str, str]) -> dict[str, str]:
        """Sends the transaction with events `after` an id of each partition. Returns the ids of the last ones."""
        recorded = {partition: in_order(events, after[partition]) for partition, events in self._events.items()}
        for partition, stored in self._new_pages.items():
            stored.last_event = recorded[partition][-1].id if partition in recorded else None
        with sent.write as write:
            for add in self._others:
                add(write)
            updates = {}
            for partition, page in self._pages.items():
                if page.item is None and partition not in recorded:
                    condition = self._at(page.version)
                    write.condition_check(self._items, partition, keys.PAGE_ACCOUNT, condition=condition)
                    sent.before_puts += 1
                else:
                    updates[partition] = page
            sent.before_puts += len(self._others)
            recorded_puts = [self._event_put(partition, each) for partition in recorded for each in recorded[partition]]
            about_puts = [
                self._about_put(item_of(recorded[partition][number])) for partition, number, item_of in self._abouts
            ]
            puts = [*self._puts, *recorded_puts, *about_puts]
            for model, guard, return_values in puts:
                write.save(model, condition=guard, return_values=return_values)
            for partition, page in updates.items():
                sent.pages[sent.before_puts + len(puts) + len(sent.pages)] = partition
                self._update_page(write, partition, page, recorded.get(partition, ()))
            for rewrite in self._rewrites:
                rewrite(write)
        return {partition: events[-1].id for partition, events in recorded.items()}

    def _update_page(self, write: TransactWrite, partition: str, page: _AccountWrite, events: Sequence[Event]) -> None:
        items = self._items
        actions: list[Action] = []
        conditions = [self._at(page.version)]
        if page.item is not None:
            actions += [items.body.set(page.item.body), items.version.set((page.version or 0) + 1)]
            actions += _keys_in_indexes(items, page.item)
        if events:
            actions.append(items.last_event.set(events[-1].id))
            conditions.append(items.last_event.does_not_exist() | (items.last_event < events[0].id))
        actions += [Path([mark]).remove() for mark in page.unmarked]
        conditions += [Path([mark]).does_not_exist() for mark in page.without]
        model = items(partition, keys.PAGE_ACCOUNT)
        write.update(model, actions=actions, condition=reduce(and_, conditions), return_values="ALL_OLD")

    def _event_put(self, partition: str, event: Event) -> Put:
        stored = _stored(self._items, Item(partition, keys.event(event.id), event_body(event)))
        stored.restored = self._restored
        return stored, None, None

    def _about_put(self, item: Item) -> Put:
        return _stored(self._items, item), self._items.pk.does_not_exist(), None

    def _later(self, sent: _Sent, reasons: list[CancellationReason | None]) -> dict[str, str]:
        """The last ids of the accounts whose last event alone refused their page; takes these out of the reasons."""
        later = dict[str, str]()
        for place, partition in sent.pages.items():
            reason = reasons[place] if place < len(reasons) else None
            image: Image = (reason.raw_item if reason and reason.code == CONDITION else None) or {}
            if self._pages[partition].fits(image) and "last_event" in image:
                later[partition] = image["last_event"]["S"]
                reasons[place] = None
        return later

    def _error_of(
        self,
        failure: TransactWriteError,
        sent: _Sent,
        reasons: list[CancellationReason | None],
        otherwise: BillingError,
    ) -> Exception | None:
        """Our error for a cancelled transaction; None if no code has an error of ours (see refusals.error_of)."""
        for put, taken in self._counters:
            place = sent.before_puts + put
            reason = reasons[place] if place < len(reasons) else None
            if reason and reason.code == CONDITION:
                return taken(reason.raw_item or None)
        codes = {failure.cause_response_code or "", *(each.code for each in reasons if each)}
        return error_of(codes, otherwise)

    # ---- Actions ----

    def _write_account(self, partition: str, action: _AccountWrite) -> None:
        """Adds the action on an account's own item; `record` may have required the account before."""
        if self._pages.get(partition, _AccountWrite()) != _AccountWrite():
            raise ValueError("two actions of a transaction must not use the same item")
        self._pages[partition] = action

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
        self._puts.append((stored, condition, return_values))

    def _delete(self, partition: str, key: str, condition: Condition | None) -> None:
        stored = self._items(partition, key)
        self._others.append(lambda write: write.delete(stored, condition=condition))

    def _at(self, version: int | None) -> Condition:
        if version is None:
            return self._items.pk.exists()
        return self._items.version == version if version else self._items.pk.does_not_exist()

    def _unchanged(self, before: str | None) -> Condition:
        return self._items.pk.does_not_exist() if before is None else self._items.body == before


class _Sent:
    """A transaction that is being sent. PynamoDB sends checks first, then deletes, puts and updates.

    `pages` are the partitions of the updates of accounts, by their places among the actions.
    """

    def __init__(self, connection: Connection) -> None:
        self.write = TransactWrite(connection=connection)
        self.before_puts = 0
        self.pages: dict[int, str] = {}


class Writer:
    """Writes to one table: transactions, and three single writes."""

    def __init__(self, table_name: str, client: Any, last_events: LastEvents, restored: str | None = None) -> None:
        """`client` is botocore's client of DynamoDB. `last_events` are those that the reader beside it has met.

        Events with `restored` are kept, and not published.
        """
        self._items = items_of(table_name)
        self._restored = restored
        self._connection = SharedClient(client)
        self._last = last_events

    @contextmanager
    def transaction(self, otherwise: BillingError | None = None) -> Iterator[Transaction]:
        """A transaction that is sent at the end of the block. One TransactWriteItems.

        A failed condition raises `otherwise`, or ConcurrentChange if it is None. A collision raises ConcurrentChange, a
        throttle Busy, and every other failure botocore's error.
        """
        transaction = Transaction(self._items, self._restored)
        yield transaction
        transaction.send(self._connection, otherwise or ConcurrentChange(), self._last)

    def delete(self, partition: str, key: str) -> None:
        """Deletes an item, if it exists. One write. Raises Busy and ConcurrentChange."""
        self._send("DeleteItem", self._items(partition, key).get_delete_kwargs_from_instance())

    def replace_existing(self, item: Item) -> bool:
        """Replaces an item; False if it does not exist. One write. Raises Busy and ConcurrentChange."""
        stored = _stored(self._items, item)
        return self._send_if("PutItem", stored.get_save_kwargs_from_instance(self._items.pk.exists()))

    def index(self, item: Item) -> bool:
        """Gives an item, whose body is still this one, the index keys of `item`; False if it has changed since.

        It keeps its version, because it says nothing else. One write. Raises Busy and ConcurrentChange.
        """
        stored = self._items(item.partition, item.key)
        request = stored.get_update_kwargs_from_instance(
            _keys_in_indexes(self._items, item), condition=self._items.body == item.body
        )
        return self._send_if("UpdateItem", request)

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


def _reasons(failure: TransactWriteError) -> list[CancellationReason | None]:
    """The reasons of a refusal, one for each action; None for an action that refused nothing."""
    return [each if each and each.code != "None" else None for each in failure.cancellation_reasons]


def _keys_in_indexes(items: type[ItemModel], item: Item) -> list[Action]:
    """The actions of an update that take an item into its indexes, and out of those that it is no longer in."""
    first, second = item.places
    partition, key = first or (None, None)
    list_partition, list_key = second or (None, None)
    wanted = [(items.gsi1pk, partition), (items.gsi1sk, key), (items.gsi2pk, list_partition), (items.gsi2sk, list_key)]
    return [name.remove() if value is None else name.set(value) for name, value in wanted]


def _stored(items: type[ItemModel], item: Item) -> ItemModel:
    first, second = item.places
    partition, key = first or (None, None)
    list_partition, list_key = second or (None, None)
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
