"""Publishes events to the bus: each at least once, and in order per account (DESIGN 4.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from billing.kernel.backoff import backoff_seconds
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.bus import EVENTS_MAX, EventBus

ATTEMPTS_MAX = 5
"""Attempts in a row, without an accepted event, before publishing fails."""

WAIT_SECONDS = 0.2
"""The wait after the first failed attempt. It doubles after each further one."""

WAIT_SECONDS_MAX = 1.6


def publish_events(events: Sequence[Event], *, bus: EventBus, wait: Callable[[float], object]) -> None:
    """Publishes all events; returns when the bus has accepted them all.

    Each call carries at most one event per account: a refused event is sent again before its successors. Raises
    UpstreamFailed after ATTEMPTS_MAX attempts without an accepted event. The caller may then publish all events again,
    because consumers recognise an event by its id.
    """
    waiting: dict[str | None, deque[Event]] = {}
    for event in events:
        waiting.setdefault(event.account, deque()).append(event)
    failures = 0
    while waiting:
        first = [queue[0] for queue in waiting.values()][:EVENTS_MAX]
        accepted = _publish(first, bus)
        for event in accepted:
            waiting[event.account].popleft()
            if not waiting[event.account]:
                del waiting[event.account]
        failures = 0 if accepted else failures + 1
        if failures == ATTEMPTS_MAX:
            raise UpstreamFailed("The event bus does not take events.")
        if failures:
            wait(backoff_seconds(failures, WAIT_SECONDS, WAIT_SECONDS_MAX))


def _publish(events: Sequence[Event], bus: EventBus) -> list[Event]:
    """The events that the bus accepted."""
    try:
        refused = {event.id for event in bus.publish(events)}
    except UpstreamFailed:
        return []
    return [event for event in events if event.id not in refused]
