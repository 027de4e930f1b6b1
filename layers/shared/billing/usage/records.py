"""Items of usage: counters, a marker for each counted event, corrections, and alert states.

Counting and correcting are the only writes without billing.platform.dynamodb.transaction: the busiest function need not
load PynamoDB, and the names of a counter's attributes depend on the events. They translate DynamoDB's errors with
billing.platform.dynamodb.refusals, as all writes do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import ORDER_ATTEMPTS, Event, in_order
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image, Row
from billing.platform.dynamodb.refusals import CONDITION, codes_of, error_of, reasons_of, translated
from billing.platform.events.mapping import event_body
from billing.subscriptions.mapping import subscriber_from
from billing.subscriptions.subscriber import Subscriber
from billing.usage.corrections import Figures, RecordedUsageCorrection, UsageCorrection
from billing.usage.mapping import (
    CORRECTED,
    USED,
    alert_body,
    alert_from,
    corrected_from,
    correction_body,
    correction_from,
    daily_from,
    month_from,
)
from billing.usage.rules import ContentUsage, UsageEvent, month_of
from billing.usage.thresholds import AlertState
from billing.usage.totals import UsageReads

ACTIONS_MAX = 100
"""DynamoDB's limit for the actions of one transaction."""

ITEMS_MAX = 100
"""DynamoDB's limit for the items of one read."""

ACCOUNTS_MAX = ITEMS_MAX // 2
"""Accounts in one read: an account is read as two items."""

_CODE = "code_"
"""What the name of an attribute begins with that counts the rejected events of a code."""

Counter = tuple[str, str]
"""The partition and sort key of a counter."""

ByProduct = dict[str, dict[date, Decimal]]
"""Quantities by product and day."""

_ABSENT = "attribute_not_exists(pk)"
_UNCHANGED = "body = :before"


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
class UsageCorrectionState:
    """What a correction starts from: the account, the figures that it changes, and the month's usage of the product.

    `alert` is the alert state of the product. `counters` are the stored amounts of the two counters, by attribute.
    `fingerprint` and `recorded` are those of the correction that was made before under this id; None without one.
    """

    subscriber: Subscriber
    figures: Figures
    month_usage: Decimal
    alert: AlertState | None
    counters: Mapping[Counter, Mapping[str, Decimal]]
    fingerprint: str | None
    recorded: RecordedUsageCorrection | None


@dataclass(frozen=True, slots=True)
class RejectedDay:
    """How many events were rejected or in conflict on a day in UTC, by the code that says why. Each count raises the version."""

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

    def not_recorded(self, subjects: Mapping[str, str]) -> list[str]:
        """The accounts for whose subject no event is recorded yet (record_once). `subjects` are by account.

        One read for every hundred accounts.
        """
        accounts, recorded = [*subjects], set[str]()
        for first in range(0, len(accounts), ITEMS_MAX):
            chunk = accounts[first : first + ITEMS_MAX]
            places = {each: (keys.account(each), keys.alert(subjects[each])) for each in chunk}
            rows = self._reads.get_all(places.values())
            recorded |= {each for each, place in places.items() if place in rows}
        return [each for each in accounts if each not in recorded]

    # ---- Correcting ----

    def correction_state(self, correction: UsageCorrection) -> UsageCorrectionState | None:
        """What a correction starts from, read consistently; None without the account. One read."""
        account, partition = correction.account, keys.account(correction.account)
        total, content = counters_of(correction)
        alert = (partition, keys.alert(_alert_name(correction.product)))
        marker = (keys.markers(account), keys.marker(correction.identity))
        made = (keys.usage(account), keys.correction(correction.day, correction.identity))
        page = ((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION))
        rows = self._reads.get_all((*page, total, content, alert, marker, made))
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        images = {key: rows[key].image if key in rows else {} for key in (total, content)}
        month = month_of(correction.day)
        return UsageCorrectionState(
            subscriber=subscriber,
            figures=_figures(images[total], images[content], correction),
            month_usage=sum(daily_from(images[total], month).values(), Decimal(0)),
            alert=alert_from(rows[alert].body) if alert in rows else None,
            counters={
                key: {name: Decimal(value["N"]) for name, value in image.items() if "N" in value}
                for key, image in images.items()
            },
            fingerprint=rows[marker].body if marker in rows else None,
            recorded=correction_from(account, rows[made].body) if made in rows else None,
        )

    def correct(
        self, state: UsageCorrectionState, recorded: RecordedUsageCorrection, alert: AlertState | None, event: Event
    ) -> None:
        """Changes the counters by a correction; saves it, its marker, which never expires, and the event.

        `alert` is the new alert state, None to leave it. One transaction. Raises ConcurrentChange if a figure that the
        correction changes, the alert state or the account has changed since `state` was read, or if a correction with
        this id was made before.
        """
        correction, account = recorded.correction, state.subscriber.account
        partition = keys.account(account.id)
        marker = Item(keys.markers(account.id), keys.marker(correction.identity), correction.fingerprint)
        made = Item(
            keys.usage(account.id), keys.correction(correction.day, correction.identity), correction_body(recorded)
        )
        actions = [
            self._put(marker, _ABSENT),
            *(self._counter_update(key, amounts, state.counters[key]) for key, amounts in _changes(correction).items()),
            self._put(made, _ABSENT),
        ]
        if alert is not None:
            item = Item(partition, keys.alert(_alert_name(correction.product)), alert_body(alert))
            before = None if state.alert is None else alert_body(state.alert)
            actions.append(self._put(item, _ABSENT) if before is None else self._put(item, _UNCHANGED, before))
        with translated():
            self._record(actions, event, partition, account.version)

    def corrections(self, account: str, first: date, until: date) -> Iterator[RecordedUsageCorrection]:
        """The corrections of usage from the day `first` to before `until`, those of the latest day first.

        One eventually consistent query per megabyte.
        """
        last = keys.last_of(keys.corrections(until - timedelta(days=1)))
        for row in self._reads.query(keys.usage(account), keys.corrections(first), last, newest_first=True):
            yield correction_from(account, row.body)

    def totals_with_corrections(self, account: str, first: date, last: date) -> tuple[ByProduct, ByProduct]:
        """The totals of these months as `totals` returns them, and how much of each day is corrections. One query."""
        totals: ByProduct = {}
        corrected: ByProduct = {}
        for product, month, image in self._totals(account, first, last):
            totals.setdefault(product, {}).update(daily_from(image, month))
            corrected.setdefault(product, {}).update(corrected_from(image, month))
        return totals, corrected

    # ---- Watching ----

    def month_usage(self, account: str, product: str, month: date) -> Decimal | None:
        """The usage of a product in a month, read consistently; None if nothing was counted. One read."""
        key = (keys.usage(account), keys.total(month, product))
        row = self._reads.get_all([key]).get(key)
        return None if row is None else sum(daily_from(row.image, month).values(), Decimal(0))

    def watching(self, account: str, product: str) -> Watching | None:
        """An account's tier and alert state of a product, read consistently; None without the account. One read."""
        partition, subject = keys.account(account), keys.alert(_alert_name(product))
        rows = self._reads.get_all(
            (partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.PAGE_BILLING, subject)
        )
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
        return tuple(content_usage_from(row) for row in rows)

    # ---- Actions of the transaction ----

    def _record(self, actions: Sequence[dict[str, Any]], event: Event, partition: str, version: int) -> None:
        """Sends a transaction with an event, after the account's last one, if the account is at this version.

        It does what Transaction.record does: again, with a later id, if only another event was recorded last.
        """
        last = self._reads.last_events.before(partition, event)
        for _ in range(ORDER_ATTEMPTS):
            [recorded] = in_order([event], last)
            page = self._page_update(partition, version, recorded)
            put = self._put(Item(partition, keys.event(recorded.id), event_body(recorded)))
            try:
                self._client.transact_write_items(TransactItems=[page, *actions, put])
            except ClientError as failure:
                reasons = reasons_of(failure)
                refused = [place for place, reason in enumerate(reasons) if reason.get("Code", "None") != "None"]
                image = reasons[0].get("Item", {}) if refused == [0] else {}
                if image.get("version", {}).get("N") != str(version) or "last_event" not in image:
                    raise
                last = image["last_event"]["S"]
            else:
                self._reads.last_events.recorded({partition: recorded.id})
                return
        raise ConcurrentChange

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

    def _counter_update(
        self, key: Counter, amounts: Mapping[str, Decimal], stored: Mapping[str, Decimal] | None = None
    ) -> dict[str, Any]:
        """Adds to attributes of a counter; with `stored`, only if their amounts are still these."""
        partition, sort_key = key
        update: dict[str, Any] = {
            "TableName": self._name,
            "Key": {"pk": {"S": partition}, "sk": {"S": sort_key}},
            "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in amounts),
            "ExpressionAttributeValues": {f":{name}": {"N": f"{amount:f}"} for name, amount in amounts.items()},
        }
        if stored is not None:
            known = {name: stored[name] for name in amounts if name in stored}
            update["ConditionExpression"] = " AND ".join(
                f"{name} = :was_{name}" if name in known else f"attribute_not_exists({name})" for name in amounts
            )
            update["ExpressionAttributeValues"] |= {f":was_{name}": {"N": f"{each:f}"} for name, each in known.items()}
        return {"Update": update}

    def _put(self, item: Item, condition: str | None = None, before: str | None = None) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._name,
            "Item": {"pk": {"S": item.partition}, "sk": {"S": item.key}, "body": {"S": item.body}},
        }
        if condition is not None:
            put["ConditionExpression"] = condition
        if before is not None:
            put["ExpressionAttributeValues"] = {":before": {"S": before}}
        return {"Put": put}

    def _page_update(self, partition: str, version: int, event: Event) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._name,
                "Key": {"pk": {"S": partition}, "sk": {"S": keys.PAGE_ACCOUNT}},
                "UpdateExpression": "SET last_event = :event",
                "ConditionExpression": (
                    "version = :version AND (attribute_not_exists(last_event) OR last_event < :event)"
                ),
                "ExpressionAttributeValues": {":version": {"N": str(version)}, ":event": {"S": event.id}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def counters(event: UsageEvent) -> tuple[Counter, Counter]:
    """The two counters of an event: the one of its product and month, and the one of its content and month."""
    return counters_of(event)


def counters_of(event: UsageEvent | UsageCorrection) -> tuple[Counter, Counter]:
    """The counters of an event or a correction: see `counters`."""
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
        day = f"{USED}{event.day:%d}"
        for key in (total, content):
            _add(increments.setdefault(key, {}), day, event.quantity)
        if event.conversions:
            _add(increments[content], "conversions", Decimal(event.conversions))
        if event.revenue is not None:
            _add(increments[content], f"revenue_{event.revenue.currency}", Decimal(event.revenue.amount))
    return increments


def _figures(total: Image, content: Image, correction: UsageCorrection) -> Figures:
    """The figures that a correction changes, from the images of its counters, which are empty without an item."""
    day = f"{USED}{correction.day:%d}"
    revenue = None if correction.revenue is None else int(_amount(content, f"revenue_{correction.revenue.currency}"))
    return Figures(_amount(total, day), _amount(content, day), int(_amount(content, "conversions")), revenue)


def _amount(image: Image, name: str) -> Decimal:
    return Decimal(image[name]["N"]) if name in image else Decimal(0)


def _changes(correction: UsageCorrection) -> dict[Counter, dict[str, Decimal]]:
    """The amount to add to each attribute of each counter."""
    total, content = counters_of(correction)
    # Of a quantity of zero, the attributes are still made: they say that the day has a correction.
    by_day = {f"{kind}{correction.day:%d}": correction.quantity for kind in (USED, CORRECTED)}
    changes = {total: {**by_day}, content: {**by_day}}
    if correction.conversions:
        changes[content]["conversions"] = Decimal(correction.conversions)
    if correction.revenue is not None and correction.revenue.amount:
        changes[content][f"revenue_{correction.revenue.currency}"] = Decimal(correction.revenue.amount)
    return changes


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


def content_usage_from(row: Row) -> ContentUsage:
    """The usage of a content in a month, from the row of its counter."""
    product, month, store, content = row.key.removeprefix(keys.CONTENT).split("#", 3)
    return ContentUsage(
        product=product,
        month=month_from(month),
        store=store,
        content=content or None,
        daily=daily_from(row.image, month_from(month)),
        corrected=corrected_from(row.image, month_from(month)),
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
