"""Marks: an attribute of an item that is written once, beside the body and the version of the item.

A mark needs no PynamoDB, so a function that only reads can set one. It changes no version: whoever has read the item
may still replace it, and the mark stays.
"""

from __future__ import annotations

from typing import Any

from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb.refusals import translated


def mark_once(client: Any, table: str, partition: str, key: str, attribute: str, value: str) -> bool:
    """Sets an attribute of an existing item that does not have it. Returns whether this call set it. One UpdateItem.

    `client` is botocore's client of DynamoDB. Raises Busy, and ConcurrentChange if a transaction writes the item.
    """
    try:
        with translated(_MarkedBefore()):
            client.update_item(
                TableName=table,
                Key={"pk": {"S": partition}, "sk": {"S": key}},
                UpdateExpression="SET #mark = :value",
                ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#mark)",
                ExpressionAttributeNames={"#mark": attribute},
                ExpressionAttributeValues={":value": {"S": value}},
            )
    except _MarkedBefore:
        return False
    return True


class _MarkedBefore(ConcurrentChange):
    """The item has the mark, or does not exist."""
