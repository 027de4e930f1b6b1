"""Scheduled jobs: what is due for an account, and when (DESIGN 4, "Due work")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.domain.contract import Contract
from billing.domain.usage import month_before, month_of


class Job(StrEnum):
    """The jobs that deal with one account at a time."""

    AUTOSCALING = "autoscaling"
    CARD_EXPIRY = "card-expiry"
    RENEWAL = "renewal"
    COLLECTION = "collection"
    ENDING = "ending"


QUIET_MONTHS = 6
"""What was told is told again when it had not been so for that long. One peak is in three averages of three months."""


@dataclass(frozen=True, slots=True)
class News:
    """What was told of a product, and the last month in which it was so."""

    what: str
    month: date

    def holds(self, month: date) -> bool:
        """Whether nobody need be told again in `month`."""
        return self.month > month_before(month, QUIET_MONTHS)


@dataclass(frozen=True, slots=True)
class Due:
    """The month that autoscaling decides next for an account, and what was told already of each product."""

    month: date
    told: Mapping[str, News]


def due_at(month: date, contract: Contract) -> datetime:
    """The instant from which the month before `month` is closed for an account."""
    return start_of(month, contract)


def first_due_month(contract: Contract, today: date) -> date:
    """The month that is decided first for an account which comes to be `today`."""
    return month_before(month_of(max(today, contract.start)), -1)


@dataclass(frozen=True, slots=True)
class BillingDue:
    """The contract month that is to be looked at next, and the changes of tier within the running paid period that
    are invoiced already, by their decisions.

    Every contract month is looked at: most have nothing to invoice but where a paid period begins, or a tier changes.
    """

    month: int
    settled: tuple[str, ...] = ()


def billing_due_at(due: BillingDue, contract: Contract) -> datetime:
    """The instant at which its contract month begins for the account."""
    return start_of(contract.month_start(due.month), contract)


def start_of(day: date, contract: Contract) -> datetime:
    """The instant at which a day begins for the account."""
    return datetime.combine(day, time(), ZoneInfo(contract.time_zone)).astimezone(UTC)


NOTICE_DAYS_BEFORE = 7
"""How long before the last day to avoid a renewal its admins are told of it."""


class Stage(StrEnum):
    """What is due of an account's end: of an active one the notice of the last day to avoid its next renewal, of one
    that was cancelled the others, in this order."""

    NOTICE = "notice"
    DEACTIVATE = "deactivate"
    REMIND = "remind"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class DueStage:
    """What is due of an account's end next, and on which day."""

    stage: Stage
    on: date


def next_notice(contract: Contract, today: date) -> DueStage | None:
    """When the account is told of the last day to avoid a renewal next, today at the earliest.

    None where it pays every month: that would be a mail every month, for a renewal that is a month away.
    """
    if contract.interval_months == 1:
        return None
    for _, renewal in contract.renewals(contract.month_start(contract.interval_months)):
        told_on = contract.last_day_to_avoid(renewal) - timedelta(days=NOTICE_DAYS_BEFORE)
        if told_on >= today:
            return DueStage(Stage.NOTICE, told_on)
    raise AssertionError("renewals have no end")
