"""API views and bodies of changes of a running subscription."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field, StringConstraints

from billing.accounts.contract_view import interval_on
from billing.accounts.terms import TermChange, TermState
from billing.billing_page.change_subscription import SubscriptionChange
from billing.billing_page.change_term import ChangedTerm
from billing.billing_page.page import BillingPage, NextCharge
from billing.billing_page.provisioning_bodies import DISCOUNTS_MAX, DiscountBody
from billing.billing_page.views import NextChargeView
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.platform.http.models import (
    IDENTIFIER_LENGTH_MAX,
    Amount,
    Body,
    Currency,
    IntervalMonths,
    IsoDate,
    MoneyView,
    Text,
    View,
    Volume,
)
from billing.subscriptions.rules import Discount
from billing.subscriptions.views import PendingVersionView, SubscriptionView

VERSION_MAX = 999_999
"""Versions of the catalogue have six digits (billing.platform.dynamodb.keys)."""

ProductId = Annotated[str, Path(max_length=IDENTIFIER_LENGTH_MAX)]
"""The id of a product in a path."""


class DiscountsBody(Body):
    """All discounts of an account. One that is not among them ends with the next renewal that is not invoiced."""

    discounts: Annotated[tuple[DiscountBody, ...], Field(max_length=DISCOUNTS_MAX)]

    def values(self) -> tuple[Discount, ...]:
        return tuple(each.value() for each in self.discounts)


class WholeDiscountView(View):
    """A discount as it is sent: `amount` in minor units of the contract's currency, `until` the first day without."""

    product: str | None
    percent: str | None
    amount: int | None
    valid_from: Annotated[date, Field(serialization_alias="from")]
    valid_until: Annotated[date | None, Field(serialization_alias="until")]
    reason: str

    @classmethod
    def of(cls, discount: Discount) -> WholeDiscountView:
        return cls(
            product=discount.product,
            percent=None if discount.percent is None else f"{discount.percent.normalize():f}",
            amount=discount.amount,
            valid_from=discount.valid_from,
            valid_until=discount.valid_until,
            reason=discount.reason,
        )


class DiscountsView(View):
    """The discounts of an account that are not over, those to come included.

    A change takes effect on `changes_from` at the earliest: the next renewal that is not invoiced.
    """

    changes_from: date
    discounts: list[WholeDiscountView]

    @classmethod
    def of(cls, page: BillingPage, today: date) -> DiscountsView:
        return cls(
            changes_from=page.subscriber.next_open_renewal(today),
            discounts=[
                WholeDiscountView.of(each)
                for each in page.subscription.discounts
                if each.valid_until is None or each.valid_until > today
            ],
        )


class InvoicesToComeView(View):
    """What becomes of the invoices up to the first renewal on or after the day of a change.

    `effective_on` is null where nothing changes. Credit is not taken off.
    """

    effective_on: date | None
    invoices: list[NextChargeView]
    invoices_without: list[NextChargeView]

    @classmethod
    def of(cls, change: SubscriptionChange) -> InvoicesToComeView:
        return cls(
            effective_on=change.effective_on, invoices=_views(change.invoices), invoices_without=_views(change.without)
        )


class DiscountsChangeView(View):
    """The discounts after a change, and what follows from it."""

    discounts: DiscountsView
    follows: InvoicesToComeView

    @classmethod
    def of(cls, change: SubscriptionChange, today: date) -> DiscountsChangeView:
        return cls(discounts=DiscountsView.of(change.page, today), follows=InvoicesToComeView.of(change))


class AgreedPriceBody(Body):
    """A price per month that is agreed with this customer, before tax."""

    amount: Annotated[Amount, Field(gt=0, description="Minor units.")]
    currency: Currency


class AccountProductBody(Body):
    """The tier of a product, new on the account or larger than before, on the customer's wish.

    `price` is null for the catalogue's. It is needed for a tier whose price the catalogue leaves to an agreement.
    """

    up_to: Volume | None
    price: AgreedPriceBody | None = None
    reason: Text

    @property
    def agreed(self) -> Money | None:
        return None if self.price is None else Money(self.price.amount, self.price.currency)


class ProductEndBody(Body):
    """The end of a product. `ends_on` confirms the day of the preview: another one is refused."""

    ends_on: IsoDate | None = None
    reason: Text


class TermBody(Body):
    """How many months are paid at once, from the next renewal on that is not invoiced, and why."""

    interval_months: IntervalMonths
    reason: Text


class ConsentBody(Body):
    """Which proposal an admin agrees to: its `term`."""

    term: Annotated[str, StringConstraints(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]


class TermChangeView(View):
    """A change of the contract's term. It holds `since` a renewal once it is `agreed`; while it is `proposed`, it waits
    for an admin's consent, and lapses with that renewal."""

    term: str
    status: TermState
    interval_months: int
    since: date
    reason: str
    proposed_at: datetime
    agreed_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, change: TermChange, contract: Contract) -> TermChangeView:
        return cls(
            term=change.id,
            status=change.state,
            interval_months=change.interval_months,
            since=contract.month_start(change.from_month),
            reason=change.reason,
            proposed_at=change.proposed_at,
            agreed_at=change.agreed_at,
            ended_at=change.ended_at,
        )


class ChangedTermView(View):
    """A change of the term, and what becomes of the invoices up to its renewal."""

    change: TermChangeView
    follows: InvoicesToComeView

    @classmethod
    def of(cls, changed: ChangedTerm) -> ChangedTermView:
        return cls(
            change=TermChangeView.of(changed.change, changed.shown.page.account.contract),
            follows=InvoicesToComeView.of(changed.shown),
        )


class ContractTermView(View):
    """The interval that holds today, and the newest change of the term: to come, in effect, or ended. Null without."""

    interval_months: int
    change: TermChangeView | None

    @classmethod
    def of(cls, page: BillingPage, today: date) -> ContractTermView:
        contract = page.account.contract
        change = None if page.term is None else TermChangeView.of(page.term, contract)
        return cls(interval_months=interval_on(contract, today), change=change)


class SubscriptionChangeView(View):
    """The subscription after a change, and what follows from it.

    `replaces_agreed_price` is a price per month that was agreed with the customer, and that ends with the change
    because it belongs to the tier so far. Null where none ends.
    """

    subscription: SubscriptionView
    follows: InvoicesToComeView
    replaces_agreed_price: MoneyView | None

    @classmethod
    def of(cls, change: SubscriptionChange, today: date) -> SubscriptionChangeView:
        page = change.page
        return cls(
            subscription=SubscriptionView.of(page.subscription, page.account.contract.currency, today),
            follows=InvoicesToComeView.of(change),
            replaces_agreed_price=None if change.replaces_agreed is None else MoneyView.of(change.replaces_agreed),
        )


class CatalogueVersionBody(Body):
    """The version of the catalogue that the account moves to.

    `effective_on` confirms the day of the preview: another one is refused.
    """

    version: Annotated[int, Field(strict=True, ge=1, le=VERSION_MAX)]
    effective_on: IsoDate | None = None
    reason: Text


class CatalogueVersionView(View):
    """The version of the catalogue that the account has, and the one that it moves to; null without one."""

    catalogue_version: int
    pending_version: PendingVersionView | None

    @classmethod
    def of(cls, page: BillingPage, today: date) -> CatalogueVersionView:
        subscription = page.subscription
        pending = subscription.pending_version(today)
        return cls(
            catalogue_version=subscription.version_on(today),
            pending_version=None if pending is None else PendingVersionView.of(subscription, pending),
        )


class CatalogueVersionChangeView(View):
    """The version of the catalogue after a change, and what follows from it once the mail about it went out."""

    version: CatalogueVersionView
    follows: InvoicesToComeView

    @classmethod
    def of(cls, change: SubscriptionChange, today: date) -> CatalogueVersionChangeView:
        return cls(version=CatalogueVersionView.of(change.page, today), follows=InvoicesToComeView.of(change))


def _views(charges: tuple[NextCharge, ...]) -> list[NextChargeView]:
    return [NextChargeView.of(each) for each in charges]
