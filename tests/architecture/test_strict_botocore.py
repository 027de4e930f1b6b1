"""The check of every AWS call refuses what AWS refuses."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.aws import REGION, TABLE
from tests.strict_botocore import CALLS, AwsRefuses


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "fault"),
    [
        ("sqs", "send_message", {"QueueUrl": "https://q"}, "MessageBody is missing"),
        ("dynamodb", "transact_write_items", {"TransactItems": [{}] * 101}, "101 > 100"),
        ("dynamodb", "query", {"TableName": TABLE, "IndexName": "a b"}, "does not match"),
        ("dynamodb", "get_item", {"TableName": TABLE, "Key": {"pk": {"S": 1}}}, "int is no string"),
        ("dynamodb", "put_item", {"TableName": TABLE, "Item": {}, "ReturnValues": "EVERYTHING"}, "is none of"),
        ("dynamodb", "put_item", {"TableName": TABLE, "Item": {}, "Condition": "x"}, "unknown"),
        ("cognito-idp", "admin_get_user", {"UserPoolId": "pool", "Username": "ada"}, "does not match"),
        ("s3", "put_object", {"Bucket": "files", "Key": ""}, "0 < 1"),
    ],
)
def test_a_call_that_aws_would_refuse_is_refused(
    aws: None, service: str, operation: str, parameters: dict[str, Any], fault: str
) -> None:
    create: Any = boto3.client
    client = create(service, region_name=REGION, config=Config(parameter_validation=False))

    with pytest.raises(AwsRefuses, match=fault):
        getattr(client, operation)(**parameters)


def test_other_calls_are_counted_and_made(table: Any) -> None:
    before = CALLS["dynamodb.DescribeTable"]

    boto3.client("dynamodb", region_name=REGION).describe_table(TableName=TABLE)

    assert CALLS["dynamodb.DescribeTable"] == before + 1
