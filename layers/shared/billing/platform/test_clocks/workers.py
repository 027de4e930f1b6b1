"""Runs the worker of a job for one account, and says whether it has processed its message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from billing.kernel.errors import UpstreamFailed
from billing.kernel.schedules import Job
from billing.platform.queues.interfaces import DueWork
from billing.platform.queues.sqs_work_queue import message_of

ANSWER_SECONDS_MAX = 90
"""More than the time-out of any of these workers (template.yaml)."""


class Workers(Protocol):
    """The workers of the jobs."""

    def run(self, job: Job, work: DueWork) -> bool:
        """Whether the job's worker has processed the work. Raises UpstreamFailed without an answer."""
        ...


class LambdaWorkers:
    """The workers as functions of AWS Lambda, each invoked with a message as its queue would deliver it.

    A queue does not say when its messages are processed, and the next step needs that. The function is the same, and
    what it cannot do is repeated by the caller.
    """

    def __init__(self, functions: Mapping[Job, str], session: Session) -> None:
        """`functions` are the names of the functions by job."""
        self._functions = functions
        # Without retries of its own: a worker may still be running.
        config = Config(read_timeout=ANSWER_SECONDS_MAX, retries={"total_max_attempts": 1})
        self._lambda: Any = session.create_client("lambda", config=config)

    def run(self, job: Job, work: DueWork) -> bool:
        record = {
            "messageId": f"{work.account}/{job}/{work.at.isoformat()}",
            "receiptHandle": "none",  # SQS did not deliver it, so there is no visibility to change
            "body": message_of(work),
            "attributes": {"ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }
        try:
            answer = self._lambda.invoke(
                FunctionName=self._functions[job], Payload=json.dumps({"Records": [record]}).encode()
            )
            if "FunctionError" in answer:
                return False
            payload = orjson.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError) as failure:
            raise UpstreamFailed(f"The worker of the job {job} did not answer.") from failure
        return bool(payload == {"batchItemFailures": []})
