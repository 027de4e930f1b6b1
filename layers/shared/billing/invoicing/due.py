"""The contract month that an account is invoiced for next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.kernel.contract_calendar import Contract
from billing.kernel.schedules import start_of


@dataclass(frozen=True, slots=True)
class InvoicingDue:
    """The contract month that is to be looked at next, and the changes of tier within the running paid period that
    are invoiced already, by their decisions.

    Every contract month is looked at: most have nothing to invoice but where a paid period begins, or a tier changes.
    """

    month: int
    settled: tuple[str, ...] = ()


def invoicing_due_at(due: InvoicingDue, contract: Contract) -> datetime:
    """The instant at which its contract month begins for the account."""
    return start_of(contract.month_start(due.month), contract)
