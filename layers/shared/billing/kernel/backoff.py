"""The growing wait before a retry: the one formula."""

from __future__ import annotations

DOUBLINGS_MAX = 10


def backoff_seconds(attempt: int, first: float, longest: float) -> float:
    """The seconds to wait after failed attempt number `attempt` (1 is the first).

    `first` seconds, doubled after each further attempt, and at most `longest`.
    """
    return min(longest, first * 2.0 ** min(attempt - 1, DOUBLINGS_MAX))
