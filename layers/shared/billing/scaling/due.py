"""When autoscaling decides next for an account, and which alerts it has sent about its products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from billing.kernel.contract_calendar import Contract
from billing.kernel.schedules import start_of
from billing.usage.rules import month_before, month_of

QUIET_MONTHS = 6
"""An alert is sent again when its condition was false for so many months. One peak affects three averages of three
months, so a shorter time would repeat alerts."""


@dataclass(frozen=True, slots=True)
class AlertMemory:
    """The last alert about a product, and the last month that justified it."""

    alert: str
    month: date

    def holds(self, month: date) -> bool:
        """Whether the alert need not be sent again in `month`."""
        return self.month > month_before(month, QUIET_MONTHS)


@dataclass(frozen=True, slots=True)
class AutoscalingDue:
    """The month that autoscaling decides next for an account, and the last alert about each product."""

    month: date
    alerts: Mapping[str, AlertMemory]


def due_at(month: date, contract: Contract) -> datetime:
    """The instant from which the month before `month` is closed for an account."""
    return start_of(month, contract)


def first_due_month(contract: Contract, today: date) -> date:
    """The first month that autoscaling decides, for an account created `today`."""
    return month_before(month_of(max(today, contract.start)), -1)
