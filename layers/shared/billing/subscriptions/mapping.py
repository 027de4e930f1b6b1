"""Maps subscriptions to item bodies and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal

from billing.accounts.mapping import account_from
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, date_or_none, parsed, text, without_version
from billing.platform.dynamodb.reader import Row
from billing.subscriptions.rules import Cause, Discount, Line, ReplacedChange, Subscription, TierChange
from billing.subscriptions.subscriber import FixedMonths, Subscriber


def subscription_body(subscription: Subscription) -> str:
    body = without_version(asdict(subscription))
    if not subscription.replaced:
        del body["replaced"]  # most have none
    return text(body)


def subscription_from(stored: str, version: int = 0) -> Subscription:
    body = parsed(stored)
    return Subscription(
        catalogue_version=body["catalogue_version"],
        lines=tuple(Line(**{**line, "price": Money(**line["price"])}) for line in body["lines"]),
        discounts=tuple(
            Discount(
                product=each["product"],
                percent=None if each["percent"] is None else Decimal(each["percent"]),
                amount=each["amount"],
                valid_from=date.fromisoformat(each["valid_from"]),
                valid_until=date_or_none(each["valid_until"]),
                reason=each["reason"],
            )
            for each in body["discounts"]
        ),
        changes=tuple(map(_change, body.get("changes", ()))),  # older items lack this field
        version=version,
        replaced=tuple(
            ReplacedChange(_change(each["change"]), date.fromisoformat(each["replaced_on"]))
            for each in body.get("replaced", ())
        ),
    )


def _change(body: Body) -> TierChange:
    return TierChange(
        product=body["product"],
        up_to=body["up_to"],
        price=Money(**body["price"]),
        effective_on=date.fromisoformat(body["effective_on"]),
        cause=Cause(body["cause"]),
        decision=body["decision"],
        decided_on=date_or_none(body.get("decided_on")),  # older changes were written without
    )


def subscriber_from(rows: Mapping[tuple[str, str], Row], partition: str) -> Subscriber | None:
    """The account and subscription of a partition, from `rows` by partition and sort key; None if either is missing."""
    account = rows.get((partition, keys.PAGE_ACCOUNT))
    subscription = rows.get((partition, keys.PAGE_SUBSCRIPTION))
    if account is None or subscription is None:
        return None
    return subscriber_of(account, subscription, rows.get((partition, keys.PAGE_PERIOD)))


def subscriber_of(account: Row, subscription: Row, period: Row | None) -> Subscriber:
    """The account and subscription of their rows. `period` is that of the running paid period, None without one."""
    known = account_from(account.body, account.version)
    return Subscriber(
        known,
        subscription_from(subscription.body, subscription.version),
        fixed_months_from(period, known.contract, known.invoiced_from or 0),
    )


def fixed_months_from(period: Row | None, contract: Contract, invoiced_from: int = 0) -> FixedMonths:
    """The months that the running paid period says are fixed. None of a contract with another start are.

    Before the first period of an account, the months before `invoiced_from` are fixed: another system has invoiced
    them, so what a change would add to them is never invoiced.
    """
    if period is None:
        return FixedMonths(invoiced_from)
    body = parsed(period.body)
    if body["start"] != contract.start.isoformat():
        return FixedMonths(0, period.version)
    return FixedMonths(body["fixed_through"] + 1, period.version)
