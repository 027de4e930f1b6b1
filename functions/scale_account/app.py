"""Queue worker: decides the tiers of an account for its closed months, and moves them (DESIGN 3.2)."""

from collections.abc import Mapping
from typing import Any

from billing import wiring
from billing.invoicing.tax_to_come import tax_to_come
from billing.platform.clock import time_of
from billing.platform.queues.sqs_work_queue import work_from
from billing.platform.workers import worker
from billing.scaling.scale_account import TaxToCome, scale_account


def scale(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes every due month of one account. Raises BillingError, which retries the message."""
    work = work_from(message)
    store = wiring.autoscaling_store()
    scaled = scale_account(work.account, now=time_of(work), correlation=correlation, store=store, taxes=_taxes)
    return {"account": work.account, "months": scaled.months, "moved": scaled.moved}


def _taxes(account: str) -> TaxToCome:
    seller, policy = wiring.seller_address(), wiring.unconfirmed_vat_number()
    return tax_to_come(account, seller=seller, policy=policy, store=wiring.invoice_store())


handler = worker(scale, wiring.queue)
