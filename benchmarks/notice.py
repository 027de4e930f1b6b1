"""The notice rule for programs that judge it: an adapter over `billing.kernel.contract_calendar` (DESIGN 3.1, 7)."""

from __future__ import annotations

from datetime import date

from billing.kernel import contract_calendar as contract


def termination(start: date, interval_months: int, requested: date) -> contract.Termination:
    """The dates that follow from a notice given on `requested`.

    The contract begins on `start` and is paid every `interval_months`. The result has `notice_ends`, `active_until`
    (the first day not served), `charges_still_due` (a list of dates), `next_avoidable_renewal` and
    `last_day_to_avoid_it`.
    """
    return contract.termination(start, interval_months, requested)
