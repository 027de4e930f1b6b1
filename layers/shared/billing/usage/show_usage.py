"""The usage page. It reads no more than it shows, and refuses ranges that would take too long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import islice

from billing.kernel.contract_calendar import months_after
from billing.kernel.errors import BadParameter
from billing.kernel.field_codes import FieldCode
from billing.subscriptions.rules import Line
from billing.subscriptions.subscriber import Subscriber
from billing.usage.corrections import SHOWN_MAX, RecordedUsageCorrection
from billing.usage.peaks import WINDOW_MONTHS
from billing.usage.records import UsageStore
from billing.usage.rules import ContentUsage, month_before, month_of
from billing.usage.summary import (
    Grouping,
    Series,
    UsagePage,
    UsageQuery,
    part_series,
    product_series,
    product_usage_summary,
)

MONTHS_MAX = 13
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)
"""Years outside are typing errors, and Python's calendar ends."""

CONTENTS_MAX = 5000
"""Contents and months that one page reads at most: some megabytes."""


def show_usage(subscriber: Subscriber, query: UsageQuery, *, today: date, store: UsageStore) -> UsagePage:
    """The usage that the query asks for, and a summary of each product.

    One query for the last 13 months of all products. Another one if the range begins earlier; or one for each product
    if usage is grouped by store or content, or limited to one store. One query more if some of it was corrected. Raises
    BadParameter.
    """
    _check(subscriber, query)
    account, lines = subscriber.account, shown_lines(subscriber, query, today)
    running = month_of(today)
    year_begins = month_before(running, MONTHS_MAX - 1)
    year, year_corrected = store.totals_with_corrections(account.id, year_begins, running)
    if query.grouping is Grouping.PRODUCT and query.store is None:
        peaks_from = month_before(month_of(query.first), WINDOW_MONTHS - 1)
        totals, corrected = (
            (year, year_corrected)
            if peaks_from >= year_begins
            else store.totals_with_corrections(account.id, peaks_from, min(_last_month(query), running))
        )
        series = [
            product_series(
                line.product,
                totals.get(line.product, {}),
                corrected.get(line.product, {}),
                query.first,
                query.until,
                query.period,
                today=today,
            )
            for line in lines
        ]
    else:
        contents = _contents(account.id, lines, query, store)
        series = part_series(contents, query.first, query.until, query.period, query.grouping)
    summaries = (
        product_usage_summary(line, year.get(line.product, {}), today=today, since=account.contract.start)
        for line in lines
    )
    return UsagePage(query, tuple(summaries), tuple(series), _corrections(account.id, query, series, store))


def _corrections(
    account: str, query: UsageQuery, series: Sequence[Series], store: UsageStore
) -> tuple[RecordedUsageCorrection, ...]:
    """The latest corrections of the shown usage, at most SHOWN_MAX. They are queried only if there are any."""
    products = {each.product for each in series if each.corrected}
    if not products:
        return ()
    made = (
        each
        for each in store.corrections(account, query.first, query.until)
        if each.correction.product in products and query.store in {None, each.correction.store}
    )
    return tuple(islice(made, SHOWN_MAX))


def _check(subscriber: Subscriber, query: UsageQuery) -> None:
    for parameter, day in (("from", query.first), ("until", query.until)):
        if not EARLIEST <= day < LATEST:
            code = FieldCode.TOO_EARLY if day < EARLIEST else FieldCode.TOO_LATE
            raise BadParameter(
                parameter, f"A range lies between {EARLIEST} and {LATEST}.", code, min=EARLIEST, below=LATEST
            )
    if query.until <= query.first:
        raise BadParameter("until", "until must be after from.", FieldCode.TOO_EARLY, above=query.first)
    if query.until > months_after(query.first, MONTHS_MAX):
        raise BadParameter(
            "until",
            f"A range has at most {MONTHS_MAX} months.",
            FieldCode.TOO_LATE,
            max=months_after(query.first, MONTHS_MAX),
        )
    if query.store not in {None, *(store.id for store in subscriber.account.stores)}:
        raise BadParameter(
            "store",
            f"The account has no store {query.store}.",
            FieldCode.UNKNOWN,
            allowed=[store.id for store in subscriber.account.stores],
        )


def shown_lines(subscriber: Subscriber, query: UsageQuery, today: date) -> list[Line]:
    """The lines whose usage counts today, and those that have ended since the range begins, with their last tiers.

    Raises BadParameter if there is none.
    """
    subscription = subscriber.subscription
    ended = [
        subscription.line_on(line, line.valid_until - timedelta(days=1))
        for line in subscription.lines
        if line.valid_until is not None and query.first < line.valid_until <= today
    ]
    lines = [*subscription.lines_not_over(today), *ended]
    named = [line for line in lines if query.product in {None, line.product}]
    return named or lines_of(subscriber, query.product, today)


def lines_of(subscriber: Subscriber, product: str | None, today: date) -> list[Line]:
    """The lines whose usage counts today, of one product or of all. Raises BadParameter if there is none."""
    lines = [line for line in subscriber.subscription.lines_not_over(today) if product in {None, line.product}]
    if not lines:
        raise BadParameter("product", f"The account does not subscribe to {product}.", FieldCode.UNKNOWN)
    return lines


def _last_month(query: UsageQuery) -> date:
    return month_of(query.until - timedelta(days=1))


def _contents(account: str, lines: Iterable[Line], query: UsageQuery, store: UsageStore) -> list[ContentUsage]:
    contents: list[ContentUsage] = []
    for line in lines:
        left = CONTENTS_MAX - len(contents)
        contents += store.contents(account, line.product, month_of(query.first), _last_month(query), limit=left + 1)
        if len(contents) > CONTENTS_MAX:
            raise BadParameter(
                "product" if query.product is None else "from",
                f"There are more than {CONTENTS_MAX:,} contents and months in this range. "
                "Ask for one product, or for fewer months.",
                FieldCode.TOO_MANY,
                max=CONTENTS_MAX,
            )
    return [each for each in contents if query.store in {None, each.store}]
