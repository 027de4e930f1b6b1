"""Waits before a retry: the one formula, and the retry budget of a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from random import random

from billing.kernel.backoff import backoff_seconds

FIRST_WAIT_SECONDS = 0.02


WAIT_SECONDS_MAX = 0.6


class RetryBudget:
    """Waits that grow, with a random part, for at most `seconds` in all. Without chance, callers collide again in step.

    See "full jitter" in https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    def __init__(
        self,
        seconds: float,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random,
    ) -> None:
        self._seconds = self._left = seconds
        self._wait = wait
        self._chance = chance

    @property
    def waited(self) -> timedelta:
        """How long all waits together have taken."""
        return timedelta(seconds=self._seconds - self._left)

    def lasts(self, attempt: int) -> bool:
        """Waits after failed attempt number `attempt` (1 is the first). False, without a wait, if no time is left."""
        if self._left <= 0:
            return False
        longest = backoff_seconds(attempt, 2 * FIRST_WAIT_SECONDS, WAIT_SECONDS_MAX)
        seconds = min(self._left, longest * self._chance())
        self._left -= seconds
        self._wait(seconds)
        return True
