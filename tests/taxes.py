"""A tax for tests that are about something else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date


def a_quarter(_account: str) -> Callable[[date, int], int]:
    """25 percent of everything, on every day."""
    return lambda _, net: net // 4
