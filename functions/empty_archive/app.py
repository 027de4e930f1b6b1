"""On its schedule: deletes the invoices of deleted accounts whose retention has ended (DESIGN 3.7.3)."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.ending.deletion.empty_archive import empty_archive
from billing.platform.runs import begin_run

logger = Logger()

LEFT_MILLISECONDS_MIN = 60_000
"""A run stops a minute before its time-out. The run of the next day goes on."""


def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Deletes what no lock protects any more at the event's time. Raises UpstreamFailed; the next run goes on."""
    begin_run(context.aws_request_id, logger)
    emptied = empty_archive(
        wiring.archive_to_empty(),
        now=datetime.fromisoformat(event["time"]),
        years=int(os.environ["INVOICE_ARCHIVE_YEARS"]),
        goes_on=lambda: context.get_remaining_time_in_millis() > LEFT_MILLISECONDS_MIN,
    )
    logger.info("emptied", deleted=emptied.deleted, still_locked=emptied.still_locked, finished=emptied.is_finished)
