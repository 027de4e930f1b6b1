"""The daily schedule of a job → the accounts for which it is due, one message each.

Each job has a function of its own with this code: JOB says which job, WORK_QUEUE_URL who does its work.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.schedules import Job
from billing.platform.due_work.plan import plan_due_work

logger = Logger()


def handler(event: Mapping[str, Any], _context: LambdaContext) -> None:
    """Plans what is due at the event's own time, so that any day can be run again, or for the first time."""
    job, at = Job(os.environ["JOB"]), datetime.fromisoformat(event["time"])
    planned = plan_due_work(job, now=at, store=wiring.due_store(), queue=wiring.work_queue())
    logger.info("planned", job=job, accounts=planned, at=at.isoformat())
