"""The order of an account's events: that of their transactions, whatever the clocks of the machines say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from billing import wiring
from billing.correspondence.event_views import EventView
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import ORDER_ATTEMPTS, RANDOM_BYTES, Event, ulid
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.table import Table
from billing.platform.events.mapping import event_body, event_from
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.aws import TABLE, items_behind_moto, restore_items, stored_items
from tests.properties import examples
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, MEMBER, NOON, PAGE, sample_event
from tests.stores import Stores

SKEWS = st.integers(-5000, 5000)
"""How far the clock of a machine is off, in milliseconds."""

STEPS = st.tuples(st.sampled_from(["one", "other", "read"]), SKEWS, st.integers(1, 3), st.none() | SKEWS)
"""Who does something, with which clock, how many events it records, and the clock of a writer that comes between."""

UNNUMBERED = 777_000_777


class Machine(Table):
    """A process of its own: it has its own client, and knows nothing of the others."""

    def __init__(self) -> None:
        super().__init__(TABLE, wiring.session().create_client("dynamodb"))
        self.meanwhile: Callable[[], object] | None = None
        self.calls = 0
        self.hooks = self._client.meta.events
        self.hooks.register("before-call.dynamodb.TransactWriteItems", self._before)

    def record(self, events: Sequence[Event]) -> None:
        with self._transaction() as write:
            write.require_account(ACCOUNT.id)
            for event in events:
                write.record(event)

    def _before(self, **_: Any) -> None:
        self.calls += 1
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    @contextmanager
    def numbering(self, count: int, recorded: Callable[[], int]) -> Iterator[None]:
        """Gives the events of a transaction their numbers after all that is recorded when it is sent."""

        def number(params: dict[str, Any], **_: Any) -> None:
            body = params["body"].decode() if isinstance(params["body"], bytes) else params["body"]
            for place in range(count):
                body = body.replace(str(UNNUMBERED), str(recorded() + place + 1), 1)
            params["body"] = body.encode()

        hook = "before-call.dynamodb.TransactWriteItems"
        self.hooks.register_last(hook, number)
        try:
            yield
        finally:
            self.hooks.unregister(hook, number)


class Reader:
    """Follows the cursor, page by page, while others write."""

    def __init__(self, store: Stores, limit: int) -> None:
        self._store, self._limit = store, limit
        self.read: list[int] = []
        self.before: str | None = None
        self.recorded: int | None = None

    @property
    def is_done(self) -> bool:
        return self.recorded is not None and self.before is None

    def next_page(self, recorded: int) -> None:
        page = self._store.events(ACCOUNT.id, limit=self._limit, after=self.before)
        self.recorded = recorded if self.recorded is None else self.recorded
        self.read += numbers(page.items)
        self.before = page.last


def numbered(number: int, skew: int = 0) -> Event:
    """An event of a machine whose clock is off by some milliseconds."""
    time = NOON + timedelta(milliseconds=skew)
    return replace(sample_event(), id=ulid(time, os.urandom(RANDOM_BYTES)), time=time, after={"number": number})


def numbers(events: Sequence[Event]) -> list[int]:
    return [event.after["number"] for event in events if event.after]


@pytest.fixture(scope="module")
def machines(table: Any) -> tuple[Machine, Machine]:
    return Machine(), Machine()


@examples(30, deep=3000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12), limit=st.integers(1, 3))
def test_events_are_read_in_the_order_in_which_they_were_recorded_and_none_is_missed(
    steps: list[tuple[str, int, int, int | None]], limit: int, machines: tuple[Machine, Machine], store: Stores
) -> None:
    items_behind_moto().clear()
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    reader, recorded = Reader(store, limit), 0

    def write(machine: Machine, skew: int, count: int) -> None:
        nonlocal recorded
        with machine.numbering(count, lambda: recorded):
            machine.record([numbered(UNNUMBERED, skew) for _ in range(count)])
        recorded += count

    def comes_between(machine: Machine, skew: int) -> Callable[[], object]:
        return lambda: write(machine, skew, 1)

    for who, skew, count, between in steps:
        if who == "read":
            if not reader.is_done:
                reader.next_page(recorded)
            continue
        first, second = machines if who == "one" else reversed(machines)
        if between is not None:
            first.meanwhile = comes_between(second, between)
        write(first, skew, count)
    while not reader.is_done:
        reader.next_page(recorded)

    assert reader.read == [*range(reader.recorded or 0, 0, -1)]
    every = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith(keys.EVENT)]
    assert sorted(numbers(every)) == [*range(1, recorded + 1)]
    assert [event.sequence for event in every] == [event.id for event in every]


def test_a_slow_clock_costs_a_second_attempt_unless_the_account_was_read(
    store: Stores, machines: tuple[Machine, Machine]
) -> None:
    one, other = machines
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    one.record([numbered(1, 5000)])

    other.calls = 0
    other.record([numbered(2, -5000), numbered(3, -5000)])
    assert other.calls == 2

    other._reads.get(keys.account(ACCOUNT.id), keys.PAGE_ACCOUNT)
    other.calls = 0
    other.record([numbered(4, -5000)])
    assert other.calls == 1

    page = store.events(ACCOUNT.id, limit=4, after=None)
    assert numbers(page.items) == [4, 3, 2, 1]
    assert [each.time for each in page.items[:3]] == [NOON - timedelta(seconds=5)] * 3


def test_who_comes_second_each_time_gives_up(store: Stores, machines: tuple[Machine, Machine]) -> None:
    one, other = machines
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    times = 0

    def again() -> None:
        nonlocal times
        times += 1
        other.record([numbered(times, times)])
        one.meanwhile = again

    one.meanwhile = again
    with pytest.raises(ConcurrentChange):
        one.record([numbered(0)])
    one.meanwhile = None

    assert times == ORDER_ATTEMPTS


def test_a_refused_change_is_refused_also_by_a_slow_clock(store: Stores, machines: tuple[Machine, Machine]) -> None:
    """The order of the events does not hide why a change is refused, and does not try it again."""
    one, other = machines
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    assert one.record_once(ACCOUNT.id, "a subject", numbered(1, 5000))

    other.calls = 0
    assert not other.record_once(ACCOUNT.id, "a subject", numbered(2, -5000))

    assert other.calls == 1
    assert numbers(store.events(ACCOUNT.id, limit=9, after=None).items) == [1]


def test_an_event_of_an_account_that_is_gone_is_not_recorded(store: Stores, machines: tuple[Machine, Machine]) -> None:
    with pytest.raises(ConcurrentChange):
        machines[0].record([numbered(1)])

    assert stored_items() == []


def test_an_item_about_an_event_names_it_as_it_was_recorded(store: Stores, machines: tuple[Machine, Machine]) -> None:
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    machines[0].record([numbered(1, 5000)])

    assert machines[1].record_once(ACCOUNT.id, "a subject", numbered(2))

    [body] = [item["body"] for item in stored_items() if item["sk"] == keys.alert("a subject")]
    [newest] = store.events(ACCOUNT.id, limit=1, after=None).items
    assert (numbers([newest]), body) == ([2], f'{{"event":"{newest.id}"}}')


def test_a_change_of_the_account_keeps_its_last_event(store: Stores, machines: tuple[Machine, Machine]) -> None:
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    machines[0].record([numbered(1, 5000)])

    store.save_user(ACCOUNT.with_role(MEMBER.id, MEMBER.role), MEMBER, numbered(2, -5000))
    machines[0].record([numbered(3, -5000)])

    assert store.account(ACCOUNT.id).version == 2
    assert numbers(store.events(ACCOUNT.id, limit=3, after=None).items) == [3, 2, 1]


def test_an_account_of_an_earlier_release_has_an_order_from_its_next_event_on(
    store: Stores, machines: tuple[Machine, Machine]
) -> None:
    store.provision(PAGE, ADMIN, sample_event(-60), DUE, BILLING)
    before = stored_items()
    items_behind_moto().clear()
    restore_items([{name: value for name, value in item.items() if name != "last_event"} for item in before])

    machines[0].record([numbered(1, 5000)])
    machines[1].record([numbered(2, -5000)])

    assert numbers(store.events(ACCOUNT.id, limit=9, after=None).items) == [2, 1]


def test_the_sequence_of_an_event_of_an_earlier_release_is_its_id() -> None:
    event = event_from(event_body(sample_event()))

    assert event.sequence is None
    assert "sequence" not in event_body(event)
    assert EventView.of(event).sequence == event.id
