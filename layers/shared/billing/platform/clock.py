"""The clock of a worker: the real time, or the time that a replay names (DESIGN 4.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing.kernel.events import Event
    from billing.platform.queues.interfaces import DueWork


def time_of(work: DueWork) -> datetime:
    """The time at which a worker does its work. The time at which the work was due only found it."""
    return work.clock or _now()


def time_after(event: Event) -> datetime:
    """The time at which a worker does what follows from an event, however late the event arrives."""
    return event.time if event.is_replay else _now()


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one place where workers read the real time
