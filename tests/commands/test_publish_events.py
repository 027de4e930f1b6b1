"""Every event reaches the bus at least once, and the events of an account arrive in order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.bus import EVENTS_MAX
from billing.platform.events.publish import ATTEMPTS_MAX, publish_events

from tests.store.samples import sample_event


class Bus:
    """A bus that refuses a share of the events, and fails to answer a share of the calls."""

    def __init__(self, seed: int = 0, refuses: float = 0, fails: float = 0) -> None:
        self.chance = random.Random(seed)
        self.refuses, self.fails = refuses, fails
        self.taken: list[Event] = []
        self.largest = 0

    def publish(self, events: Sequence[Event]) -> Sequence[Event]:
        self.largest = max(self.largest, len(events))
        if self.chance.random() < self.fails:
            # The answer is lost: some may have arrived.
            self.taken.extend(event for event in events if self.chance.random() < self.fails)
            raise UpstreamFailed("no answer")
        refused = [event for event in events if self.chance.random() < self.refuses]
        self.taken.extend(event for event in events if event not in refused)
        return refused


def story(accounts: int, length: int) -> list[Event]:
    """`length` events of each of `accounts` accounts, interleaved."""
    return [sample_event(second, f"shop-{account}") for second in range(length) for account in range(accounts)]


def first_times(events: Sequence[Event], account: str | None) -> list[str]:
    """The ids of an account's events, in the order of their first arrival."""
    return list(dict.fromkeys(event.id for event in events if event.account == account))


class Waits(list[float]):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def test_a_bus_that_accepts_everything_gets_one_call_for_each_batch() -> None:
    bus, waits = Bus(), Waits()
    events = story(accounts=EVENTS_MAX, length=3)

    publish_events(events, bus=bus, wait=waits)

    assert bus.taken == events
    assert waits == []


@pytest.mark.parametrize("seed", range(30))
def test_all_events_arrive_in_order_despite_failures_of_the_bus(seed: int) -> None:
    bus = Bus(seed, refuses=0.2, fails=0.15)
    events = story(accounts=13, length=4)

    publish_events(events, bus=bus, wait=Waits())

    assert {event.id for event in bus.taken} == {event.id for event in events}
    assert bus.largest <= EVENTS_MAX
    for account in {event.account for event in events}:
        assert first_times(bus.taken, account) == first_times(events, account)


def test_publishing_fails_after_growing_waits_for_an_unavailable_bus() -> None:
    waits = Waits()

    with pytest.raises(UpstreamFailed):
        publish_events(story(2, 2), bus=Bus(fails=1.1), wait=waits)

    assert len(waits) == ATTEMPTS_MAX - 1
    assert waits == sorted(waits)


def test_no_events_need_no_call() -> None:
    publish_events([], bus=Bus(fails=1.1), wait=Waits())
