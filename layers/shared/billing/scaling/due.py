"""When autoscaling decides next for an account, and which alerts it has raised already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from billing.kernel.contract_calendar import Contract
from billing.kernel.schedules import start_of
from billing.usage.rules import month_before, month_of

QUIET_MONTHS = 6
"""What was told is told again when it had not been so for that long. One peak is in three averages of three months."""


@dataclass(frozen=True, slots=True)
class AlertMemory:
    """What was told of a product, and the last month in which it was so."""

    alert: str
    month: date

    def holds(self, month: date) -> bool:
        """Whether nobody need be told again in `month`."""
        return self.month > month_before(month, QUIET_MONTHS)


@dataclass(frozen=True, slots=True)
class AutoscalingDue:
    """The month that autoscaling decides next for an account, and what was told already of each product."""

    month: date
    alerts: Mapping[str, AlertMemory]


def due_at(month: date, contract: Contract) -> datetime:
    """The instant from which the month before `month` is closed for an account."""
    return start_of(month, contract)


def first_due_month(contract: Contract, today: date) -> date:
    """The month that is decided first for an account which comes to be `today`."""
    return month_before(month_of(max(today, contract.start)), -1)
