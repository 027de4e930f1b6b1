"""Behaviour of the in-memory table that the comparison with the emulated DynamoDB does not cover."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.aws import TABLE
from tests.faults.table import PAGE_BYTES_MAX, Schema, Table
from tests.faults.values import Refused, Unsupported, checked, item_bytes, number
from tests.template import resources

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


@pytest.fixture
def table() -> Table:
    return Table(Schema.of(TABLE, resources()["Table"]["Properties"]))


def ask(table: Table, operation: str, **request: Any) -> Any:
    return table.answer(operation, {"TableName": TABLE, **request})


def refusal(table: Table, operation: str, **request: Any) -> Refused:
    """The error of a request that must be refused. Asserts that it changes nothing."""
    before = table.items()
    with pytest.raises(Refused) as caught:
        ask(table, operation, **request)
    assert table.items() == before
    return caught.value


def update(expression: str, **values: Any) -> dict[str, Any]:
    placeholders = {f":{name}": value for name, value in values.items()}
    attribute_values = {"ExpressionAttributeValues": placeholders} if values else {}
    return {"Key": KEY, "UpdateExpression": expression, **attribute_values}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("DescribeTable", {}),
        ("PutItem", {"Item": KEY, "Expected": {}}),
        ("Query", {"KeyConditionExpression": "pk = :p", "QueryFilter": {}}),
    ],
)
def test_an_unsupported_request_raises(table: Table, operation: str, request_: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        ask(table, operation, **request_)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "SET",
        "SET amount",
        "SET amount = ",
        "SET amount = :v extra",
        "PUT amount = :v",
        "SET amount = :v SET name_ = :v",
        "SET amount = :missing",
        "SET name = :v",
        "SET amount = :v REMOVE amount",
        "SET pk = :v",
        "SET amount = size(pk)",
        "SET amount = :v * :v",
        "ADD amount :v amount",
    ],
)
def test_an_invalid_update_expression_is_refused(table: Table, expression: str) -> None:
    assert refusal(table, "UpdateItem", **update(expression, v={"N": "1"})).code == "ValidationException"


@pytest.mark.parametrize(
    "expression",
    [
        "amount",
        "amount =",
        "amount == :v",
        "(amount = :v",
        "amount = :v)",
        "((amount = :v))",
        "amount = :v AND",
        "NOT",
        "amount BETWEEN :v",
        "amount IN :v",
        "exists(amount)",
        "attribute_exists(:v)",
        "amount ? :v",
        "amount < :set",
        "begins_with(amount, :v)",
        "amount BETWEEN :v AND :less",
    ],
)
def test_an_invalid_condition_is_refused(table: Table, expression: str) -> None:
    values = {":v": {"N": "1"}, ":less": {"N": "0"}, ":set": {"SS": ["a"]}}
    used = {name: value for name, value in values.items() if name in expression.split() or f"{name})" in expression}
    request = {"ExpressionAttributeValues": used} if used else {}

    assert refusal(table, "PutItem", Item=KEY, ConditionExpression=expression, **request).code == "ValidationException"


def test_not_binds_tighter_than_and_and_and_than_or(table: Table) -> None:
    ask(table, "PutItem", Item={**KEY, "amount": {"N": "1"}})

    def holds(condition: str) -> bool:
        try:
            ask(table, "PutItem", Item={**KEY, "amount": {"N": "1"}}, ConditionExpression=condition)
        except Refused:
            return False
        return True

    true, false = "attribute_exists(pk)", "attribute_not_exists(pk)"
    assert holds(f"{true} OR {true} AND {false}")
    assert not holds(f"({true} OR {true}) AND {false}")
    assert not holds(f"NOT {true} AND {false}")
    assert holds(f"NOT ({true} AND {false})")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0010.50", "10.5"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("1e-5", "0.00001"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("1e125", "1" + "0" * 125),
    ],
)
def test_a_number_is_stored_exactly(text: str, stored: str) -> None:
    assert checked({"N": text}) == {"N": stored}


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1_0", "1e126", "1e-131", "1" * 39])
def test_an_invalid_number_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        number(text)


def test_a_sum_is_exact(table: Table) -> None:
    ask(table, "UpdateItem", **update("ADD amount :v", v={"N": "12345678901234567890123456789012345678"}))
    ask(table, "UpdateItem", **update("SET amount = amount + :v", v={"N": "1"}))
    ask(table, "UpdateItem", **update("SET part = :v", v={"N": "0.1"}))
    ask(table, "UpdateItem", **update("ADD part :v", v={"N": "0.2"}))

    [item] = table.items()
    assert (item["amount"]["N"], item["part"]["N"]) == ("12345678901234567890123456789012345679", "0.3")
    too_long = update("SET amount = amount + :v", v={"N": "0.1"})
    assert "38 significant digits" in refusal(table, "UpdateItem", **too_long).message


def test_an_update_reads_the_item_as_it_was(table: Table) -> None:
    ask(table, "PutItem", Item={**KEY, "first": {"N": "1"}, "second": {"N": "2"}})

    parameters = {
        "Key": KEY,
        "UpdateExpression": "SET #f = #s, #s = #f",
        "ExpressionAttributeNames": {"#f": "first", "#s": "second"},
    }

    assert ask(table, "UpdateItem", **parameters, ReturnValues="UPDATED_NEW")["Attributes"] == {
        "first": {"N": "2"},
        "second": {"N": "1"},
    }


def test_a_change_inside_a_document_leaves_the_old_image_alone(table: Table) -> None:
    ask(table, "PutItem", Item={**KEY, "days": {"M": {"d1": {"N": "1"}}}, "marks": {"L": [{"S": "a"}, {"S": "b"}]}})

    ask(table, "UpdateItem", **update("SET days.d2 = :v, marks[7] = :v ADD days.d1 :v", v={"N": "2"}))
    ask(table, "UpdateItem", **update("REMOVE marks[0], marks[1]"))

    [item] = table.items()
    assert item["days"] == {"M": {"d1": {"N": "3"}, "d2": {"N": "2"}}}
    assert item["marks"] == {"L": [{"N": "2"}]}
    assert table.records[1]["dynamodb"]["OldImage"]["days"] == {"M": {"d1": {"N": "1"}}}
    assert "document path" in refusal(table, "UpdateItem", **update("SET months.m1 = :v", v={"N": "1"})).message


def test_an_item_of_400_kilobytes_is_the_largest(table: Table) -> None:
    body = 400 * 1024 - item_bytes({**KEY, "body": {"S": ""}})

    ask(table, "PutItem", Item={**KEY, "body": {"S": "x" * body}})

    assert "Item size" in refusal(table, "PutItem", Item={**KEY, "body": {"S": "x" * (body + 1)}}).message


def test_a_page_ends_with_its_megabyte(table: Table) -> None:
    for number_ in range(5):
        ask(table, "PutItem", Item={"pk": {"S": "a"}, "sk": {"S": f"{number_}"}, "body": {"S": "x" * 300 * 1024}})
    parameters = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}

    first = ask(table, "Query", **parameters)
    second = ask(table, "Query", **parameters, ExclusiveStartKey=first["LastEvaluatedKey"])

    assert sum(map(item_bytes, first["Items"])) > PAGE_BYTES_MAX > sum(map(item_bytes, first["Items"][:-1]))
    assert [item["sk"]["S"] for page in (first, second) for item in page["Items"]] == ["0", "1", "2", "3", "4"]
    assert "LastEvaluatedKey" not in second


def put(sk: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": {"pk": {"S": "a"}, "sk": {"S": sk}}, **more}}


def transact(table: Table, *actions: dict[str, Any], token: str | None = None) -> Any:
    return table.answer(
        "TransactWriteItems",
        {"TransactItems": [*actions], **({} if token is None else {"ClientRequestToken": token})},
    )


def test_a_transaction_has_at_most_100_actions(table: Table) -> None:
    transact(table, *(put(f"{number_:03}") for number_ in range(100)))

    with pytest.raises(Refused, match="less than or equal to 100"):
        transact(table, *(put(f"{number_:03}") for number_ in range(101)))


def test_a_token_is_valid_for_one_request_only(table: Table) -> None:
    first = put("1", ConditionExpression="attribute_not_exists(pk)")

    transact(table, first, token="one")
    transact(table, first, token="one")

    assert len(table.records) == 1
    with pytest.raises(Refused, match="IdempotentParameterMismatch"):
        transact(table, put("2"), token="one")
    with pytest.raises(Refused, match="ConditionalCheckFailed"):
        transact(table, first, token="another")
    with pytest.raises(Refused, match="ConditionalCheckFailed"):
        transact(table, first)


def test_a_cancelled_transaction_can_be_repeated_with_its_token(table: Table) -> None:
    first = put("1", ConditionExpression="attribute_not_exists(pk)")
    transact(table, put("1"))
    with pytest.raises(Refused):
        transact(table, first, token="one")
    ask(table, "DeleteItem", Key=KEY)

    transact(table, first, token="one")

    assert len(table.items()) == 1


def test_a_cancelled_transaction_has_one_reason_per_action_in_order(table: Table) -> None:
    ask(table, "PutItem", Item={**KEY, "amount": {"S": "no number"}})
    failing = put("1", ConditionExpression="attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    ill_typed = {"Put": {"TableName": TABLE, "Item": {"pk": {"N": "1"}, "sk": {"S": "1"}}}}

    with pytest.raises(Refused) as caught:
        transact(table, put("0"), failing, ill_typed)

    reasons = caught.value.facts["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "ValidationError"]
    assert reasons[1]["Item"]["amount"] == {"S": "no number"}
    assert len(table.items()) == 1


def test_the_stream_has_records_of_changes_only(table: Table) -> None:
    item = {**KEY, "amount": {"N": "1"}}
    ask(table, "PutItem", Item=item)
    ask(table, "PutItem", Item=item)  # changes nothing
    ask(table, "UpdateItem", **update("ADD amount :v", v={"N": "1"}))
    ask(table, "DeleteItem", Key=KEY)
    ask(table, "DeleteItem", Key=KEY)  # nothing is there

    images = [(record["eventName"], {*record["dynamodb"]} & {"NewImage", "OldImage"}) for record in table.records]
    assert images == [
        ("INSERT", {"NewImage"}),
        ("MODIFY", {"NewImage", "OldImage"}),
        ("REMOVE", {"OldImage"}),
    ]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in table.records]
    assert numbers == sorted(numbers)
    assert all(record["dynamodb"]["Keys"] == KEY for record in table.records)


def test_a_copy_is_independent(table: Table) -> None:
    ask(table, "PutItem", Item=KEY)
    copy = deepcopy(table)

    ask(copy, "UpdateItem", **update("ADD amount :v", v={"N": "1"}))

    assert table.items() == [KEY]
    assert (len(table.records), len(copy.records)) == (1, 2)


@pytest.mark.parametrize("count", [0, 26])
def test_a_batch_writes_1_to_25_items(table: Table, count: int) -> None:
    puts = [{"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"S": f"{number_}"}}}} for number_ in range(count)]

    with pytest.raises(Refused, match="Validation"):
        table.answer("BatchWriteItem", {"RequestItems": {TABLE: puts}})


def test_an_index_refuses_consistent_reads(table: Table) -> None:
    parameters = {"KeyConditionExpression": "gsi1pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}

    assert "Consistent reads" in refusal(table, "Query", **parameters, IndexName="gsi1", ConsistentRead=True).message
