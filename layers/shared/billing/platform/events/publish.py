"""Publishes events to the bus: each at least once, and in order per account (DESIGN 4.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from billing.kernel.backoff import backoff_seconds
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.events.bus import EVENTS_MAX, EventBus, Refusal

ATTEMPTS_MAX = 5
"""Attempts in a row, without an accepted event, before publishing fails."""

WAIT_SECONDS = 0.2
"""The wait after the first failed attempt. It doubles after each further one."""

WAIT_SECONDS_MAX = 1.6


def publish_events(
    events: Sequence[Event],
    *,
    bus: EventBus,
    wait: Callable[[float], object],
    set_aside: Callable[[Refusal], object],
) -> None:
    """Publishes all events; returns when the bus has accepted or refused for good each of them.

    Each call carries at most one event per account: a refused event is sent again before its successors. One that is
    refused for good is passed to `set_aside`, once, and its successors go on. Raises UpstreamFailed after ATTEMPTS_MAX
    attempts without progress. The caller may then publish all events again, because consumers recognise an event by
    its id.
    """
    waiting: dict[str | None, deque[Event]] = {}
    for event in events:
        waiting.setdefault(event.account, deque()).append(event)
    failures = 0
    while waiting:
        first = [queue[0] for queue in waiting.values()][:EVENTS_MAX]
        accepted, for_good = _publish(first, bus)
        for refusal in for_good:
            set_aside(refusal)
        done = [*accepted, *(refusal.event for refusal in for_good)]
        for event in done:
            waiting[event.account].popleft()
            if not waiting[event.account]:
                del waiting[event.account]
        failures = 0 if done else failures + 1
        if failures == ATTEMPTS_MAX:
            raise UpstreamFailed("The event bus does not take events.")
        if failures:
            wait(backoff_seconds(failures, WAIT_SECONDS, WAIT_SECONDS_MAX))


def _publish(events: Sequence[Event], bus: EventBus) -> tuple[list[Event], list[Refusal]]:
    """The events that the bus accepted, and those that it refused for good."""
    try:
        refusals = bus.publish(events)
    except UpstreamFailed:
        return [], []
    refused = {refusal.event.id for refusal in refusals}
    return [event for event in events if event.id not in refused], [each for each in refusals if each.for_good]
