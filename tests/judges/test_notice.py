"""The notice rule against DESIGN 3.1's table, and against an oracle that walks the calendar day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.notice import termination
from tests.notice_table import NOTICE_TABLE

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "interval", "asked", "notice_ends", "active_until", "charges", "last_day"), NOTICE_TABLE
)
def test_the_table_of_the_design(
    start: str, interval: int, asked: str, notice_ends: str, active_until: str, charges: list[str], last_day: str
) -> None:
    found = termination(date.fromisoformat(start), interval, date.fromisoformat(asked))

    assert str(found.notice_ends) == notice_ends
    assert str(found.active_until) == active_until
    assert [str(day) for day in found.charges_still_due] == charges
    assert str(found.next_avoidable_renewal) == active_until
    assert str(found.last_day_to_avoid_it) == last_day


@dataclass(frozen=True)
class Oracle:
    """A contract that knows no month arithmetic: it looks at one day after the other."""

    start: date
    interval_months: int

    def begins_a_month(self, day: date) -> bool:
        """The day of the month on which the contract began, or the last day of a month that is too short for it."""
        return day.day == self.start.day or (day.day < self.start.day and (day + DAY).day == 1)

    def months(self, after: date) -> Iterator[date]:
        """The days after `after` that begin a contract month."""
        day = after
        while True:
            day += DAY
            if self.begins_a_month(day):
                yield day

    def renewals(self, after: date) -> Iterator[date]:
        """The days after `after` that begin a paid period; the contract's first day is one."""
        for number, day in enumerate(self.months(self.start - DAY)):
            if number % self.interval_months == 0 and day > after:
                yield day

    def notice_ends(self, requested: date) -> date:
        """The contract month of the request ends, and one more."""
        months = self.months(requested)
        next(months)
        return next(months)

    def active_until(self, requested: date) -> date:
        return next(self.renewals(self.notice_ends(requested) - DAY))

    def charges(self, requested: date) -> list[date]:
        until = self.active_until(requested)
        charges = []
        for day in self.renewals(requested):
            if day >= until:
                break
            charges.append(day)
        return charges

    def last_day_to_avoid(self, renewal: date) -> date:
        """The last day whose notice ends by then."""
        day = renewal
        while self.notice_ends(day) > renewal:
            day -= DAY
        return day


@given(
    st.dates(date(2023, 1, 1), date(2033, 12, 31)) | st.dates(date(2027, 12, 28), date(2028, 3, 31)),
    st.sampled_from([1, 3, 6, 12]),
    st.integers(-200, 900),
)
def test_day_by_day_the_calendar_says_the_same(start: date, interval: int, days: int) -> None:
    requested, oracle = start + timedelta(days=days), Oracle(start, interval)

    found = termination(start, interval, requested)

    assert found.notice_ends == oracle.notice_ends(requested)
    assert found.active_until == oracle.active_until(requested)
    assert found.charges_still_due == oracle.charges(requested)
    assert found.next_avoidable_renewal == found.active_until
    assert found.last_day_to_avoid_it == oracle.last_day_to_avoid(found.next_avoidable_renewal)
