"""The notice rule, compared with the table of DESIGN 3.1 and with an oracle that walks the calendar day by day."""

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
def test_the_notice_table_of_the_design(
    start: str, interval: int, asked: str, notice_ends: str, active_until: str, charges: list[str], last_day: str
) -> None:
    dates = termination(date.fromisoformat(start), interval, date.fromisoformat(asked))

    assert str(dates.notice_ends) == notice_ends
    assert str(dates.active_until) == active_until
    assert [str(day) for day in dates.charges_still_due] == charges
    assert str(dates.next_avoidable_renewal) == active_until
    assert str(dates.last_day_to_avoid_it) == last_day


@dataclass(frozen=True)
class Oracle:
    """A contract without month arithmetic: it checks each day in turn."""

    start: date
    interval_months: int

    def begins_a_month(self, day: date) -> bool:
        """Whether `day` is the start's day of the month, or the last day of a month that is too short for it."""
        return day.day == self.start.day or (day.day < self.start.day and (day + DAY).day == 1)

    def months(self, after: date) -> Iterator[date]:
        """The first days of contract months after `after`."""
        day = after
        while True:
            day += DAY
            if self.begins_a_month(day):
                yield day

    def renewals(self, after: date) -> Iterator[date]:
        """The first days of paid periods after `after`. The contract's first day is one."""
        for number, day in enumerate(self.months(self.start - DAY)):
            if number % self.interval_months == 0 and day > after:
                yield day

    def notice_ends(self, requested: date) -> date:
        """The end of the contract month after the one of the request."""
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
        """The last day of a request whose notice ends by `renewal`."""
        day = renewal
        while self.notice_ends(day) > renewal:
            day -= DAY
        return day


@given(
    st.dates(date(2023, 1, 1), date(2033, 12, 31)) | st.dates(date(2027, 12, 28), date(2028, 3, 31)),
    st.sampled_from([1, 3, 6, 12]),
    st.integers(-200, 900),
)
def test_the_notice_is_that_of_the_day_by_day_oracle(start: date, interval: int, days: int) -> None:
    requested, oracle = start + timedelta(days=days), Oracle(start, interval)

    dates = termination(start, interval, requested)

    assert dates.notice_ends == oracle.notice_ends(requested)
    assert dates.active_until == oracle.active_until(requested)
    assert dates.charges_still_due == oracle.charges(requested)
    assert dates.next_avoidable_renewal == dates.active_until
    assert dates.last_day_to_avoid_it == oracle.last_day_to_avoid(dates.next_avoidable_renewal)
