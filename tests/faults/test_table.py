"""What the table does that the emulated DynamoDB cannot vouch for, because it does not, or is not asked."""

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
    """The error of what must be refused, and must change nothing."""
    before = table.items()
    with pytest.raises(Refused) as caught:
        ask(table, operation, **request)
    assert table.items() == before
    return caught.value


def update(expression: str, **values: Any) -> dict[str, Any]:
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    return {"Key": KEY, "UpdateExpression": expression, **given}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("DescribeTable", {}),
        ("PutItem", {"Item": KEY, "Expected": {}}),
        ("Query", {"KeyConditionExpression": "pk = :p", "QueryFilter": {}}),
    ],
)
def test_what_it_has_not_learned_it_says_loudly(table: Table, operation: str, request_: dict[str, Any]) -> None:
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
def test_an_update_expression_that_is_none_is_refused(table: Table, expression: str) -> None:
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
def test_a_condition_that_is_none_is_refused(table: Table, expression: str) -> None:
    given = {":v": {"N": "1"}, ":less": {"N": "0"}, ":set": {"SS": ["a"]}}
    used = {name: value for name, value in given.items() if name in expression.split() or f"{name})" in expression}
    asked = {"ExpressionAttributeValues": used} if used else {}

    assert refusal(table, "PutItem", Item=KEY, ConditionExpression=expression, **asked).code == "ValidationException"


def test_not_binds_tighter_than_and_and_and_than_or(table: Table) -> None:
    ask(table, "PutItem", Item={**KEY, "amount": {"N": "1"}})

    def holds(condition: str) -> bool:
        try:
            ask(table, "PutItem", Item={**KEY, "amount": {"N": "1"}}, ConditionExpression=condition)
        except Refused:
            return False
        return True

    there, gone = "attribute_exists(pk)", "attribute_not_exists(pk)"
    assert holds(f"{there} OR {there} AND {gone}")
    assert not holds(f"({there} OR {there}) AND {gone}")
    assert not holds(f"NOT {there} AND {gone}")
    assert holds(f"NOT ({there} AND {gone})")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0010.50", "10.5"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("1e-5", "0.00001"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("1e125", "1" + "0" * 125),
    ],
)
def test_a_number_is_kept_exactly(given: str, kept: str) -> None:
    assert checked({"N": given}) == {"N": kept}


@pytest.mark.parametrize("given", ["", "x", "NaN", "Infinity", "1_0", "1e126", "1e-131", "1" * 39])
def test_what_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(Refused):
        number(given)


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

    asked = {
        "Key": KEY,
        "UpdateExpression": "SET #f = #s, #s = #f",
        "ExpressionAttributeNames": {"#f": "first", "#s": "second"},
    }

    assert ask(table, "UpdateItem", **asked, ReturnValues="UPDATED_NEW")["Attributes"] == {
        "first": {"N": "2"},
        "second": {"N": "1"},
    }


def test_a_part_of_a_document_is_changed_and_the_image_before_is_not(table: Table) -> None:
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
    asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}

    first = ask(table, "Query", **asked)
    second = ask(table, "Query", **asked, ExclusiveStartKey=first["LastEvaluatedKey"])

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


def test_a_token_is_good_for_one_content(table: Table) -> None:
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


def test_what_was_cancelled_may_be_tried_again_with_its_token(table: Table) -> None:
    first = put("1", ConditionExpression="attribute_not_exists(pk)")
    transact(table, put("1"))
    with pytest.raises(Refused):
        transact(table, first, token="one")
    ask(table, "DeleteItem", Key=KEY)

    transact(table, first, token="one")

    assert len(table.items()) == 1


def test_a_cancelled_transaction_tells_each_reason_in_order(table: Table) -> None:
    ask(table, "PutItem", Item={**KEY, "amount": {"S": "no number"}})
    failing = put("1", ConditionExpression="attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    ill_typed = {"Put": {"TableName": TABLE, "Item": {"pk": {"N": "1"}, "sk": {"S": "1"}}}}

    with pytest.raises(Refused) as caught:
        transact(table, put("0"), failing, ill_typed)

    reasons = caught.value.facts["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "ValidationError"]
    assert reasons[1]["Item"]["amount"] == {"S": "no number"}
    assert len(table.items()) == 1


def test_the_stream_tells_what_changed_and_nothing_else(table: Table) -> None:
    item = {**KEY, "amount": {"N": "1"}}
    ask(table, "PutItem", Item=item)
    ask(table, "PutItem", Item=item)  # changes nothing
    ask(table, "UpdateItem", **update("ADD amount :v", v={"N": "1"}))
    ask(table, "DeleteItem", Key=KEY)
    ask(table, "DeleteItem", Key=KEY)  # nothing is there

    told = [(record["eventName"], {*record["dynamodb"]} & {"NewImage", "OldImage"}) for record in table.records]
    assert told == [
        ("INSERT", {"NewImage"}),
        ("MODIFY", {"NewImage", "OldImage"}),
        ("REMOVE", {"OldImage"}),
    ]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in table.records]
    assert numbers == sorted(numbers)
    assert all(record["dynamodb"]["Keys"] == KEY for record in table.records)


def test_a_copy_goes_its_own_way(table: Table) -> None:
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


def test_an_index_does_not_read_consistently(table: Table) -> None:
    asked = {"KeyConditionExpression": "gsi1pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}

    assert "Consistent reads" in refusal(table, "Query", **asked, IndexName="gsi1", ConsistentRead=True).message
