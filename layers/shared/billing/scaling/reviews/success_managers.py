"""Customer success managers: when they work, and the slots in which a review can take place.

A slot is made of cells: quarters of an hour in UTC, each of which a manager can give away once. So two reviews never
overlap, not even if the length of reviews or the working hours have changed between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from billing.kernel.errors import Conflict

CELL = timedelta(minutes=15)
"""Every time zone of today is whole quarters of an hour away from UTC."""

REVIEW_MINUTES_MIN = 15
REVIEW_MINUTES_MAX = 120
REVIEW_MINUTES_DEFAULT = 30

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class NoSuccessManager(Conflict):
    """Nobody is there to talk to yet."""

    code = "no-success-manager"

    def __init__(self) -> None:
        super().__init__("This account has no customer success manager yet. Staff assign one.")


@dataclass(frozen=True, slots=True)
class Hours:
    """Working hours of a day, as its clocks show them: from `since` to before `until`, whole quarters of an hour."""

    since: time
    until: time


@dataclass(frozen=True, slots=True)
class Absence:
    """Days on which somebody does not work: from `since` to before `until`."""

    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Slot:
    """From when to when (UTC) a review can take place: a whole number of cells."""

    begins: datetime
    ends: datetime

    @property
    def cells(self) -> tuple[datetime, ...]:
        """The beginning of each of its cells."""
        return tuple(_cells(self.begins, self.ends))


@dataclass(frozen=True, slots=True)
class SuccessManager:
    """Somebody of the vendor's staff who looks after accounts.

    `working_hours` are those of each of the WEEKDAYS in their `time_zone`. `place` says where reviews are held: an
    address, a number or a link. `version` counts the changes.
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
        """The slots that begin from `first` to before `last` (aware), booked or not, in order.

        They follow each other from the beginning of the working hours, without a break. Where clocks are changed, hours
        that do not exist have no slots, and what the clocks show twice is worked twice.
        """
        length = timedelta(minutes=self.review_minutes)
        # Hours end with their day, which may have 25 of them: from two days before, the slots are always the same.
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
    """The slots of which no cell is booked."""
    return tuple(slot for slot in slots if booked.isdisjoint(slot.cells))


def _cells(first: datetime, last: datetime) -> Iterator[datetime]:
    while first < last:
        yield first
        first += CELL


def _floored(instant: datetime) -> datetime:
    instant = instant.astimezone(UTC)
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
