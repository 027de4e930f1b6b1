"""The daily schedule → the accounts for which autoscaling is due, one message each."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.domain.schedules import Job
from billing.usecases.plan_due_work import plan_due_work

logger = Logger()


def handler(event: Mapping[str, Any], _context: LambdaContext) -> None:
    """Plans what is due at the event's own time, so that any day can be run again, or for the first time."""
    at = datetime.fromisoformat(event["time"])
    planned = plan_due_work(Job.AUTOSCALING, now=at, store=wiring.due_store(), queue=wiring.work_queue())
    logger.info("planned", job=Job.AUTOSCALING, accounts=planned, at=at.isoformat())
