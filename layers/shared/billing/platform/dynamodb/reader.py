"""The one way to read the table: botocore's client, and no PynamoDB, which would cost more to load than to read with.

Throttled reads raise Busy; every other failure raises botocore's errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from billing.platform.dynamodb import keys
from billing.platform.dynamodb.refusals import translated

T = TypeVar("T")

Image = Mapping[str, Mapping[str, str]]
"""An item as DynamoDB sends it: attributes by name, each with its type."""


class Row(NamedTuple):
    """An item. `version` is 0 and `body` is empty where it has none; `image` has the other attributes."""

    partition: str
    key: str
    body: str
    version: int
    image: Image


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A page of a list. `last` is the `after` of the next page; None on the last page."""

    items: tuple[T, ...]
    last: str | None


class Reader:
    """Reads one table, and its index."""

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's client of DynamoDB."""
        self._table = table_name
        self._client = client

    def get(self, partition: str, key: str) -> Row | None:
        """One item, as of now. One GetItem."""
        place = {"pk": {"S": partition}, "sk": {"S": key}}
        with translated():
            reply = self._client.get_item(TableName=self._table, Key=place, ConsistentRead=True)
        return row_of(reply["Item"]) if "Item" in reply else None

    def get_all(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Those of up to 100 items that exist, as of now, by partition and sort key. One BatchGetItem."""
        found: dict[tuple[str, str], Row] = {}
        places = [{"pk": {"S": partition}, "sk": {"S": key}} for partition, key in wanted]
        asked: Any = {self._table: {"Keys": places, "ConsistentRead": True}} if places else None
        while asked:
            with translated():
                reply = self._client.batch_get_item(RequestItems=asked)
            for row in map(row_of, reply["Responses"].get(self._table, [])):
                found[row.partition, row.key] = row
            asked = reply.get("UnprocessedKeys")
        return found

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
    ) -> Iterator[Row]:
        """Items of a partition, of the table or of its index, from sort key `first` to `last`, both included.

        One Query per megabyte.
        """
        partition_key, sort_key = ("pk", "sk") if index is None else (f"{index}pk", f"{index}sk")
        asked: dict[str, Any] = {
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
            asked["IndexName"] = index
        if consistent:
            asked["ConsistentRead"] = True
        left = limit
        while left is None or left > 0:
            if left is not None:
                asked["Limit"] = left
            with translated():
                reply = self._client.query(**asked)
            yield from map(row_of, reply["Items"])
            if "LastEvaluatedKey" not in reply:
                return
            asked["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
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
    ) -> Slice[T]:
        """A page of a family, newest first. One Query.

        `within` narrows the family to the keys that begin so. `value_of` gives None for what is not listed, and
        then the query must be `filtered`: it reads on until the page is full, at one Query per megabyte.
        """
        begin = within or family
        before = keys.last_of(begin) if after is None else family + after
        # One more for the one that `after` names, and one that shows whether more follow.
        rows = self.query(partition, begin, before, limit=None if filtered else limit + 2, newest_first=True)
        listed = ((row.key, value) for row in rows if row.key != before and (value := value_of(row)) is not None)
        found = [*islice(listed, limit + 1)]
        last = found[limit - 1][0].removeprefix(family) if len(found) > limit else None
        return Slice(tuple(value for _, value in found[:limit]), last)

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
        """A page of a family, of the table or of its index, in the order of its keys. One Query."""
        first = family or " " if after is None else keys.after(family + after)
        rows = [*self.query(partition, first, keys.last_of(family), limit=limit + 1, index=index)]
        sort_key = "sk" if index is None else f"{index}sk"
        last = rows[limit - 1].image[sort_key]["S"].removeprefix(family) if len(rows) > limit else None
        return Slice(tuple(map(value_of, rows[:limit])), last)

    def partitions_with(self, key: str) -> Iterator[str]:
        """The partitions that have an item with this sort key. Reads the whole table: for an operator's commands."""
        asked: dict[str, Any] = {
            "TableName": self._table,
            "FilterExpression": "sk = :key",
            "ExpressionAttributeValues": {":key": {"S": key}},
            "ProjectionExpression": "pk",
        }
        while True:
            with translated():
                reply = self._client.scan(**asked)
            yield from (row["pk"]["S"] for row in reply["Items"])
            if "LastEvaluatedKey" not in reply:
                return
            asked["ExclusiveStartKey"] = reply["LastEvaluatedKey"]


def row_of(image: Image) -> Row:
    """An item as DynamoDB sends it, as a row."""
    return Row(
        image["pk"]["S"],
        image["sk"]["S"],
        image["body"]["S"] if "body" in image else "",
        int(image["version"]["N"]) if "version" in image else 0,
        image,
    )
