"""The queue of accounts for which autoscaling is due → their decisions and moves."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker
from billing.scaling.scale_account import scale_account


def scale(message: str, correlation: str) -> Mapping[str, Any]:
    """One account: every month that is due."""
    work = work_from(message)
    scaled = scale_account(work.account, now=work.at, correlation=correlation, store=wiring.autoscaling_store())
    return {"account": work.account, "months": scaled.months, "moved": scaled.moved}


handler = worker(scale, wiring.queue)
