"""The rule of autoscaling for whoever scores rules on series of floats: a thin adapter over the domain's."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from billing.scaling import autoscaling
from billing.usage.rules import month_before, month_of


def decide(daily: list[tuple[date, float]], limits: list[float], current: int, month: date) -> int:
    """The tier from `month` on. `daily` are the complete months before it, `limits` end with infinity."""
    if not daily:
        return current
    since = max(month_of(min(day for day, _ in daily)), month_before(month, autoscaling.HISTORY_MONTHS))
    quantities: dict[date, Decimal] = {}
    for day, quantity in daily:
        if since <= day < month:
            quantities[day] = quantities.get(day, Decimal(0)) + Decimal(repr(float(quantity)))
    tiers = [None if math.isinf(limit) else Decimal(repr(float(limit))) for limit in limits]
    return autoscaling.decide(quantities, tiers, current, month, since).target
