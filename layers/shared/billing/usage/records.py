"""Usage: counters, a marker for each event that they hold, and the alerts about it.

Counting is the one write that goes around billing.platform.dynamodb.transaction: the busiest function need not load
PynamoDB, and its counters have attributes that only the events name. What a refusal means comes from
billing.platform.dynamodb.refusals, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image, Row
from billing.platform.dynamodb.refusals import CONDITION, codes_of, error_of, reasons_of
from billing.subscriptions.mapping import subscriber_from
from billing.subscriptions.subscriber import Subscriber
from billing.usage.mapping import daily_from, month_from, told_body, told_from
from billing.usage.rules import ContentUsage, UsageEvent, month_of
from billing.usage.thresholds import AlertState
from billing.usage.totals import UsageReads

ACTIONS_MAX = 100
"""What DynamoDB takes in one transaction."""

ACCOUNTS_MAX = 50
"""Read at once: DynamoDB gives up to a hundred items, and an account is read as two."""

Counter = tuple[str, str]
"""The key of one."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What decides whether an account is alerted of a threshold: its tier, and of what it was alerted."""

    subscriber: Subscriber
    told: AlertState | None


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """The usage of one product in one month, of an account."""

    account: str
    product: str
    month: date
    usage: Decimal


class UsageStore(UsageReads):
    """The usage in the one table."""

    # ---- Counting ----

    def subscribers(self, accounts: Sequence[str]) -> dict[str, Subscriber]:
        """Those of the accounts that there are, as of now. A read for every ACCOUNTS_MAX."""
        found: dict[str, Subscriber] = {}
        for first in range(0, len(accounts), ACCOUNTS_MAX):
            some = accounts[first : first + ACCOUNTS_MAX]
            rows = self._reads.get_all(
                (keys.account(account), key) for account in some for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION)
            )
            for account in some:
                subscriber = subscriber_from(rows, keys.account(account))
                if subscriber is not None:
                    found[account] = subscriber
        return found

    def count(
        self, events: Sequence[UsageEvent], expires: Callable[[UsageEvent], datetime | None]
    ) -> dict[UsageEvent, str]:
        """Adds these events to their counters, all or none. One transaction, of up to ACTIONS_MAX actions.

        Returns the fingerprints of those that are counted already: if there is one, nothing was counted now. No two of
        the events may have the same identity in an account. Each is remembered until it expires; None is for
        ever. Raises ConcurrentChange while somebody else writes the same counters, and Busy, which is one too.
        """
        actions = [self._marking(event, expires(event)) for event in events]
        actions += [self._adding(key, amounts) for key, amounts in _counters(events).items()]
        try:
            self._client.transact_write_items(TransactItems=actions)
        except ClientError as failure:
            counted = _counted(events, failure)
            if counted:
                return counted
            error = error_of(codes_of(failure), ConcurrentChange())
            if error is None:
                raise
            raise error from failure
        return {}

    # ---- Watching ----

    def watching(self, account: str, product: str) -> Watching | None:
        """What an account knows of its usage of a product, as of now; None without the account. One read."""
        partition, subject = keys.account(account), keys.alert(_threshold(product))
        rows = self._reads.get_all((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, subject))
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        told = rows.get((partition, subject))
        return Watching(subscriber, None if told is None else told_from(told.body))

    def save_alert_state(
        self, account: str, product: str, before: AlertState | None, after: AlertState, event: Event | None
    ) -> None:
        """Keeps of what an account was alerted, and records the alert if there is an event. One transaction.

        Raises ConcurrentChange when it is no longer `before`, or the account is gone.
        """
        item = Item(keys.account(account), keys.alert(_threshold(product)), told_body(after))
        with self._transaction() as write:
            write.require_account(account)
            write.replace_if(item, None if before is None else told_body(before))
            if event is not None:
                write.record(event)

    # ---- Reading ----

    def contents(self, account: str, product: str, first: date, last: date, *, limit: int) -> tuple[ContentUsage, ...]:
        """The usage of a product by content, from the month `first` to the month `last`, both included.

        By month, store and content; no more than `limit`. One query per megabyte, which is some thousand contents
        and months. Lags behind by a moment.
        """
        found = self._reads.query(
            keys.usage(account),
            keys.contents(product, first),
            keys.last_of(keys.contents(product, last)),
            limit=limit,
        )
        return tuple(_content_usage(row) for row in found)

    # ---- How ----

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
                "TableName": self._name,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _adding(self, key: Counter, amounts: Mapping[str, Decimal]) -> dict[str, Any]:
        partition, place = key
        return {
            "Update": {
                "TableName": self._name,
                "Key": {"pk": {"S": partition}, "sk": {"S": place}},
                "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in amounts),
                "ExpressionAttributeValues": {f":{name}": {"N": f"{amount:f}"} for name, amount in amounts.items()},
            }
        }


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


def month_total_from(image: Image) -> MonthTotal:
    """A counter of a month, as the table's stream shows it."""
    month, product = image["sk"]["S"].removeprefix(keys.TOTAL).split("#", 1)
    daily = daily_from(image, month_from(month))
    account = image["pk"]["S"].removeprefix(keys.usage(""))
    return MonthTotal(account, product, month_from(month), sum(daily.values(), Decimal(0)))


def _threshold(product: str) -> str:
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


def _counted(events: Sequence[UsageEvent], failure: ClientError) -> dict[UsageEvent, str]:
    """The events that are counted already, with the fingerprints that they were counted with."""
    return {
        event: reason["Item"]["body"]["S"]
        for event, reason in zip(events, reasons_of(failure), strict=False)
        if reason.get("Code") == CONDITION
    }
