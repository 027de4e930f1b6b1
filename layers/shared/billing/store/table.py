"""The one table spoken to in DynamoDB's own words, for those who need exact numbers or must start fast.

PynamoDB's numbers are floats, and loading it costs more than most functions do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from billing.domain.account import Account
from billing.domain.catalogue import Catalogue
from billing.domain.errors import BillingError, ConcurrentChange
from billing.domain.events import Event
from billing.domain.schedules import Job
from billing.domain.subscription import Subscription
from billing.store import keys, mapping

Row = Mapping[str, Mapping[str, str]]

_BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_BUSY_ERRORS = frozenset(
    {"TransactionInProgressException", "TransactionConflictException", "ThrottlingException"}
    | {"ProvisionedThroughputExceededException", "RequestLimitExceeded"}
)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An account and what it subscribes to: what decides whether its usage is counted, and on which day."""

    account: Account
    subscription: Subscription


class Table:
    """What the stores that speak so have in common."""

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's, of DynamoDB."""
        self._table = table_name
        self._client = client

    def catalogue(self, version: int) -> Catalogue:
        """The version of the catalogue that an account signed: it is always there. One read."""
        key = (keys.CATALOGUE, keys.catalogue_version(version))
        return mapping.catalogue_from(self._get_all([key])[key]["body"]["S"], version)

    def totals(self, account: str, first: date, last: date) -> dict[str, dict[date, Decimal]]:
        """The usage by product and day, from the month `first` to the month `last`, both included.

        One query of less than a kilobyte per product and month. Lags behind by a moment.
        """
        found: dict[str, dict[date, Decimal]] = {}
        for row in self._query(keys.usage(account), keys.total(first, ""), keys.last_of(keys.total(last, ""))):
            month, product = row["sk"]["S"].removeprefix(keys.TOTAL).split("#", 1)
            found.setdefault(product, {}).update(daily_from(row, month_from(month)))
        return found

    def accounts(self) -> Iterator[str]:
        """Every account there is. Reads the whole table: for an operator's own commands only."""
        return self._accounts_with(keys.PAGE_ACCOUNT)

    # ---- How ----

    def _accounts_with(self, key: str) -> Iterator[str]:
        """The accounts that have an item. Reads the whole table."""
        asked: dict[str, Any] = {
            "TableName": self._table,
            "FilterExpression": "sk = :key",
            "ExpressionAttributeValues": {":key": {"S": key}},
            "ProjectionExpression": "pk",
        }
        while True:
            reply = self._client.scan(**asked)
            yield from (row["pk"]["S"].removeprefix(keys.account("")) for row in reply["Items"])
            if "LastEvaluatedKey" not in reply:
                return
            asked["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def _get_all(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Those of the items that there are, by partition and sort key."""
        found: dict[tuple[str, str], Row] = {}
        places = [{"pk": {"S": partition}, "sk": {"S": key}} for partition, key in wanted]
        asked: Any = {self._table: {"Keys": places, "ConsistentRead": True}} if places else None
        while asked:
            reply = self._client.batch_get_item(RequestItems=asked)
            for item in reply["Responses"].get(self._table, []):
                found[item["pk"]["S"], item["sk"]["S"]] = item
            asked = reply.get("UnprocessedKeys")
        return found

    def _item(self, partition: str, key: str, body: str) -> dict[str, Any]:
        return {"TableName": self._table, "Item": {"pk": {"S": partition}, "sk": {"S": key}, "body": {"S": body}}}

    def _due_item(self, account: str, job: Job, at: datetime, body: str) -> dict[str, Any]:
        """When a job is due for an account."""
        put = self._item(keys.account(account), keys.due(job), body)
        put["Item"]["gsi1pk"] = {"S": keys.shard_of(job, account)}
        put["Item"]["gsi1sk"] = {"S": keys.instant(at)}
        return put

    def _requiring(self, partition: str) -> dict[str, Any]:
        """Nothing is written for an account that is gone."""
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": {"pk": {"S": partition}, "sk": {"S": keys.PAGE_ACCOUNT}},
                "ConditionExpression": "attribute_exists(pk)",
            }
        }

    def _write(self, actions: list[dict[str, Any]], failed_condition: BillingError) -> None:
        """All or nothing. A condition that does not hold is raised as `failed_condition`."""
        try:
            with busy_as_concurrent_change():
                self._client.transact_write_items(TransactItems=actions)
        except ClientError as failure:
            if "ConditionalCheckFailed" in codes(failure):
                raise failed_condition from failure
            raise

    def _checking(self, partition: str, key: str, version: int) -> dict[str, Any]:
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": {"pk": {"S": partition}, "sk": {"S": key}},
                **_at_version(version),
            }
        }

    def _replacing(self, partition: str, key: str, version: int, body: str) -> dict[str, Any]:
        put = self._item(partition, key, body)
        put["Item"]["version"] = {"N": str(version + 1)}
        return {"Put": put | _at_version(version)}

    def _deleting(self, partition: str, key: str) -> dict[str, Any]:
        return {"Delete": {"TableName": self._table, "Key": {"pk": {"S": partition}, "sk": {"S": key}}}}

    def _event(self, event: Event) -> dict[str, Any]:
        """What tells an event of an account."""
        if event.account is None:
            raise ValueError("it happened to no account")
        return {"Put": self._item(keys.account(event.account), keys.event(event.event), mapping.event_body(event))}

    def _query(
        self,
        partition: str,
        first: str,
        last: str,
        *,
        limit: int | None = None,
        newest_first: bool = False,
        index: str | None = None,
    ) -> Iterator[Row]:
        """Items of a partition, of the table or of its index, from sort key `first` to `last`, both included."""
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
        left = limit
        while left is None or left > 0:
            if left is not None:
                asked["Limit"] = left
            reply = self._client.query(**asked)
            yield from reply["Items"]
            if "LastEvaluatedKey" not in reply:
                return
            asked["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
            left = None if left is None else left - len(reply["Items"])


def _at_version(version: int) -> dict[str, Any]:
    if not version:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }


def subscriber_from(rows: Mapping[tuple[str, str], Row], partition: str) -> Subscriber | None:
    account = rows.get((partition, keys.PAGE_ACCOUNT))
    subscription = rows.get((partition, keys.PAGE_SUBSCRIPTION))
    if account is None or subscription is None:
        return None
    return Subscriber(
        mapping.account_from(account["body"]["S"], int(account["version"]["N"])),
        mapping.subscription_from(subscription["body"]["S"], int(subscription["version"]["N"])),
    )


def month_from(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def daily_from(row: Row, month: date) -> dict[date, Decimal]:
    return {
        month.replace(day=int(name[1:])): Decimal(value["N"])
        for name, value in sorted(row.items())
        if name[0] == "d" and name[1:].isdecimal()
    }


def codes(failure: ClientError) -> set[str]:
    reasons: list[dict[str, Any]] = failure.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return {reason.get("Code", "None") for reason in reasons}


@contextmanager
def busy_as_concurrent_change() -> Iterator[None]:
    try:
        yield
    except ClientError as failure:
        reasons = codes(failure)
        if failure.response["Error"]["Code"] in _BUSY_ERRORS or (
            reasons & _BUSY and "ConditionalCheckFailed" not in reasons
        ):
            raise ConcurrentChange from failure
        raise
