"""Lets the demonstration's accounts live through their past: what its schedules would have done, day by day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time

from billing.kernel.contract_calendar import Contract
from billing.scaling.due import AutoscalingDue, due_at, first_due_month
from billing.scaling.records import AutoscalingStore
from billing.usage.rules import month_before, month_of

NOON = time(12, tzinfo=UTC)
"""When the schedule of template.yaml fires."""


def live_through(
    accounts: Sequence[str], now: datetime, store: AutoscalingStore, fire: Callable[[datetime], None]
) -> int:
    """Fires the schedule on the first of each month of the accounts' contracts so far; returns how many times.

    `fire` returns when all that was due at the instant it is given is dealt with. An account that has decisions
    already goes on where it is, so this may be repeated.
    """
    months = [_go_back(account, store) for account in accounts]
    fired = 0
    for month in _months(min(months), now.date()):
        fire(datetime.combine(month, NOON))
        fired += 1
    return fired


def invoice_days(contracts: Sequence[Contract], today: date) -> list[date]:
    """The days on which a contract month has begun for any of them so far."""
    found = set()
    for contract in contracts:
        month = 0
        while contract.month_start(month) <= today:
            found.add(contract.month_start(month))
            month += 1
    return sorted(found)


def _go_back(account: str, store: AutoscalingStore) -> date:
    """Makes the first months of its contract due for an account of which nothing was decided; the month now due."""
    standing = store.state(account)
    if standing is None or standing.due is None:
        raise ValueError(f"{account} is not scheduled")
    if store.decisions(account, limit=1, after=None).items:
        return standing.due.month
    contract = standing.subscriber.account.contract
    month = _first_month(contract)
    store.decide(standing, (), None, (), AutoscalingDue(month, {}), due_at(month, contract))
    return month


def _first_month(contract: Contract) -> date:
    """What would have been due first, had the account been provisioned on the day its contract began."""
    return first_due_month(contract, contract.start)


def _months(first: date, today: date) -> Iterator[date]:
    month = first
    while month <= month_of(today):
        yield month
        month = month_before(month, -1)
