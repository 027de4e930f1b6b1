"""Maps subscriptions to item bodies and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal

from billing.accounts.mapping import account_from
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import date_or_none, parsed, text, without_version
from billing.platform.dynamodb.reader import Row
from billing.subscriptions.rules import Cause, Discount, Line, Subscription, TierChange
from billing.subscriptions.subscriber import Subscriber


def subscription_body(subscription: Subscription) -> str:
    return text(without_version(asdict(subscription)))


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
        changes=tuple(
            TierChange(
                product=each["product"],
                up_to=each["up_to"],
                price=Money(**each["price"]),
                effective_on=date.fromisoformat(each["effective_on"]),
                cause=Cause(each["cause"]),
                decision=each["decision"],
            )
            for each in body.get("changes", ())  # older items lack this field
        ),
        version=version,
    )


def subscriber_from(rows: Mapping[tuple[str, str], Row], partition: str) -> Subscriber | None:
    """The account and subscription of a partition, from `rows` by partition and sort key; None if either is missing."""
    account = rows.get((partition, keys.PAGE_ACCOUNT))
    subscription = rows.get((partition, keys.PAGE_SUBSCRIPTION))
    if account is None or subscription is None:
        return None
    return Subscriber(
        account_from(account.body, account.version), subscription_from(subscription.body, subscription.version)
    )
