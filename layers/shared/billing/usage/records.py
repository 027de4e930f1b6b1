"""Items of usage: counters, a marker for each counted event, and alert states.

Counting is the only write without billing.platform.dynamodb.transaction: the busiest function need not load PynamoDB,
and the names of a counter's attributes depend on the events. It translates DynamoDB's errors with
billing.platform.dynamodb.refusals, as all writes do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image, Row
from billing.platform.dynamodb.refusals import CONDITION, codes_of, error_of, reasons_of, translated
from billing.subscriptions.mapping import subscriber_from
from billing.subscriptions.subscriber import Subscriber
from billing.usage.mapping import alert_body, alert_from, daily_from, month_from
from billing.usage.rules import ContentUsage, UsageEvent, month_of
from billing.usage.thresholds import AlertState
from billing.usage.totals import UsageReads

ACTIONS_MAX = 100
"""DynamoDB's limit for the actions of one transaction."""

ACCOUNTS_MAX = 50
"""Accounts in one read: DynamoDB's limit is a hundred items, and an account is read as two."""

_CODE = "code_"
"""What the name of an attribute begins with that counts the rejected events of a code."""

Counter = tuple[str, str]
"""The partition and sort key of a counter."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What decides whether an account gets an alert about a threshold: its tier, and its last alert if any."""

    subscriber: Subscriber
    alert: AlertState | None


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """An account's usage of one product in one month; `month` is its first day."""

    account: str
    product: str
    month: date
    usage: Decimal


@dataclass(frozen=True, slots=True)
class RejectedDay:
    """How many events were rejected on a day in UTC, by the code that says why. Each count raises the version."""

    day: date
    codes: Mapping[str, int]
    version: int


class UsageStore(UsageReads):
    """Reads and writes usage in the one table."""

    # ---- Counting ----

    def subscribers(self, accounts: Sequence[str]) -> dict[str, Subscriber]:
        """The existing ones of these accounts, by id, read consistently. One read for every ACCOUNTS_MAX accounts."""
        subscribers: dict[str, Subscriber] = {}
        for first in range(0, len(accounts), ACCOUNTS_MAX):
            chunk = accounts[first : first + ACCOUNTS_MAX]
            rows = self._reads.get_all(
                (keys.account(account), key) for account in chunk for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION)
            )
            for account in chunk:
                subscriber = subscriber_from(rows, keys.account(account))
                if subscriber is not None:
                    subscribers[account] = subscriber
        return subscribers

    def count(
        self, events: Sequence[UsageEvent], expires: Callable[[UsageEvent], datetime | None]
    ) -> dict[UsageEvent, str]:
        """Adds all events to their counters, or none. One transaction of at most ACTIONS_MAX actions.

        Returns the fingerprints of the events that were counted before. If it returns any, it has counted nothing. No
        two events may have the same identity in an account. `expires` gives the end of an event's marker, None for
        never. Raises ConcurrentChange while another writer changes the same counters, or Busy, a kind of it.
        """
        actions = [self._marker_put(event, expires(event)) for event in events]
        actions += [self._counter_update(key, amounts) for key, amounts in _increments(events).items()]
        try:
            self._client.transact_write_items(TransactItems=actions)
        except ClientError as failure:
            counted_before = _counted_before(events, failure)
            if counted_before:
                return counted_before
            error = error_of(codes_of(failure), ConcurrentChange())
            if error is None:
                raise
            raise error from failure
        return {}

    # ---- Watching ----

    def watching(self, account: str, product: str) -> Watching | None:
        """An account's tier and alert state of a product, read consistently; None without the account. One read."""
        partition, subject = keys.account(account), keys.alert(_alert_name(product))
        rows = self._reads.get_all((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, subject))
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        alert = rows.get((partition, subject))
        return Watching(subscriber, None if alert is None else alert_from(alert.body))

    def save_alert_state(
        self, account: str, product: str, before: AlertState | None, after: AlertState, event: Event | None
    ) -> None:
        """Replaces the alert state `before` by `after`, and records the event if there is one. One transaction.

        Raises ConcurrentChange when the stored state is no longer `before`, or the account no longer exists.
        """
        item = Item(keys.account(account), keys.alert(_alert_name(product)), alert_body(after))
        with self._transaction() as write:
            write.require_account(account)
            write.replace_if(item, None if before is None else alert_body(before))
            if event is not None:
                write.record(event)

    # ---- Rejected usage ----

    def add_rejected(self, day: date, codes: Mapping[str, int]) -> None:
        """Adds to the counts of a day. One write. Raises Busy."""
        names = {f"#{place}": f"{_CODE}{code}" for place, code in enumerate(codes)}
        amounts = {f":{place}": {"N": str(events)} for place, events in enumerate(codes.values())}
        with translated():
            self._client.update_item(
                TableName=self._name,
                Key={"pk": {"S": keys.REJECTED_USAGE}, "sk": {"S": keys.rejected_usage(day)}},
                UpdateExpression="ADD version :one, " + ", ".join(f"#{place} :{place}" for place in range(len(codes))),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={":one": {"N": "1"}, **amounts},
            )

    def rejected_before(self, day: date) -> tuple[RejectedDay, ...]:
        """The counts of the days before `day` that staff were not told of, the earliest first. One Query."""
        last = keys.rejected_usage(day - timedelta(days=1))
        rows = self._reads.query(keys.REJECTED_USAGE, keys.DAY, last, consistent=True)
        return tuple(_rejected_day(row) for row in rows)

    def replace_rejected(self, rejected: RejectedDay, event: Event) -> None:
        """Records the event about a day, and deletes its counts. One transaction.

        Raises ConcurrentChange if they have grown since they were read, or are gone.
        """
        with self._transaction() as write:
            write.delete(keys.REJECTED_USAGE, keys.rejected_usage(rejected.day), version=rejected.version)
            write.record(event, shared=keys.REJECTED_USAGE)

    # ---- Reading ----

    def contents(self, account: str, product: str, first: date, last: date, *, limit: int) -> tuple[ContentUsage, ...]:
        """The usage of a product by content, from the month `first` to the month `last`, both included.

        Sorted by month, store and content, and at most `limit`. One eventually consistent query per megabyte; a
        megabyte holds some thousand contents and months.
        """
        rows = self._reads.query(
            keys.usage(account),
            keys.contents(product, first),
            keys.last_of(keys.contents(product, last)),
            limit=limit,
        )
        return tuple(_content_usage(row) for row in rows)

    # ---- Actions of the transaction ----

    def _marker_put(self, event: UsageEvent, expires: datetime | None) -> dict[str, Any]:
        item = {
            "pk": {"S": keys.markers(event.account)},
            "sk": {"S": keys.marker(event.identity)},
            "body": {"S": event.fingerprint},
        }
        if expires is not None:
            item["expires_at"] = {"N": str(int(expires.timestamp()))}
        return {
            "Put": {
                "TableName": self._name,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _counter_update(self, key: Counter, amounts: Mapping[str, Decimal]) -> dict[str, Any]:
        partition, sort_key = key
        return {
            "Update": {
                "TableName": self._name,
                "Key": {"pk": {"S": partition}, "sk": {"S": sort_key}},
                "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in amounts),
                "ExpressionAttributeValues": {f":{name}": {"N": f"{amount:f}"} for name, amount in amounts.items()},
            }
        }


def counters(event: UsageEvent) -> tuple[Counter, Counter]:
    """The two counters of an event: the one of its product and month, and the one of its content and month."""
    partition, month = keys.usage(event.account), month_of(event.day)
    return (
        (partition, keys.total(month, event.product)),
        (partition, keys.content(event.product, month, event.store, event.content)),
    )


def _increments(events: Iterable[UsageEvent]) -> dict[Counter, dict[str, Decimal]]:
    """The amount to add to each attribute of each counter."""
    increments: dict[Counter, dict[str, Decimal]] = {}
    for event in events:
        total, content = counters(event)
        day = f"d{event.day:%d}"
        for key in (total, content):
            _add(increments.setdefault(key, {}), day, event.quantity)
        if event.conversions:
            _add(increments[content], "conversions", Decimal(event.conversions))
        if event.revenue is not None:
            _add(increments[content], f"revenue_{event.revenue.currency}", Decimal(event.revenue.amount))
    return increments


def _add(amounts: dict[str, Decimal], name: str, amount: Decimal) -> None:
    amounts[name] = amounts.get(name, Decimal(0)) + amount


def month_total_from(image: Image) -> MonthTotal:
    """The total of a product's month, from the image of its counter in the table's stream."""
    month, product = image["sk"]["S"].removeprefix(keys.TOTAL).split("#", 1)
    daily = daily_from(image, month_from(month))
    account = image["pk"]["S"].removeprefix(keys.usage(""))
    return MonthTotal(account, product, month_from(month), sum(daily.values(), Decimal(0)))


def _rejected_day(row: Row) -> RejectedDay:
    codes = {name.removeprefix(_CODE): int(value["N"]) for name, value in row.image.items() if name.startswith(_CODE)}
    return RejectedDay(date.fromisoformat(row.key.removeprefix(keys.DAY)), codes, row.version)


def _alert_name(product: str) -> str:
    return f"usage-threshold#{product}"


def _content_usage(row: Row) -> ContentUsage:
    product, month, store, content = row.key.removeprefix(keys.CONTENT).split("#", 3)
    return ContentUsage(
        product=product,
        month=month_from(month),
        store=store,
        content=content or None,
        daily=daily_from(row.image, month_from(month)),
        conversions=int(row.image["conversions"]["N"]) if "conversions" in row.image else 0,
        revenue={
            name.removeprefix("revenue_"): int(value["N"])
            for name, value in row.image.items()
            if name.startswith("revenue_")
        },
    )


def _counted_before(events: Sequence[UsageEvent], failure: ClientError) -> dict[UsageEvent, str]:
    """The events that were counted before this transaction, each with the fingerprint in its marker."""
    return {
        event: reason["Item"]["body"]["S"]
        for event, reason in zip(events, reasons_of(failure), strict=False)
        if reason.get("Code") == CONDITION
    }
