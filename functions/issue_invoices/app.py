"""The queue of accounts for which a contract month begins → their invoices."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.invoicing.issue_invoices import issue_invoices
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def issue(message: str, correlation: str) -> Mapping[str, Any]:
    """One account: every contract month that is due."""
    work = work_from(message)
    issued = issue_invoices(
        work.account, now=work.at, correlation=correlation, settings=wiring.terms(), store=wiring.invoice_store()
    )
    return {"account": work.account, "invoices": issued}


handler = worker(issue, wiring.queue)
