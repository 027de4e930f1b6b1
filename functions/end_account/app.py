"""Queue worker: takes an account through its end: renewal notice, deactivation, reminder, deletion (DESIGN 3.1)."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from billing import wiring
from billing.ending.cancellation.commands import end_account
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account
from billing.platform.clock import time_of
from billing.platform.queues.interfaces import DueWork
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker

PURGE_SECONDS = 40
"""How long one message deletes, well within the function's timeout. Another message deletes the rest."""


def end(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes every due stage of one account. Raises BillingError, which retries the message."""
    work = work_from(message)
    stage = end_account(
        work.account,
        now=time_of(work),
        correlation=correlation,
        seller=wiring.seller_address(),
        policy=wiring.unconfirmed_vat_number(),
        store=wiring.cancellation_store(),
    )
    return {"account": work.account, "stage": stage, "purged": _purged(work, correlation)}


def _purged(work: DueWork, correlation: str) -> PurgeProgress | None:
    """Goes on with the account's deletion. Returns its progress; None if no deletion is due."""
    purges = wiring.purge_store()
    if purges.purge(work.account) is None and purges.due(work.account) is None:
        return None
    wait = timedelta(seconds=int(os.environ["PURGE_WAIT_SECONDS"]))
    purger = Purger(
        accounts=wiring.account_store(),
        methods=wiring.payment_store(),
        purges=purges,
        documents=wiring.documents(),
        archive=wiring.archive(),
        archive_years=int(os.environ["INVOICE_ARCHIVE_YEARS"]),
        gateway=wiring.payments(),
        directory=wiring.directory(),
        wait=wait,
    )
    until = monotonic() + PURGE_SECONDS
    progress = purge_account(
        work.account,
        now=time_of(work),
        clock=datetime.now(UTC),  # noqa: TID251 - files arrive late by the wall clock, whatever day is replayed
        correlation=correlation,
        goes_on=lambda: monotonic() < until,
        purger=purger,
    )
    if progress is not PurgeProgress.FINISHED:
        after = int(wait.total_seconds()) if progress is PurgeProgress.WAITS else 0
        wiring.work_queue().put([work], after_seconds=after)
    return progress


handler = worker(end, wiring.queue)
