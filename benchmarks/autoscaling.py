"""The autoscaling rule for programs that judge it: an adapter over `billing.scaling.autoscaling` (DESIGN 3.2, 7)."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from billing.scaling import autoscaling
from billing.usage.rules import month_before, month_of


def decide(daily: list[tuple[date, float]], limits: list[float], current: int, month: date) -> int:
    """The index of the tier from `month` on.

    `daily` has the usage of each day of the complete months before `month`. `limits` are the volumes of the tiers and
    end with infinity. `current` is the index of the tier before.
    """
    if not daily:
        return current
    since = max(month_of(min(day for day, _ in daily)), month_before(month, autoscaling.HISTORY_MONTHS))
    quantities: dict[date, Decimal] = {}
    for day, quantity in daily:
        if since <= day < month:
            quantities[day] = quantities.get(day, Decimal(0)) + Decimal(repr(float(quantity)))
    tiers = [None if math.isinf(limit) else Decimal(repr(float(limit))) for limit in limits]
    return autoscaling.decide(quantities, tiers, current, month, since).target
