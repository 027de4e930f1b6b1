"""Schemas of the usage events: thresholds that are reached, and usage that is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts
from billing.platform.events.facts import Month, ProductFacts, TierFacts


class ThresholdFacts(Facts):
    """The usage of a month has reached so many percent of its tier. `next_tier` is None above the highest."""

    product: ProductFacts
    month: Month
    percent: Literal[75, 90, 100]
    usage: Decimal
    up_to: int
    next_tier: TierFacts | None


class RefusedUsageFacts(Facts):
    """Usage is still reported for these stores, by their names."""

    stores: list[str]


class UsageThresholdReached(AccountEvent[Literal["usage.threshold_reached"], None, ThresholdFacts]):
    """A month's usage of a product has come near its tier's volume, or over it."""


class UsageRefused(AccountEvent[Literal["usage.refused"], None, RefusedUsageFacts]):
    """Usage of a deactivated account is still reported, and is not counted. Told once for each deactivation."""
