"""The usage page in the API: its query parameters, its JSON, and its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from billing.kernel.events import ActorKind
from billing.kernel.spreadsheet import Cell, Month, Sheet
from billing.platform.http.models import Identifier, IsoDate, MoneyView, View, plain
from billing.usage.corrections import Figures, RecordedUsageCorrection
from billing.usage.forecast import KNOWN_DAYS_MIN, Expectation, Forecast
from billing.usage.rules import MonthUsage
from billing.usage.summary import Grouping, Period, ProductUsageSummary, Series, UsagePage

From = Annotated[
    IsoDate | None,
    Query(alias="from", description="The first day; by default that of the month three months ago."),
]
Until = Annotated[
    IsoDate | None, Query(description="The first day no longer shown, 13 months later at most; by default tomorrow.")
]
By = Annotated[Literal["day", "month"], Query(description="Of what each figure is.")]
GroupBy = Annotated[Literal["product", "store", "content"], Query(description="Into what usage is parted.")]
OfProduct = Annotated[Identifier | None, Query(description="Of this product only.")]
OfStore = Annotated[Identifier | None, Query(alias="store", description="Of this store only.")]

_TENTH = Decimal("0.1")


class MonthUsageView(View):
    """A month, such as 2026-11, its usage, and how much that is of the tier: null where it is open-ended."""

    month: str
    usage: str
    percent: str | None

    @classmethod
    def of(cls, month: MonthUsage, up_to: int | None) -> MonthUsageView:
        return cls(month=_month(month.month), usage=plain(month.quantity), percent=_percent(month.quantity, up_to))


class ExpectationView(View):
    """What a month will probably come to: about eight of ten end between `low` and `high`."""

    month: str
    expected: str
    low: str
    high: str

    @classmethod
    def of(cls, expectation: Expectation) -> ExpectationView:
        return cls(
            month=_month(expectation.month),
            expected=_rounded(expectation.expected),
            low=_rounded(expectation.low),
            high=_rounded(expectation.high),
        )


class ForecastView(View):
    """The running month and the coming one, without peaks to come."""

    running: ExpectationView
    coming: ExpectationView

    @classmethod
    def of(cls, forecast: Forecast) -> ForecastView:
        return cls(running=ExpectationView.of(forecast.running), coming=ExpectationView.of(forecast.coming))


class StandingView(View):
    """Where a product stands, whatever range was asked for.

    `up_to` is the tier's monthly volume, null for open-ended. `months` are the last three closed months, or fewer;
    `average` is theirs. `forecast` is null until there are days enough, and `note` then says so.
    """

    product: str
    name: str
    unit: str
    up_to: int | None
    running: MonthUsageView
    months: list[MonthUsageView]
    average: str | None
    average_percent: str | None
    forecast: ForecastView | None
    note: str | None

    @classmethod
    def of(cls, summary: ProductUsageSummary) -> StandingView:
        line, mean = summary.line, summary.average
        return cls(
            product=line.product,
            name=line.name,
            unit=line.unit,
            up_to=line.up_to,
            running=MonthUsageView.of(summary.running, line.up_to),
            months=[MonthUsageView.of(each, line.up_to) for each in summary.months],
            average=None if mean is None else plain(mean),
            average_percent=None if mean is None else _percent(mean, line.up_to),
            forecast=None if summary.forecast is None else ForecastView.of(summary.forecast),
            note=None if summary.forecast else f"A forecast takes {KNOWN_DAYS_MIN} days of usage; there are fewer yet.",
        )


class PeriodView(View):
    """A day or a month, and its usage. A `peak` is a day of more than three times its usual usage.

    `corrected` is how much of the usage is corrections, below zero if they took usage back; null without any.
    """

    period: str
    usage: str
    peak: bool
    corrected: str | None


class SeriesView(View):
    """Usage by period, oldest first; a period that is not there had none.

    `store` and `content` are null where usage is not parted by them, and `content` also for usage that names none.
    `parts` is more than 1 for the sum of that many series that are too small to be shown by themselves.
    """

    product: str
    store: str | None
    content: str | None
    parts: int
    total: str
    periods: list[PeriodView]

    @classmethod
    def of(cls, series: Series, period: Period) -> SeriesView:
        return cls(
            product=series.product,
            store=series.store,
            content=series.content,
            parts=series.parts,
            total=plain(series.total),
            periods=[
                PeriodView(
                    period=_name(each, period),
                    usage=plain(quantity),
                    peak=each in series.peaks,
                    corrected=plain(series.corrected[each]) if each in series.corrected else None,
                )
                for each, quantity in series.usage.items()
            ],
        )


class FiguresView(View):
    """What a correction changes: the usage of its day, of the whole product and of its content in its store.

    `conversions` and `revenue` are those of the content in the month; `revenue` is null if the correction has none.
    """

    usage: str
    content_usage: str
    conversions: int
    revenue: MoneyView | None

    @classmethod
    def of(cls, figures: Figures, currency: str | None) -> FiguresView:
        return cls(
            usage=plain(figures.usage),
            content_usage=plain(figures.content_usage),
            conversions=figures.conversions,
            revenue=None
            if figures.revenue is None or currency is None
            else MoneyView(amount=figures.revenue, currency=currency),
        )


class UsageCorrectionView(View):
    """A correction of usage: what was added to a day, or taken back from it, why, and the figures before and after.

    `made_by` is `staff`, or `product` if the machine made it that reports usage. A correction changes no invoice and
    no decision about a tier that was made; those to come are made with the corrected usage.
    """

    id: str
    product: str
    store: str
    content: str | None
    day: date
    quantity: str
    conversions: int
    revenue: MoneyView | None
    reason: str
    made_at: datetime
    made_by: Literal["staff", "product"]
    before: FiguresView
    after: FiguresView

    @classmethod
    def of(cls, recorded: RecordedUsageCorrection) -> UsageCorrectionView:
        correction = recorded.correction
        currency = None if correction.revenue is None else correction.revenue.currency
        return cls(
            id=correction.id,
            product=correction.product,
            store=correction.store,
            content=correction.content,
            day=correction.day,
            quantity=plain(correction.quantity),
            conversions=correction.conversions,
            revenue=None if correction.revenue is None else MoneyView.of(correction.revenue),
            reason=correction.reason,
            made_at=recorded.made_at,
            made_by="staff" if recorded.made_by.kind is ActorKind.STAFF else "product",
            before=FiguresView.of(recorded.before, currency),
            after=FiguresView.of(recorded.after, currency),
        )


class UsageView(View):
    """The usage page: where each product stands, and the usage from `from` and before `until`.

    `corrections` are at most 100, those of the latest days first.
    """

    first: Annotated[date, Field(serialization_alias="from")]
    until: date
    by: Period
    group_by: Grouping
    time_zone: str
    products: list[StandingView]
    series: list[SeriesView]
    corrections: list[UsageCorrectionView]

    @classmethod
    def of(cls, page: UsagePage, time_zone: str) -> UsageView:
        query = page.query
        return cls(
            first=query.first,
            until=query.until,
            by=query.period,
            group_by=query.grouping,
            time_zone=time_zone,
            products=[StandingView.of(each) for each in page.summaries],
            series=[SeriesView.of(each, query.period) for each in page.series],
            corrections=[UsageCorrectionView.of(each) for each in page.corrections],
        )


def sheet(series: Sequence[Series], period: Period) -> Sheet:
    """The series as a sheet. The column `corrected` is there if some of the usage was corrected."""
    is_corrected = any(each.corrected for each in series)
    rows: list[tuple[Cell, ...]] = []
    for each in series:
        for first, quantity in each.usage.items():
            content = f"({each.parts} others)" if each.parts > 1 else each.content
            peak = "peak" if first in each.peaks else None
            shown = Month(first) if period is Period.MONTH else first
            corrected = Decimal(plain(each.corrected[first])) if first in each.corrected else None
            row = (shown, each.product, each.store, content, Decimal(plain(quantity)), peak)
            rows.append((*row, corrected) if is_corrected else row)
    heading = ("period", "product", "store", "content", "usage", "peak")
    return Sheet("usage", (*heading, "corrected") if is_corrected else heading, tuple(rows))


def _name(period_start: date, period: Period) -> str:
    return _month(period_start) if period is Period.MONTH else period_start.isoformat()


def _month(month: date) -> str:
    return month.isoformat()[:7]


def _percent(usage: Decimal, up_to: int | None) -> str | None:
    return None if up_to is None else f"{(usage * 100 / up_to).quantize(_TENTH, ROUND_HALF_EVEN)}"


def _rounded(expected: Decimal) -> str:
    """A forecast in whole units: decimals would suggest a precision that it does not have."""
    return f"{expected.quantize(Decimal(1), ROUND_HALF_EVEN):f}"
