"""Usage that the vendor's product reports is counted exactly once: DESIGN 6, docs/decisions/0008."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from billing.domain.account import Account, Status
from billing.domain.errors import ConcurrentChange, Path, Violation
from billing.domain.events import EventType, Occasion
from billing.domain.money import Money
from billing.domain.subscriber import Subscriber
from billing.domain.usage import FUTURE_MAX, UsageEvent
from billing.gateways.ports import UsageBacklog
from billing.store.usage_store import ACTIONS_MAX, UsageStore, counters
from billing.usecases.patience import Patience
from billing.usecases.tell import tell

EXPIRY_SLACK = timedelta(days=1)
"""A marker stays so much longer than its event may be reported again, whatever the clocks say."""


class Outcome(StrEnum):
    """What becomes of a reported event. QUEUED: kept, and counted in a moment."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUEUED = "queued"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What is reported, before anybody has looked whether there is such an account. See UsageEvent."""

    source: str
    id: str
    product: str
    account: str
    store: str
    content: str | None
    time: datetime
    quantity: Decimal
    conversions: int
    revenue: Money | None


Result = Outcome | Violation
"""A violation says why an event is rejected."""

_ATTRIBUTES: dict[str, Path] = {"account": ("subject",), "store": ("subject",), "product": ("type",)}
"""Where an event says what the rules name."""

_TIME: Path = ("time",)


def record_usage(
    reports: Sequence[UsageReport],
    *,
    occasion: Occasion,
    reported_within: timedelta,
    patience: Patience,
    store: UsageStore,
    backlog: UsageBacklog,
) -> list[Result]:
    """Counts what is reported; returns what became of each report, in their order, once that is durable.

    An event is taken until `reported_within` after it happened, and known again for as long. One read for every
    fifty accounts, then a transaction for about a hundred events and counters. What finds its counters taken for
    longer than `patience` lasts goes through the backlog. Safe to repeat. Raises UpstreamFailed.
    """
    subscribers = store.subscribers(sorted({each.account for each in reports}))
    results: list[Result | None] = [None] * len(reports)
    places: defaultdict[tuple[str, str], list[tuple[int, UsageEvent]]] = defaultdict(list)
    for place, report in enumerate(reports):
        event = _event(report, subscribers.get(report.account), occasion.time, reported_within)
        if isinstance(event, Violation):
            results[place] = event
        else:
            places[event.account, event.identity].append((place, event))
    for batch in batches(same[0][1] for same in places.values()):
        standing = count(batch, lambda _: expiry(occasion.time, reported_within), patience, store)
        if standing is None:
            backlog.put(batch)
        for event in batch:
            first = True
            for place, each in places[event.account, event.identity]:
                results[place] = outcome(each, event, standing, first)
                first = False
    _tell_of_refused_usage(reports, subscribers, occasion, store)
    return [result for result in results if result is not None]


def expiry(now: datetime, reported_within: timedelta) -> datetime:
    """Until when an event that is counted now is known again."""
    return now + reported_within + EXPIRY_SLACK


def batches(events: Iterable[UsageEvent]) -> Iterator[list[UsageEvent]]:
    """The events in parts that fit into one transaction each: a marker for each event, and their counters."""
    batch: list[UsageEvent] = []
    touched: set[tuple[str, str]] = set()
    # Neighbours share counters, so that there are few of them, and few transactions.
    for adds_to, _, event in sorted((counters(each), each.identity, each) for each in events):
        more = touched.union(adds_to)
        if len(batch) + 1 + len(more) > ACTIONS_MAX:
            yield batch
            batch, more = [], set(adds_to)
        batch.append(event)
        touched = more
    if batch:
        yield batch


def count(
    batch: Sequence[UsageEvent],
    expires: Callable[[UsageEvent], datetime | None],
    patience: Patience,
    store: UsageStore,
) -> Mapping[UsageEvent, str] | None:
    """Counts those of a batch that are not counted yet; None when the counters are taken for too long.

    Returns the fingerprints of those that were counted before. It is all or none: without an answer nothing of
    the batch is counted that was not counted before.
    """
    standing: dict[UsageEvent, str] = {}
    attempt = 0
    while fresh := [event for event in batch if event not in standing] if standing else list(batch):
        try:
            found = store.count(fresh, expires)
        except ConcurrentChange:
            attempt += 1
            if not patience.lasts(attempt):
                return None
            continue
        if not found:
            break
        standing |= found
    return standing


def outcome(event: UsageEvent, counted: UsageEvent, standing: Mapping[UsageEvent, str] | None, first: bool) -> Outcome:
    """What becomes of an event when `counted`, the first of its identity in the request, met what was standing."""
    fingerprint = counted.fingerprint if standing is None else standing.get(counted, counted.fingerprint)
    if event.fingerprint != fingerprint:
        return Outcome.CONFLICT
    if not first or (standing and counted in standing):
        return Outcome.DUPLICATE
    return Outcome.QUEUED if standing is None else Outcome.ACCEPTED


def account_of(account: str, store: str, product: str, subscriber: Subscriber | None) -> Account | Violation:
    """The account that usage counts for, whenever it was, or why it does not: the path is the wrong argument's name."""
    if subscriber is None:
        return Violation(("account",), f"There is no account {account}.")
    if subscriber.account.status is Status.DEACTIVATED:
        return Violation(("account",), f"The account {account} is deactivated: its usage is no longer counted.")
    if store not in {each.store for each in subscriber.account.stores}:
        return Violation(("store",), f"The account {account} has no store {store}.")
    if product not in {line.product for line in subscriber.subscription.lines}:
        return Violation(("product",), f"The account {account} does not subscribe to {product}.")
    return subscriber.account


def _event(
    report: UsageReport, subscriber: Subscriber | None, now: datetime, reported_within: timedelta
) -> UsageEvent | Violation:
    """The event that is to be counted, or why it is not."""
    account = account_of(report.account, report.store, report.product, subscriber)
    if isinstance(account, Violation):
        return Violation(_ATTRIBUTES[str(account.path[0])], account.detail)
    if report.time < now - reported_within:
        return Violation(_TIME, f"It happened more than {reported_within.days} days ago, and is no longer counted.")
    if report.time > now + FUTURE_MAX:
        return Violation(_TIME, f"It lies more than {FUTURE_MAX.seconds // 60} minutes in the future.")
    return UsageEvent(
        account=report.account,
        source=report.source,
        id=report.id,
        product=report.product,
        store=report.store,
        content=report.content,
        time=report.time,
        day=account.contract.today(report.time),
        quantity=report.quantity,
        conversions=report.conversions,
        revenue=report.revenue,
    )


def _tell_of_refused_usage(
    reports: Sequence[UsageReport], subscribers: Mapping[str, Subscriber], occasion: Occasion, usage: UsageStore
) -> None:
    for account, subscriber in subscribers.items():
        if subscriber.account.status is not Status.DEACTIVATED:
            continue
        known = {store.store: store.name for store in subscriber.account.stores}
        sending = sorted({known[each.store] for each in reports if each.account == account and each.store in known})
        event = tell(EventType.USAGE_REFUSED, occasion, account=account, before=None, after={"stores": sending})
        usage.record_once(account, _refusal(subscriber.account), event)


def _refusal(account: Account) -> str:
    """Whoever comes back has a new contract, and may one day be told again."""
    return f"usage-refused#{account.contract.start.isoformat()}"
