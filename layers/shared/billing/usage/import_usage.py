"""The usage of the past is counted exactly once, however often and however far it is imported: docs/import.md."""

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
from billing.usage.record_usage import IngestResult, Result, account_of, batches, count, outcome
from billing.usage.records import UsageStore
from billing.usage.refusal import day_refusal
from billing.usage.rules import UsageEvent

SOURCE = "import"
"""Of usage that names no other."""

ROWS_AT_ONCE = 10_000
"""Held in memory. The more there are, the more of them share a counter, and the fewer are the writes."""

NOON = time(12)
"""When all usage of a day is said to have happened: no clock is put forward or back at that hour."""


@dataclass(frozen=True, slots=True)
class PastUsage:
    """What was used of a product on a day, which is one of the account's time zone.

    Without an `id` it is known again by its product, store, content and day: two of them under the same ones must be
    the same. `conversions` and `revenue` are those of UsageEvent. `line` is where it stands, for whoever reports on it.
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
    """How many rows came to what: see Outcome. What is refused breaks a rule."""

    counted: int
    duplicate: int
    conflict: int
    refused: int


def ignore(_: PastUsage, __: Result) -> None:
    """For whoever wants the sums only."""


def import_usage(
    rows: Iterable[PastUsage],
    *,
    now: datetime,
    budget: Callable[[], RetryBudget],
    store: UsageStore,
    told: Callable[[PastUsage, Result], None] = ignore,
    dry_run: bool = False,
) -> ImportResult:
    """Counts the usage of the past; tells what became of each row once that is durable, in no particular order.

    What is counted is known again for ever: cut off anywhere, or repeated, it counts nothing twice. One read for every
    fifty accounts in ROWS_AT_ONCE rows, and a transaction for up to a hundred rows and counters, each with a `budget`
    of its own. A dry run writes nothing, and does not see what was counted before. Raises ConcurrentChange when
    that budget is spent.
    """
    done: Counter[IngestResult | None] = Counter()
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_AT_ONCE)):
        for row, result in _results(some, now, budget, store, dry_run):
            done[None if isinstance(result, Violation) else result] += 1
            told(row, result)
    return ImportResult(
        done[IngestResult.ACCEPTED], done[IngestResult.DUPLICATE], done[IngestResult.CONFLICT], refused=done[None]
    )


def _results(
    rows: Sequence[PastUsage], now: datetime, budget: Callable[[], RetryBudget], store: UsageStore, dry_run: bool
) -> Iterator[tuple[PastUsage, Result]]:
    subscribers = store.subscribers(sorted({row.account for row in rows}))
    same: defaultdict[tuple[str, str], list[tuple[PastUsage, UsageEvent]]] = defaultdict(list)
    for row in rows:
        event = _event(row, subscribers.get(row.account), now)
        if isinstance(event, Violation):
            yield row, event
        else:
            same[event.account, event.identity].append((row, event))
    for batch in batches(each[0][1] for each in same.values()):
        standing = {} if dry_run else count(batch, _never, budget(), store)
        if standing is None:
            raise ConcurrentChange
        for event in batch:
            first = True
            for row, each in same[event.account, event.identity]:
                yield row, outcome(each, event, standing, first)
                first = False


def _never(_: UsageEvent) -> None:
    """When history is forgotten: the same file may come again in years."""


def _event(row: PastUsage, subscriber: Subscriber | None, now: datetime) -> UsageEvent | Violation:
    """The event that is to be counted, or why it is not. The path is a field of the row."""
    account = account_of(row.account, row.store, row.product, subscriber)
    if isinstance(account, Violation):
        return account
    refused = day_refusal(row.day, account.contract.today(now))
    if refused is not None:
        return refused
    return UsageEvent(
        account=row.account,
        source=row.source,
        id=f"{row.product}/{row.store}/{row.day}/{row.content or ''}" if row.id is None else row.id,
        product=row.product,
        store=row.store,
        content=row.content,
        time=datetime.combine(row.day, NOON, ZoneInfo(account.contract.time_zone)),
        day=row.day,
        quantity=row.quantity,
        conversions=row.conversions,
        revenue=row.revenue,
    )
