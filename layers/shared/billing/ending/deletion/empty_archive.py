"""Deletes archived invoices when their retention has ended: soon after the last day of a year (DESIGN 3.7.3).

The archive knows which folders end with which year: the purge marks each folder before it saves files into it. Folders
that an earlier release has saved have no mark. They are found by the year of their invoices. The lock of each file
decides in any case: nothing is deleted before it ends. A lifecycle rule of the bucket cannot do this. It counts days
from the day on which a file was saved, and files of one folder of years are saved on any day between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class ArchiveToEmpty(Protocol):
    """An archive of files that are locked until a day. See billing.platform.files.interfaces.Archive."""

    def marked_years(self) -> Iterable[int]:
        """The years after which marked folders are deleted. Raises UpstreamFailed."""
        ...

    def marked(self, year: int) -> Iterable[str]:
        """The folders that are marked for a year. Raises UpstreamFailed."""
        ...

    def unmark(self, folder: str, year: int) -> None:
        """Removes the mark of a folder. Raises UpstreamFailed."""
        ...

    def years_of_issue(self) -> Iterable[int]:
        """The years of issue of which there are invoices. Raises UpstreamFailed."""
        ...

    def folders(self, year_of_issue: int) -> Iterable[str]:
        """The folders of the invoices of a year. Raises UpstreamFailed."""
        ...

    def delete_unlocked(self, folder: str, now: datetime) -> tuple[int, int]:
        """Deletes the versions of files in a folder whose lock has ended at `now`. Raises UpstreamFailed.

        Returns how many it deleted, and how many are still locked. One request for each version.
        """
        ...


@dataclass(frozen=True, slots=True)
class Emptied:
    """What a run deleted: versions of files. `still_locked` were due and have a longer lock: somebody extended it."""

    deleted: int
    still_locked: int
    is_finished: bool


def empty_archive(archive: ArchiveToEmpty, *, now: datetime, years: int, goes_on: Callable[[], bool]) -> Emptied:
    """Deletes the folders whose years are over at `now`, in UTC, as their locks are. Safe to repeat and to cut off.

    `years` is for how many years invoices are kept now: it decides when folders without a mark are looked at. Stops
    early when `goes_on` returns False. Raises UpstreamFailed.
    """
    this_year = now.astimezone(UTC).year
    deleted = still_locked = 0
    for folder, marked_for in _ended(archive, this_year, years):
        if not goes_on():
            return Emptied(deleted, still_locked, is_finished=False)
        gone, locked = archive.delete_unlocked(folder, now)
        deleted, still_locked = deleted + gone, still_locked + locked
        if marked_for is not None and not locked:
            archive.unmark(folder, marked_for)
    return Emptied(deleted, still_locked, is_finished=True)


def _ended(archive: ArchiveToEmpty, this_year: int, years: int) -> Iterable[tuple[str, int | None]]:
    """The folders whose retention has ended, each with the year that it is marked for."""
    for year in archive.marked_years():
        if year < this_year:
            for folder in archive.marked(year):
                yield folder, year
    for year in archive.years_of_issue():
        if year + years < this_year:
            for folder in archive.folders(year):
                yield folder, None
