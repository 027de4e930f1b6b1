"""What could not be dealt with now comes again later, and later each time."""

from __future__ import annotations

from contextlib import suppress

from billing.domain.errors import UpstreamFailed
from billing.gateways.ports import Queue

FIRST_WAIT_SECONDS = 2
"""Before a message is tried again; twice as long after each further time, up to WAIT_SECONDS_MAX."""

WAIT_SECONDS_MAX = 900


def postpone(receipt: str, times_received: int, queue: Queue) -> None:
    """Has a message come again. If the queue cannot be told so, it comes when its time is out."""
    seconds = min(WAIT_SECONDS_MAX, FIRST_WAIT_SECONDS * 2 ** min(times_received - 1, 10))
    with suppress(UpstreamFailed):
        queue.postpone(receipt, seconds)
