"""When an account gets an alert that the running month nears its tier's volume: once, not again every month."""

from __future__ import annotations

from dataclasses import dataclass, replace
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

    It holds for the tier with the volume `up_to`, as of `month`. `corrected` is the identity of the last correction
    that took usage of a running month back: an alert about the usage before it is no longer written.
    """

    up_to: int
    month: date
    percent: int
    corrected: str | None = None


def evaluate_threshold(
    alert: AlertState | None, month: date, usage: Decimal, up_to: int, month_before: Decimal
) -> tuple[AlertState, bool]:
    """The new alert state, and whether it needs an alert.

    `alert` is the state before. `usage` is that of the running `month` so far, `month_before` that of the whole month
    before it. Alerts about another tier do not count, nor alerts about a threshold that the month before stayed
    REARMING_POINTS below.
    """
    reached = _reached(usage, up_to)
    alerted = 0
    if alert is not None and alert.up_to == up_to:
        alerted = alert.percent
        if alert.month < month:
            still_near = [each for each in PERCENTS if month_before * 100 >= (each - REARMING_POINTS) * up_to]
            alerted = max((each for each in still_near if each <= alert.percent), default=0)
    correction = None if alert is None else alert.corrected
    return AlertState(up_to, month, max(alerted, reached), correction), reached > alerted


def alert_after_correction(
    alert: AlertState | None, month: date, before: Decimal, after: Decimal, up_to: int, correction: str
) -> tuple[AlertState, int | None]:
    """The alert state after a correction has lowered the running `month` from `before` to `after`.

    Also returns the threshold of the last alert if the month no longer reaches it, else None: it can be reached, and
    mailed, again. An alert that the month inherited from the one before stays, so a month that is always above a
    threshold is still mailed once.
    """
    if alert is None:
        return AlertState(up_to, month, 0, correction), None
    if (alert.up_to, alert.month) != (up_to, month) or not _reached(after, up_to) < alert.percent <= _reached(
        before, up_to
    ):
        return replace(alert, corrected=correction), None
    return replace(alert, percent=_reached(after, up_to), corrected=correction), alert.percent


def _reached(usage: Decimal, up_to: int) -> int:
    """The highest of PERCENTS that the usage reaches; 0 for none."""
    return max((each for each in PERCENTS if usage * 100 >= each * up_to), default=0)
