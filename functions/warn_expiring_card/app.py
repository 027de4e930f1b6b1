"""Queue worker: records the warning of a card that expires soon, which is mailed to the admins."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.invoicing.warn_expiring_card import warn_expiring_card
from billing.platform.clock import time_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker


def warn(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes one account. Raises BillingError, which retries the message."""
    work = work_from(message)
    warned = warn_expiring_card(
        work.account,
        now=time_of(work),
        correlation=correlation,
        seller=wiring.seller_address(),
        policy=wiring.unconfirmed_vat_number(),
        store=wiring.payment_store(),
        invoices=wiring.invoice_store(),
    )
    return {"account": work.account, "told": warned}


handler = worker(warn, wiring.queue)
