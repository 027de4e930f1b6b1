"""Scheduled jobs (DESIGN 4.2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.kernel.contract_calendar import Contract


class Job(StrEnum):
    """A job that processes one account at a time."""

    AUTOSCALING = "autoscaling"
    CARD_EXPIRY = "card-expiry"
    RENEWAL = "renewal"
    COLLECTION = "collection"
    ENDING = "ending"
    VAT_NUMBER = "vat-number"
    RECONCILIATION = "reconciliation"


def start_of(day: date, contract: Contract) -> datetime:
    """The instant, in UTC, at which `day` begins in the account's time zone."""
    return datetime.combine(day, time(), ZoneInfo(contract.time_zone)).astimezone(UTC)
