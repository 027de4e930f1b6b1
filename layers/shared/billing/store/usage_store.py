"""What Livello keeps of usage: counters, and a marker for each event that they hold. See billing.store.store.

It speaks to the table without PynamoDB, whose numbers are floats, and which the busiest function of all need not load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from billing.domain.account import Account
from billing.domain.catalogue import Catalogue
from billing.domain.errors import ConcurrentChange
from billing.domain.events import Event
from billing.domain.subscription import Subscription
from billing.domain.thresholds import Told
from billing.domain.usage import ContentUsage, UsageEvent, month_of
from billing.store import keys, mapping

ACTIONS_MAX = 100
"""What DynamoDB takes in one transaction."""

ACCOUNTS_MAX = 50
"""Read at once: DynamoDB gives up to a hundred items, and an account is read as two."""

Row = Mapping[str, Mapping[str, str]]
Counter = tuple[str, str]
"""The key of one."""

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


@dataclass(frozen=True, slots=True)
class Watching:
    """What decides whether an account is told of a threshold: its tier, and what it knows already."""

    subscriber: Subscriber
    told: Told | None


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """The usage of one product in one month, of an account."""

    account: str
    product: str
    month: date
    usage: Decimal


class UsageStore:
    """The usage in the one table."""

    def __init__(self, table_name: str, client: Any) -> None:
        """`client` is botocore's, of DynamoDB."""
        self._table = table_name
        self._client = client

    # ---- Counting ----

    def subscribers(self, accounts: Sequence[str]) -> dict[str, Subscriber]:
        """Those of the accounts that there are, as of now. A read for every ACCOUNTS_MAX."""
        found: dict[str, Subscriber] = {}
        for first in range(0, len(accounts), ACCOUNTS_MAX):
            some = accounts[first : first + ACCOUNTS_MAX]
            rows = self._get_all(
                (keys.account(account), key) for account in some for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION)
            )
            for account in some:
                subscriber = _subscriber(rows, keys.account(account))
                if subscriber is not None:
                    found[account] = subscriber
        return found

    def count(
        self, events: Sequence[UsageEvent], expires: Callable[[UsageEvent], datetime | None]
    ) -> dict[UsageEvent, str]:
        """Adds these events to their counters, all or none. One transaction, of up to ACTIONS_MAX actions.

        Returns the fingerprints of those that are counted already: if there is one, nothing was counted now. No two of
        the events may have the same identity in an account. Each is remembered until it expires; None is for
        ever. Raises ConcurrentChange while somebody else writes the same counters, or DynamoDB has too much to do.
        """
        actions = [self._marking(event, expires(event)) for event in events]
        actions += [self._adding(key, amounts) for key, amounts in _counters(events).items()]
        try:
            with _busy_as_concurrent_change():
                self._client.transact_write_items(TransactItems=actions)
        except ClientError as failure:
            standing = _standing(events, failure)
            if not standing:
                raise
            return standing
        return {}

    def tell_once(self, account: str, subject: str, event: Event) -> bool:
        """Tells an account something that it is told only once; whether it was now. One transaction."""
        partition = keys.account(account)
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        told = self._item(partition, keys.told(subject), mapping.text({"event": event.event}))
        actions = [
            self._requiring(partition),
            {"Put": told | new},
            {"Put": self._item(partition, keys.event(event.event), mapping.event_body(event))},
        ]
        try:
            with _busy_as_concurrent_change():
                self._client.transact_write_items(TransactItems=actions)
        except ClientError as failure:
            if "ConditionalCheckFailed" not in _codes(failure):
                raise
            return False
        return True

    # ---- Watching ----

    def watching(self, account: str, product: str) -> Watching | None:
        """What an account knows of its usage of a product, as of now; None without the account. One read."""
        partition, subject = keys.account(account), keys.told(_threshold(product))
        rows = self._get_all((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, subject))
        subscriber = _subscriber(rows, partition)
        if subscriber is None:
            return None
        told = rows.get((partition, subject))
        return Watching(subscriber, None if told is None else mapping.told_from(told["body"]["S"]))

    def keep_told(self, account: str, product: str, before: Told | None, after: Told, event: Event | None) -> None:
        """Keeps what an account knows of its usage from now on, and tells it if there is an event. One transaction.

        Raises ConcurrentChange when it is no longer `before`, or the account is gone.
        """
        partition = keys.account(account)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if before is not None:
            condition = {
                "ConditionExpression": "body = :before",
                "ExpressionAttributeValues": {":before": {"S": mapping.told_body(before)}},
            }
        actions = [
            self._requiring(partition),
            {"Put": self._item(partition, keys.told(_threshold(product)), mapping.told_body(after)) | condition},
        ]
        if event is not None:
            actions.append({"Put": self._item(partition, keys.event(event.event), mapping.event_body(event))})
        try:
            with _busy_as_concurrent_change():
                self._client.transact_write_items(TransactItems=actions)
        except ClientError as failure:
            if "ConditionalCheckFailed" in _codes(failure):
                raise ConcurrentChange from failure
            raise

    # ---- Reading ----

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
            found.setdefault(product, {}).update(_daily(row, _month(month)))
        return found

    def contents(self, account: str, product: str, first: date, last: date, *, limit: int) -> tuple[ContentUsage, ...]:
        """The usage of a product by content, from the month `first` to the month `last`, both included.

        By month, store and content; no more than `limit`. One query per megabyte, which is some thousand contents
        and months. Lags behind by a moment.
        """
        found = self._query(
            keys.usage(account),
            keys.contents(product, first),
            keys.last_of(keys.contents(product, last)),
            limit=limit,
        )
        return tuple(_content_usage(row) for row in found)

    # ---- How ----

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

    def _requiring(self, partition: str) -> dict[str, Any]:
        """Nothing is written for an account that is gone."""
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": {"pk": {"S": partition}, "sk": {"S": keys.PAGE_ACCOUNT}},
                "ConditionExpression": "attribute_exists(pk)",
            }
        }

    def _marking(self, event: UsageEvent, expires: datetime | None) -> dict[str, Any]:
        item = {
            "pk": {"S": keys.markers(event.account)},
            "sk": {"S": keys.marker(event.identity)},
            "body": {"S": event.fingerprint},
        }
        if expires is not None:
            item["expires_at"] = {"N": str(int(expires.timestamp()))}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _adding(self, key: Counter, amounts: Mapping[str, Decimal]) -> dict[str, Any]:
        partition, place = key
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"pk": {"S": partition}, "sk": {"S": place}},
                "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in amounts),
                "ExpressionAttributeValues": {f":{name}": {"N": f"{amount:f}"} for name, amount in amounts.items()},
            }
        }

    def _query(self, partition: str, first: str, last: str, *, limit: int | None = None) -> Iterator[Row]:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :partition AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":partition": {"S": partition},
                ":first": {"S": first},
                ":last": {"S": last},
            },
        }
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


def counters(event: UsageEvent) -> tuple[Counter, Counter]:
    """The two counters that an event is added to: its product's month, and its content's."""
    partition, month = keys.usage(event.account), month_of(event.day)
    return (
        (partition, keys.total(month, event.product)),
        (partition, keys.content(event.product, month, event.store, event.content)),
    )


def _counters(events: Iterable[UsageEvent]) -> dict[Counter, dict[str, Decimal]]:
    """What each counter grows by, attribute by attribute."""
    found: dict[Counter, dict[str, Decimal]] = {}
    for event in events:
        total, content = counters(event)
        day = f"d{event.day:%d}"
        for key in (total, content):
            _add(found.setdefault(key, {}), day, event.quantity)
        if event.conversions:
            _add(found[content], "conversions", Decimal(event.conversions))
        if event.revenue is not None:
            _add(found[content], f"revenue_{event.revenue.currency}", Decimal(event.revenue.amount))
    return found


def _add(amounts: dict[str, Decimal], name: str, amount: Decimal) -> None:
    amounts[name] = amounts.get(name, Decimal(0)) + amount


def month_total_from(image: Row) -> MonthTotal:
    """A counter of a month, as the table's stream shows it."""
    month, product = image["sk"]["S"].removeprefix(keys.TOTAL).split("#", 1)
    daily = _daily(image, _month(month))
    account = image["pk"]["S"].removeprefix(keys.usage(""))
    return MonthTotal(account, product, _month(month), sum(daily.values(), Decimal(0)))


def _subscriber(rows: Mapping[tuple[str, str], Row], partition: str) -> Subscriber | None:
    account = rows.get((partition, keys.PAGE_ACCOUNT))
    subscription = rows.get((partition, keys.PAGE_SUBSCRIPTION))
    if account is None or subscription is None:
        return None
    return Subscriber(
        mapping.account_from(account["body"]["S"], int(account["version"]["N"])),
        mapping.subscription_from(subscription["body"]["S"]),
    )


def _threshold(product: str) -> str:
    return f"usage-threshold#{product}"


def _content_usage(row: Row) -> ContentUsage:
    product, month, store, content = row["sk"]["S"].removeprefix(keys.CONTENT).split("#", 3)
    return ContentUsage(
        product=product,
        month=_month(month),
        store=store,
        content=content or None,
        daily=_daily(row, _month(month)),
        conversions=int(row["conversions"]["N"]) if "conversions" in row else 0,
        revenue={
            name.removeprefix("revenue_"): int(value["N"]) for name, value in row.items() if name.startswith("revenue_")
        },
    )


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _daily(row: Row, month: date) -> dict[date, Decimal]:
    return {
        month.replace(day=int(name[1:])): Decimal(value["N"])
        for name, value in sorted(row.items())
        if name[0] == "d" and name[1:].isdecimal()
    }


def _standing(events: Sequence[UsageEvent], failure: ClientError) -> dict[UsageEvent, str]:
    reasons: list[dict[str, Any]] = failure.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return {
        event: reason["Item"]["body"]["S"]
        for event, reason in zip(events, reasons, strict=False)
        if reason.get("Code") == "ConditionalCheckFailed"
    }


def _codes(failure: ClientError) -> set[str]:
    reasons: list[dict[str, Any]] = failure.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return {reason.get("Code", "None") for reason in reasons}


@contextmanager
def _busy_as_concurrent_change() -> Iterator[None]:
    try:
        yield
    except ClientError as failure:
        codes = _codes(failure)
        if failure.response["Error"]["Code"] in _BUSY_ERRORS or (
            codes & _BUSY and "ConditionalCheckFailed" not in codes
        ):
            raise ConcurrentChange from failure
        raise
