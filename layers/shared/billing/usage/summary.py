"""What a customer sees of their usage: where each product stands in its tier, and any stretch of time in its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.subscriptions.rules import Line
from billing.usage.forecast import Forecast, forecast
from billing.usage.peaks import peaks
from billing.usage.rules import ContentUsage, Daily, MonthUsage, average, closed_months, month_of

AVERAGED_MONTHS = 3

SERIES_MAX = 100


class Period(StrEnum):
    """What a figure is of."""

    DAY = "day"
    MONTH = "month"


class Grouping(StrEnum):
    """Into what usage is parted. A store is one of a product, a content one of a product and a store."""

    PRODUCT = "product"
    STORE = "store"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What is to be shown: from `first` and before `until`, of one product or all, of one store or all."""

    first: date
    until: date
    period: Period
    grouping: Grouping
    product: str | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True)
class ProductUsageSummary:
    """Where a product stands: the running month so far, the closed months before it, and what is to be expected."""

    line: Line
    running: MonthUsage
    months: tuple[MonthUsage, ...]
    average: Decimal | None
    forecast: Forecast | None


@dataclass(frozen=True, slots=True)
class Series:
    """Usage by period, named by its first day; a period that is not there had none.

    `peaks` are days that stand out, of a product as a whole. Where `parts` is more than one, it is the sum of that many
    series that are too small to be shown by themselves.
    """

    product: str
    store: str | None
    content: str | None
    usage: Mapping[date, Decimal]
    peaks: frozenset[date] = frozenset()
    parts: int = 1

    @property
    def total(self) -> Decimal:
        return sum(self.usage.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class UsagePage:
    """What was wanted, where each product stands, and the usage in the parts that were asked for."""

    query: UsageQuery
    summaries: tuple[ProductUsageSummary, ...]
    series: tuple[Series, ...]


def product_usage_summary(line: Line, daily: Daily, *, today: date, since: date) -> ProductUsageSummary:
    """Where a product stands, from its usage by day in the last year or so; `since` is the account's first day."""
    running = month_of(today)
    months = closed_months(daily, today, since, AVERAGED_MONTHS)
    so_far = sum((quantity for day, quantity in daily.items() if day >= running), Decimal(0))
    return ProductUsageSummary(line, MonthUsage(running, so_far), months, average(months), forecast(daily, today))


def product_series(product: str, daily: Daily, first: date, until: date, period: Period, *, today: date) -> Series:
    """A product's usage from `first` and before `until`. `daily` reaches as far back as peaks are measured."""
    stretch = {day: quantity for day, quantity in daily.items() if first <= day < until}
    marked = peaks(daily, first, until, today) if period is Period.DAY else frozenset()
    return Series(product, None, None, _by(period, [stretch]), marked)


def part_series(
    contents: Iterable[ContentUsage], first: date, until: date, period: Period, grouping: Grouping
) -> list[Series]:
    """The usage from `first` and before `until` by store or content: the largest, and what is left in one series."""
    parts: dict[tuple[str, str, str | None], list[Daily]] = {}
    for each in contents:
        stretch = {day: quantity for day, quantity in each.daily.items() if first <= day < until}
        if stretch:
            content = each.content if grouping is Grouping.CONTENT else None
            parts.setdefault((each.product, each.store, content), []).append(stretch)
    every = [Series(*place, _by(period, dailies)) for place, dailies in parts.items()]
    every.sort(key=lambda each: (-each.total, each.product, each.store or "", each.content or ""))
    shown, others = every[:SERIES_MAX], every[SERIES_MAX:]
    by_product: dict[str, list[Series]] = {}
    for other in others:
        by_product.setdefault(other.product, []).append(other)
    return shown + [_sum_of_series(rest, period) for _, rest in sorted(by_product.items())]


def _sum_of_series(rest: Sequence[Series], period: Period) -> Series:
    """Several series of a product as one; a single one stays what it is."""
    first, *others = rest
    if not others:
        return first
    return Series(first.product, None, None, _by(period, [each.usage for each in rest]), parts=len(rest))


def _by(period: Period, dailies: Sequence[Daily]) -> dict[date, Decimal]:
    sums: dict[date, Decimal] = {}
    for daily in dailies:
        for day, quantity in daily.items():
            place = month_of(day) if period is Period.MONTH else day
            sums[place] = sums.get(place, Decimal(0)) + quantity
    return dict(sorted(sums.items()))
