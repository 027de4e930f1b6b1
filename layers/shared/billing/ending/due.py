"""The next step towards the end of an account: the notice of a renewal, deactivation, reminder, purge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from billing.kernel.contract_calendar import Contract

NOTICE_DAYS_BEFORE = 7
"""How long before the last day to avoid a renewal its admins are told of it."""


class EndingStage(StrEnum):
    """What is due of an account's end: of an active one the notice of the last day to avoid its next renewal, of one
    that was cancelled the others, in this order."""

    NOTICE = "notice"
    DEACTIVATE = "deactivate"
    REMIND = "remind"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class EndingDue:
    """What is due of an account's end next, and on which day."""

    stage: EndingStage
    on: date


def next_notice(contract: Contract, today: date) -> EndingDue | None:
    """When the account is told of the last day to avoid a renewal next, today at the earliest.

    None where it pays every month: that would be a mail every month, for a renewal that is a month away.
    """
    if contract.interval_months == 1:
        return None
    for _, renewal in contract.renewals(contract.month_start(contract.interval_months)):
        told_on = contract.last_day_to_avoid(renewal) - timedelta(days=NOTICE_DAYS_BEFORE)
        if told_on >= today:
            return EndingDue(EndingStage.NOTICE, told_on)
    raise AssertionError("renewals have no end")
