"""The contract's calendar: contract months, renewals, and what a notice leads to (DESIGN 2 and 3.1).

Every boundary is computed from the start date, never from another boundary: a contract that starts on
31 January has boundaries on 28 February and 31 March. Adding months one at a time would lose the 31st.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

INTERVALS_MONTHS = (1, 3, 6, 12)

NOTICE_MONTHS = 2
"""The rest of the running contract month and one month more, counted in boundaries (DESIGN 3.1)."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a company signed: when it starts, how often it pays, in which currency, in which time zone.

    `start` is the first day served; `interval_months` is one of INTERVALS_MONTHS; `time_zone` is a name of
    the IANA data base and decides which day it is for this account.
    """

    start: date
    interval_months: int
    currency: str
    time_zone: str

    def today(self, now: datetime) -> date:
        """The day it is for this account at the instant `now` (aware)."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def month_start(self, month: int) -> date:
        """The first day of contract month `month` (0 is the first)."""
        return months_after(self.start, month)

    def month_of(self, day: date) -> int:
        """The contract month in which `day` falls; negative before the start."""
        return month_containing(self.start, day)

    def renewals(self, first: date) -> Iterator[tuple[int, date]]:
        """Renewals on or after `first`, without end, as (contract month, date); month 0 is the start."""
        month = max(0, self.month_of(first) // self.interval_months * self.interval_months)
        while True:
            boundary = self.month_start(month)
            if boundary >= first:
                yield month, boundary
            month += self.interval_months

    def last_day_to_avoid(self, renewal: date) -> date:
        """The last day on which a notice prevents the charge of a renewal: "one day and one month before"."""
        return self.month_start(self.month_of(renewal) - NOTICE_MONTHS + 1) - timedelta(days=1)

    def next_charge(self, today: date) -> tuple[int, date]:
        """The coming charge, as (first contract month that it pays for, date).

        On the day of a renewal it is that day's: the charge is made in the course of it.
        """
        return next(self.renewals(today))


@dataclass(frozen=True, slots=True)
class Termination:
    """What follows from a notice; all days in the account's time zone (DESIGN 3.1).

    `active_until` is the first day not served. `charges_still_due` are the renewals after the day of the
    request and before `active_until`. `last_day_to_avoid_it` is the last day on which a notice prevents the
    charge of `next_avoidable_renewal`.
    """

    notice_ends: date
    active_until: date
    charges_still_due: list[date]
    next_avoidable_renewal: date
    last_day_to_avoid_it: date


def termination(start: date, interval_months: int, requested: date) -> Termination:
    """What a notice given on `requested` leads to; the contract is paid every `interval_months` from `start`."""
    contract = Contract(start, interval_months, currency="", time_zone="")
    notice_ends = contract.month_start(contract.month_of(requested) + NOTICE_MONTHS)
    # What is paid or still due within the notice is used up, so service ends with a renewal: the very one
    # that this notice is just in time to avoid.
    _, active_until = next(contract.renewals(notice_ends))
    later_renewals = contract.renewals(requested + timedelta(days=1))
    return Termination(
        notice_ends=notice_ends,
        active_until=active_until,
        charges_still_due=[day for _, day in takewhile(lambda each: each[1] < active_until, later_renewals)],
        next_avoidable_renewal=active_until,
        last_day_to_avoid_it=contract.last_day_to_avoid(active_until),
    )


def months_after(start: date, months: int) -> date:
    """`start` plus whole months, the day cut to the month's length. `start` is always the contract's own."""
    years, month_index = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month_index + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def month_containing(start: date, day: date) -> int:
    """The k for which start + k months <= day < start + (k + 1) months."""
    month = (day.year - start.year) * 12 + day.month - start.month
    return month if months_after(start, month) <= day else month - 1
