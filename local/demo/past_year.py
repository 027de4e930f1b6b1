"""Fires the schedules of the past for the demonstration's accounts, month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

from billing.accounts.records import account_item
from billing.invoicing.due import InvoicingDue
from billing.invoicing.records import BillingContext, InvoiceStore, set_renewal_due
from billing.kernel.account_ids import SERIES_PREFIX
from billing.kernel.contract_calendar import Contract
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.reader import Row
from billing.scaling.due import AutoscalingDue, due_at, first_due_month
from billing.scaling.records import AutoscalingStore
from billing.usage.rules import month_before, month_of

from local.settings import LocalError

NOON = time(12, tzinfo=UTC)
"""When the schedule of template.yaml fires."""

OF_CLOCKS = f"{keys.NUMBER}{SERIES_PREFIX}-"
"""What the keys of the numbers begin with that test clocks have given. They rise with the times of their clocks."""


def live_through(
    accounts: Sequence[str], now: datetime, store: AutoscalingStore, fire: Callable[[datetime], None]
) -> int:
    """Fires autoscaling's schedule on the first day of each month since the contracts began. Returns how many times.

    `fire` gets the instant, and returns when everything that was due at it is processed. An account with decisions goes
    on after its last one, so this may be repeated. Raises ValueError for an account that is not scheduled.
    """
    months = [_reschedule(account, store) for account in accounts]
    fired = 0
    for month in _months(min(months), now.date()):
        fire(datetime.combine(month, NOON))
        fired += 1
    return fired


def invoice_days(contracts: Sequence[Contract], today: date) -> list[date]:
    """The days up to today on which a contract month of any of these contracts begins, in order."""
    days = set()
    for contract in contracts:
        month = 0
        while contract.month_start(month) <= today:
            days.add(contract.month_start(month))
            month += 1
    return sorted(days)


class PastInvoices(InvoiceStore):
    """The invoices of the demonstration, whose past may be invoiced later than provisioned."""

    def begin_again(self, accounts: Sequence[str]) -> None:
        """Makes the first contract month of each account due that has no invoice yet.

        May be repeated. Raises LocalError where another account got an invoice meanwhile: the numbers of invoices rise
        with their dates, so the past cannot be numbered any more. One transaction per account.
        """
        waiting = [each for each in map(self.billing_context, accounts) if each and self._waits(each)]
        if waiting and any(not row.key.startswith(OF_CLOCKS) for row in self._numbers()):
            raise LocalError("Invoices were issued already, and the past needs the first numbers. First: make clean.")
        for context in waiting:
            account = replace(context.subscriber.account, invoiced_from=0)
            with self._transaction() as write:
                write.replace_account(account_item(account), account.version)
                set_renewal_due(write, context, InvoicingDue(0))

    def _numbers(self) -> Iterator[Row]:
        return self._reads.query(keys.NUMBERS, keys.NUMBER, keys.last_of(keys.NUMBER))

    def _waits(self, context: BillingContext) -> bool:
        account, due = context.subscriber.account, context.due
        return bool(account.invoiced_from) and due is not None and due.month == account.invoiced_from


def _reschedule(account: str, store: AutoscalingStore) -> date:
    """Makes the first month of the contract due, unless the account has decisions. Returns the month that is due."""
    state = store.state(account)
    if state is None or state.due is None:
        raise ValueError(f"{account} is not scheduled")
    if store.decisions(account, limit=1, after=None).items:
        return state.due.month
    contract = state.subscriber.account.contract
    month = _first_month(contract)
    store.decide(state, (), None, (), AutoscalingDue(month, {}), due_at(month, contract))
    return month


def _first_month(contract: Contract) -> date:
    """The first due month of an account that is provisioned on the day its contract begins."""
    return first_due_month(contract, contract.start)


def _months(first: date, today: date) -> Iterator[date]:
    month = first
    while month <= month_of(today):
        yield month
        month = month_before(month, -1)
