"""Another version of the catalogue for a running account: its tiers and prices from a renewal on (decision 0038)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money

NOTICE_DAYS = 30
"""How many days before the last day to avoid it a change of prices is announced, unless a deployment says otherwise."""


@dataclass(frozen=True, slots=True)
class VersionTier:
    """A tier of a version, with its price per month; None where the customer asks the vendor for a price."""

    up_to: int | None
    price: Money | None


@dataclass(frozen=True, slots=True)
class ProductTiers:
    """The tiers of a product in a version, smallest first, with their prices in the contract's currency."""

    product: str
    tiers: tuple[VersionTier, ...]

    def holding(self, up_to: int | None) -> VersionTier | None:
        """The smallest tier with a price that holds at least this volume, None if there is none."""
        priced = (each for each in self.tiers if each.price is not None)
        return next((each for each in priced if holds(each.up_to, up_to)), None)


def holds(volume: int | None, up_to: int | None) -> bool:
    """Whether a tier of this volume holds all that a tier `up_to` holds; None holds all."""
    return volume is None or (up_to is not None and volume >= up_to)


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A move to another version of the catalogue, which holds from the renewal `effective_on` on.

    `cancel_by` is the last day on which a cancellation avoids that renewal. `decision` is the id of the move as it was
    announced, `decided_on` the account's day of it. `announced_on` is the day on which the mail about it went out. A
    move that is not announced never holds: no price changes without the notice that was promised. `products` are those
    that the account has.
    """

    version: int
    effective_on: date
    cancel_by: date
    decided_on: date
    decision: str
    products: tuple[ProductTiers, ...]
    announced_on: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the prices of `day` are those of this version."""
        return self.announced_on is not None and self.effective_on <= day

    def tier(self, product: str, up_to: int | None) -> VersionTier | None:
        """The tier that takes the place of another version's, see ProductTiers.holding."""
        tiers = next((each for each in self.products if each.product == product), None)
        return None if tiers is None else tiers.holding(up_to)

    def may_be_announced_on(self, day: date, notice_days: int) -> bool:
        """Whether a mail of `day` gives the notice that is promised."""
        return self.cancel_by - day >= timedelta(days=notice_days)

    def announced(self, day: date) -> VersionChange:
        """Returns the move after its mail went out on `day`."""
        return replace(self, announced_on=day)


def in_order(versions: Iterable[VersionChange], since: date, day: date) -> tuple[VersionChange, ...]:
    """The versions that decide the price on `day` of a tier that holds since `since`, in their order.

    The tier is one of the version that held when it began, or of an earlier one: this version is the first. Each later
    one takes the place of the one before it.
    """
    holding = sorted((each for each in versions if each.holds_on(day)), key=lambda each: each.effective_on)
    later = [each for each in holding if each.effective_on > since]
    return (*holding[: len(holding) - len(later)][-1:], *later)


def first_renewal_with_notice(
    contract: Contract, first: date, announced_on: date, notice_days: int
) -> tuple[date, date]:
    """The first renewal from `first` on whose last day to avoid it lies `notice_days` or more after the announcement.

    Returns it with that last day. The contract's start is no renewal: what was signed holds for a whole paid period.
    """
    for month, renewal in contract.renewals(first):
        cancel_by = contract.last_day_to_avoid(renewal)
        if month > 0 and cancel_by - announced_on >= timedelta(days=notice_days):
            return renewal, cancel_by
    raise AssertionError("a contract renews for ever")
