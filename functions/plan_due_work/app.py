"""Planner: on a job's schedule, queues one message for each account that has work due.

Each job has its own function with this code. JOB names the job, WORK_QUEUE_URL is the queue of its worker.
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
from billing.platform.runs import begin_run

logger = Logger()


def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Plans the work due at the event's time, not at the current time: any day can be run again or later.

    A replay of the past names the `clock` at which the workers do it; without one they go by the real time.
    """
    begin_run(context.aws_request_id, logger)
    job, at = Job(os.environ["JOB"]), datetime.fromisoformat(event["time"])
    clock = None if "clock" not in event else datetime.fromisoformat(event["clock"])
    planned = plan_due_work(job, now=at, store=wiring.due_store(), queue=wiring.work_queue(), clock=clock)
    logger.info("planned", job=job, accounts=planned, at=at.isoformat())
