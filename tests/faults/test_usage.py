"""Usage is counted exactly once: replayed, reordered, duplicated, cut off anywhere, with concurrent writers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Any

import pytest
from billing.accounts.rules import existing
from billing.kernel.errors import AnswerLost, ConcurrentChange, RuleViolation
from billing.kernel.money import Money
from billing.platform.retry import RetryBudget
from billing.usage.backlog import UsageBacklog
from billing.usage.correct_usage import correct_usage
from billing.usage.corrections import UsageCorrection
from billing.usage.record_queued_usage import record_queued_usage
from billing.usage.record_usage import IngestResult, UsageReport, batches, record_usage
from billing.usage.rejected_usage import note_rejected, tell_rejected
from billing.usage.rules import UsageEvent, month_of
from billing.usage.watch_usage import watch_usage
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.faults.company import NEW_ACCOUNT, catalogue, events, provision
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import World
from tests.properties import examples
from tests.store.samples import CONTEXT, NOON

WITHIN = timedelta(days=35)
JUNE = date(2026, 6, 1)
ACCOUNT = NEW_ACCOUNT.account
STORES = [each.id for each in NEW_ACCOUNT.stores]
PRODUCTS = [each.product for each in NEW_ACCOUNT.orders]


class Backlog:
    """The messages that wait to be counted. See billing.usage.backlog.UsageBacklog."""

    def __init__(self) -> None:
        self.messages: list[list[UsageEvent]] = []

    def put(self, events: Sequence[UsageEvent]) -> None:
        self.messages.append(list(events))


class UsageWorld(World):
    """The sample company, with a backlog for its usage."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Backlog()

    @property
    def backlog(self) -> UsageBacklog:
        return edge("backlog", self.waiting, failure=lambda: AnswerLost("It did not answer."))


def company() -> UsageWorld:
    made = UsageWorld()
    made.table = catalogue().table
    with made.calm():
        provision(made)
    return made


def story(seed: int, count: int) -> list[UsageReport]:
    """Pairs of events with ids of their own; they share days, stores and contents."""
    chance = Random(seed)
    return [
        UsageReport(
            source=f"//shop.example/{number % 2}",
            id=f"{seed}-{number // 2}",
            product=chance.choice(PRODUCTS),
            account=ACCOUNT,
            store=chance.choice(STORES),
            content=chance.choice([None, "Search box", "Slider #2"]),
            time=NOON - timedelta(days=chance.choice([0, 0, 0, 1, 11, 30])),
            quantity=Decimal(chance.choice(["0.2", "1", "3.000001", "0"])),
            conversions=chance.choice([0, 0, 1]),
            revenue=chance.choice([None, Money(chance.randint(0, 9999), chance.choice(["EUR", "DKK"]))]),
        )
        for number in range(count)
    ]


def reported(reports: Sequence[UsageReport], *, patient: bool = True) -> Callable[[UsageWorld], None]:
    """POST /usage, repeated by the client until it gets an answer."""

    def command(world: UsageWorld) -> None:
        results = record_usage(
            reports,
            context=CONTEXT,
            reported_within=WITHIN,
            budget=RetryBudget(10 if patient else 0, wait=lambda _: None, chance=lambda: 0.5),
            store=world.usage,
            backlog=world.backlog,
        )
        assert set(results) <= {IngestResult.ACCEPTED, IngestResult.DUPLICATE, IngestResult.QUEUED}, results

    return command


def drain(world: UsageWorld) -> None:
    """The queue delivers its messages, and deletes each once it is processed."""
    while world.waiting.messages:
        message = world.waiting.messages[0]
        recorded = record_queued_usage(
            message,
            now=NOON,
            reported_within=WITHIN,
            budget=RetryBudget(10, wait=lambda _: None, chance=lambda: 0.5),
            store=world.usage,
        )
        assert recorded.conflict == 0
        if message in world.waiting.messages:  # it may have been delivered twice
            world.waiting.messages.remove(message)


Sums = dict[tuple[str, ...], Decimal]


def expected(reports: Iterable[UsageReport]) -> Sums:
    """The sums of distinct events, added up one by one without the code under test."""
    sums: Sums = {}

    def add(amount: Decimal | int, *place: str) -> None:
        if amount:
            sums[place] = sums.get(place, Decimal(0)) + amount

    for each in {(report.source, report.id): report for report in reports}.values():
        assert each.time is not None
        day = each.time.date().isoformat()
        add(each.quantity, each.product, day)
        add(each.quantity, each.product, each.store, str(each.content), day)
        add(each.conversions, each.product, each.store, str(each.content), day[:7], "conversions")
        if each.revenue:
            add(each.revenue.amount, each.product, each.store, str(each.content), day[:7], each.revenue.currency)
    return sums


def counted(world: UsageWorld) -> Sums:
    """The same sums, read from the table."""
    sums: Sums = {}
    for product, daily in world.usage.totals(ACCOUNT, date(2026, 5, 1), JUNE).items():
        sums |= {(product, day.isoformat()): quantity for day, quantity in daily.items() if quantity}
        for each in world.usage.contents(ACCOUNT, product, date(2026, 5, 1), JUNE, limit=1000):
            place = (product, each.store, str(each.content))
            month = f"{each.month:%Y-%m}"
            sums |= {(*place, day.isoformat()): quantity for day, quantity in each.daily.items() if quantity}
            sums |= {(*place, month, currency): Decimal(amount) for currency, amount in each.revenue.items() if amount}
            if each.conversions:
                sums[*place, month, "conversions"] = Decimal(each.conversions)
    return sums


def exactly(reports: Sequence[UsageReport]) -> Callable[[UsageWorld], None]:
    """Checks that the counters equal the sums of the distinct events once the backlog is empty."""
    sums = expected(reports)

    def check(world: UsageWorld) -> None:
        if not world.waiting.messages:
            assert counted(world) == sums

    return check


def test_a_batch_cut_off_anywhere_counts_once(faults: Faults) -> None:
    reports = story(1, 130)
    assert len(list(batches(the_events(reports)))) > 1

    faults.every_cut(world=company, command=reported(reports), invariants=exactly(reports))


def test_queued_usage_counts_once(faults: Faults) -> None:
    reports = story(2, 60)

    def command(world: UsageWorld) -> None:
        reported(reports, patient=False)(world)
        drain(world)

    faults.every_cut(world=company, command=command, invariants=exactly(reports))


def test_two_concurrent_batches_with_the_same_events_count_once(faults: Faults) -> None:
    reports = story(3, 40)
    backwards = [*reversed(reports), *reports[:5]]

    faults.every_race(
        world=company,
        first=reported(reports),
        second=reported(backwards),
        invariants=exactly(reports),
        runs_max=1,
    )


@pytest.mark.parametrize("seed", range(6))
def test_replayed_reordered_and_duplicated_batches_count_once_under_concurrent_writers(
    faults: Faults, seed: int
) -> None:
    chance = Random(f"usage {seed}")
    reports = story(seed, 60)
    parts = [chance.sample(reports, k=chance.randint(5, 40)) for _ in range(4)]
    parts += [[*reports[30:], *reports[:40], *reports[50:]], reports]
    commands = [reported(part, patient=number % 3 != 0) for number, part in enumerate(parts)]

    def whole(world: UsageWorld) -> None:
        drain(world)
        assert counted(world) == expected(reports)

    def never_more(world: UsageWorld) -> None:
        sums, most = counted(world), expected(reports)
        assert all(amount <= most[place] for place, amount in sums.items())

    faults.histories(world=company, commands=[*commands, drain], invariants=whole, always=never_more, count=8)


def test_a_conflicting_event_changes_nothing(faults: Faults) -> None:
    reports = story(5, 20)
    others = [
        UsageReport(**{**{name: getattr(each, name) for name in UsageReport.__slots__}, "quantity": Decimal(77)})
        for each in reports[:10]
    ]

    def contradicted() -> UsageWorld:
        world = company()
        with world.calm():
            reported(reports)(world)
        return world

    def command(world: UsageWorld) -> None:
        results = record_usage(
            others,
            context=CONTEXT,
            reported_within=WITHIN,
            budget=RetryBudget(10, wait=lambda _: None),
            store=world.usage,
            backlog=world.backlog,
        )
        assert set(results) == {IngestResult.CONFLICT}

    faults.every_cut(world=contradicted, command=command, invariants=exactly(reports))


def test_a_threshold_causes_one_alert(faults: Faults) -> None:
    """Every cut and every race of two watchers leaves one event for each threshold."""

    def watch(usage: int) -> Callable[[UsageWorld], None]:
        def command(world: UsageWorld) -> None:
            watch_usage(ACCOUNT, "search", JUNE, Decimal(usage), now=NOON, correlation="stream", store=world.usage)

        return command

    def alerts(*percents: int) -> Callable[[UsageWorld], None]:
        def check(world: UsageWorld) -> None:
            assert [each["after"]["percent"] for each in events(world, "usage.threshold_reached")] == list(percents)

        return check

    faults.every_cut(world=company, command=watch(8000), invariants=alerts(75))
    faults.every_race(world=company, first=watch(8000), second=watch(8000), invariants=alerts(75))
    faults.every_race(
        world=company,
        first=watch(8000),
        second=watch(9500),
        invariants=lambda world: alerts(*sorted({75, 90} - ({75} if len(events(world, "usage")) == 1 else set())))(
            world
        ),
        may_lose=(ConcurrentChange,),
    )


# ---- Corrections ----


def entry(number: int, day: int, quantity: str, *, product: str = "search") -> UsageCorrection:
    """A correction of the first store on a day in June."""
    return UsageCorrection(
        id=f"c-{number}",
        account=ACCOUNT,
        product=product,
        store=STORES[0],
        content=None,
        day=date(2026, 6, day),
        quantity=Decimal(quantity),
        conversions=0,
        revenue=None,
        reason="A typing error",
    )


def made(correction: UsageCorrection, chance: float = 0.5) -> Callable[[UsageWorld], None]:
    """POST /usage/corrections, as its function does it."""

    def command(world: UsageWorld) -> None:
        state = existing(world.usage.correction_state(correction))
        budget = RetryBudget(10, wait=lambda _: None, chance=lambda: chance)
        correct_usage(state, correction, context=CONTEXT, budget=budget, store=world.usage)

    return command


def used(quantity: int = 100) -> UsageWorld:
    """The company with usage on 9 June."""
    world = company()
    with world.calm():
        reported([dated(day, str(quantity)) for day in (8, 9)])(world)
    return world


def dated(day: int, quantity: str, product: str = "search") -> UsageReport:
    time = NOON.replace(day=day, hour=1)
    place = (product, ACCOUNT, STORES[0], None, time, Decimal(quantity))
    return UsageReport("//shop.example/0", f"{product} {day} {quantity}", *place, 0, None)


def corrected_by(world: UsageWorld) -> Sums:
    """How much of each product and day is corrections, from the counters."""
    _, corrected = world.usage.totals_with_corrections(ACCOUNT, JUNE, JUNE)
    return {(product, day.isoformat()): each for product, daily in corrected.items() for day, each in daily.items()}


def test_a_correction_cut_off_anywhere_is_made_once(faults: Faults) -> None:
    def once(world: UsageWorld) -> None:
        assert counted(world)["search", "2026-06-09"] == Decimal("98.5")
        assert corrected_by(world) == {("search", "2026-06-09"): Decimal("-1.5")}
        [event] = events(world, "usage.corrected")
        assert (event["before"]["usage"], event["after"]["figures"]["usage"]) == ("100", "98.5")
        assert len([*world.usage.corrections(ACCOUNT, JUNE, date(2026, 7, 1))]) == 1

    faults.every_cut(world=used, command=made(entry(1, 9, "-1.5")), invariants=once)
    faults.every_race(world=used, first=made(entry(1, 9, "-1.5")), second=made(entry(1, 9, "-1.5")), invariants=once)


def test_corrections_and_reports_at_the_same_time_lose_nothing(faults: Faults) -> None:
    def whole(world: UsageWorld) -> None:
        assert counted(world)["search", "2026-06-09"] == Decimal(107)
        last = [event["after"]["figures"]["usage"] for event in events(world, "usage.corrected")]
        assert last, "each event has the figures of one order of these two"
        assert set(last) <= {"97", "107"}

    faults.every_race(world=used, first=made(entry(1, 9, "-3")), second=reported([dated(9, "10")]), invariants=whole)


def test_two_corrections_never_take_back_more_than_was_counted(faults: Faults) -> None:
    def one_of_two(world: UsageWorld) -> None:
        assert counted(world).get(("search", "2026-06-09")) in {Decimal(30), Decimal(40)}
        assert len(events(world, "usage.corrected")) == 1

    faults.every_race(
        world=used,
        first=made(entry(1, 9, "-70")),
        second=made(entry(2, 9, "-60")),
        invariants=one_of_two,
        may_lose=(RuleViolation,),
    )


def test_a_correction_and_a_watcher_leave_an_alert_that_is_true_or_undone(faults: Faults) -> None:
    """Whichever is first: no state says that a threshold was mailed which the month no longer reaches."""

    def watched(world: UsageWorld) -> None:
        usage = world.usage.month_usage(ACCOUNT, "search", JUNE)
        assert usage is not None
        watch_usage(ACCOUNT, "search", JUNE, usage, now=NOON, correlation="stream", store=world.usage)

    def settled(world: UsageWorld) -> None:
        watching = world.usage.watching(ACCOUNT, "search")
        assert watching
        assert watching.alert
        assert watching.alert.percent == 0
        undone = [event["after"]["threshold"] for event in events(world, "usage.corrected")]
        assert len(events(world, "usage.threshold_reached")) == len([each for each in undone if each])

    faults.every_race(
        world=lambda: used(4500),
        first=watched,
        second=made(entry(1, 9, "-4500")),
        invariants=settled,
        may_lose=(ConcurrentChange,),
    )


places = st.tuples(st.integers(8, 10), st.sampled_from(PRODUCTS))
amounts = st.integers(-5_000_000, 9_000_000).map(lambda each: Decimal(each).scaleb(-6))
changes = st.lists(st.tuples(places, amounts, st.booleans()), min_size=1, max_size=12)


@pytest.mark.usefixtures("faults")
@examples(15, deep=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes, st.randoms(use_true_random=False))
def test_counters_are_the_sum_of_events_and_corrections_in_any_order(
    drawn: list[tuple[tuple[int, str], Decimal, bool]], chance: Any
) -> None:
    """Each command comes once or more, in any order. What would fall below zero is refused, and changes nothing."""
    world = company()
    sums: dict[tuple[str, str], Decimal] = {}
    by_correction: dict[tuple[str, str], Decimal] = {}
    taken: set[int] = set()
    with world.calm():
        for number, ((day, product), amount, is_correction) in chance.choices([*enumerate(drawn)], k=2 * len(drawn)):
            place = (product, f"2026-06-{day:02}")
            if not is_correction:
                reported([dated(day, f"{abs(amount):f}", product)])(world)
                name = hash((place, abs(amount)))
            else:
                name = number
                if number not in taken and sums.get(place, Decimal(0)) + amount < 0:
                    with pytest.raises(RuleViolation):
                        made(entry(number, day, f"{amount:f}", product=product))(world)
                    continue
                if not amount:
                    continue
                made(entry(number, day, f"{amount:f}", product=product))(world)
            if name not in taken:
                taken.add(name)
                sums[place] = sums.get(place, Decimal(0)) + (amount if is_correction else abs(amount))
                if is_correction:
                    by_correction[place] = by_correction.get(place, Decimal(0)) + amount
        totals = {key: each for key, each in counted(world).items() if len(key) == 2}
        assert totals == {key: each for key, each in sums.items() if each}
        contents = {(key[0], key[-1]): each for key, each in counted(world).items() if len(key) == 4}
        assert contents == totals
        assert corrected_by(world) == by_correction
        kept = world.usage.corrections(ACCOUNT, JUNE, date(2026, 7, 1))
        assert sum(each.correction.quantity for each in kept) == sum(by_correction.values())


def test_a_day_of_rejected_usage_is_told_once(faults: Faults) -> None:
    """Every cut, and every race with another run or with a request that still counts, tells each count once."""
    tomorrow = replace(CONTEXT, time=CONTEXT.time + timedelta(days=1))

    def rejected() -> UsageWorld:
        world = company()
        with world.calm():
            note_rejected({"unknown": 2, "too-small": 1}, context=CONTEXT, store=world.usage)
        return world

    def tell(world: UsageWorld) -> None:
        tell_rejected(context=tomorrow, store=world.usage)

    def told(world: UsageWorld) -> None:
        with world.calm():
            tell(world)
        [event] = events(world, "usage.rejected")
        assert event["after"]["events"] == 3
        assert event["after"]["codes"][0] == {"code": "unknown", "events": 2}

    faults.every_cut(world=rejected, command=tell, invariants=told)
    faults.every_race(world=rejected, first=tell, second=tell, invariants=told, may_lose=(ConcurrentChange,))


def the_events(reports: Sequence[UsageReport]) -> list[UsageEvent]:
    """The events of reports, each on its day in UTC."""
    names = UsageReport.__slots__
    return [
        UsageEvent(day=each.time.date(), **{name: getattr(each, name) for name in names})
        for each in reports
        if each.time is not None
    ]


def test_no_batch_exceeds_the_actions_of_a_transaction() -> None:
    events = the_events(story(9, 1000))
    parts = list(batches(events))

    assert sorted(events, key=lambda each: each.identity) == sorted(chain(*parts), key=lambda each: each.identity)
    for part in parts:
        totals = {(each.product, month_of(each.day)) for each in part}
        contents = {(each.product, month_of(each.day), each.store, each.content) for each in part}
        assert len(part) + len(totals) + len(contents) <= 100
