"""The queue of cancelled accounts whose end has come → deactivated, reminded."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.gateways.sqs_work_queue import work_from
from billing.usecases.cancel_account import end_account
from billing.workers import worker


def end(message: str, correlation: str) -> Mapping[str, Any]:
    """One account: every stage of its end that is due."""
    work = work_from(message)
    done = end_account(work.account, now=work.at, correlation=correlation, store=wiring.cancellation_store())
    return {"account": work.account, "stage": done}


handler = worker(end, wiring.queue)
