"""The one way to read the table: botocore's client. PynamoDB would cost more to load than to read with.

A throttled read raises Busy. Every other failure raises botocore's error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

from billing.kernel.account_ids import clock_of
from billing.kernel.events import RANDOM_LETTERS, Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.refusals import translated

LAST_EVENTS_MAX = 1000

T = TypeVar("T")

Image = Mapping[str, Mapping[str, str]]
"""An item as DynamoDB sends it: typed attributes by name, such as {"pk": {"S": "CATALOGUE"}}."""


class Row(NamedTuple):
    """An item. `version` is 0 and `body` is empty if the item has none. `image` has all attributes."""

    partition: str
    key: str
    body: str
    version: int
    image: Image


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A page of a list. `last` is the argument `after` for the next page; None on the last page."""

    items: tuple[T, ...]
    last: str | None


class LastEvents:
    """The last event of accounts, as far as this process has read or recorded them.

    A transaction that knows it needs no second attempt to record a later one. What is stale does no harm.
    """

    def __init__(self) -> None:
        self._read: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def read(self, partition: str, image: Image) -> None:
        """Notes what the item of an account says."""
        if "last_event" in image:
            _keep(self._read, partition, image["last_event"]["S"])
        else:
            self._read.pop(partition, None)
        self._recorded.pop(partition, None)

    def recorded(self, last: Mapping[str, str]) -> None:
        """Notes the last events that this process has recorded."""
        for partition, event in last.items():
            self._read.pop(partition, None)
            _keep(self._recorded, partition, event)

    def before(self, partition: str, event: Event) -> str:
        """The last one before an event to record, empty if it is not known or certainly earlier."""
        recorded = self._recorded.get(partition, "")
        is_close = recorded[:-RANDOM_LETTERS] == event.id[:-RANDOM_LETTERS]
        return self._read.get(partition, recorded if is_close else "")


_last_events: WeakKeyDictionary[Any, LastEvents] = WeakKeyDictionary()
"""By client: all stores of a process have the same one, and one may read the account whose event another records."""


def _keep(events: dict[str, str], partition: str, event: str) -> None:
    if len(events) >= LAST_EVENTS_MAX:
        events.clear()
    events[partition] = event


class Reader:
    """Reads one table and its index."""

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's client of DynamoDB."""
        self._table = table_name
        self._client = client
        self.last_events = _last_events.setdefault(client, LastEvents())

    def get(self, partition: str, key: str) -> Row | None:
        """An item, or None. One GetItem, strongly consistent."""
        place = {"pk": {"S": partition}, "sk": {"S": key}}
        with translated():
            reply = self._client.get_item(TableName=self._table, Key=place, ConsistentRead=True)
        return self._row(reply["Item"]) if "Item" in reply else None

    def get_all(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """The existing ones of up to 100 items, by (partition, sort key). One BatchGetItem, strongly consistent."""
        rows: dict[tuple[str, str], Row] = {}
        item_keys = [{"pk": {"S": partition}, "sk": {"S": key}} for partition, key in places]
        request: Any = {self._table: {"Keys": item_keys, "ConsistentRead": True}} if item_keys else None
        while request:
            with translated():
                reply = self._client.batch_get_item(RequestItems=request)
            for row in map(self._row, reply["Responses"].get(self._table, [])):
                rows[row.partition, row.key] = row
            request = reply.get("UnprocessedKeys")
        return rows

    def query(
        self,
        partition: str,
        first: str,
        last: str,
        *,
        limit: int | None = None,
        newest_first: bool = False,
        consistent: bool = False,
        index: str | None = None,
        at_once: int | None = None,
    ) -> Iterator[Row]:
        """Items of a partition from sort key `first` to `last`, both included; of the table, or of `index`.

        `limit` ends the iteration. `at_once` is how many items one Query reads, for an iteration that may end early.

        None if `first` is after `last`, as it may be for a cursor that another list has made: DynamoDB would refuse
        such a range. One Query per megabyte, or per `at_once` items.
        """
        if first > last:
            return
        partition_key, sort_key = ("pk", "sk") if index is None else (f"{index}pk", f"{index}sk")
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": f"{partition_key} = :partition AND {sort_key} BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":partition": {"S": partition},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            "ScanIndexForward": not newest_first,
        }
        if index is not None:
            request["IndexName"] = index
        if consistent:
            request["ConsistentRead"] = True
        left = limit
        while left is None or left > 0:
            if at_once is not None or left is not None:
                request["Limit"] = min(each for each in (at_once, left) if each is not None)
            with translated():
                reply = self._client.query(**request)
            yield from map(self._row, reply["Items"])
            if "LastEvaluatedKey" not in reply:
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
            left = None if left is None else left - len(reply["Items"])

    def newest(
        self,
        partition: str,
        family: str,
        value_of: Callable[[Row], T | None],
        *,
        limit: int,
        after: str | None,
        within: str | None = None,
        filtered: bool = False,
        consistent: bool = False,
    ) -> Slice[T]:
        """A page of up to `limit` values of a family, newest first. One Query.

        `within` is a longer prefix that narrows the family. `value_of` may return None to leave a row out; the query
        must then be `filtered`. A filtered query reads until the page is full: one Query per megabyte.
        """
        begin = within or family
        before = keys.last_of(begin) if after is None else family + after
        # Two rows more than the page: the row that `after` names, and one that shows whether another page follows.
        rows_max = None if filtered else limit + 2
        rows = self.query(partition, begin, before, limit=rows_max, newest_first=True, consistent=consistent)
        listed = ((row.key, value) for row in rows if row.key != before and (value := value_of(row)) is not None)
        values = [*islice(listed, limit + 1)]
        last = values[limit - 1][0].removeprefix(family) if len(values) > limit else None
        return Slice(tuple(value for _, value in values[:limit]), last)

    def oldest(
        self,
        partition: str,
        family: str,
        value_of: Callable[[Row], T],
        *,
        limit: int,
        after: str | None,
        index: str | None = None,
    ) -> Slice[T]:
        """A page of up to `limit` values of a family, in key order; of the table, or of `index`. One Query."""
        first = family or " " if after is None else keys.after(family + after)
        rows = [*self.query(partition, first, keys.last_of(family), limit=limit + 1, index=index)]
        sort_key = "sk" if index is None else f"{index}sk"
        last = rows[limit - 1].image[sort_key]["S"].removeprefix(family) if len(rows) > limit else None
        return Slice(tuple(map(value_of, rows[:limit])), last)

    def merged(
        self,
        lists: Iterable[tuple[str, str]],
        first: str,
        last: str,
        *,
        at_once: int,
        newest_first: bool = False,
    ) -> Iterator[tuple[str, Row]]:
        """The rows of several lists, each a partition of an index, as one list: (sort key in the index, row).

        From sort key `first` to `last`, both included. One Query per list and `at_once` rows, as far as the iteration
        goes.
        """

        def rows(partition: str, index: str) -> Iterator[tuple[str, Row]]:
            found = self.query(partition, first, last, newest_first=newest_first, index=index, at_once=at_once)
            return ((row.image[f"{index}sk"]["S"], row) for row in found)

        iterators = [rows(partition, index) for partition, index in lists]
        return merge(*iterators, key=lambda each: each[0], reverse=newest_first)

    def listed(
        self,
        partitions: Iterable[str],
        value_of: Callable[[Row], T],
        *,
        limit: int,
        after: str | None,
        within: str = "",
        index: str = keys.LIST_INDEX,
        newest_first: bool = False,
        clock: str | None = None,
    ) -> Slice[T]:
        """A page of a list of staff, whose partitions are merged; of those entries whose key begins with `within`.

        Of the accounts on a test clock if one is named, otherwise of those on none.

        A position may be any text, as a client can make one up: it never leads out of the list. One Query per
        partition.
        """
        first, last = within or " ", keys.last_listed(within)
        position = None if after is None else unquote(after)
        if position is not None and newest_first:
            last = min(last, position)
        elif position is not None:
            first = max(first, keys.after(position))
        lists = [(keys.on_clock(partition, clock), index) for partition in partitions]
        # Two rows more than the page: the row of the position, and one that shows whether another page follows.
        rows = self.merged(lists, first, last, at_once=limit + 2, newest_first=newest_first)
        # A partition may have a text of the request in it, which may be the name of the list of a clock.
        mine = (each for each in rows if clock_of(each[1].partition.removeprefix(keys.account(""))) == clock)
        page = [*islice(((key, row) for key, row in mine if key != position), limit + 1)]
        following = quote(page[limit - 1][0]) if len(page) > limit else None
        return Slice(tuple(value_of(row) for _, row in page[:limit]), following)

    def partitions_with(self, key: str, after: str | None = None) -> Iterator[str]:
        """The partitions that have an item with this sort key. Scans the whole table: for operator commands only.

        The order is DynamoDB's, and always the same: with `after`, the scan goes on behind a partition.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "FilterExpression": "sk = :key",
            "ExpressionAttributeValues": {":key": {"S": key}},
            "ProjectionExpression": "pk",
        }
        if after is not None:
            request["ExclusiveStartKey"] = {"pk": {"S": after}, "sk": {"S": key}}
        while True:
            with translated():
                reply = self._client.scan(**request)
            yield from (row["pk"]["S"] for row in reply["Items"])
            if "LastEvaluatedKey" not in reply:
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def _row(self, image: Image) -> Row:
        row = row_of(image)
        if row.key == keys.PAGE_ACCOUNT:
            self.last_events.read(row.partition, image)
        return row


def row_of(image: Image) -> Row:
    """The row of an item that DynamoDB sent."""
    return Row(
        image["pk"]["S"],
        image["sk"]["S"],
        image["body"]["S"] if "body" in image else "",
        int(image["version"]["N"]) if "version" in image else 0,
        image,
    )
