"""Queue worker: detaches replaced payment methods at Stripe. A message is retried until Stripe confirms."""

from collections.abc import Mapping
from typing import Any

import orjson
from billing import wiring
from billing.payments.replace_payment_method import detach_replaced
from billing.platform.events.mapping import event_of
from billing.platform.workers import worker


def detach(message: str, correlation: str) -> Mapping[str, Any]:
    """Processes one changed payment method. Raises UpstreamFailed, which retries the message."""
    event = event_of(orjson.loads(message)["detail"])
    replaced = (event.after or {})["detach"]
    detached = detach_replaced(
        str(event.account),
        replaced,
        correlation=correlation,
        store=wiring.payment_store(),
        gateway=wiring.payments(),
    )
    return {"event": event.id, "account": event.account, "given_up": detached}


handler = worker(detach, wiring.queue)
