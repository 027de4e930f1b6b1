"""Marks: an attribute of an item that is written once, beside the body and the version of the item.

A mark needs no PynamoDB, so a function that only reads can set one. It changes no version: whoever has read the item
may still replace it, and the mark stays.
"""

from __future__ import annotations

from typing import Any

from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb.refusals import translated


def mark_once(
    client: Any, table: str, partition: str, key: str, attribute: str, value: str, *, also: str | None = None
) -> bool:
    """Sets an attribute of an existing item that does not have it. Returns whether this call set it. One UpdateItem.

    The attribute `also` gets the same value, unless it has one. `client` is botocore's client of DynamoDB. Raises Busy,
    and ConcurrentChange if a transaction writes the item.
    """
    names = {"#mark": attribute} if also is None else {"#mark": attribute, "#also": also}
    second = "" if also is None else ", #also = if_not_exists(#also, :value)"
    try:
        with translated(_MarkedBefore()):
            client.update_item(
                TableName=table,
                Key={"pk": {"S": partition}, "sk": {"S": key}},
                UpdateExpression=f"SET #mark = :value{second}",
                ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#mark)",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={":value": {"S": value}},
            )
    except _MarkedBefore:
        return False
    return True


class _MarkedBefore(ConcurrentChange):
    """The item has the mark, or does not exist."""
