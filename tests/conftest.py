"""What the tests share: a table and a user pool on moto."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.gateways.cognito_directory import STAFF_GROUP, CognitoDirectory
from billing.store.store import BillingStore
from moto import mock_aws

from tests.template import resources

REGION = "eu-central-1"
TABLE = "billing-test"


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """An AWS on moto for the whole run: making one costs more than emptying it."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("TABLE_NAME", TABLE)
        yield


@pytest.fixture(scope="session")
def table(aws: None) -> Any:
    """The table, with the keys and the index of template.yaml."""
    properties = resources()["Table"]["Properties"]
    return boto3.resource("dynamodb", region_name=REGION).create_table(
        TableName=TABLE,
        **{
            name: properties[name]
            for name in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        },
    )


@pytest.fixture
def store(table: Any) -> BillingStore:
    """The store, over an empty table."""
    for item in table.scan()["Items"]:
        table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    return wiring.store()


@dataclass(frozen=True)
class UserPool:
    """A Cognito user pool on moto, with the staff group of template.yaml."""

    pool: str
    directory: CognitoDirectory

    def emails(self) -> list[str]:
        users = boto3.client("cognito-idp", region_name=REGION).list_users(UserPoolId=self.pool)["Users"]
        return sorted(each["Value"] for user in users for each in user["Attributes"] if each["Name"] == "email")

    def log_in(self, email: str) -> None:
        """Uses an invitation: the person chooses their own password."""
        boto3.client("cognito-idp", region_name=REGION).admin_set_user_password(
            UserPoolId=self.pool, Username=email, Password="A-good-password-1", Permanent=True
        )

    def add_staff(self, email: str) -> None:
        cognito = boto3.client("cognito-idp", region_name=REGION)
        cognito.admin_create_user(
            UserPoolId=self.pool, Username=email, UserAttributes=[{"Name": "email", "Value": email}]
        )
        cognito.admin_add_user_to_group(UserPoolId=self.pool, Username=email, GroupName=STAFF_GROUP)


@pytest.fixture(scope="session")
def user_pool(aws: None) -> UserPool:
    """A user pool that all tests share; its people stay."""
    cognito = boto3.client("cognito-idp", region_name=REGION)
    pool = cognito.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]["Id"]
    cognito.create_group(GroupName=STAFF_GROUP, UserPoolId=pool)
    os.environ["USER_POOL_ID"] = pool
    return UserPool(pool, CognitoDirectory(pool, wiring.session()))


def stored_items() -> list[dict[str, Any]]:
    """Everything in the table, to show that nothing was written."""
    items = boto3.resource("dynamodb", region_name=REGION).Table(TABLE).scan()["Items"]
    return sorted(items, key=lambda item: (str(item["pk"]), str(item["sk"])))


def keep_items(items: list[dict[str, Any]]) -> None:
    """Puts items back that stored_items found."""
    with boto3.resource("dynamodb", region_name=REGION).Table(TABLE).batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)
