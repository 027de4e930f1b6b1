"""API views and bodies of changes of a running subscription."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field, StringConstraints, model_validator

from billing.accounts.contract_view import interval_on
from billing.accounts.terms import TermChange, TermState
from billing.billing_page.change_subscription import SubscriptionChange
from billing.billing_page.change_term import ChangedTerm
from billing.billing_page.page import BillingPage, NextCharge
from billing.billing_page.provisioning_bodies import DISCOUNTS_MAX, DiscountBody
from billing.billing_page.views import NextChargeView
from billing.kernel.contract_calendar import Contract
from billing.kernel.field_codes import FieldCode, Unfit
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
from billing.subscriptions.currency_changes import ObstacleCode
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
    """How many months are paid at once, from the next renewal on that is not invoiced, and why.

    `currency` is another one; null for the one that there is. Then `interval_months` may be null: it stays.
    """

    interval_months: IntervalMonths | None = None
    currency: Currency | None = None
    reason: Text

    @model_validator(mode="after")
    def _something(self) -> TermBody:
        if self.interval_months is None and self.currency is None:
            raise Unfit("one of interval_months and currency must be given", FieldCode.MISSING)
        return self


class ConsentBody(Body):
    """Which proposal an admin agrees to: its `term`."""

    term: Annotated[str, StringConstraints(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]


class TermChangeView(View):
    """A change of the contract's term. It holds `since` a renewal once it is `agreed`; while it is `proposed`, it waits
    for an admin's consent, and lapses with that renewal.

    `currency` is that of the term, null where it stays. Another currency takes effect when the renewal is invoiced, if
    nothing is left in the old one; `left` says what was left where it has lapsed because of that.
    """

    term: str
    status: TermState
    interval_months: int
    currency: str | None
    left: list[ObstacleCode]
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
            currency=None if change.into is None else change.into.currency,
            left=[ObstacleCode(each) for each in change.left],
            since=change.first_day(contract),
            reason=change.reason,
            proposed_at=change.proposed_at,
            agreed_at=change.agreed_at,
            ended_at=change.ended_at,
        )


class RepricedTierView(View):
    """A product before and after a change of the currency: its price per month, before discounts and tax."""

    product: str
    up_to: int | None
    before: MoneyView
    after: MoneyView


class ObstacleView(View):
    """What is in the way of another currency. `of` is the invoice, product or one-off, null for none.

    What `stays` is still there on the day unless somebody changes the account: the change is not accepted with it.
    """

    code: ObstacleCode
    of: str | None
    detail: str
    stays: bool


class ChangedTermView(View):
    """A change of the term, and what becomes of the invoices up to its renewal.

    `prices` and `obstacles` are those of another currency; without one both are empty.
    """

    change: TermChangeView
    follows: InvoicesToComeView
    prices: list[RepricedTierView]
    obstacles: list[ObstacleView]

    @classmethod
    def of(cls, changed: ChangedTerm) -> ChangedTermView:
        return cls(
            change=TermChangeView.of(changed.change, changed.shown.page.account.contract),
            follows=InvoicesToComeView.of(changed.shown),
            prices=[
                RepricedTierView(
                    product=each.after.product,
                    up_to=each.after.up_to,
                    before=MoneyView.of(each.before.price),
                    after=MoneyView.of(each.after.price),
                )
                for each in changed.lines
            ],
            obstacles=[
                ObstacleView(code=each.code, of=each.subject, detail=each.detail, stays=each.stays)
                for each in changed.obstacles
            ],
        )


class ContractTermView(View):
    """The interval and the currency that hold today, and the newest change of the term: to come, in effect, or ended.
    Null without."""

    interval_months: int
    currency: str
    change: TermChangeView | None

    @classmethod
    def of(cls, page: BillingPage, today: date) -> ContractTermView:
        contract = page.account.contract
        change = None if page.term is None else TermChangeView.of(page.term, contract)
        return cls(interval_months=interval_on(contract, today), currency=contract.currency, change=change)


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
            subscription=SubscriptionView.of(
                page.subscription, page.account.contract.currency, today, page.subscription_to_come
            ),
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
