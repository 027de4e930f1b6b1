"""The API view of an account's contract."""

from __future__ import annotations

from datetime import date

from billing.platform.http.models import View


class ContractView(View):
    start: date
    interval_months: int
    currency: str
    time_zone: str
