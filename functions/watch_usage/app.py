"""Stream reader: records an alert, once, when a month's usage crosses a threshold of its tier's volume."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.errors import reason_of
from billing.platform.clock import time_for
from billing.platform.runs import begin_run
from billing.usage.records import MonthTotal, month_total_from
from billing.usage.watch_usage import watch_usage

logger = Logger()


def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Evaluates each grown total once, with its last value in the batch.

    Raises the first failure after all totals were tried; the stream then repeats the batch.
    """
    begin_run(context.aws_request_id, logger)
    grown: dict[tuple[str, str, str], tuple[MonthTotal, float]] = {}
    for record in event["Records"]:
        change = record["dynamodb"]
        total = month_total_from(change["NewImage"])
        grown[total.account, total.product, str(total.month)] = total, change["ApproximateCreationDateTime"]
    failures = [failure for total, seconds in grown.values() if (failure := _watch(total, seconds, context))]
    if failures:
        raise failures[0]


def _watch(total: MonthTotal, seconds: float, context: LambdaContext) -> Exception | None:
    about: dict[str, Any] = {"account": total.account, "product": total.product, "month": f"{total.month:%Y-%m}"}
    try:
        percent = watch_usage(
            total.account,
            total.product,
            total.month,
            total.usage,
            now=time_for(total.account, datetime.fromtimestamp(seconds, UTC)),
            correlation=context.aws_request_id,
            store=wiring.usage_store(),
        )
    except Exception as failure:  # noqa: BLE001 - the other totals are evaluated first
        logger.warning("usage not watched", reason=reason_of(failure), **about)
        return failure
    if percent is not None:
        logger.info("threshold reached", percent=percent, **about)
    return None
