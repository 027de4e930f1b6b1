"""The table's items as PynamoDB sees them: keys, a version, and a body that only billing.store.mapping reads.

An attribute of its own is what is keyed, conditioned or indexed; all else is one JSON text, which costs a
reader one decoding instead of one per nested value. The sort key says what kind an item is, so there are no
polymorphic models, and no query that silently skips a kind it has not imported.

Writes go through the models, for their conditions. Queries find rows: making a model of each item, and a condition
of objects, would cost half of the billing page (benchmarks/).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from botocore.session import Session
from pynamodb.attributes import NumberAttribute, UnicodeAttribute, VersionAttribute
from pynamodb.connection import Connection
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from billing.aws_session import ATTEMPTS_MAX, CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from billing.store import keys


class ByIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]
    """The one index, sparse: only items that carry its keys stand in it."""

    class Meta:
        index_name = keys.INDEX
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class Item(Model):
    """An item that is written under the guard of another one's version, or once."""

    class Meta:
        table_name: str | None = None  # given by connect()
        region: str | None = None
        connect_timeout_seconds = CONNECT_TIMEOUT_SECONDS
        read_timeout_seconds = READ_TIMEOUT_SECONDS
        max_retry_attempts = ATTEMPTS_MAX - 1

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    claimed_until = UnicodeAttribute(null=True)
    expires_at = NumberAttribute(null=True)
    body = UnicodeAttribute()

    by_index = ByIndex()


class VersionedItem(Item):
    """An item that is changed: each write states the version that it replaces."""

    version = VersionAttribute()


class Row(NamedTuple):
    """An item as a query finds it; `version` is 0 where it has none."""

    pk: str
    sk: str
    body: str
    version: int


def rows(
    connection: Connection,
    partition: str,
    first: str,
    last: str,
    *,
    limit: int,
    newest_first: bool = False,
    consistent: bool = False,
    index: str | None = None,
) -> list[Row]:
    """Up to `limit` items of a partition from sort key `first` to `last`, both included. One query per megabyte.

    Raises botocore's errors.
    """
    partition_key, sort_key = ("pk", "sk") if index is None else (f"{index}pk", f"{index}sk")
    asked: dict[str, Any] = {
        "TableName": Item.Meta.table_name,
        "KeyConditionExpression": f"{partition_key} = :partition AND {sort_key} BETWEEN :first AND :last",
        "ExpressionAttributeValues": {
            ":partition": {"S": partition},
            ":first": {"S": first},
            ":last": {"S": last},
        },
        "ScanIndexForward": not newest_first,
    }
    if index is None:
        asked["ConsistentRead"] = consistent
    else:
        asked["IndexName"] = index
    client: Any = connection.client  # typed by PynamoDB for its own calls only
    found: list[Row] = []
    while len(found) < limit:
        reply = client.query(**asked, Limit=limit - len(found))
        found.extend(map(_row, reply["Items"]))
        if "LastEvaluatedKey" not in reply:
            break
        asked["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
    return found


def _row(item: dict[str, dict[str, str]]) -> Row:
    version = int(item["version"]["N"]) if "version" in item else 0
    return Row(item["pk"]["S"], item["sk"]["S"], item["body"]["S"], version)


def connect(table_name: str, session: Session) -> Connection:
    """Points the items at their table, through the process's one session. A process has one table."""
    Item.Meta.table_name = table_name
    Item.Meta.region = session.get_config_variable("region")
    Item._connection = None
    connection: Connection = Item._get_connection().connection
    # PynamoDB would make a session of its own, and its client only when it first needs one.
    connection._local.session = session
    connection.client  # noqa: B018
    return connection
