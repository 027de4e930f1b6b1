"""Each day: staff are told how much of the reported usage was rejected on the days before, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.events import by_system
from billing.platform.runs import begin_run
from billing.usage.rejected_usage import tell_rejected

logger = Logger()


def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Tells of the days before the event's time, which is the schedule's: a late run tells what was missed."""
    begin_run(context.aws_request_id, logger)
    run = by_system(datetime.fromisoformat(event["time"]), context.aws_request_id)
    logger.info("rejected usage told", days=tell_rejected(context=run, store=wiring.usage_store()))
