"""The due work of an account's end: renewal notice, deactivation, reminder, purge (DESIGN 3.1, 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from billing.kernel.contract_calendar import Contract

NOTICE_DAYS_BEFORE = 7
"""How many days before the last day to avoid a renewal the admins get a mail (DESIGN 3.1.9)."""


class EndingStage(StrEnum):
    """A stage of an account's end.

    NOTICE is due for an active account: the mail about the last day to avoid its next renewal. The other stages are due
    for a cancelled account, in this order.
    """

    NOTICE = "notice"
    DEACTIVATE = "deactivate"
    REMIND = "remind"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class EndingDue:
    """The next stage of an account's end, and its day in the account's time zone."""

    stage: EndingStage
    on: date


def first_notice(contract: Contract, today: date) -> EndingDue | None:
    """The first renewal notice of an account that has none yet: see next_notice.

    It is due at once where the last day to avoid a renewal is less than NOTICE_DAYS_BEFORE days away.
    """
    return next_notice(contract, today - timedelta(days=NOTICE_DAYS_BEFORE))


def next_notice(contract: Contract, today: date) -> EndingDue | None:
    """The next renewal notice of an active account, today at the earliest (DESIGN 3.1.9).

    None for a monthly contract: it would get a mail every month, about a renewal only a month away. The same holds for
    each renewal for one month, while later terms are longer.
    """
    for month, renewal in contract.renewals(contract.month_start(contract.paid_period(0)[1])):
        if contract.interval_of(month) == 1:
            if all(term.from_month <= month for term in contract.terms):
                return None
            continue
        notice_on = contract.last_day_to_avoid(renewal) - timedelta(days=NOTICE_DAYS_BEFORE)
        if notice_on >= today:
            return EndingDue(EndingStage.NOTICE, notice_on)
    raise AssertionError("renewals have no end")
