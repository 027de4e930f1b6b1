"""The emulated AWS (moto) that the tests share: the items of the table, the users of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from billing.accounts.cognito_directory import CognitoDirectory
from billing.kernel.permissions import STAFF_GROUP
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

REGION = "eu-central-1"
TABLE = "billing-test"
DOCUMENTS, ARCHIVE = "documents", "archive"


@dataclass(frozen=True)
class UserPool:
    """A Cognito user pool on moto, with the staff group of template.yaml."""

    pool: str
    directory: CognitoDirectory

    def emails(self) -> list[str]:
        users = boto3.client("cognito-idp", region_name=REGION).list_users(UserPoolId=self.pool)["Users"]
        return sorted(each["Value"] for user in users for each in user["Attributes"] if each["Name"] == "email")

    def log_in(self, email: str) -> None:
        """The person follows an invitation and chooses a password."""
        boto3.client("cognito-idp", region_name=REGION).admin_set_user_password(
            UserPoolId=self.pool, Username=email, Password="A-good-password-1", Permanent=True
        )

    def users_behind_moto(self) -> Any:
        """The log-ins by their names, in moto's memory."""
        return get_backend("cognito-idp")[DEFAULT_ACCOUNT_ID][REGION].user_pools[self.pool].users

    def add_staff(self, email: str) -> None:
        cognito = boto3.client("cognito-idp", region_name=REGION)
        cognito.admin_create_user(
            UserPoolId=self.pool, Username=email, UserAttributes=[{"Name": "email", "Value": email}]
        )
        cognito.admin_add_user_to_group(UserPoolId=self.pool, Username=email, GroupName=STAFF_GROUP)


def stored_items() -> list[dict[str, Any]]:
    """All items of the table, sorted by key. Tests compare them to show that nothing was written."""
    items = [item.to_regular_json() for partition in items_behind_moto().values() for item in partition.values()]
    return sorted(items, key=lambda item: (str(item["pk"]), str(item["sk"])))


def items_behind_moto() -> Any:
    """The table's items by partition and sort key, read from moto's memory. Requests would take a third of a run."""
    return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION].tables[TABLE].items


def restore_items(items: list[dict[str, Any]]) -> None:
    """Writes back items that stored_items returned."""
    with _table().batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)


def put_item(partition: str, key: str, body: str, **attributes: Any) -> None:
    """Writes a single item, without the transaction that the code would use."""
    _table().put_item(Item={"pk": partition, "sk": key, "body": body, **attributes})


def delete_item(partition: str, key: str) -> None:
    """Deletes a single item, without the transaction that the code would use."""
    _table().delete_item(Key={"pk": partition, "sk": key})


@cache
def _table() -> Any:
    """The table's resource, made once: making it costs more than a request."""
    return boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
