"""Schemas of the events about the catalogue."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts, SharedEvent
from billing.platform.events.facts import InvoiceToComeFacts, MoneyFacts


class CatalogueFacts(Facts):
    version: int


class DiscountFacts(Facts):
    """A discount from `since` and before `until` (None: without end): a `percent`, or an `amount` per month.

    It is on one product, with its `name`, or on the whole subscription where `product` is None.
    """

    product: str | None
    name: str | None
    percent: Decimal | None
    amount: MoneyFacts | None
    since: date
    until: date | None
    reason: str


class DiscountsFacts(Facts):
    """All discounts that are not over."""

    discounts: list[DiscountFacts]


class ChangeFacts(Facts):
    """What follows from a change of the subscription.

    `invoices` are those to come up to the first renewal on or after `effective_on`, `invoices_without` the same as they
    would have been without the change.
    """

    effective_on: date
    invoices: list[InvoiceToComeFacts]
    invoices_without: list[InvoiceToComeFacts]


class DiscountsChangeFacts(ChangeFacts):
    """All discounts that are not over, after a change."""

    discounts: list[DiscountFacts]


class DiscountsChanged(AccountEvent[Literal["discounts.changed"], DiscountsFacts, DiscountsChangeFacts]):
    """Staff have given an account other discounts, from the next renewal on that is not invoiced."""


class CatalogueReplaced(SharedEvent[Literal["catalogue.replaced"], CatalogueFacts | None, CatalogueFacts]):
    """There is a new version of the catalogue. Accounts stay on theirs."""
