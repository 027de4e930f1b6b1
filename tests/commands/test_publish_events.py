"""Every event reaches the bus at least once, and the events of an account arrive in order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.bus import EVENTS_MAX, Refusal
from billing.platform.events.publish import ATTEMPTS_MAX, publish_events

from tests.store.samples import sample_event


class Bus:
    """A bus that refuses a share of the events, fails to answer a share of the calls, and never takes the poisoned."""

    def __init__(self, seed: int = 0, refuses: float = 0, fails: float = 0, poisoned: Sequence[Event] = ()) -> None:
        self.chance = random.Random(seed)
        self.refuses, self.fails = refuses, fails
        self.taken: list[Event] = []
        self.largest = 0
        self.poisoned = {event.id for event in poisoned}

    def publish(self, events: Sequence[Event]) -> Sequence[Refusal]:
        self.largest = max(self.largest, len(events))
        if self.chance.random() < self.fails:
            # The answer is lost: some may have arrived.
            self.taken.extend(event for event in events if self.chance.random() < self.fails)
            raise UpstreamFailed("no answer")
        refused = [
            Refusal(event, "MalformedDetail" if event.id in self.poisoned else "ThrottlingException", for_good)
            for event in events
            if (for_good := event.id in self.poisoned) or self.chance.random() < self.refuses
        ]
        self.taken.extend(event for event in events if event not in [refusal.event for refusal in refused])
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


def never(refusal: Refusal) -> None:
    raise AssertionError(refusal)


def test_a_bus_that_accepts_everything_gets_one_call_for_each_batch() -> None:
    bus, waits = Bus(), Waits()
    events = story(accounts=EVENTS_MAX, length=3)

    publish_events(events, bus=bus, wait=waits, set_aside=never)

    assert bus.taken == events
    assert waits == []


@pytest.mark.parametrize("seed", range(30))
def test_all_events_arrive_in_order_despite_failures_of_the_bus(seed: int) -> None:
    bus = Bus(seed, refuses=0.2, fails=0.15)
    events = story(accounts=13, length=4)

    publish_events(events, bus=bus, wait=Waits(), set_aside=never)

    assert {event.id for event in bus.taken} == {event.id for event in events}
    assert bus.largest <= EVENTS_MAX
    for account in {event.account for event in events}:
        assert first_times(bus.taken, account) == first_times(events, account)


def test_publishing_fails_after_growing_waits_for_an_unavailable_bus() -> None:
    waits = Waits()

    with pytest.raises(UpstreamFailed):
        publish_events(story(2, 2), bus=Bus(fails=1.1), wait=waits, set_aside=never)

    assert len(waits) == ATTEMPTS_MAX - 1
    assert waits == sorted(waits)


def test_no_events_need_no_call() -> None:
    publish_events([], bus=Bus(fails=1.1), wait=Waits(), set_aside=never)


@pytest.mark.parametrize("seed", range(10))
def test_an_event_that_is_refused_for_good_is_set_aside_once_and_the_others_go_once(seed: int) -> None:
    """Case L14: the first, a middle and the last event of accounts, and the only one of an account."""
    events = [*story(accounts=13, length=4), sample_event(9, "lonely")]
    poisoned = [events[0], events[13], events[51], events[-1]]
    bus, aside = Bus(seed, refuses=0.2, poisoned=poisoned), list[Refusal]()

    publish_events(events, bus=bus, wait=Waits(), set_aside=aside.append)

    assert sorted(refusal.event.id for refusal in aside) == sorted(event.id for event in poisoned)
    assert len(bus.taken) == len(events) - len(poisoned)
    assert {event.id for event in bus.taken} == {event.id for event in events if event not in poisoned}
    for account in {event.account for event in events}:
        expected = first_times([event for event in events if event not in poisoned], account)
        assert first_times(bus.taken, account) == expected


def test_a_batch_of_refused_events_needs_no_second_attempt() -> None:
    waits, aside = Waits(), list[Refusal]()
    events = story(accounts=2, length=2)

    publish_events(events, bus=Bus(poisoned=events), wait=waits, set_aside=aside.append)

    assert (len(aside), waits) == (4, [])
