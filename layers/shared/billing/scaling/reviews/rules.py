"""Reviews: whether usage fits a lower tier, when a review can be booked, and its decision (DESIGN 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.accounts.information import DEFAULT_LANGUAGE
from billing.accounts.rules import Account, Status
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict, Path, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.scaling.reviews.success_managers import Slot
from billing.subscriptions.catalogue import Catalogue, price_per_month
from billing.subscriptions.rules import Cause, Line, Order, Subscription, TierChange
from billing.usage.rules import CLOSED_MONTHS, Daily, MonthUsage, average, closed_months

# DESIGN 3.2.9: from 24 hours to 60 days ahead.
BOOKED_AHEAD_MIN = timedelta(hours=24)
BOOKED_AHEAD_MAX = timedelta(days=60)

DAYS_SHOWN = 14
"""The number of days whose slots are returned by default."""

DAYS_SHOWN_MAX = 31


# ---- Errors ----


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a product's usage does not fit a lower tier. `reason` is a stable code; `detail` says it in words.

    `months_known` closed months are known (three are needed), and `months_below` of them fit the next lower tier.
    `limit` is that tier's volume, None in the lowest tier. `average` must be at most `limit`; it is None before all
    months are known.
    """

    product: str
    name: str
    reason: str
    months_known: int
    months_below: int
    average: Decimal | None
    limit: int | None
    detail: str


class ReviewNotYet(Conflict):
    """No product's usage fits a lower tier; `missing` has the reason for each product (DESIGN 3.2.8).

    `language` is the account's.
    """

    code = "review-not-yet"

    def __init__(self, missing: tuple[Missing, ...], language: str = DEFAULT_LANGUAGE) -> None:
        details = "; ".join(f"{each.name}: {each.detail}" for each in missing)
        super().__init__(f"No usage fits a lower tier yet. {details}.")
        self.missing, self.language = missing, language


class ReviewOpen(Conflict):
    """The account has an open review already; it may have one at a time."""

    code = "review-open"

    def __init__(self) -> None:
        super().__init__("Another review is booked. Cancel it first, or wait until it is decided.")


class SlotTaken(Conflict):
    """Another account has booked the time meanwhile."""

    code = "slot-taken"

    def __init__(self) -> None:
        super().__init__("This time has just been taken. Choose another one of the slots.")


# ---- Whether a lower tier fits ----


@dataclass(frozen=True, slots=True)
class LowerTier:
    """A tier below a line's own, with its price per month."""

    up_to: int
    price: Money


class FitResult(StrEnum):
    """Whether the average of the closed months fits a lower tier, and why not."""

    FITS = "fits"
    ABOVE = "above"
    LOWEST_TIER = "lowest_tier"
    TOO_FEW_MONTHS = "too_few_months"


@dataclass(frozen=True, slots=True)
class LowerTierFit:
    """Whether the usage of one product fits the tiers below its own.

    `line` is the line at the next renewal. `months` are the last closed months, oldest first and at most CLOSED_MONTHS.
    `lower` are the lower tiers with a price, smallest first.
    """

    line: Line
    months: tuple[MonthUsage, ...]
    lower: tuple[LowerTier, ...]

    @property
    def average(self) -> Decimal | None:
        """Usage per month, exact; None before there are enough closed months."""
        return average(self.months) if len(self.months) == CLOSED_MONTHS else None

    @property
    def fitting(self) -> LowerTier | None:
        """The smallest lower tier that holds the average; None if there is none."""
        usage = self.average
        return None if usage is None else next((tier for tier in self.lower if usage <= tier.up_to), None)

    @property
    def saving(self) -> Money | None:
        """The saving per month in the fitting tier, before discounts and tax; None without one."""
        tier = self.fitting
        return None if tier is None else Money(self.line.price.amount - tier.price.amount, tier.price.currency)

    @property
    def fit(self) -> FitResult:
        """Whether a lower tier fits, or the reason why not."""
        if not self.lower:
            return FitResult.LOWEST_TIER
        if self.average is None:
            return FitResult.TOO_FEW_MONTHS
        return FitResult.ABOVE if self.fitting is None else FitResult.FITS

    @property
    def missing(self) -> Missing | None:
        """Why no lower tier fits, in data and in words; None if one fits."""
        if self.fit is FitResult.FITS:
            return None
        limit = self.lower[-1].up_to if self.lower else None
        below = 0 if limit is None else sum(month.quantity <= limit for month in self.months)
        usage = rounded_average(self.average)
        match self.fit:
            case FitResult.LOWEST_TIER:
                detail = "lowest tier"
            case FitResult.TOO_FEW_MONTHS:
                detail = f"{len(self.months)} of {CLOSED_MONTHS} closed months known"
            case _:
                detail = f"{below} of {CLOSED_MONTHS} months below; average {usage:,f}, must be ≤ {limit:,}"
        return Missing(self.line.product, self.line.name, self.fit, len(self.months), below, usage, limit, detail)


def rounded_average(usage: Decimal | None) -> Decimal | None:
    """An average rounded up to hundredths: an average above a tier must not look as if it fitted."""
    if usage is None:
        return None
    rounded = usage.quantize(Decimal("0.01"), rounding=ROUND_CEILING)
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()


def lower_tier_fit(line: Line, daily: Daily, catalogue: Catalogue, contract: Contract, today: date) -> LowerTierFit:
    """Whether a product's usage by day fits a lower tier `today`, with the tiers and prices of the signed catalogue.

    A lower tier costs less: one that is not below a price agreed with the customer is left out.
    """
    product = catalogue.product(line.product)
    lower = tuple(
        LowerTier(tier.up_to, price)
        for tier in (product.tiers if product else ())
        if tier.up_to is not None
        and (line.up_to is None or tier.up_to < line.up_to)
        and (price := price_per_month(tier, contract.currency)) is not None
        and (not line.agreed or price.amount < line.price.amount)
    )
    return LowerTierFit(line, closed_months(daily, today, contract.start, CLOSED_MONTHS), lower)


def require_fit(fits: Sequence[LowerTierFit], language: str = DEFAULT_LANGUAGE) -> tuple[LowerTierFit, ...]:
    """The products whose usage fits a lower tier. Raises ReviewNotYet, with the reasons, if there are none."""
    fitting = tuple(each for each in fits if each.fit is FitResult.FITS)
    if not fitting:
        raise ReviewNotYet(tuple(each.missing for each in fits if each.missing is not None), language)
    return fitting


# ---- When a review can be booked ----


def require_renewal(account: Account) -> None:
    """Raises Conflict for a cancelled account: it has no renewal at which a lower tier could take effect."""
    if account.status is not Status.ACTIVE:
        raise Conflict("The account is cancelled: there is no renewal from which a lower tier could apply.")


def bookable(now: datetime) -> tuple[datetime, datetime]:
    """The earliest instant at which a review may begin, and the instant before which it must begin."""
    return now + BOOKED_AHEAD_MIN, now + BOOKED_AHEAD_MAX


def bookable_days(first: date, until: date, contract: Contract, now: datetime) -> tuple[datetime, datetime]:
    """The bookable part of the days from `first` to before `until`, in the account's time zone.

    It may be empty: then its end is not after its beginning.
    """
    earliest, latest = bookable(now)
    zone = ZoneInfo(contract.time_zone)
    # Days at the ends of the calendar have no instant in UTC, so days that are not bookable are clamped first.
    today, horizon = contract.today(now), contract.today(latest) + timedelta(days=1)
    begins, ends = (
        datetime.combine(min(max(day, today), horizon), time(), zone).astimezone(UTC) for day in (first, until)
    )
    return max(begins, earliest), min(ends, latest)


# ---- Reviews ----


class ReviewStatus(StrEnum):
    """Where a review is in its life. Only a booked one is open."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    APPLIED = "applied"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class ReviewedProduct:
    """A product whose usage fitted a lower tier when the review was booked."""

    product: str
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Manager:
    """A snapshot of the success manager at the time of the booking. `place` is where the review is held."""

    success_manager: str
    name: str
    email: str
    place: str | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The decision to apply lower tiers. They take effect on `effective_on`."""

    orders: tuple[Order, ...]
    effective_on: date
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Declined:
    """The decision against lower tiers, with a reason for the customer."""

    reason: str
    decided_at: datetime


Decision = Applied | Declined


@dataclass(frozen=True, slots=True)
class Review:
    """An appointment with the customer success manager, and its decision."""

    id: str
    slot: Slot
    manager: Manager
    products: tuple[ReviewedProduct, ...]
    booked_at: datetime
    cancelled_at: datetime | None = None
    decision: Decision | None = None
    version: int = 0

    def require_cancellable(self, now: datetime) -> None:
        """Raises Conflict for a review that was decided, or has begun."""
        if self.status is not ReviewStatus.BOOKED:
            raise Conflict("This review is decided.")
        if self.slot.begins <= now:
            raise Conflict("This review has begun.")

    def require_open(self) -> None:
        """Raises Conflict for a review that was decided or cancelled."""
        if self.status is not ReviewStatus.BOOKED:
            raise Conflict(f"This review is {self.status}.")

    def is_ahead(self, now: datetime) -> bool:
        """Whether the appointment is in the future. A decision before it makes it unnecessary."""
        return now < self.slot.begins

    def has_same_decision(self, decision: Decision) -> bool:
        """Whether the review was decided in the same way, at any time."""
        match self.decision, decision:
            case Applied(mine), Applied(theirs):
                return {*mine} == {*theirs}
            case Declined(mine), Declined(theirs):
                return mine == theirs
            case _:
                return False

    @property
    def status(self) -> ReviewStatus:
        match self.decision:
            case Applied():
                return ReviewStatus.APPLIED
            case Declined():
                return ReviewStatus.DECLINED
            case None:
                return ReviewStatus.BOOKED if self.cancelled_at is None else ReviewStatus.CANCELLED


# ---- Lower tiers that staff apply ----


def tier_changes(
    orders: Sequence[Order],
    fits: Sequence[LowerTierFit],
    effective_on: date,
    review: str,
    decided_on: date,
) -> tuple[TierChange, ...]:
    """The tier changes for these orders.

    Raises RuleViolation with a path under "tiers" for each invalid order: an unknown or repeated product, or a tier
    that is not lower, has no price, or does not hold the average.
    """
    by_product = {each.line.product: each for each in fits}
    violations: list[Violation] = []
    changes: list[TierChange] = []
    for position, order in enumerate(orders):
        path: Path = ("tiers", position)
        fit = by_product.get(order.product)
        if fit is None:
            violations.append(
                Violation((*path, "product"), f"The account does not have {order.product}.", FieldCode.UNKNOWN)
            )
            continue
        if order.product in {earlier.product for earlier in orders[:position]}:
            violations.append(Violation((*path, "product"), f"{order.product} is named twice.", FieldCode.DUPLICATE))
        tier = _applicable(fit, order.up_to)
        if isinstance(tier, LowerTier):
            changes.append(
                TierChange(order.product, tier.up_to, tier.price, effective_on, Cause.REVIEW, review, decided_on)
            )
        else:
            violations.append(Violation((*path, "up_to"), tier, FieldCode.NOT_ALLOWED))
    if violations:
        raise RuleViolation(*violations)
    return tuple(changes)


def _applicable(fit: LowerTierFit, up_to: int | None) -> LowerTier | str:
    """The lower tier with this volume, or the reason why it cannot be applied."""
    tier = next((each for each in fit.lower if each.up_to == up_to), None)
    if tier is None:
        volumes = ", ".join(f"{each.up_to:,}" for each in fit.lower) or "none"
        return f"This is no lower tier of {fit.line.name} with a price; there are: {volumes}."
    if fit.average is None:
        return f"Of {fit.line.name}, {len(fit.months)} of {CLOSED_MONTHS} closed months are known."
    if fit.average > tier.up_to:
        return f"The average of {fit.line.name} is {rounded_average(fit.average):,f}: too much for this tier."
    return tier


def lines_at_renewal(subscription: Subscription, contract: Contract, today: date) -> tuple[Line, ...]:
    """The lines at the next renewal after `today`: a review can lower these."""
    return subscription.lines_on(next_renewal(contract, today))


def next_renewal(contract: Contract, today: date, fixed_until: int = 0) -> date:
    """The next renewal after `today`. A lower tier takes effect then, when the paid period is over.

    It is not one of the contract months before `fixed_until`: these are fixed.
    """
    first = max(today + timedelta(days=1), contract.month_start(fixed_until))
    _, day = next(contract.renewals(first))
    return day
