"""Queue worker: decides the tiers of an account for its closed months, and moves them (DESIGN 3.2)."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.platform.clock import time_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker
from billing.scaling.scale_account import scale_account


def scale(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes every due month of one account. Raises BillingError, which retries the message."""
    work = work_from(message)
    scaled = scale_account(work.account, now=time_of(work), correlation=correlation, store=wiring.autoscaling_store())
    return {"account": work.account, "months": scaled.months, "moved": scaled.moved}


handler = worker(scale, wiring.queue)
