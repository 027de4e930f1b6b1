"""Reduction advice: which content uses most and earns least, and which to remove so that a lower tier fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate

from billing.kernel.money import Money
from billing.subscriptions.catalogue import Product, Tier, price_per_month
from billing.subscriptions.rules import Line
from billing.usage.rules import CLOSED_MONTHS, ContentUsage, MonthUsage, average


class RankBy(StrEnum):
    """The earnings per unit of usage that rank the contents: revenue or conversions."""

    REVENUE = "revenue"
    CONVERSIONS = "conversions"


class AdviceResult(StrEnum):
    """The result: a plan, no plan needed, or the reason why none is possible."""

    PLAN = "plan"
    FITS_ALREADY = "fits-already"
    LOWEST_TIER = "lowest-tier"
    TOO_FEW_MONTHS = "too-few-months"
    TOO_MANY_CONTENTS = "too-many-contents"
    NOTHING_EARNED = "nothing-earned"
    SEVERAL_CURRENCIES = "several-currencies"
    TOO_LITTLE_NAMED = "too-little-named"


@dataclass(frozen=True, slots=True)
class ContentYield:
    """The usage and earnings of one content of one store over the closed months.

    `total` is the usage of all months, `usage` per month. `earns` is per unit of usage, in conversions or minor units;
    None if the contents cannot be compared, or for a content without usage.
    """

    store: str
    content: str | None
    total: Decimal
    usage: Decimal
    conversions: int
    revenue: Mapping[str, int]
    earns: Decimal | None


@dataclass(frozen=True, slots=True)
class Reduction:
    """The advice about one product: how an account can reduce its usage.

    `ranking` begins with the content that earns least; it is empty if there are too many contents. Without the contents
    in `remove` the average is `average_without`, and fits `lower`; without a plan they are empty and None. `saving` is
    per month, before discounts and tax.
    """

    line: Line
    months: tuple[MonthUsage, ...]
    average: Decimal | None
    lower: Tier | None
    saving: Money | None
    verdict: AdviceResult
    measure: RankBy | None
    ranking: tuple[ContentYield, ...]
    remove: tuple[ContentYield, ...] = ()
    average_without: Decimal | None = None


def reduction(
    line: Line,
    product: Product | None,
    months: tuple[MonthUsage, ...],
    contents: Sequence[ContentUsage],
    *,
    contents_max: int,
) -> Reduction:
    """The advice for one line of a subscription.

    `product` is that of the signed catalogue. `months` are the last CLOSED_MONTHS closed months, or fewer, and
    `contents` the usage by content in them. More than `contents_max` contents are not compared.
    """
    mean = average(months)
    used = sum((each.quantity for each in months), Decimal(0))
    too_many = len(contents) > contents_max
    closed = {each.month for each in months}
    # The caller reads at most contents_max + 1, so a ranking of too many would be incomplete.
    ranked = [] if too_many else [each for each in contents if each.month in closed]
    measure, unclear = _measure(ranked)
    ranking = _ranking(ranked, measure, len(months))
    lower = next_lower(line, product)

    def result(verdict: AdviceResult, lower: Tier | None = lower, remove: tuple[ContentYield, ...] = ()) -> Reduction:
        return Reduction(
            line=line,
            months=months,
            average=mean,
            lower=lower,
            saving=None if lower is None else saving(line, lower),
            verdict=verdict,
            measure=measure,
            ranking=ranking,
            remove=remove,
            average_without=(used - _total(remove)) / CLOSED_MONTHS if remove else None,
        )

    if too_many:
        return result(AdviceResult.TOO_MANY_CONTENTS)
    if lower is None or lower.up_to is None:
        return result(AdviceResult.LOWEST_TIER)
    if mean is None or len(months) < CLOSED_MONTHS:
        return result(AdviceResult.TOO_FEW_MONTHS)
    # The sum over all months, because a third of it may have no exact decimal.
    excess = used - CLOSED_MONTHS * lower.up_to
    if excess <= 0:
        return result(AdviceResult.FITS_ALREADY, fitting(line, product, mean))
    if unclear is not None:
        return result(unclear)
    named = [each for each in ranking if each.content is not None and each.total > 0]
    if _total(named) < excess:
        return result(AdviceResult.TOO_LITTLE_NAMED)
    return result(AdviceResult.PLAN, remove=_least_earning(named, excess))


def next_lower(line: Line, product: Product | None) -> Tier | None:
    """The highest tier below the line's that has a price in its currency; None without any."""
    return next(reversed(_lower_tiers(line, product)), None)


def fitting(line: Line, product: Product | None, mean: Decimal) -> Tier | None:
    """The smallest tier below the line's that holds `mean` and has a price in its currency; None without any."""
    return next((tier for tier in _lower_tiers(line, product) if tier.up_to is not None and mean <= tier.up_to), None)


def saving(line: Line, lower: Tier) -> Money | None:
    """How much less the lower tier costs per month, before discounts and tax."""
    price = price_per_month(lower, line.price.currency)
    return None if price is None else Money(line.price.amount - price.amount, price.currency)


def _lower_tiers(line: Line, product: Product | None) -> list[Tier]:
    """The lower tiers with a price; below the line's own, where that is agreed with the customer."""
    tiers = () if product is None else product.tiers
    return [
        tier
        for tier in tiers
        if tier.up_to is not None
        and (line.up_to is None or tier.up_to < line.up_to)
        and (price := price_per_month(tier, line.price.currency)) is not None
        and (not line.agreed or price.amount < line.price.amount)
    ]


def _measure(contents: Sequence[ContentUsage]) -> tuple[RankBy | None, AdviceResult | None]:
    """The measure that compares the contents, or the reason why there is none."""
    currencies = {currency for each in contents for currency, amount in each.revenue.items() if amount}
    if len(currencies) == 1:
        return RankBy.REVENUE, None
    if any(each.conversions for each in contents):
        return RankBy.CONVERSIONS, None
    return None, AdviceResult.SEVERAL_CURRENCIES if currencies else AdviceResult.NOTHING_EARNED


def _ranking(contents: Iterable[ContentUsage], measure: RankBy | None, months: int) -> tuple[ContentYield, ...]:
    """The contents, the least earning first. Contents with equal earnings are sorted by usage, the largest first."""
    by_place: dict[tuple[str, str | None], list[ContentUsage]] = {}
    for each in contents:
        by_place.setdefault((each.store, each.content), []).append(each)
    yields = (_content_yield(store, content, used, measure, months) for (store, content), used in by_place.items())
    return tuple(
        sorted(yields, key=lambda each: (each.earns is None, each.earns, -each.total, each.store, each.content or ""))
        if measure is not None
        else sorted(yields, key=lambda each: (-each.total, each.store, each.content or ""))
    )


def _content_yield(
    store: str, content: str | None, used: Sequence[ContentUsage], measure: RankBy | None, months: int
) -> ContentYield:
    total = sum((each.quantity for each in used), Decimal(0))
    conversions = sum(each.conversions for each in used)
    revenue: dict[str, int] = {}
    for each in used:
        for currency, amount in each.revenue.items():
            revenue[currency] = revenue.get(currency, 0) + amount
    earned = sum(revenue.values()) if measure is RankBy.REVENUE else conversions
    earns = Decimal(earned) / total if total and measure is not None else None
    return ContentYield(store, content, total, total / months, conversions, revenue, earns)


def _least_earning(named: Sequence[ContentYield], excess: Decimal) -> tuple[ContentYield, ...]:
    """The contents to remove: the shortest beginning of the ranking that uses at least `excess`.

    Contents that need not be removed are then left out, the best earning first.
    """
    count = 1 + next(place for place, used in enumerate(accumulate(each.total for each in named)) if used >= excess)
    beginning = named[:count]
    spare = _total(beginning) - excess
    chosen: list[ContentYield] = []
    for each in reversed(beginning):  # the best earning content is spared first
        if each.total <= spare:
            spare -= each.total
        else:
            chosen.append(each)
    return tuple(reversed(chosen))


def _total(yields: Iterable[ContentYield]) -> Decimal:
    return sum((each.total for each in yields), Decimal(0))
