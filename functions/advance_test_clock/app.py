"""Queue worker: advances a test clock step by step, or purges the accounts of one that is deleted.

Messages come from the bus after a request, and from the worker itself: what is not done within RUN_SECONDS goes on in
another message.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

import orjson
from billing import wiring
from billing.kernel.test_clocks import ClockStatus
from billing.platform.events.mapping import event_of
from billing.platform.test_clocks.commands import Advancer, run_clock
from billing.platform.workers import worker

RUN_SECONDS = 120
"""How long one message works, well within the function's timeout: a step may take a worker's whole time-out."""

AGAIN_SECONDS = 10
"""The delay of the message that goes on with a clock which has made no step."""


def advance(message: str, correlation: str) -> Mapping[str, Any]:
    """Goes on with one clock. Raises BillingError, which retries the message."""
    clock = _clock(message)
    until = monotonic() + int(os.environ.get("RUN_SECONDS", RUN_SECONDS))
    before = wiring.clock_store().find(clock)
    advancer = Advancer(
        store=wiring.clock_store(),
        workers=wiring.workers(),
        runner=correlation,
        real=lambda: datetime.now(UTC),  # noqa: TID251 - how long a run lasts, whatever the clock shows
        wait=sleep,
        goes_on=lambda: monotonic() < until,
    )
    current = run_clock(clock, correlation=correlation, advancer=advancer)
    if current is not None and current.is_under_way:
        has_moved = before is not None and before.now != current.now
        wiring.clock_queue().put(clock, 0 if has_moved else AGAIN_SECONDS)
    status: ClockStatus | None = None if current is None else current.status
    return {"test_clock": clock, "status": status, "now": None if current is None else current.now.isoformat()}


def _clock(message: str) -> str:
    body = orjson.loads(message)
    if "detail" not in body:
        return str(body["test_clock"])
    return str((event_of(body["detail"]).after or {})["test_clock"])


handler = worker(advance, wiring.queue)
