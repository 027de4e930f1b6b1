"""The queue of accounts whose VAT number is due → VIES is asked about it."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.invoicing.vat_numbers.check import check_vat_number
from billing.platform.clock import time_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def check(message: str, correlation: str) -> Mapping[str, Any]:
    """One account."""
    work = work_from(message)
    outcome = check_vat_number(
        work.account,
        now=time_of(work),
        correlation=correlation,
        seller=wiring.seller(),
        policy=wiring.unconfirmed_vat_number(),
        store=wiring.vat_number_store(),
        register=wiring.vat_register,
    )
    return {"account": work.account, "outcome": outcome}


handler = worker(check, wiring.queue)
