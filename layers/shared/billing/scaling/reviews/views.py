"""Reviews in the API: slots, bookings, decisions, and the figures that prepare staff for a review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import Field, model_validator

from billing.kernel.errors import BadParameter
from billing.kernel.events import ULID_LENGTH
from billing.kernel.field_codes import FieldCode, Unfit
from billing.languages.explanations import Explanation
from billing.platform.http import problems
from billing.platform.http.models import (
    IDENTIFIER_LENGTH_MAX,
    Body,
    Identifier,
    Instant,
    IsoDate,
    MoneyView,
    Text,
    View,
    Volume,
    plain,
)
from billing.scaling.reduction.rules import Reduction
from billing.scaling.reduction.views import ReductionView
from billing.scaling.reviews.rules import (
    DAYS_SHOWN,
    DAYS_SHOWN_MAX,
    Applied,
    Decision,
    LowerTier,
    LowerTierFit,
    Missing,
    Review,
    ReviewNotYet,
    ReviewStatus,
    rounded_average,
)
from billing.scaling.reviews.success_managers import Slot, SuccessManager
from billing.subscriptions.rules import Order
from billing.usage.rules import CLOSED_MONTHS

TIERS_MAX = 30


ReviewId = Annotated[str, Path(max_length=ULID_LENGTH)]
"""The review that a path names."""

OfManager = Annotated[
    str, Query(alias="manager", min_length=1, max_length=IDENTIFIER_LENGTH_MAX, description="The success manager's id.")
]
FirstDay = Annotated[IsoDate | None, Query(alias="from", description="The first day; today if it is left out.")]
EndDay = Annotated[IsoDate | None, Query(alias="until", description="The first day no longer asked for.")]


def days_shown(first: date | None, until: date | None, today: date) -> tuple[date, date]:
    """The days whose slots are returned, from the first to before the second. Raises BadParameter for bad ranges."""
    first = first or today
    if until is None:
        return first, first + min(timedelta(days=DAYS_SHOWN), date.max - first)
    if not 1 <= (until - first).days <= DAYS_SHOWN_MAX:
        code = FieldCode.TOO_EARLY if until <= first else FieldCode.TOO_LATE
        raise BadParameter(
            "until", f"until must be 1 to {DAYS_SHOWN_MAX} days after from.", code, above=first, days=DAYS_SHOWN_MAX
        )
    return first, until


class BookingBody(Body):
    """The beginning of one of the slots."""

    begins: Instant


class LowerTierBody(Body):
    """A product and the monthly volume of the lower tier that it gets."""

    product: Identifier
    up_to: Volume

    def value(self) -> Order:
        return Order(self.product, self.up_to)


class DecisionBody(Body):
    """What staff decide: lower `tiers` from the next renewal, or none, for a `reason` that the customer is told."""

    outcome: Literal["applied", "declined"]
    tiers: Annotated[tuple[LowerTierBody, ...], Field(max_length=TIERS_MAX)] = ()
    reason: Text | None = None

    @model_validator(mode="after")
    def _check_outcome(self) -> DecisionBody:
        if (self.outcome == "applied") != bool(self.tiers):
            raise Unfit("tiers must be given if they are applied, and only then", FieldCode.NOT_TOGETHER)
        if (self.outcome == "declined") != (self.reason is not None):
            raise Unfit("a reason must be given for declining, and only then", FieldCode.NOT_TOGETHER)
        return self

    def orders(self) -> tuple[Order, ...]:
        return tuple(each.value() for each in self.tiers)


class MissingView(View):
    """What keeps a product from a review, in data and in the account's language. `limit` is the volume of the next
    lower tier. `months_below` of `months_needed` closed months are within it."""

    product: str
    name: str
    reason: Literal["above", "lowest_tier", "too_few_months"]
    months_needed: int
    months_known: int
    months_below: int
    average: str | None
    limit: int | None
    detail: str

    @classmethod
    def of(cls, missing: Missing, language: str) -> MissingView:
        values = {name: value for name, value in asdict(missing).items() if name not in {"product", "name", "detail"}}
        values["months_needed"] = CLOSED_MONTHS
        return cls(
            product=missing.product,
            name=missing.name,
            reason=missing.reason,
            months_needed=CLOSED_MONTHS,
            months_known=missing.months_known,
            months_below=missing.months_below,
            average=None if missing.average is None else plain(missing.average),
            limit=missing.limit,
            detail=Explanation(f"review.{missing.reason}", values).in_words(language),
        )


@problems.members.register
def _missing(error: ReviewNotYet) -> dict[str, Any]:
    return {"missing": [MissingView.of(each, error.language).model_dump(mode="json") for each in error.missing]}


class SlotView(View):
    """When a review can take place, in UTC."""

    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, slot: Slot) -> SlotView:
        return cls(begins=slot.begins, ends=slot.ends)


class SlotsView(View):
    """The free slots of the account's customer success manager, and whether there is something to review.

    One can be booked when a product's usage fits a lower tier; `missing` says of the other products what is missing.
    """

    manager: str
    time_zone: str
    place: str | None
    usage_fits: bool
    missing: list[MissingView]
    items: list[SlotView]

    @classmethod
    def of(
        cls, manager: SuccessManager, slots: Sequence[Slot], fits: Sequence[LowerTierFit], language: str
    ) -> SlotsView:
        missing = [each.missing for each in fits]
        return cls(
            manager=manager.name,
            time_zone=manager.time_zone,
            place=manager.place,
            usage_fits=None in missing,
            missing=[MissingView.of(each, language) for each in missing if each is not None],
            items=[SlotView.of(slot) for slot in slots],
        )


class ManagerView(View):
    name: str
    email: str


class ReviewedProductView(View):
    product: str
    name: str
    unit: str


class AppliedTierView(View):
    product: str
    up_to: int | None


class DecisionView(View):
    """What staff decided: lower `tiers`, which take effect on `effective_on`, or none, for a `reason`."""

    outcome: Literal["applied", "declined"]
    tiers: list[AppliedTierView]
    effective_on: date | None
    reason: str | None
    decided_at: datetime

    @classmethod
    def of(cls, decision: Decision) -> DecisionView:
        if isinstance(decision, Applied):
            return cls(
                outcome="applied",
                tiers=[AppliedTierView(product=each.product, up_to=each.up_to) for each in decision.orders],
                effective_on=decision.effective_on,
                reason=None,
                decided_at=decision.decided_at,
            )
        return cls(
            outcome="declined", tiers=[], effective_on=None, reason=decision.reason, decided_at=decision.decided_at
        )


class ReviewView(View):
    """An appointment, and what came of it. `products` are those whose usage fitted a lower tier when it was booked."""

    review: str
    status: ReviewStatus
    begins: datetime
    ends: datetime
    manager: ManagerView
    place: str | None
    products: list[ReviewedProductView]
    decision: DecisionView | None

    @classmethod
    def of(cls, review: Review) -> ReviewView:
        return cls(**_fields(review))


class ReviewsView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[ReviewView]
    next_cursor: str | None


class ListedReviewView(ReviewView):
    """A review, and whose account it is about."""

    account: str

    @classmethod
    def listed(cls, account: str, review: Review) -> ListedReviewView:
        return cls(account=account, **_fields(review))


class ManagersReviewsView(View):
    """The latest first. `next_cursor` leads to the earlier ones, null where there are none."""

    items: list[ListedReviewView]
    next_cursor: str | None


class ReviewedMonthView(View):
    month: str
    usage: str


class PreparedTierView(View):
    up_to: int | None
    price_per_month: MoneyView


class PreparedProductView(View):
    """A product as a review looks at it: `current` is the tier that the next renewal would find.

    `saving_per_month` is what the fitting tier saves, before discounts and tax. Where `price_is_agreed`, the price
    belongs to this tier, and ends with another one.
    """

    product: str
    name: str
    unit: str
    months: list[ReviewedMonthView]
    average: str | None
    current: PreparedTierView
    price_is_agreed: bool
    lower: list[PreparedTierView]
    fitting: PreparedTierView | None
    saving_per_month: MoneyView | None
    missing: MissingView | None

    @classmethod
    def of(cls, fit: LowerTierFit, language: str) -> PreparedProductView:
        line, fitting, saving, missing = fit.line, fit.fitting, fit.saving, fit.missing
        average = rounded_average(fit.average)
        return cls(
            product=line.product,
            name=line.name,
            unit=line.unit,
            months=[ReviewedMonthView(month=f"{each.month:%Y-%m}", usage=plain(each.quantity)) for each in fit.months],
            average=None if average is None else plain(average),
            current=PreparedTierView(up_to=line.up_to, price_per_month=MoneyView.of(line.price)),
            price_is_agreed=line.agreed,
            lower=[_tier(each) for each in fit.lower],
            fitting=None if fitting is None else _tier(fitting),
            saving_per_month=None if saving is None else MoneyView.of(saving),
            missing=None if missing is None else MissingView.of(missing, language),
        )


class OneReviewView(ReviewView):
    """A review; while it is open, staff see it `prepared`, with the figures of today, and for each product what could
    be removed to need less of it."""

    prepared: list[PreparedProductView] | None = None
    reduction: list[ReductionView] | None = None

    @classmethod
    def of(cls, review: Review) -> OneReviewView:
        return cls(**_fields(review))

    @classmethod
    def prepared_of(
        cls, review: Review, fits: Sequence[LowerTierFit], advice: Sequence[Reduction], language: str
    ) -> OneReviewView:
        return cls(
            **_fields(review),
            prepared=[PreparedProductView.of(each, language) for each in fits],
            reduction=[ReductionView.of(each, language) for each in advice],
        )


def _fields(review: Review) -> dict[str, Any]:
    """The fields of a review that customers and staff both see."""
    manager = review.manager
    return {
        "review": review.id,
        "status": review.status,
        "begins": review.slot.begins,
        "ends": review.slot.ends,
        "manager": ManagerView(name=manager.name, email=manager.email),
        "place": manager.place,
        "products": [
            ReviewedProductView(product=each.product, name=each.name, unit=each.unit) for each in review.products
        ],
        "decision": None if review.decision is None else DecisionView.of(review.decision),
    }


def _tier(tier: LowerTier) -> PreparedTierView:
    return PreparedTierView(up_to=tier.up_to, price_per_month=MoneyView.of(tier.price))
