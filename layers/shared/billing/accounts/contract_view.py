"""The API view of an account's contract."""

from __future__ import annotations

from datetime import date

from billing.kernel.contract_calendar import Contract
from billing.platform.http.models import View


def interval_on(contract: Contract, today: date) -> int:
    """How many months the contract is paid for at once on a day; before its start, with the first payment."""
    return contract.interval_of(max(0, contract.month_of(today)))


class ContractView(View):
    """`interval_months` is how often is paid today."""

    start: date
    interval_months: int
    currency: str
    time_zone: str
