"""Schemas of events about test clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from billing.platform.events.envelope import Facts, SharedEvent


class ClockFacts(Facts):
    """A test clock: the time `now` of its accounts, and where it advances `to`. `failure` is why it does not go on."""

    test_clock: str
    status: Literal["ready", "advancing", "failed", "deleting", "deleted"]
    now: datetime
    to: datetime
    accounts: tuple[str, ...]
    failure: str | None


class TestClockCreated(SharedEvent[Literal["test_clock.created"], None, ClockFacts]):
    """Staff have made a test clock."""


class TestClockAdvancing(SharedEvent[Literal["test_clock.advancing"], ClockFacts, ClockFacts]):
    """Staff advance a test clock: everything that is due until then is done, in order of time."""


class TestClockReady(SharedEvent[Literal["test_clock.ready"], ClockFacts, ClockFacts]):
    """A test clock has arrived."""


class TestClockFailed(SharedEvent[Literal["test_clock.failed"], ClockFacts, ClockFacts]):
    """A test clock does not go on: a worker fails again and again. Staff may advance it once more, or delete it."""


class TestClockDeleting(SharedEvent[Literal["test_clock.deleting"], ClockFacts, ClockFacts]):
    """Staff have deleted a test clock: its accounts are purged."""


class TestClockDeleted(SharedEvent[Literal["test_clock.deleted"], ClockFacts, ClockFacts]):
    """A test clock and all its accounts are gone."""
