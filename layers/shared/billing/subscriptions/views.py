"""The API view of a subscription."""

from __future__ import annotations

from datetime import date

from billing.platform.http.models import MoneyView, View
from billing.subscriptions.catalogue_views import NamesView
from billing.subscriptions.rules import (
    Discount,
    Line,
    Subscription,
    TierChange,
    price_after_discounts,
)
from billing.subscriptions.version_changes import RepricedLine, repriced
from billing.subscriptions.versions import VersionChange


class DiscountView(View):
    """An active discount: either `percent`, or `amount` per month. `until` is the first day without it."""

    percent: str | None
    amount: MoneyView | None
    until: date | None
    reason: str

    @classmethod
    def of(cls, discount: Discount, currency: str) -> DiscountView:
        return cls(
            percent=None if discount.percent is None else f"{discount.percent.normalize():f}",
            amount=None if discount.amount is None else MoneyView(amount=discount.amount, currency=currency),
            until=discount.valid_until,
            reason=discount.reason,
        )


class PendingChangeView(View):
    """The tier and price that a product moves to on `effective_on`."""

    up_to: int | None
    price_per_month: MoneyView
    effective_on: date

    @classmethod
    def of(cls, change: TierChange) -> PendingChangeView:
        return cls(up_to=change.up_to, price_per_month=MoneyView.of(change.price), effective_on=change.effective_on)


class LineView(View):
    """One product: `up_to` is the monthly usage volume of its tier, null for open-ended.

    `name` and `unit` are in the account's language, where the catalogue has them in it, and `translations` all that it
    has beside its own. A line that is added costs nothing before `begins_on`, null once it has begun. One that ends
    costs nothing from `ends_on` on, null without an end. `price_is_agreed` says that the price is not the catalogue's,
    but agreed for this tier: with another tier it ends.
    """

    product: str
    name: str
    unit: str
    translations: dict[str, NamesView]
    up_to: int | None
    price_per_month: MoneyView
    price_per_month_after_discounts: MoneyView
    price_is_agreed: bool
    discounts: list[DiscountView]
    pending_change: PendingChangeView | None
    begins_on: date | None
    ends_on: date | None

    @classmethod
    def of(cls, line: Line, subscription: Subscription, today: date) -> LineView:
        currency, begins = line.price.currency, line.valid_from if line.valid_from and line.valid_from > today else None
        today = begins or today
        pending = subscription.pending_change(line.product, today)
        return cls(
            product=line.product,
            name=line.name,
            unit=line.unit,
            translations=NamesView.by_language(line.translations),
            up_to=line.up_to,
            price_per_month=MoneyView.of(line.price),
            price_per_month_after_discounts=MoneyView.of(price_after_discounts(subscription, line, today)),
            price_is_agreed=line.agreed,
            discounts=[DiscountView.of(each, currency) for each in subscription.discounts_on(today, line.product)],
            pending_change=None if pending is None else PendingChangeView.of(pending),
            begins_on=begins,
            ends_on=line.valid_until,
        )


class TierOfVersionView(View):
    up_to: int | None
    price_per_month: MoneyView

    @classmethod
    def of(cls, line: Line) -> TierOfVersionView:
        return cls(up_to=line.up_to, price_per_month=MoneyView.of(line.price))


class RepricedLineView(View):
    """A product before and after a move to another version of the catalogue, before discounts and tax.

    The price of an `agreed` one stays, because it is agreed with the customer.
    """

    product: str
    name: str
    unit: str
    before: TierOfVersionView
    after: TierOfVersionView
    agreed: bool

    @classmethod
    def of(cls, line: RepricedLine) -> RepricedLineView:
        after = line.after
        return cls(
            product=after.product,
            name=after.name,
            unit=after.unit,
            before=TierOfVersionView.of(line.before),
            after=TierOfVersionView.of(after),
            agreed=after.agreed,
        )


class PendingVersionView(View):
    """A move to another version of the catalogue: prices and tiers change on `effective_on`, a renewal.

    A cancellation up to and including `last_day_to_avoid_it` avoids that renewal. The mail about it went out on
    `announced_on`; while that is null the prices do not change, and the day moves if the mail is late.
    """

    catalogue_version: int
    effective_on: date
    last_day_to_avoid_it: date
    announced_on: date | None
    lines: list[RepricedLineView]

    @classmethod
    def of(cls, subscription: Subscription, change: VersionChange) -> PendingVersionView:
        return cls(
            catalogue_version=change.version,
            effective_on=change.effective_on,
            last_day_to_avoid_it=change.cancel_by,
            announced_on=change.announced_on,
            lines=[RepricedLineView.of(each) for each in repriced(subscription, change)],
        )

    @classmethod
    def announced(cls, subscription: Subscription, today: date) -> PendingVersionView | None:
        """The move that the customer has been told about, None without one."""
        change = subscription.pending_version(today)
        return None if change is None or change.announced_on is None else cls.of(subscription, change)


class SubscriptionView(View):
    """What the account pays for. Amounts are before tax; `discounts` are those on the whole.

    `pending_version` is the version of the catalogue that the account moves to, null without one.
    """

    catalogue_version: int
    pending_version: PendingVersionView | None
    lines: list[LineView]
    discounts: list[DiscountView]

    @classmethod
    def of(
        cls, subscription: Subscription, currency: str, today: date, to_come: Subscription | None = None
    ) -> SubscriptionView:
        """`to_come` is the subscription with another currency that is agreed, where there is one."""
        later = to_come or subscription
        now = {line.product: line for line in subscription.lines_on(today)}
        lines = [now.get(line.product, line) for line in later.lines_not_over(today)]
        return cls(
            catalogue_version=subscription.version_on(today),
            pending_version=PendingVersionView.announced(subscription, today),
            lines=[LineView.of(line, later, today) for line in lines],
            discounts=[DiscountView.of(each, currency) for each in subscription.discounts_on(today, None)],
        )
