"""Imports past usage. Each row is counted exactly once, even if an import stops early or runs again: docs/import.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from billing.kernel.errors import ConcurrentChange, Violation
from billing.kernel.money import Money
from billing.platform.retry import RetryBudget
from billing.subscriptions.subscriber import Subscriber
from billing.usage.record_usage import IngestResult, Result, batches, count, outcome, refusal_of
from billing.usage.records import UsageStore
from billing.usage.refusal import day_refusal, unknown_account
from billing.usage.rules import UsageEvent

SOURCE = "import"
"""The source of rows that name none."""

ROWS_AT_ONCE = 10_000
"""Rows held in memory. More rows share more counters, so they need fewer writes."""

NOON = time(12)
"""The time of day of imported usage. No time zone changes its clocks at noon."""


@dataclass(frozen=True, slots=True)
class PastUsage:
    """A row of an import: the usage of a product on a day in the account's time zone.

    Without an `id`, a row is identified by its product, store, content and day: rows that agree in these must agree in
    all. `conversions` and `revenue` are those of UsageEvent. `line` is its line in the file, for messages.
    """

    account: str
    store: str
    product: str
    day: date
    quantity: Decimal
    content: str | None = None
    conversions: int = 0
    revenue: Money | None = None
    source: str = SOURCE
    id: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many rows had each result: see IngestResult. `refused` rows break a rule."""

    counted: int
    duplicate: int
    conflict: int
    refused: int


def ignore(_: PastUsage, __: Result) -> None:
    """A callback for callers that need no result for each row."""


def import_usage(
    rows: Iterable[PastUsage],
    *,
    now: datetime,
    budget: Callable[[], RetryBudget],
    store: UsageStore,
    on_result: Callable[[PastUsage, Result], None] = ignore,
    dry_run: bool = False,
) -> ImportResult:
    """Counts past usage. Calls `on_result` for each row once its result is durable, in no particular order.

    Markers of imported usage never expire: an import that stops anywhere, or is repeated, counts nothing twice. For
    ROWS_AT_ONCE rows: one read for every fifty accounts, and one transaction for up to a hundred rows and counters,
    each with a `budget` of its own. A dry run writes nothing, and does not see what was counted before. Raises
    ConcurrentChange when a budget is spent.
    """
    counts: Counter[IngestResult | None] = Counter()
    remaining = iter(rows)
    while chunk := list(islice(remaining, ROWS_AT_ONCE)):
        for row, result in _results(chunk, now, budget, store, dry_run):
            counts[None if isinstance(result, Violation) else result] += 1
            on_result(row, result)
    return ImportResult(
        counts[IngestResult.ACCEPTED],
        counts[IngestResult.DUPLICATE],
        counts[IngestResult.CONFLICT],
        refused=counts[None],
    )


def _results(
    rows: Sequence[PastUsage], now: datetime, budget: Callable[[], RetryBudget], store: UsageStore, dry_run: bool
) -> Iterator[tuple[PastUsage, Result]]:
    subscribers = store.subscribers(sorted({row.account for row in rows}))
    rows_of_event: defaultdict[tuple[str, str], list[tuple[PastUsage, UsageEvent]]] = defaultdict(list)
    for row in rows:
        event = _event(row, subscribers.get(row.account), now)
        if isinstance(event, Violation):
            yield row, event
        else:
            rows_of_event[event.account, event.identity].append((row, event))
    for batch in batches(each[0][1] for each in rows_of_event.values()):
        fingerprints = {} if dry_run else count(batch, _never, budget(), store)
        if fingerprints is None:
            raise ConcurrentChange
        for event in batch:
            first = True
            for row, each in rows_of_event[event.account, event.identity]:
                yield row, outcome(each, event, fingerprints, first)
                first = False


def _never(_: UsageEvent) -> None:
    """The expiry of an imported event's marker: none, because the same file may be imported again years later."""


def _event(row: PastUsage, subscriber: Subscriber | None, now: datetime) -> UsageEvent | Violation:
    """The event to count, or why the row is refused. The violation's path is a field of the row.

    Days before the account's first contract are history, and counted; days between two contracts are not.
    """
    if subscriber is None:
        return unknown_account(row.account)
    contract = subscriber.account.contract
    refused = day_refusal(row.day, contract.today(now)) or refusal_of(
        row.account, row.store, row.product, row.day, subscriber, now, with_history=True
    )
    if refused is not None:
        return refused
    return UsageEvent(
        account=row.account,
        source=row.source,
        id=f"{row.product}/{row.store}/{row.day}/{row.content or ''}" if row.id is None else row.id,
        product=row.product,
        store=row.store,
        content=row.content,
        time=datetime.combine(row.day, NOON, ZoneInfo(contract.time_zone)),
        day=row.day,
        quantity=row.quantity,
        conversions=row.conversions,
        revenue=row.revenue,
    )
