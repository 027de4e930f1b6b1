"""What is due for an account: the contract month to invoice next, and the collection of an earlier release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.tax import AwaitedTaxRate
from billing.kernel.contract_calendar import Contract
from billing.kernel.schedules import start_of


@dataclass(frozen=True, slots=True)
class InvoicingDue:
    """The contract month to invoice next, counted from 0 at the contract's start.

    Every contract month is processed. Only those where a paid period begins or a tier changes have an invoice.
    `settled` are the decisions whose tier changes are already invoiced for the running paid period. `awaits` is
    the rate that the month's invoice waits for, an exchange rate or one of the seller's own tax; None for none.
    """

    month: int
    settled: tuple[str, ...] = ()
    awaits: AwaitedRate | AwaitedTaxRate | None = None


def invoicing_due_at(due: InvoicingDue, contract: Contract) -> datetime:
    """The instant at which the contract month begins, in the account's time zone."""
    return start_of(contract.month_start(due.month), contract)


@dataclass(frozen=True, slots=True)
class CollectionDue:
    """When an earlier release wanted to collect the payments of an account next. Invoices have their own days now.

    `is_retired` says that each unpaid invoice had its own day when this was written.
    """

    on: date
    is_retired: bool = False


RETIRED_AFTER = timedelta(days=2)
"""How long a retired due item stays. A function of the earlier release may still run when it is retired, and write an
invoice that relies on the item. Such functions end within minutes of a deployment."""


def retired(due: CollectionDue, today: date, *, all_have_days: bool) -> CollectionDue | None:
    """The due item of an earlier release after a run. It is removed (None) once it was retired for RETIRED_AFTER, and
    each unpaid invoice had its own day already when that run began (`all_have_days`).
    """
    if not due.is_retired or (due.on <= today and not all_have_days):
        return CollectionDue(today + RETIRED_AFTER, is_retired=True)
    return None if due.on <= today else due
