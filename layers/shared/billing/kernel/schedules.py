"""Scheduled jobs: what is due for an account, and when (DESIGN 4, "Due work")."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.kernel.contract_calendar import Contract


class Job(StrEnum):
    """The jobs that deal with one account at a time."""

    AUTOSCALING = "autoscaling"
    CARD_EXPIRY = "card-expiry"
    RENEWAL = "renewal"
    COLLECTION = "collection"
    ENDING = "ending"


def start_of(day: date, contract: Contract) -> datetime:
    """The instant at which a day begins for the account."""
    return datetime.combine(day, time(), ZoneInfo(contract.time_zone)).astimezone(UTC)
