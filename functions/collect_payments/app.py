"""Queue worker: collects what an account owes, and completes its reactivation.

Messages come from the hourly schedule, and from the bus after an invoice, a credit note, a change of the payment
method or a request for reactivation.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from billing import wiring
from billing.ending.reactivation.commands import complete_reactivation
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.dunning import TRIED_AFTER
from billing.kernel.errors import UpstreamFailed
from billing.platform.clock import time_after, time_of
from billing.platform.events.mapping import event_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def collect(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes one account. Raises BillingError, which retries the message.

    A reactivation that the payment service does not answer holds up no invoice: its error is raised afterwards.
    """
    account, at, at_once, is_replay = _work(message)
    store, settings = wiring.reactivation_store(), wiring.invoicing_settings()
    reactivated, failure = None, None
    try:
        reactivated = complete_reactivation(
            account, now=at, correlation=correlation, settings=settings, store=store, gateway=wiring.payments()
        )
    except UpstreamFailed as failed:
        failure = failed
    payments = collect_payments(
        account,
        at_once=at_once,
        now=at,
        correlation=correlation,
        settings=settings,
        consent_page=os.environ["BILLING_PAGE"],
        store=store,
        gateway=wiring.payments(),
        is_replay=is_replay,
    )
    if failure is not None:
        raise failure
    return {"account": account, "payments": payments, "reactivation": reactivated}


def _work(message: str) -> tuple[str, datetime, bool, bool]:
    """The account, the time, whether to try a charge at once, before its day, and whether the time is a replay's."""
    detail = orjson.loads(message).get("detail")
    if detail is None:
        work = work_from(message)
        return work.account, time_of(work), False, work.clock is not None
    event = event_of(detail)
    return str(event.account), time_after(event), event.type in TRIED_AFTER, event.is_replay


handler = worker(collect, wiring.queue)
