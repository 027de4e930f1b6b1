"""Queue worker: takes an account through its end: renewal notice, deactivation, reminder, deletion (DESIGN 3.1).

It also looks at the open claims of accounts that are deleted: their due items are in the same index.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from billing import wiring
from billing.ending.cancellation.commands import end_account
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account
from billing.ending.deletion.settle_claims import Settler, look_at_claim
from billing.invoicing.close_books import close_books
from billing.kernel.events import RequestContext, by_system
from billing.platform.clock import is_on_deleted_clock, time_of
from billing.platform.dynamodb.keys import claim_of
from billing.platform.queues.interfaces import DueWork
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker

PURGE_SECONDS = 30
"""How long one message deletes, well within the function's timeout. Another message deletes the rest."""


def end(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes every due stage of one account, or one open claim. Raises BillingError, which retries the message.

    A refund that could not be made now holds up no stage: the message is retried after them.
    """
    work = work_from(message)
    context = by_system(time_of(work), correlation, is_replay=work.clock is not None)
    claim = claim_of(work.account)
    if claim is not None:
        return {"claim": claim, "changed": look_at_claim(claim, _settler(context))}
    if is_on_deleted_clock(work.account):
        return {"account": work.account, "stage": None, "purged": _purged(work, correlation, at_once=True)}
    books = close_books(
        work.account,
        context=context,
        settings=wiring.invoicing_settings(),
        store=wiring.invoice_store(),
        gateway=wiring.payments(),
    )
    stage = end_account(
        work.account,
        now=context.time,
        correlation=correlation,
        is_replay=context.is_replay,
        seller=wiring.seller_address(),
        policy=wiring.unconfirmed_vat_number(),
        store=wiring.cancellation_store(),
        open_money=None if books is None else books.open,
    )
    purged = _purged(work, correlation)
    if books is not None and books.failure is not None:
        raise books.failure
    return {"account": work.account, "stage": stage, "purged": purged}


def _purged(work: DueWork, correlation: str, *, at_once: bool = False) -> PurgeProgress | None:
    """Goes on with the account's deletion. Returns its progress; None if no deletion is due.

    `at_once` begins it in any case: the account's test clock is deleted.
    """
    purges = wiring.purge_store()
    if not at_once and purges.purge(work.account) is None and purges.due(work.account) is None:
        return None
    wait = timedelta(seconds=int(os.environ["PURGE_WAIT_SECONDS"]))
    purger = Purger(
        accounts=wiring.account_store(),
        methods=wiring.payment_store(),
        purges=purges,
        invoices=wiring.invoice_store(),
        documents=wiring.documents(),
        archive=wiring.archive(),
        archive_years=int(os.environ["INVOICE_ARCHIVE_YEARS"]),
        gateway=wiring.payments(),
        directory=wiring.directory(),
        wait=wait,
        claim_years=wiring.claim_years(),
        settings=wiring.invoicing_settings(),
        is_replay=work.clock is not None,
        at_once=at_once,
        reviews=wiring.review_store(),
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


def _settler(context: RequestContext) -> Settler:
    return Settler(context, wiring.claim_store(), wiring.invoice_store(), wiring.payments(), wiring.claim_years())


handler = worker(end, wiring.queue)
