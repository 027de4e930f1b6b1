"""Schemas of the events of scaling: autoscaling, reviews and success managers."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from billing.platform.events.envelope import AccountEvent, Facts, Identifier, SharedEvent
from billing.platform.events.facts import (
    InvoiceToComeFacts,
    MoneyFacts,
    MonthFacts,
    PersonFacts,
    ProductFacts,
    TierFacts,
)


class TypicalMonthFacts(MonthFacts):
    """`typical` is the usage without what was left out: what the tier is chosen by."""

    typical: Decimal


class LeftOutFacts(Facts):
    """A day that did not count in full. A `known_peak` is one that staff had marked."""

    day: date
    usage: Decimal
    counted: Decimal
    reason: Literal["peak", "known_peak"]


class WeekFacts(Facts):
    """Seven days from `first_day` on; `pace` is what a month of such weeks comes to, without peaks."""

    first_day: date
    pace: Decimal


class AutoscalingFacts(Facts):
    """A move to another tier: why, from what to what, from when on.

    `decision` names the month and the product that were decided of. `reason` is `moved` when all three typical months
    are above the limit, `moved_early` when two are and usage rose at this time of last year as well,
    `moved_by_returning_peaks` when six months are with their peaks. `weeks` are the last thirteen, oldest first.

    `next_invoice` says what the next regular invoice comes to, and `next_invoice_without` what it would come to before
    tax without the move. `extra` is what is invoiced before tax on the day that the move takes effect, for months that
    are paid already. `adds` is what the move adds to the first invoice that it changes: the one of `extra`, or else the
    next regular one. It is None in the events of an earlier release. `replaces_agreed` says that the price so far was
    agreed with the customer for that tier: it ends with the move.
    """

    decision: str
    reason: Literal["moved", "moved_early", "moved_by_returning_peaks"]
    product: ProductFacts
    months: Annotated[list[TypicalMonthFacts], Field(min_length=3, max_length=3)]
    weeks: Annotated[list[WeekFacts], Field(max_length=13)]
    weeks_above: int
    left_out: list[LeftOutFacts]
    before: TierFacts
    after: TierFacts
    effective_on: date
    extra: MoneyFacts | None
    adds: InvoiceToComeFacts | None = None
    next_invoice: InvoiceToComeFacts
    next_invoice_without: MoneyFacts
    ask: PersonFacts | None
    replaces_agreed: bool = False


class AboveTiersFacts(Facts):
    """Usage is steadily above what `highest` holds, the highest tier that can be had without asking."""

    product: ProductFacts
    months: Annotated[list[TypicalMonthFacts], Field(min_length=3, max_length=3)]
    current: TierFacts
    highest: TierFacts


class PauseFacts(Facts):
    """Nothing moves before the day `until`."""

    until: date
    reason: str


class KnownPeakFacts(Facts):
    """A day that counts no more than a usual one: of one product, or with None of all."""

    day: date
    product: str | None
    reason: str


class AutoscalingSettingsFacts(Facts):
    """What staff have set."""

    pause: PauseFacts | None
    known_peaks: list[KnownPeakFacts]


class BelowTierFacts(Facts):
    """The average of three closed months fits a lower tier, to which a review can lead."""

    product: ProductFacts
    months: Annotated[list[MonthFacts], Field(min_length=3, max_length=3)]
    average: Decimal
    current: TierFacts
    fitting: TierFacts
    ask: PersonFacts | None


class ReviewFacts(Facts):
    """A review with the customer success manager. `place` is an address, a number or a link."""

    review: Identifier
    begins: datetime
    ends: datetime
    manager: PersonFacts
    place: str | None
    products: list[ProductFacts]


class AppointmentFacts(Facts):
    """The review in which something was decided; with `appointment_cancelled` it does not take place any more."""

    appointment: ReviewFacts
    appointment_cancelled: bool


class LoweredTierFacts(Facts):
    """A product's move to a lower tier, which holds the average of three closed months.

    `replaces_agreed` says that the price so far was agreed with the customer for that tier: it ends with the move.
    """

    product: ProductFacts
    months: Annotated[list[MonthFacts], Field(min_length=3, max_length=3)]
    average: Decimal
    before: TierFacts
    after: TierFacts
    replaces_agreed: bool = False


class TierLoweredFacts(AppointmentFacts):
    """Lower tiers after a review, from the renewal on the day `effective_on`."""

    effective_on: date
    tiers: Annotated[list[LoweredTierFacts], Field(min_length=1)]


class DeclinedReviewFacts(AppointmentFacts):
    """No lower tier after a review, for a `reason` in the words of whoever decided it."""

    reason: str


class HoursFacts(Facts):
    """Working hours of a day, from `since` to before `until`, on the clocks of the success manager's time zone."""

    since: time
    until: time


class WorkingHoursFacts(Facts):
    monday: list[HoursFacts]
    tuesday: list[HoursFacts]
    wednesday: list[HoursFacts]
    thursday: list[HoursFacts]
    friday: list[HoursFacts]
    saturday: list[HoursFacts]
    sunday: list[HoursFacts]


class AbsenceFacts(Facts):
    """Days from `since` to before `until`."""

    since: date
    until: date


class SuccessManagerFacts(Facts):
    """A customer success manager, and when reviews with them can be booked. `version` counts the changes."""

    success_manager: str
    version: int
    name: str
    email: str
    time_zone: str
    working_hours: WorkingHoursFacts
    review_minutes: int
    place: str | None
    absences: list[AbsenceFacts]


class AssignedManagerFacts(Facts):
    success_manager: str
    name: str
    email: str


class SubscriptionAutoscaled(AccountEvent[Literal["subscription.autoscaled"], None, AutoscalingFacts]):
    """Usage that has really grown moves a product to the tier that fits."""


class UsageAboveTiers(AccountEvent[Literal["usage.above_tiers"], None, AboveTiersFacts]):
    """Usage has grown beyond every tier that can be had without asking. Told to staff, once."""


class AutoscalingChanged(
    AccountEvent[Literal["autoscaling.changed"], AutoscalingSettingsFacts, AutoscalingSettingsFacts]
):
    """Staff have paused autoscaling, or marked days as known peaks, or taken that back."""


class UsageBelowTier(AccountEvent[Literal["usage.below_tier"], None, BelowTierFacts]):
    """Usage has been low enough for a lower tier for three months: a review can be booked."""


class ReviewBooked(AccountEvent[Literal["review.booked"], None, ReviewFacts]):
    """An admin has booked a review with the customer success manager."""


class ReviewCancelled(AccountEvent[Literal["review.cancelled"], ReviewFacts, None]):
    """A booked review does not take place."""


class ReviewDeclined(AccountEvent[Literal["review.declined"], None, DeclinedReviewFacts]):
    """Staff have decided in a review that no lower tier applies."""


class SubscriptionTierLowered(AccountEvent[Literal["subscription.tier_lowered"], None, TierLoweredFacts]):
    """Staff have decided in a review that lower tiers apply from the next renewal."""


class SuccessManagerChanged(
    SharedEvent[Literal["success_manager.changed"], SuccessManagerFacts | None, SuccessManagerFacts]
):
    """There is a new customer success manager, or one works otherwise than before."""


class SuccessManagerAssigned(
    AccountEvent[Literal["account.success_manager_assigned"], AssignedManagerFacts | None, AssignedManagerFacts]
):
    """Somebody looks after the account from now on."""
