"""Customer success managers: their working hours, and the slots for reviews.

A slot consists of cells: quarters of an hour in UTC. Each cell of a manager can be booked once, so two reviews never
overlap, even if the length of reviews or the working hours changed between their bookings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from billing.kernel.errors import Conflict

CELL = timedelta(minutes=15)
"""The offset of every current time zone from UTC is a whole number of quarters of an hour."""

REVIEW_MINUTES_MIN = 15
REVIEW_MINUTES_MAX = 120
REVIEW_MINUTES_DEFAULT = 30

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class NoSuccessManager(Conflict):
    """The account has no customer success manager yet, so no review can be booked."""

    code = "no-success-manager"

    def __init__(self) -> None:
        super().__init__("This account has no customer success manager yet. Staff assign one.")


@dataclass(frozen=True, slots=True)
class Hours:
    """Working hours of a day in the manager's local time: from `since` to before `until`, whole quarters of an hour."""

    since: time
    until: time


@dataclass(frozen=True, slots=True)
class Absence:
    """Days without work: from `since` to before `until`."""

    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Slot:
    """A time for a review, from `begins` to before `ends` (UTC): a whole number of cells."""

    begins: datetime
    ends: datetime

    @property
    def cells(self) -> tuple[datetime, ...]:
        """The beginnings of its cells, in order."""
        return tuple(_cells(self.begins, self.ends))


@dataclass(frozen=True, slots=True)
class SuccessManager:
    """A person of the vendor's staff who is responsible for accounts.

    `working_hours` has an entry for each of the WEEKDAYS, in the local time of `time_zone`. `place` is where reviews
    are held: an address, a number or a link. `version` counts the changes.
    """

    id: str
    name: str
    email: str
    time_zone: str
    working_hours: Mapping[str, tuple[Hours, ...]]
    review_minutes: int
    place: str | None
    absences: tuple[Absence, ...]
    version: int = 0

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """The slots that begin from `first` to before `last` (aware), booked or free, in order.

        They follow each other from the beginning of the working hours, without a break. When clocks change, hours that
        do not exist have no slots, and hours that exist twice have slots twice.
        """
        length = timedelta(minutes=self.review_minutes)
        # Working hours end with their day, of at most 25 hours. A start two days earlier gives the same slots always.
        begins: datetime | None = None
        for cell in _cells(_floored(first - timedelta(days=2)), last + length):
            if not self._works_at(cell):
                begins = None
                continue
            begins = begins or cell
            if cell + CELL - begins == length:
                if first <= begins < last:
                    yield Slot(begins, cell + CELL)
                begins = None

    def _works_at(self, instant: datetime) -> bool:
        local = instant.astimezone(ZoneInfo(self.time_zone))
        day, clock = local.date(), local.time()
        return any(
            each.since <= clock < each.until for each in self.working_hours[WEEKDAYS[day.weekday()]]
        ) and not any(each.since <= day < each.until for each in self.absences)


def free(slots: Iterable[Slot], booked: frozenset[datetime]) -> tuple[Slot, ...]:
    """The slots without a booked cell."""
    return tuple(slot for slot in slots if booked.isdisjoint(slot.cells))


def _cells(first: datetime, last: datetime) -> Iterator[datetime]:
    while first < last:
        yield first
        first += CELL


def _floored(instant: datetime) -> datetime:
    instant = instant.astimezone(UTC)
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
