"""The contract month that an account is invoiced for next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.kernel.contract_calendar import Contract
from billing.kernel.schedules import start_of


@dataclass(frozen=True, slots=True)
class InvoicingDue:
    """The contract month to invoice next, counted from 0 at the contract's start.

    Every contract month is processed. Only those where a paid period begins or a tier changes have an invoice.
    `settled` are the decisions whose tier changes are already invoiced for the running paid period. `awaits_rate` is
    the exchange rate that the month's invoice waits for, None for none.
    """

    month: int
    settled: tuple[str, ...] = ()
    awaits_rate: AwaitedRate | None = None


def invoicing_due_at(due: InvoicingDue, contract: Contract) -> datetime:
    """The instant at which the contract month begins, in the account's time zone."""
    return start_of(contract.month_start(due.month), contract)
