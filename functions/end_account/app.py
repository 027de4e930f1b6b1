"""The queue of cancelled accounts whose end has come → deactivated, reminded, and at last deleted."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from billing import wiring
from billing.gateways.ports import DueWork
from billing.gateways.sqs_work_queue import work_from
from billing.usecases.cancel_account import end_account
from billing.usecases.purge_account import purge_account
from billing.workers import worker

PURGE_SECONDS = 40
"""For which a deletion goes on at once, well within the function's time. What is left is a message of its own."""


def end(message: str, correlation: str) -> Mapping[str, Any]:
    """One account: every stage of its end that is due."""
    work = work_from(message)
    done = end_account(work.account, now=work.at, correlation=correlation, store=wiring.cancellation_store())
    return {"account": work.account, "stage": done, "purged": _purged(work, correlation)}


def _purged(work: DueWork, correlation: str) -> bool | None:
    """Whether nothing of the account is left; None where its deletion is not due."""
    purges = wiring.purge_store()
    if purges.purge(work.account) is None and purges.due(work.account) is None:
        return None
    until = monotonic() + PURGE_SECONDS
    finished = purge_account(
        work.account,
        now=work.at,
        correlation=correlation,
        goes_on=lambda: monotonic() < until,
        store=wiring.store(),
        methods=wiring.payment_store(),
        purges=purges,
        documents=wiring.documents(),
        gateway=wiring.payments(),
        directory=wiring.directory(),
    )
    if not finished:
        wiring.work_queue().put([work])
    return finished


handler = worker(end, wiring.queue)
