"""Scheduled jobs (DESIGN 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
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


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job's planner runs: at these minutes of each hour in UTC, or only of the hour `hour`.

    template.yaml has the same as a cron expression. tests/architecture/test_template.py compares them.
    """

    minutes: tuple[int, ...]
    hour: int | None = None


SCHEDULES = {
    Job.AUTOSCALING: Schedule((0,), 12),
    Job.CARD_EXPIRY: Schedule((15,), 12),
    Job.RENEWAL: Schedule((5,)),
    Job.COLLECTION: Schedule((35,)),
    Job.ENDING: Schedule((1,)),
    Job.VAT_NUMBER: Schedule((0, 15, 30, 45)),
    Job.RECONCILIATION: Schedule((20,), 3),
}


def next_run(job: Job, from_: datetime) -> datetime:
    """The first instant, in UTC, at or after `from_` (aware) at which the job's planner runs."""
    schedule = SCHEDULES[job]
    hour = from_.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while True:
        if schedule.hour in {None, hour.hour}:
            for minute in schedule.minutes:
                if hour + timedelta(minutes=minute) >= from_:
                    return hour + timedelta(minutes=minute)
        hour += timedelta(hours=1)


def start_of(day: date, contract: Contract) -> datetime:
    """The instant, in UTC, at which `day` begins in the account's time zone."""
    return datetime.combine(day, time(), ZoneInfo(contract.time_zone)).astimezone(UTC)
