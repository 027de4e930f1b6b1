"""Hands events over to the bus: each at least once, and those of one account in the order they happened in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.bus import EVENTS_MAX, EventBus
from billing.platform.retry import backoff_seconds

ATTEMPTS_MAX = 5
"""In a row, without a single event being taken."""

WAIT_SECONDS = 0.2
"""After the first failed attempt; twice as long after each further one."""

WAIT_SECONDS_MAX = 1.6


def publish_events(events: Sequence[Event], *, bus: EventBus, wait: Callable[[float], object]) -> None:
    """Returns when the bus has taken them all.

    Only one event of an account is on its way at a time: one that was refused is sent again before those that
    followed it. Raises UpstreamFailed when the bus takes nothing for too long; sending all again is safe,
    because consumers know an event by its id.
    """
    waiting: dict[str | None, deque[Event]] = {}
    for event in events:
        waiting.setdefault(event.account, deque()).append(event)
    failures = 0
    while waiting:
        first = [queue[0] for queue in waiting.values()][:EVENTS_MAX]
        taken = _taken(first, bus)
        for event in taken:
            waiting[event.account].popleft()
            if not waiting[event.account]:
                del waiting[event.account]
        failures = 0 if taken else failures + 1
        if failures == ATTEMPTS_MAX:
            raise UpstreamFailed("The event bus does not take events.")
        if failures:
            wait(backoff_seconds(failures, WAIT_SECONDS, WAIT_SECONDS_MAX))


def _taken(events: Sequence[Event], bus: EventBus) -> list[Event]:
    try:
        refused = {event.id for event in bus.publish(events)}
    except UpstreamFailed:
        return []
    return [event for event in events if event.id not in refused]
