"""Queue worker: re-reads the object of a Stripe event, and reconciles the account with it."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from billing import wiring
from billing.ending.deletion.settle_claims import (
    Settler,
    sync_claim_dispute,
    sync_claim_payment,
    sync_claim_refund,
)
from billing.invoicing.note_payment_notice import (
    AGREED,
    DISPUTE_NOTICES,
    DONE,
    PAYMENT_NOTICES,
    REFUND_NOTICES,
    note_payment_notice,
)
from billing.invoicing.sync_payments import sync_dispute, sync_payment, sync_refund
from billing.kernel.events import by_system
from billing.payments.sqs_notices import notice_from
from billing.platform.workers import worker


def note(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes one event. Raises BillingError, which retries the message."""
    notice = notice_from(message)
    now = datetime.now(UTC)  # noqa: TID251 - the object is read now, however old the event is
    common: dict[str, Any] = {
        "now": now,
        "correlation": correlation,
        "settings": wiring.invoicing_settings(),
        "store": wiring.invoice_store(),
        "gateway": wiring.payments(),
    }
    sync_claim: Callable[[str, Settler], bool]
    if notice.type in PAYMENT_NOTICES:
        changed = sync_payment(notice.object, consent_page=os.environ["BILLING_PAGE"], **common)
        sync_claim = sync_claim_payment
    elif notice.type in REFUND_NOTICES:
        changed, sync_claim = sync_refund(notice.object, **common), sync_claim_refund
    elif notice.type in DISPUTE_NOTICES:
        changed, sync_claim = sync_dispute(notice.object, **common), sync_claim_dispute
    else:
        outcome = note_payment_notice(
            notice, now=now, correlation=correlation, store=wiring.payment_store(), gateway=wiring.payments()
        )
        return {"notice": notice.notice, "type": notice.type, "outcome": outcome}
    if changed is None:  # of an account that is deleted
        context = by_system(now, correlation)
        settler = Settler(
            context, wiring.claim_store(), wiring.invoice_store(), wiring.payments(), wiring.claim_years()
        )
        changed = sync_claim(notice.object, settler)
    outcome = DONE if changed else AGREED
    return {"notice": notice.notice, "type": notice.type, "outcome": outcome}


handler = worker(note, wiring.queue)
