"""The content of the usage page: a summary of each product, and usage by day or month for a range of days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.subscriptions.rules import Line
from billing.usage.corrections import RecordedUsageCorrection
from billing.usage.forecast import Forecast, forecast
from billing.usage.peaks import peaks
from billing.usage.rules import CLOSED_MONTHS, ContentUsage, Daily, MonthUsage, average, closed_months, month_of

SERIES_MAX = 100
"""Series that are shown by themselves. The smaller ones of a product are added up in one."""


class Period(StrEnum):
    """The length of time of each figure."""

    DAY = "day"
    MONTH = "month"


class Grouping(StrEnum):
    """How usage is grouped: by product, by product and store, or by product, store and content."""

    PRODUCT = "product"
    STORE = "store"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A request for usage: from `first` to before `until`, of one product or all, of one store or all."""

    first: date
    until: date
    period: Period
    grouping: Grouping
    product: str | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True)
class ProductUsageSummary:
    """A product's usage in the running month so far and in the last closed months, and its forecast.

    `average` is the mean of `months`, None without any.
    """

    line: Line
    running: MonthUsage
    months: tuple[MonthUsage, ...]
    average: Decimal | None
    forecast: Forecast | None


@dataclass(frozen=True, slots=True)
class Series:
    """Usage by period; a period is named by its first day, and a missing one had no usage.

    `peaks` are the peak days of a whole product. If `parts` is more than one, the series is the sum of that many small
    series. `corrected` is how much of the usage of a period is corrections; a missing one has none.
    """

    product: str
    store: str | None
    content: str | None
    usage: Mapping[date, Decimal]
    peaks: frozenset[date] = frozenset()
    parts: int = 1
    corrected: Mapping[date, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum(self.usage.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class UsagePage:
    """The query, a summary of each product, and the usage in the groups that the query asks for.

    `corrections` are those of the range's latest days, the latest first.
    """

    query: UsageQuery
    summaries: tuple[ProductUsageSummary, ...]
    series: tuple[Series, ...]
    corrections: tuple[RecordedUsageCorrection, ...] = ()


def product_usage_summary(line: Line, daily: Daily, *, today: date, since: date) -> ProductUsageSummary:
    """The summary of a product, from its usage by day in the last year; `since` is the account's first day.

    A product that has ended has no forecast.
    """
    running = month_of(today)
    months = closed_months(daily, today, since, CLOSED_MONTHS)
    so_far = sum((quantity for day, quantity in daily.items() if day >= running), Decimal(0))
    expected = None if line.ends_by(today) else forecast(daily, today)
    return ProductUsageSummary(line, MonthUsage(running, so_far), months, average(months), expected)


def product_series(
    product: str, daily: Daily, corrected: Daily, first: date, until: date, period: Period, *, today: date
) -> Series:
    """A product's usage from `first` to before `until`. `daily` must reach back as far as `peaks` asks for."""
    peak_days = peaks(daily, first, until, today) if period is Period.DAY else frozenset()
    usage, corrections = _in_range(daily, first, until), _in_range(corrected, first, until)
    return Series(product, None, None, _by(period, [usage]), peak_days, corrected=_by(period, [corrections]))


def part_series(
    contents: Iterable[ContentUsage], first: date, until: date, period: Period, grouping: Grouping
) -> list[Series]:
    """The usage from `first` to before `until` by store or content, the largest first.

    At most SERIES_MAX series, then one for each product with the sum of its smaller ones.
    """
    parts: dict[tuple[str, str, str | None], tuple[list[Daily], list[Daily]]] = {}
    for each in contents:
        in_range = _in_range(each.daily, first, until)
        if in_range:
            content = each.content if grouping is Grouping.CONTENT else None
            dailies, corrected = parts.setdefault((each.product, each.store, content), ([], []))
            dailies.append(in_range)
            corrected.append(_in_range(each.corrected, first, until))
    series = [
        Series(*place, _by(period, dailies), corrected=_by(period, corrected))
        for place, (dailies, corrected) in parts.items()
    ]
    series.sort(key=lambda each: (-each.total, each.product, each.store or "", each.content or ""))
    largest, others = series[:SERIES_MAX], series[SERIES_MAX:]
    by_product: dict[str, list[Series]] = {}
    for other in others:
        by_product.setdefault(other.product, []).append(other)
    return largest + [_sum_of_series(rest, period) for _, rest in sorted(by_product.items())]


def _sum_of_series(rest: Sequence[Series], period: Period) -> Series:
    """The sum of several series of a product; a single series keeps its store and content."""
    first, *others = rest
    if not others:
        return first
    usage = _by(period, [each.usage for each in rest])
    corrected = _by(period, [each.corrected for each in rest])
    return Series(first.product, None, None, usage, parts=len(rest), corrected=corrected)


def _in_range(daily: Daily, first: date, until: date) -> Daily:
    return {day: quantity for day, quantity in daily.items() if first <= day < until}


def _by(period: Period, dailies: Sequence[Daily]) -> dict[date, Decimal]:
    sums: dict[date, Decimal] = {}
    for daily in dailies:
        for day, quantity in daily.items():
            place = month_of(day) if period is Period.MONTH else day
            sums[place] = sums.get(place, Decimal(0)) + quantity
    return dict(sorted(sums.items()))
