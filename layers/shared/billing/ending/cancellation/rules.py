"""Cancelling an account: what follows from it, told before it is asked for, and kept when it is (DESIGN 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.accounts.rules import Account, Ending, Status
from billing.ending.due import EndingDue, EndingStage
from billing.kernel.contract_calendar import Contract, termination
from billing.kernel.errors import Conflict
from billing.kernel.money import Money
from billing.subscriptions.pricing import amount_per_charge
from billing.subscriptions.rules import Subscription

RETENTION_DAYS = 14
REMINDED_DAYS_BEFORE = 3
"""How many days before everything is deleted its admins are told once more."""

IN_USE_DAYS = 7


class Reason(StrEnum):
    """Why an account is cancelled."""

    TOO_EXPENSIVE = "too_expensive"
    NOT_USED = "not_used"
    MISSING_FEATURES = "missing_features"
    OTHER_VENDOR = "other_vendor"
    CLOSING_BUSINESS = "closing_business"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DueCharge:
    """A renewal that is still charged, before tax."""

    on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from a cancellation on a day; all days in the account's time zone.

    `active_until` is the first day not served, `purge_on` the day on which everything is deleted.
    `last_day_to_avoid_it` is the last one on which a cancellation prevents the charge of `next_avoidable_renewal`.
    """

    notice_ends: date
    active_until: date
    charges_still_due: tuple[DueCharge, ...]
    next_avoidable_renewal: date
    last_day_to_avoid_it: date
    purge_on: date


@dataclass(frozen=True, slots=True)
class Requester:
    """Who has cancelled. Their name and address stand on the receipt."""

    user: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A cancellation as it was received: the receipt, by its id."""

    receipt: str
    requested_at: datetime
    requested_by: Requester
    reason: Reason
    text: str
    notice_ends: date
    active_until: date
    charges_still_due: tuple[DueCharge, ...]
    purge_on: date


class DatesChanged(Conflict):
    """The dates are no longer those that the admin was shown: another day has begun, or a renewal was charged."""

    code = "cancellation-dates-changed"

    def __init__(self, consequences: Consequences) -> None:
        super().__init__("The dates have changed since you were shown them. Look at the new ones, and confirm again.")
        self.consequences = consequences


class NotCancelling(Conflict):
    """There is nothing to withdraw, or it is too late for that."""

    code = "not-cancelling"

    def __init__(self) -> None:
        super().__init__("There is no cancellation that can be withdrawn.")


class Deactivated(Conflict):
    """What is no longer served cannot be cancelled."""

    code = "deactivated"

    def __init__(self) -> None:
        super().__init__("This account is deactivated already.")


def consequences(
    contract: Contract, subscription: Subscription, today: date, retention_days: int = RETENTION_DAYS
) -> Consequences:
    """What follows from a cancellation `today`. A contract that is still to begin is ended from its beginning on."""
    requested = max(today, contract.start)
    ends = termination(contract.start, contract.interval_months, requested)
    charges = tuple(
        DueCharge(day, amount_per_charge(subscription, contract, contract.month_of(day)))
        for day in ends.charges_still_due
    )
    return Consequences(
        notice_ends=ends.notice_ends,
        active_until=ends.active_until,
        charges_still_due=charges,
        next_avoidable_renewal=ends.next_avoidable_renewal,
        last_day_to_avoid_it=ends.last_day_to_avoid_it,
        purge_on=ends.active_until + timedelta(days=retention_days),
    )


def require_withdrawable(account: Account, today: date) -> None:
    """Raises NotCancelling unless the account's cancellation can be withdrawn: while it is served."""
    if account.status is not Status.CANCELLING or not account.is_served_on(today):
        raise NotCancelling


def stage_after_deactivation(ending: Ending) -> EndingDue:
    """The reminder of a deactivated account: some days before everything is deleted, but not before its end."""
    return EndingDue(
        EndingStage.REMIND, max(ending.active_until, ending.purge_on - timedelta(days=REMINDED_DAYS_BEFORE))
    )


def reactivate_until(ending: Ending) -> date:
    """The last day on which a deactivated account can be taken up again."""
    return ending.purge_on - timedelta(days=1)
