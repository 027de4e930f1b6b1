"""The consequences and dates of a cancellation (DESIGN 3.1). Who may cancel: billing.kernel.permissions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.accounts.rules import Account, Ending, Status
from billing.ending.due import EndingDue, EndingStage
from billing.invoicing.one_offs import goodwill_left
from billing.invoicing.to_come import InvoicingState, invoices_to_come, one_offs_left
from billing.kernel.contract_calendar import terminated
from billing.kernel.errors import Conflict
from billing.kernel.money import Money

RETENTION_DAYS = 14
"""How many days a deactivated account stays before it is deleted, unless a deployment says otherwise (DESIGN 3.1.6)."""

REMINDER_DAYS_BEFORE = 3
"""How many days before the deletion the admins get a reminder."""

IN_USE_DAYS = 7
"""A product counts as in use if it had usage in the last so many days."""


class Reason(StrEnum):
    """The reasons that an admin can choose from."""

    TOO_EXPENSIVE = "too_expensive"
    NOT_USED = "not_used"
    MISSING_FEATURES = "missing_features"
    OTHER_VENDOR = "other_vendor"
    CLOSING_BUSINESS = "closing_business"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DueCharge:
    """An invoice that is still issued: `amount` before tax, `total` with tax, before credit.

    `tax` and `total` are None on the receipts of an earlier release.
    """

    on: date
    amount: Money
    tax: Money | None = None
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class ChargesTotal:
    """How many invoices are still issued, and what they come to with tax, before credit: what an admin confirms."""

    invoices: int
    total: Money


@dataclass(frozen=True, slots=True)
class Consequences:
    """The consequences of a cancellation on a given day. All days are in the account's time zone (DESIGN 3.1).

    `active_until` is the first day without service, `purge_on` the day of the deletion. `last_day_to_avoid_it` is the
    last day on which a cancellation prevents the charge of `next_avoidable_renewal`. `goodwill_lapses` is the goodwill
    that these charges leave, before tax: it is not paid out.
    """

    notice_ends: date
    active_until: date
    charges_still_due: tuple[DueCharge, ...]
    charges: ChargesTotal
    next_avoidable_renewal: date
    last_day_to_avoid_it: date
    purge_on: date
    goodwill_lapses: Money


@dataclass(frozen=True, slots=True)
class Requester:
    """The admin who cancelled. Their name and address are on the receipt."""

    user: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A cancellation with its dates. `receipt` is the id of its receipt.

    `goodwill_lapses` is as in Consequences; None on the receipts of an earlier release.
    """

    receipt: str
    requested_at: datetime
    requested_by: Requester
    reason: Reason
    text: str
    notice_ends: date
    active_until: date
    charges_still_due: tuple[DueCharge, ...]
    purge_on: date
    goodwill_lapses: Money | None = None


class DatesChanged(Conflict):
    """The dates differ from those shown to the admin: a new day began, or a renewal was charged (DESIGN 3.1.8)."""

    code = "cancellation-dates-changed"

    def __init__(self, consequences: Consequences) -> None:
        super().__init__("The dates have changed since you were shown them. Look at the new ones, and confirm again.")
        self.consequences = consequences


class ChargesChanged(Conflict):
    """What is still charged differs from what the admin was shown: a tier changed, a renewal was issued, or a tax."""

    code = "cancellation-charges-changed"

    def __init__(self, consequences: Consequences) -> None:
        super().__init__("What is still charged has changed since you were shown it. Look at it, and confirm again.")
        self.consequences = consequences


class NotCancelling(Conflict):
    """There is no cancellation, or it is too late to withdraw it."""

    code = "not-cancelling"

    def __init__(self) -> None:
        super().__init__("There is no cancellation that can be withdrawn.")


class Deactivated(Conflict):
    """A deactivated account cannot be cancelled."""

    code = "deactivated"

    def __init__(self) -> None:
        super().__init__("This account is deactivated already.")


def consequences(state: InvoicingState, today: date, retention_days: int = RETENTION_DAYS) -> Consequences:
    """The consequences of a cancellation `today`.

    The charges still due are all that the account owes until its end and that is not invoiced, with renewals of today
    and before (DESIGN 3.1.5), and with the one-off charges, of which the last invoice has what is left.
    """
    account = state.subscriber.account
    contract = account.contract
    ends = terminated(contract, today)
    purge_on = ends.active_until + timedelta(days=retention_days)
    ending = replace(account, ending=Ending("", ends.active_until, purge_on))
    # A cancelled account keeps its currency.
    state = replace(state, subscriber=replace(state.subscriber, account=ending), agreed=None)
    until = ends.active_until + timedelta(days=1)
    charges = tuple(
        DueCharge(max(today, each.draft.since), each.draft.net, each.draft.tax_amount, each.draft.total)
        for each in invoices_to_come(state, until)
    )
    total = sum(each.total.amount for each in charges if each.total is not None)
    return Consequences(
        notice_ends=ends.notice_ends,
        active_until=ends.active_until,
        charges_still_due=charges,
        charges=ChargesTotal(len(charges), Money(total, contract.currency)),
        next_avoidable_renewal=ends.next_avoidable_renewal,
        last_day_to_avoid_it=ends.last_day_to_avoid_it,
        purge_on=purge_on,
        goodwill_lapses=Money(goodwill_left(one_offs_left(state, until)), contract.currency),
    )


def require_withdrawable(account: Account, today: date) -> None:
    """Raises NotCancelling unless the account is cancelling and still served (DESIGN 3.1.7)."""
    if account.status is not Status.CANCELLING or not account.is_served_on(today):
        raise NotCancelling


def stage_after_deactivation(ending: Ending) -> EndingDue:
    """The reminder of a deactivated account: some days before its deletion, but not before its deactivation."""
    return EndingDue(
        EndingStage.REMIND, max(ending.active_until, ending.purge_on - timedelta(days=REMINDER_DAYS_BEFORE))
    )


def reactivate_until(ending: Ending) -> date:
    """The last day on which an admin can reactivate a deactivated account."""
    return ending.purge_on - timedelta(days=1)
