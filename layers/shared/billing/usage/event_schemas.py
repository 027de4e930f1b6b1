"""Schemas of the usage events: thresholds that are reached, usage that is refused, and usage that is corrected."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts, SharedEvent
from billing.platform.events.facts import MoneyFacts, Month, ProductFacts, TierFacts


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


class CorrectedFacts(Facts):
    """The figures that a correction changes: the usage of its day, of the whole product and of its content in its
    store, and the content's orders and revenue of the month. `revenue` is None if it corrects none."""

    usage: Decimal
    content_usage: Decimal
    conversions: int
    revenue: MoneyFacts | None


class UndoneThresholdFacts(Facts):
    """The usage of the running month after a correction: it no longer reaches a threshold that was mailed."""

    product: ProductFacts
    month: Month
    percent: Literal[75, 90, 100]
    usage: Decimal
    up_to: int


class UsageCorrectionFacts(Facts):
    """`quantity`, `conversions` and `revenue` were added to what was counted; below zero they were taken back.

    `figures` are those after the correction. `content` is None for usage that names none. `threshold` is None unless
    the correction undoes an alert.
    """

    correction: str
    product: str
    store: str
    content: str | None
    day: date
    quantity: Decimal
    conversions: int
    revenue: MoneyFacts | None
    reason: str
    figures: CorrectedFacts
    threshold: UndoneThresholdFacts | None


class UsageCorrected(AccountEvent[Literal["usage.corrected"], CorrectedFacts, UsageCorrectionFacts]):
    """Staff or the product have corrected what was counted on a day. Decisions that were made stay."""


class RejectedCodeFacts(Facts):
    """How many events were rejected for a code. docs/api.md lists the codes."""

    code: str
    events: int


class RejectedUsageFacts(Facts):
    """The usage events that were rejected on a day in UTC, with the codes that say why, the most frequent first.

    An event counts each time it is sent, once, with the first thing that is wrong with it.
    """

    day: date
    events: int
    codes: list[RejectedCodeFacts]


class UsageThresholdReached(AccountEvent[Literal["usage.threshold_reached"], None, ThresholdFacts]):
    """A month's usage of a product has come near its tier's volume, or over it."""


class UsageRejected(SharedEvent[Literal["usage.rejected"], None, RejectedUsageFacts]):
    """Usage was reported that is not counted. A sender may take any answer of 2xx for a success. Told to staff, once a
    day."""


class UsageRefused(AccountEvent[Literal["usage.refused"], None, RefusedUsageFacts]):
    """Usage of a deactivated account is still reported, and is not counted. Told once for each deactivation."""
