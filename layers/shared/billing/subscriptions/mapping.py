"""Maps subscriptions to item bodies and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from decimal import Decimal

from billing.accounts.information import DEFAULT_LANGUAGE
from billing.accounts.mapping import account_of, billing_from
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, date_or_none, parsed, text, without_version
from billing.platform.dynamodb.reader import Row
from billing.subscriptions.catalogue_mapping import translations_from
from billing.subscriptions.rules import Cause, Discount, FormerLine, Line, ReplacedChange, Subscription, TierChange
from billing.subscriptions.subscriber import FixedMonths, Subscriber
from billing.subscriptions.versions import ProductTiers, VersionChange, VersionTier


def subscription_body(subscription: Subscription) -> str:
    body = without_version(asdict(subscription))
    body["lines"] = [_line_body(line) for line in subscription.lines]
    for name in ("replaced", "former", "versions"):
        if not body[name]:
            del body[name]  # most have none
    # Beside the lines: functions of the release before build a line from all its fields.
    dated = [_days_body(line) for line in subscription.lines if line.added_on or line.valid_until or line.agreed]
    if dated:
        body["dated"] = dated
    return text(body)


def _line_body(line: Line) -> Body:
    """The stored form of a line. Its names are those of the catalogue, whatever language the account has."""
    name, unit = line.own_names
    body: Body = {
        "product": line.product,
        "name": name,
        "unit": unit,
        "up_to": line.up_to,
        "price": asdict(line.price),
    }
    if line.translations:  # many have none
        body["translations"] = [asdict(each) for each in line.translations]
    return body


def _days_body(line: Line) -> Body:
    body: Body = {
        "product": line.product,
        "added_on": line.added_on,
        "valid_from": line.valid_from,
        "valid_until": line.valid_until,
    }
    return {**body, "agreed": True} if line.agreed else body


def _with_days(line: Line, days: Body) -> Line:
    names = ("added_on", "valid_from", "valid_until")
    added_on, valid_from, valid_until = (date_or_none(days.get(name)) for name in names)
    agreed = days.get("agreed", False)
    return replace(line, added_on=added_on, valid_from=valid_from, valid_until=valid_until, agreed=agreed)


def subscription_from(stored: str, version: int = 0, language: str = DEFAULT_LANGUAGE) -> Subscription:
    """A stored subscription, with the names of its products in a language."""
    body = parsed(stored)
    dated = {each["product"]: each for each in body.get("dated", ())}  # most lines, and all older ones, have no days
    return Subscription(
        catalogue_version=body["catalogue_version"],
        lines=tuple(
            _with_days(
                Line(**{**line, "price": Money(**line["price"]), "translations": translations_from(line)}),
                dated.get(line["product"], {}),
            ).in_language(language)
            for line in body["lines"]
        ),
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
        former=tuple(
            FormerLine(each["product"], date_or_none(each["since"]), date.fromisoformat(each["until"]))
            for each in body.get("former", ())
        ),
        versions=tuple(map(_version_change, body.get("versions", ()))),
    )


def _version_change(body: Body) -> VersionChange:
    return VersionChange(
        version=body["version"],
        effective_on=date.fromisoformat(body["effective_on"]),
        cancel_by=date.fromisoformat(body["cancel_by"]),
        decided_on=date.fromisoformat(body["decided_on"]),
        decision=body["decision"],
        products=tuple(
            ProductTiers(
                each["product"],
                tuple(
                    VersionTier(tier["up_to"], None if tier["price"] is None else Money(**tier["price"]))
                    for tier in each["tiers"]
                ),
            )
            for each in body["products"]
        ),
        announced_on=date_or_none(body["announced_on"]),
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
        agreed=body.get("agreed", False),
    )


def subscriber_from(rows: Mapping[tuple[str, str], Row], partition: str) -> Subscriber | None:
    """The account and subscription of a partition, from `rows` by partition and sort key; None if either is missing.

    The names of its products are in the account's language where the rows have PAGE_BILLING.
    """
    account, subscription, period, billing = (
        rows.get((partition, key))
        for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.PAGE_PERIOD, keys.PAGE_BILLING)
    )
    if account is None or subscription is None:
        return None
    return subscriber_of(account, subscription, period, billing)


def subscriber_of(account: Row, subscription: Row, period: Row | None, billing: Row | None) -> Subscriber:
    """The account and subscription of their rows.

    `period` is that of the running paid period, None without one. `billing` has the language, None where it was not
    read.
    """
    known = account_of(account)
    language = DEFAULT_LANGUAGE if billing is None else billing_from(billing.body).language
    return Subscriber(
        known,
        subscription_from(subscription.body, subscription.version, language),
        fixed_months_from(period, known.contract, known.invoiced_from or 0),
        language,
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
