"""The queue of accounts with invoices to be paid → charged, tried again, looked after.

They come from the schedule, and from the bus: when an invoice or a credit note was issued, when an account pays in
another way, and when it is to be taken up again.
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
from billing.platform.events.mapping import event_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def collect(message: str, correlation: str) -> Mapping[str, Any]:
    """One account."""
    account, at, at_once = _asked(message)
    store, terms = wiring.reactivation_store(), wiring.terms()
    reactivated = complete_reactivation(
        account, now=at, correlation=correlation, settings=terms, store=store, gateway=wiring.payments()
    )
    dealt = collect_payments(
        account,
        at_once=at_once,
        now=at,
        correlation=correlation,
        settings=terms,
        consent_page=os.environ["BILLING_PAGE"],
        store=store,
        gateway=wiring.payments(),
    )
    return {"account": account, "payments": dealt, "reactivation": reactivated}


def _asked(message: str) -> tuple[str, datetime, bool]:
    detail = orjson.loads(message).get("detail")
    if detail is None:
        work = work_from(message)
        return work.account, work.at, False
    happened = event_of(detail)
    return str(happened.account), happened.time, happened.type in TRIED_AFTER


handler = worker(collect, wiring.queue)
