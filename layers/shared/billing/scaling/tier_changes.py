"""Tier changes by autoscaling: the rule's decision about a product, holds, and the move (DESIGN 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from billing.accounts.rules import Account, Status
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.scaling.autoscaling import HISTORY_MONTHS, Decision, decide
from billing.subscriptions.catalogue import Catalogue, Tier, price_per_month
from billing.subscriptions.pricing import amount_per_charge
from billing.subscriptions.rules import Cause, Line, Subscription, TierChange
from billing.subscriptions.versions import VersionChange
from billing.usage.rules import Daily, month_before

KNOWN_PEAKS_MAX = 200
"""Days that staff may have marked at the same time: more than a year's campaigns have."""

_HUNDREDTH = Decimal("0.01")


class DecisionOutcome(StrEnum):
    """What came of a decision."""

    MOVES = "moves"
    STAYS = "stays"
    HELD = "held"


class Hold(StrEnum):
    """Why a product stays although its usage belongs in a higher tier."""

    PAUSED = "paused"
    CANCELLING = "cancelling"


@dataclass(frozen=True, slots=True)
class Pause:
    """No product moves before the day `until`. Staff have agreed it with the customer, for a reason."""

    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class KnownPeak:
    """A day that staff have marked: it counts at most as a usual day. For one product, or with None for all."""

    day: date
    product: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class AutoscalingSettings:
    """The settings that staff have made for an account. `version` counts their changes; 0 is before the first."""

    pause: Pause | None = None
    known_peaks: tuple[KnownPeak, ...] = ()
    version: int = 0

    def paused_on(self, day: date) -> Pause | None:
        """The pause that is in effect on `day`, if any."""
        return self.pause if self.pause is not None and day < self.pause.until else None

    def known_peaks_of(self, product: str) -> frozenset[date]:
        """The marked days that apply to a product."""
        return frozenset(each.day for each in self.known_peaks if each.product in {None, product})


@dataclass(frozen=True, slots=True)
class ProductDecision:
    """The decision about one product for one month, with all its inputs.

    `tiers` are the volumes that the rule chose from, `inputs` the daily usage that it read, `known_peaks` the marked
    days in it. `hold` and `hold_reason` say why the product did not move; `effective_on` is the day of a move.
    """

    product: str
    decided_at: datetime
    decision: Decision
    tiers: tuple[int | None, ...]
    inputs: Daily
    known_peaks: tuple[date, ...]
    hold: Hold | None
    hold_reason: str | None
    effective_on: date | None

    @property
    def month(self) -> date:
        """The first day of the month that the decision is for."""
        return self.decision.month

    @property
    def moves(self) -> bool:
        """Whether the product moves to another tier."""
        return self.effective_on is not None

    @property
    def outcome(self) -> DecisionOutcome:
        """Whether the product moves, stays, or would move and is held."""
        if self.moves:
            return DecisionOutcome.MOVES
        return DecisionOutcome.STAYS if self.hold is None else DecisionOutcome.HELD

    @property
    def inputs_digest(self) -> str:
        """SHA-256 of all inputs of the rule: the same digest and rule version give the same decision."""
        days = [f"{day} {quantity.normalize():f}" for day, quantity in sorted(self.inputs.items()) if quantity]
        peaks = [day.isoformat() for day in self.known_peaks]
        text = "\n".join(["usage", *days, "peaks", *peaks, "tiers", *map(str, self.tiers), str(self.decision.current)])
        return hashlib.sha256(text.encode()).hexdigest()


def ladder(catalogue: Catalogue, line: Line, later: Sequence[VersionChange] = ()) -> tuple[Tier, ...]:
    """The tiers that a line can move to without an agreement: those with a price, and its own. Smallest first.

    A tier that is too large for one of the `later` versions of the catalogue is left out: the account moves to them. A
    version that does not price the line has no say.
    """
    product = catalogue.product(line.product)
    tiers = () if product is None else product.tiers
    if all(tier.up_to != line.up_to for tier in tiers):
        # It was agreed or decided in another version, and this one has none that holds as much.
        own = Tier(line.up_to, {line.price.currency: line.price.amount})
        tiers = tuple(sorted((*tiers, own), key=lambda tier: (tier.up_to is None, tier.up_to or 0)))
    return tuple(
        tier
        for tier in tiers
        if tier.up_to == line.up_to
        or (
            price_per_month(tier, line.price.currency) is not None
            and all(version.tier(line.product, tier.up_to) for version in later if version.prices(line.product))
        )
    )


def versions_after(subscription: Subscription, month: date) -> tuple[VersionChange, ...]:
    """The versions of the catalogue that the account moves to after `month`, announced or not."""
    return tuple(each for each in subscription.versions if each.effective_on > month)


def line_after_pending_change(
    subscription: Subscription, line: Line, today: date, priced_on: date | None = None
) -> Line:
    """The line of today, or the future one if a larger tier is decided already.

    Its tier and price are those of the version of the catalogue that holds on `priced_on`, where that is later.
    """
    pending = subscription.pending_change(line.product, today)
    day = today
    if pending is not None and pending.cause is not Cause.REVIEW:
        day = pending.effective_on
    return subscription.line_on(line, day, max(day, priced_on or day))


def decide_product(
    account: Account,
    line: Line,
    daily: Daily,
    tiers: tuple[Tier, ...],
    month: date,
    settings: AutoscalingSettings,
    now: datetime,
    fixed_until: int = 0,
) -> ProductDecision:
    """The decision about a product from `month` on, made at the instant `now`.

    `line` is the line after pending changes, `tiers` its ladder. A move takes effect with the first contract month
    after the day of the decision, for any `month`: never retroactively, and never in a month before `fixed_until`:
    these are fixed.
    """
    today = account.contract.today(now)
    first = month_before(month, HISTORY_MONTHS)
    inputs = {day: quantity for day, quantity in daily.items() if first <= day < month}
    known_peaks = tuple(sorted(day for day in settings.known_peaks_of(line.product) if first <= day < month))
    volumes = tuple(tier.up_to for tier in tiers)
    decision = decide(
        inputs,
        tuple(None if each is None else Decimal(each) for each in volumes),
        volumes.index(line.up_to),
        month,
        line.counts_since(account.contract.start),
        frozenset(known_peaks),
    )
    hold, reason = _hold(account, settings, today) if decision.moves else (None, None)
    moves = decision.moves and hold is None
    effective_on = next_contract_month(account.contract, today, fixed_until) if moves else None
    return ProductDecision(
        product=line.product,
        decided_at=now,
        decision=decision,
        tiers=volumes,
        inputs=inputs,
        known_peaks=known_peaks,
        hold=hold,
        hold_reason=reason,
        effective_on=effective_on,
    )


def _hold(account: Account, settings: AutoscalingSettings, today: date) -> tuple[Hold | None, str | None]:
    if account.status is not Status.ACTIVE:
        return Hold.CANCELLING, None
    pause = settings.paused_on(today)
    return (None, None) if pause is None else (Hold.PAUSED, pause.reason)


def tier_change(decided: ProductDecision, tiers: tuple[Tier, ...], contract: Contract) -> TierChange:
    """The subscription's change by a move, at the signed price. Raises ValueError for a decision without a move."""
    tier = tiers[decided.decision.target]
    price = price_per_month(tier, contract.currency)
    if price is None or decided.effective_on is None:
        raise ValueError("a move needs a tier with a price, and a day")
    return TierChange(
        decided.product,
        tier.up_to,
        price,
        decided.effective_on,
        Cause.AUTOSCALING,
        decision_name(decided.month, decided.product),
        contract.today(decided.decided_at),
    )


def decision_name(month: date, product: str) -> str:
    """The id of a decision within its account, such as 2026-07.search."""
    return f"{month:%Y-%m}.{product}"


def above_all_tiers(decision: Decision, tiers: tuple[Tier, ...]) -> bool:
    """Whether steady usage is above the highest tier of the ladder. Staff must then make an offer."""
    highest = tiers[-1].up_to
    return highest is not None and decision.steady is not None and decision.steady > highest


def as_hundredths(quantity: Decimal) -> Decimal:
    """A quantity rounded to hundredths (half to even), without trailing zeros."""
    rounded = quantity.quantize(_HUNDREDTH, rounding=ROUND_HALF_EVEN)
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()


# ---- When ----


def next_contract_month(contract: Contract, today: date, fixed_until: int = 0) -> date:
    """The first day of the next contract month after `today`; before the contract starts, its first day.

    Contract months before `fixed_until` are fixed: never one of them.
    """
    return contract.month_start(max(0, contract.month_of(today) + 1, fixed_until))


# ---- What it costs ----


@dataclass(frozen=True, slots=True)
class TierChangeCost:
    """The cost of a move, before tax.

    `extra` is invoiced on the day that the move takes effect, for months that are paid already; None if there are none.
    The next regular invoice, on `next_on`, is `next_amount`; without the move it would be `next_without`.
    """

    extra: Money | None
    next_on: date
    next_amount: Money
    next_without: Money


def tier_change_cost(
    before: Subscription, after: Subscription, contract: Contract, effective_on: date
) -> TierChangeCost:
    """The cost of a change from `before` to `after` on `effective_on`, the first day of a contract month.

    The extra amount is the difference between two whole charges for the paid period, so it is rounded as the invoice
    was (DESIGN 3.3.3).
    """
    month = contract.month_of(effective_on)
    paid_month, _ = contract.paid_period(month)
    extra = None
    if month != paid_month:
        with_move, without = (amount_per_charge(each, contract, paid_month) for each in (after, before))
        extra = Money(with_move.amount - without.amount, with_move.currency)
    next_month, next_on = contract.next_charge(effective_on)
    return TierChangeCost(
        extra=extra,
        next_on=next_on,
        next_amount=amount_per_charge(after, contract, next_month),
        next_without=amount_per_charge(before, contract, next_month),
    )
