"""Queue worker: issues the invoices of an account's contract months that have begun."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.invoicing.issue_invoices import issue_invoices
from billing.platform.clock import time_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def issue(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes what is due now, or at a replay's clock, of one account. Raises BillingError, which retries it."""
    work = work_from(message)
    issued = issue_invoices(
        work.account,
        now=time_of(work),
        correlation=correlation,
        is_replay=work.clock is not None,
        settings=wiring.invoicing_settings(),
        store=wiring.invoice_store(),
    )
    return {"account": work.account, "invoices": issued}


handler = worker(issue, wiring.queue)
