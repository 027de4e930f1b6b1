"""Queue worker: compares an account's books with themselves and with Stripe, or the register of numbers."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.invoicing.reconciliation.commands import reconcile_account, reconcile_register
from billing.invoicing.reconciliation.records import REGISTER
from billing.platform.clock import time_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def reconcile(message: str, correlation: str) -> Mapping[str, Any]:
    """Compares what is due now, or at a replay's clock. Raises BillingError, which retries the message."""
    work = work_from(message)
    now, is_replay = time_of(work), work.clock is not None
    settings, store = wiring.invoicing_settings(), wiring.reconciliation_store()
    if work.account == REGISTER:
        outcome = reconcile_register(
            now=now, correlation=correlation, settings=settings, store=store, is_replay=is_replay
        )
    else:
        outcome = reconcile_account(
            work.account,
            now=now,
            correlation=correlation,
            settings=settings,
            store=store,
            ledger=wiring.payment_ledger(),
            is_replay=is_replay,
        )
    return {"account": work.account, "outcome": outcome}


handler = worker(reconcile, wiring.queue)
