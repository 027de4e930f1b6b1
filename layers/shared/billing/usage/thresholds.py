"""When an account gets an alert that the running month nears its tier's volume: once, not again every month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

PERCENTS = (75, 90, 100)
"""The thresholds, in percent of the tier's monthly volume."""

REARMING_POINTS = 10
"""A whole month must stay so many percentage points below a threshold before its next alert. Usage that fluctuates
around a threshold from month to month causes one alert."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """The last alert about a product: the highest of PERCENTS that was reached, or 0.

    It holds for the tier with the volume `up_to`, as of `month`.
    """

    up_to: int
    month: date
    percent: int


def evaluate_threshold(
    alert: AlertState | None, month: date, usage: Decimal, up_to: int, month_before: Decimal
) -> tuple[AlertState, bool]:
    """The new alert state, and whether it needs an alert.

    `alert` is the state before. `usage` is that of the running `month` so far, `month_before` that of the whole month
    before it. Alerts about another tier do not count, nor alerts about a threshold that the month before stayed
    REARMING_POINTS below.
    """
    reached = max((each for each in PERCENTS if usage * 100 >= each * up_to), default=0)
    alerted = 0
    if alert is not None and alert.up_to == up_to:
        alerted = alert.percent
        if alert.month < month:
            still_near = [each for each in PERCENTS if month_before * 100 >= (each - REARMING_POINTS) * up_to]
            alerted = max((each for each in still_near if each <= alert.percent), default=0)
    return AlertState(up_to, month, max(alerted, reached)), reached > alerted
