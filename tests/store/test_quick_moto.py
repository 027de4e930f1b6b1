"""The quick moto of the tests gives the same answers, and keeps the same items, as moto."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import boto3
import pytest

from tests.aws import REGION, TABLE, stored_items
from tests.quick_moto import make_as_installed

ATTRIBUTES: dict[str, Any] = {
    "text": {"S": ""},
    "number": {"N": "1.50"},
    "bytes": {"B": b"\x00\xff"},
    "nothing": {"NULL": True},
    "yes": {"BOOL": False},
    "texts": {"SS": ["a", "b"]},
    "map": {"M": {"S": {"S": "x"}, "deep": {"L": [{"N": "1"}, {"M": {}}]}}},
}


@pytest.fixture(params=["quick", "as installed"])
def dynamodb(request: pytest.FixtureRequest, store: object) -> Iterator[Any]:
    """A client over an empty table: once with the quick moto of the tests, once with moto as installed."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "as installed":
            make_as_installed(patch)
        yield boto3.client("dynamodb", region_name=REGION)


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": "P"}, "sk": {"S": f"S{number}"}}


def put(number: int) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": {**key(number), **ATTRIBUTES}}}


def update(number: int, condition: str = "attribute_exists(pk)") -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": key(number),
            "UpdateExpression": "ADD #n :one SET made = :one REMOVE yes",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#n": "number"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def test_every_type_is_read_as_it_was_written(dynamodb: Any) -> None:
    dynamodb.transact_write_items(TransactItems=[put(1), put(2)])

    assert dynamodb.get_item(TableName=TABLE, Key=key(1))["Item"] == {**key(1), **ATTRIBUTES}
    reply = dynamodb.query(
        TableName=TABLE, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "P"}}
    )
    assert reply["Items"] == [{**key(number), **ATTRIBUTES} for number in (1, 2)]


def test_a_refused_transaction_changes_nothing(dynamodb: Any) -> None:
    dynamodb.transact_write_items(TransactItems=[put(1), put(2)])
    before = deepcopy(stored_items())
    delete = {"Delete": {"TableName": TABLE, "Key": key(2)}}

    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[update(1), delete, put(3), update(4, "attribute_not_exists(pk)"), update(5)]
        )
    assert stored_items() == before

    dynamodb.transact_write_items(TransactItems=[update(1), delete, put(3), update(4, "attribute_not_exists(pk)")])
    after = {item["sk"]: item for item in stored_items()}
    assert sorted(after) == ["S1", "S3", "S4"]
    assert (after["S1"]["number"], after["S1"]["made"], after["S4"]["number"]) == (2.5, 1, 1)
    assert "yes" not in after["S1"]


def test_a_refused_update_changes_nothing(dynamodb: Any) -> None:
    dynamodb.put_item(TableName=TABLE, Item={**key(1), **ATTRIBUTES})
    before = deepcopy(stored_items())
    refused = update(1, "attribute_not_exists(pk)")["Update"]

    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(**refused)
    assert stored_items() == before
