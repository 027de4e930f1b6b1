"""How long somebody keeps trying who finds the same counters taken again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import random

FIRST_WAIT_SECONDS = 0.02
WAIT_SECONDS_MAX = 0.6


class Patience:
    """Waits of growing length and random part, `seconds` in all: who collides once must not collide in step again.

    See "full jitter" in https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    def __init__(
        self,
        seconds: float,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random,
    ) -> None:
        self._left = seconds
        self._wait = wait
        self._chance = chance

    def lasts(self, attempt: int) -> bool:
        """Waits after failed attempt number `attempt` (1 is the first); False, at once, when patience is at its end."""
        if self._left <= 0:
            return False
        longest = min(WAIT_SECONDS_MAX, FIRST_WAIT_SECONDS * 2 ** min(attempt, 10))
        seconds = min(self._left, longest * self._chance())
        self._left -= seconds
        self._wait(seconds)
        return True
