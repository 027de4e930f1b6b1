"""Test clocks in the table, and what is due of the accounts on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from billing.kernel.account_ids import clock_of
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.kernel.test_clocks import Clock, ClockNotFound
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table
from billing.platform.test_clocks.mapping import clock_body, clock_from

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

_COLLECTED = (keys.INVOICE, keys.REACTIVATION)
"""Items that are themselves due for collection (billing.platform.dynamodb.keys)."""


@dataclass(frozen=True, slots=True)
class DueItem:
    """An item of an account that is due for a job from the instant `due` on; `subject` is its sort key."""

    account: str
    job: Job
    subject: str
    due: datetime


class ClockStore(Table):
    """Reads and writes test clocks in the one table."""

    def find(self, clock: str) -> Clock | None:
        """A test clock, read consistently; None without it. One get."""
        row = self._reads.get(keys.TEST_CLOCKS, keys.clock(clock))
        return None if row is None else _clock_of(row)

    def clock(self, clock: str) -> Clock:
        """A test clock, read consistently. Raises ClockNotFound. One get."""
        found = self.find(clock)
        if found is None:
            raise ClockNotFound
        return found

    def clocks(self, *, limit: int, after: str | None) -> Slice[Clock]:
        """A page of the test clocks, by their ids. One query."""
        return self._reads.oldest(keys.TEST_CLOCKS, keys.CLOCK, _clock_of, limit=limit, after=after)

    def save(self, clock: Clock, event: Event | None = None) -> Clock:
        """Writes the next version of a clock, and records the event. Returns the clock at its new version.

        `clock.version` is that of the stored one, 0 for a new one. Raises ConcurrentChange. One transaction.
        """
        with self._transaction() as write:
            write.replace(clock_item(clock), clock.version)
            if event is not None:
                write.record(event, shared=keys.TEST_CLOCKS)
        return clock_from(clock_body(clock), clock.version + 1)

    def due_items(self, account: str) -> Iterator[DueItem]:
        """What is due of an account on a clock, now and later, read consistently.

        Not from the index: it is eventually consistent, and an item that it lacks would be done too late. So each item
        of the account is looked at, but its events. Two queries per megabyte.
        """
        partition, clock = keys.account(account), clock_of(account)
        before = self._reads.query(partition, " ", keys.EVENT, consistent=True)
        after = self._reads.query(partition, keys.last_of(keys.EVENT), keys.last_of("~"), consistent=True)
        for row in chain(before, after):
            if clock is not None and row.image.get(f"{keys.INDEX}pk", {}).get("S") == keys.due_on(clock):
                yield DueItem(account, _job_of(row.key), row.key, _instant_of(row))

    def is_there(self, account: str) -> bool:
        """Whether an account exists, or is being purged. One read."""
        return bool(self._reads.get_all((keys.account(account), key) for key in (keys.PAGE_ACCOUNT, keys.PURGE)))

    def is_being_purged(self, account: str) -> bool:
        """Whether an account is being purged. One get."""
        return self._reads.get(keys.account(account), keys.PURGE) is not None


def clock_item(clock: Clock) -> Item:
    """The item of a test clock."""
    return Item(keys.TEST_CLOCKS, keys.clock(clock.id), clock_body(clock))


def hold_clock(write: Transaction, clock: Clock, account: str) -> None:
    """Adds to a transaction that an account is on the clock: it is ready, and stays at its version until then."""
    write.replace(clock_item(clock.with_account(account)), clock.version)


def _clock_of(row: Row) -> Clock:
    return clock_from(row.body, row.version)


def _job_of(key: str) -> Job:
    """The job that an item is due for. Items that are themselves due, and are not collected, are the worker's of ends:
    an appointment, an erasure."""
    if key.startswith(keys.DUE):
        return Job(key.removeprefix(keys.DUE))
    return Job.COLLECTION if key.startswith(_COLLECTED) else Job.ENDING


def _instant_of(row: Row) -> datetime:
    return datetime.fromisoformat(row.image[f"{keys.INDEX}sk"]["S"])
