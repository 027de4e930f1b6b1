"""The time of an account: the real time, that of its test clock, or the time that a replay names (DESIGN 4.3, 4.8).

This is the one place that decides it. Requests, workers and commands about an account ask here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from billing.kernel.account_ids import clock_of

if TYPE_CHECKING:
    from billing.kernel.errors import Conflict
    from billing.kernel.events import Event
    from billing.kernel.test_clocks import Clock
    from billing.platform.queues.interfaces import DueWork


class Clocks(Protocol):
    """Reads test clocks. See billing.platform.test_clocks.records."""

    def find(self, clock: str) -> Clock | None:
        """A test clock, read consistently; None without it. One get."""
        ...


_clocks: list[Callable[[], Clocks]] = []


def read_clocks_from(store: Callable[[], Clocks]) -> None:
    """Names the store of test clocks. The composition root calls it; `store` is called for an account on a clock."""
    _clocks[:] = [store]


def clock_for(account: str | None) -> Clock | None:
    """The test clock of an account; None for an account of a customer. One get for one on a clock.

    Also None for an id on a clock that was never made: there is no such account.
    """
    clock = clock_of(account)
    if clock is None:
        return None
    [store] = _clocks
    return store().find(clock)


def time_for(account: str | None, real: datetime) -> datetime:
    """The time of an account: that of its test clock, or `real`. One get for an account on a clock."""
    clock = clock_for(account)
    return real if clock is None else clock.now


def is_on_deleted_clock(account: str) -> bool:
    """Whether the test clock of an account is deleted, so that the account is purged. One get for one on a clock."""
    clock = clock_for(account)
    return clock is not None and clock.status in {"deleting", "deleted"}


class AccountTimes:
    """The times of several accounts at one moment. One get for each test clock that they are on."""

    def __init__(self, real: datetime) -> None:
        self._real = real
        self._known: dict[str, datetime] = {}

    def __call__(self, account: str) -> datetime:
        clock = clock_of(account)
        if clock is None:
            return self._real
        if clock not in self._known:
            self._known[clock] = time_for(account, self._real)
        return self._known[clock]


def advancing(clock: Clock) -> Conflict:
    """The refusal of a change while a clock advances. Only a request about a test loads its class."""
    from billing.kernel.test_clocks import ClockAdvancing

    return ClockAdvancing(clock)


def time_of(work: DueWork) -> datetime:
    """The time at which a worker does its work. The time at which the work was due only found it."""
    return work.clock or time_for(work.account, _now())


def time_after(event: Event) -> datetime:
    """The time at which a worker does what follows from an event, however late the event arrives."""
    return event.time if event.is_replay else time_for(event.account, _now())


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one place where workers read the real time
