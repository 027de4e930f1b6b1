"""The queue of changed payment methods → what was replaced is given up at Stripe, until Stripe confirms."""

from collections.abc import Mapping
from typing import Any

import orjson
from billing import wiring
from billing.payments.replace_payment_method import detach_replaced
from billing.platform.events.mapping import event_of
from billing.platform.workers import worker


def detach(message: str, correlation: str) -> Mapping[str, Any]:
    """One change."""
    happened = event_of(orjson.loads(message)["detail"])
    replaced = (happened.after or {})["detach"]
    given_up = detach_replaced(
        str(happened.account),
        replaced,
        correlation=correlation,
        store=wiring.payment_store(),
        gateway=wiring.payments(),
    )
    return {"event": happened.id, "account": happened.account, "given_up": given_up}


handler = worker(detach, wiring.queue)
