"""Reduction advice in the API, for customers and staff."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from billing.languages.explanations import Explanation
from billing.platform.http.models import MoneyView, View, plain
from billing.scaling.reduction.rules import ContentYield, Reduction
from billing.subscriptions.catalogue import Tier
from billing.usage.rules import CLOSED_MONTHS

RANKING_MAX = 100
"""The answer has at most so many of the least-earning contents."""


class PricedTierView(View):
    """A tier: `up_to` is its monthly volume, null for open-ended."""

    up_to: int | None
    price_per_month: MoneyView


class RankedView(View):
    """A content of a store over the closed months: its average usage per month, and all that came of it.

    `earns` is what it earns per unit of usage: minor units where `measure` is revenue, else conversions. `content` is
    null for usage that names none, which cannot be removed.
    """

    store: str
    content: str | None
    usage_per_month: str
    conversions: int
    revenue: list[MoneyView]
    earns: str | None

    @classmethod
    def of(cls, ranked: ContentYield) -> RankedView:
        return cls(
            store=ranked.store,
            content=ranked.content,
            usage_per_month=plain(ranked.usage),
            conversions=ranked.conversions,
            revenue=[
                MoneyView(amount=amount, currency=currency) for currency, amount in sorted(ranked.revenue.items())
            ],
            earns=None if ranked.earns is None else plain(ranked.earns),
        )


class ClosedMonthView(View):
    """A closed month, such as 2026-11."""

    month: str
    usage: str


class ReductionView(View):
    """What can be done about the usage of one product.

    `verdict` is stable, `detail` says it in the account's language. An average takes `months_needed` closed months.
    `remove` is the smallest set of the least-earning content without
    which the average of the closed months fits `lower_tier`, and `average_without` what is left then;
    `saving_per_month` is before discounts and tax. `ranking` begins with what earns least; `ranked` counts all of it.
    """

    product: str
    name: str
    unit: str
    tier: PricedTierView
    months: list[ClosedMonthView]
    average: str | None
    lower_tier: PricedTierView | None
    saving_per_month: MoneyView | None
    verdict: Literal[
        "plan",
        "fits-already",
        "lowest-tier",
        "too-few-months",
        "too-many-contents",
        "nothing-earned",
        "several-currencies",
        "too-little-named",
    ]
    months_needed: int
    detail: str
    measure: Literal["revenue", "conversions"] | None
    remove: list[RankedView]
    average_without: str | None
    ranking: list[RankedView]
    ranked: int

    @classmethod
    def of(cls, advice: Reduction, language: str) -> ReductionView:
        line = advice.line
        reason = Explanation(f"reduction.{advice.verdict}", {"months_needed": CLOSED_MONTHS})
        return cls(
            product=line.product,
            name=line.name,
            unit=line.unit,
            tier=PricedTierView(up_to=line.up_to, price_per_month=MoneyView.of(line.price)),
            months=[ClosedMonthView(month=f"{each.month:%Y-%m}", usage=plain(each.quantity)) for each in advice.months],
            average=_plain_or_none(advice.average),
            lower_tier=_lower(advice.lower, advice),
            saving_per_month=None if advice.saving is None else MoneyView.of(advice.saving),
            verdict=advice.verdict.value,
            months_needed=CLOSED_MONTHS,
            detail=reason.in_words(language),
            measure=None if advice.measure is None else advice.measure.value,
            remove=[RankedView.of(each) for each in advice.remove],
            average_without=_plain_or_none(advice.average_without),
            ranking=[RankedView.of(each) for each in advice.ranking[:RANKING_MAX]],
            ranked=len(advice.ranking),
        )


class ReductionsView(View):
    """One for each product of the subscription that was asked for."""

    products: list[ReductionView]


def _lower(tier: Tier | None, advice: Reduction) -> PricedTierView | None:
    if tier is None or advice.saving is None:
        return None
    price = advice.line.price.amount - advice.saving.amount
    return PricedTierView(up_to=tier.up_to, price_per_month=MoneyView(amount=price, currency=advice.saving.currency))


def _plain_or_none(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
