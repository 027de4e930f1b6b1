"""The contract's calendar: contract months, terms, renewals, and the dates of a notice (DESIGN 2 and 3.1).

Contract months count from the contract's start for ever. A term says how long a contract is paid for from a month on,
so renewals count from the term: monthly to yearly on 31 August for a start on 31 January renews next on 31 August.

Every boundary is computed from the start date, never from another boundary: a contract that starts on
31 January has boundaries on 28 February and 31 March. Adding months one at a time would lose the 31st.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

INTERVALS_MONTHS = (1, 3, 6, 12)

NOTICE_MONTHS = 2
"""Boundaries from the request to the end of the notice: the rest of the contract month and one more (DESIGN 3.1.1)."""


@dataclass(frozen=True, slots=True)
class Term:
    """How long, and in which currency, a contract is paid from contract month `from_month` on.

    `interval_months` is one of INTERVALS_MONTHS. `decided_at` is an aware instant.
    """

    from_month: int
    interval_months: int
    currency: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract of an account: start, charge interval, currency, time zone.

    `start` is the first day served. `interval_months` is one of INTERVALS_MONTHS. `currency` is a code of ISO 4217.
    `time_zone` is a name of the IANA database; it decides which day it is for this account.

    The interval is that of the first term. `terms` are the later ones, in their order; each begins with a renewal of
    the one before it. The currency is that of the last term: a contract gets a term in another currency on its first
    day only (decision 0045), so it is also the currency of the account's credit. `first_currency` is that of the first
    term where it was another one, None otherwise.
    """

    start: date
    interval_months: int
    currency: str
    time_zone: str
    terms: tuple[Term, ...] = ()
    first_currency: str | None = None

    def today(self, now: datetime) -> date:
        """The local day of this account at `now`, an aware instant."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def month_start(self, month: int) -> date:
        """The first day of contract month `month` (0 is the first)."""
        return months_after(self.start, month)

    def month_of(self, day: date) -> int:
        """The contract month that contains `day`; negative before the start."""
        return month_containing(self.start, day)

    def with_term(self, term: Term) -> Contract:
        """Returns the contract with one more term. Raises ValueError unless it begins with a renewal, as the last."""
        last = self.terms[-1].from_month if self.terms else -1
        if term.from_month <= last or self.paid_period(term.from_month)[0] != term.from_month:
            raise ValueError(f"no term begins with month {term.from_month}")
        changed = replace(self, terms=(*self.terms, term))
        if term.currency == self.currency:
            return changed
        return replace(changed, currency=term.currency, first_currency=self.first_currency or self.currency)

    def interval_of(self, month: int) -> int:
        """The number of months that the paid period of contract month `month` has."""
        return self._term_of(month)[1]

    def currency_of(self, month: int) -> str:
        """The currency in which contract month `month` is paid."""
        return self._term_of(month)[2]

    def paid_period(self, month: int) -> tuple[int, int]:
        """The paid period that contains contract month `month`, as its first month and the first one after it.

        Months before the start count as if the first term had no begin.
        """
        begins, interval, _ = self._term_of(month)
        first = begins + (month - begins) // interval * interval
        return first, first + interval

    def renewals(self, first: date) -> Iterator[tuple[int, date]]:
        """Renewals on or after `first`, as (contract month, date); month 0 is the start. The iterator never ends."""
        month = max(0, self.paid_period(self.month_of(first))[0])
        while True:
            boundary = self.month_start(month)
            if boundary >= first:
                yield month, boundary
            month = self.paid_period(month)[1]

    def last_day_to_avoid(self, renewal: date) -> date:
        """The last day for a notice that avoids the charge of `renewal`: a day and a month before (DESIGN 3.1.4)."""
        return self.month_start(self.month_of(renewal) - NOTICE_MONTHS + 1) - timedelta(days=1)

    def next_charge(self, today: date) -> tuple[int, date]:
        """The next charge, as (first contract month that it pays for, date).

        On the day of a renewal it is the charge of that day.
        """
        return next(self.renewals(today))

    def _term_of(self, month: int) -> tuple[int, int, str]:
        """The first month, the interval and the currency of the term that contains contract month `month`."""
        for term in reversed(self.terms):
            if term.from_month <= month:
                return term.from_month, term.interval_months, term.currency
        return 0, self.interval_months, self.first_currency or self.currency


@dataclass(frozen=True, slots=True)
class Termination:
    """The dates of a notice, as days in the account's time zone (DESIGN 3.1).

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
    """The dates of a notice given on `requested`, for a contract that is paid every `interval_months` from `start`."""
    return terminated(Contract(start, interval_months, currency="", time_zone=""), requested)


def terminated(contract: Contract, requested: date) -> Termination:
    """The dates of a notice of a contract, given on `requested`."""
    notice_ends = contract.month_start(contract.month_of(requested) + NOTICE_MONTHS)
    # The customer uses up every period that is paid or still due within the notice (DESIGN 3.1.2). So service ends
    # with a renewal, which is the first renewal that this notice avoids.
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
    """`start` plus whole months; the day is cut to the length of the month. `start` must be the contract's start."""
    years, month_index = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month_index + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def month_containing(start: date, day: date) -> int:
    """The month k with start + k months <= day < start + (k + 1) months."""
    month = (day.year - start.year) * 12 + day.month - start.month
    return month if months_after(start, month) <= day else month - 1
