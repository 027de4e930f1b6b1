"""When an account is told how near the running month has come to its tier's volume: once, and not every month again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

PERCENTS = (75, 90, 100)

REARMING_POINTS = 10
"""A whole month must stay so many points below a threshold before it is told again: usage that sways about one, month
after month, is told of once."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """The highest of PERCENTS that an account knows of, or 0: of a product in the tier `up_to`, as of `month`."""

    up_to: int
    month: date
    percent: int


def evaluate_threshold(
    told: AlertState | None, month: date, usage: Decimal, up_to: int, month_before: Decimal
) -> tuple[AlertState, bool]:
    """What the account knows of from now on, and whether it must be told that.

    `usage` is that of the running `month`, `month_before` that of all of the one before. What was told of another
    tier, or of a threshold that the month before stayed well below, counts no more.
    """
    reached = max((each for each in PERCENTS if usage * 100 >= each * up_to), default=0)
    known = 0
    if told is not None and told.up_to == up_to:
        known = told.percent
        if told.month < month:
            lowest = [each for each in PERCENTS if month_before * 100 >= (each - REARMING_POINTS) * up_to]
            known = max((each for each in lowest if each <= told.percent), default=0)
    return AlertState(up_to, month, max(known, reached)), reached > known
