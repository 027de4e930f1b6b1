"""Corrections: what was over- or under-reported is put right by an entry with a reason (DESIGN 3.5.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from billing.accounts.rules import Account, Status
from billing.kernel.errors import Conflict, Path, RuleViolation, Violation
from billing.kernel.events import Actor
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.subscriptions.rules import Subscription
from billing.usage.refusal import source_refusal
from billing.usage.rules import digest

SHOWN_MAX = 100
"""Corrections on one usage page: those of the latest days. The account's events have all of them."""

_SOURCE = "usage correction"
"""The source of a correction's identity. No usage event has it, because a source has no space."""


class AccountClosed(Conflict):
    """The account is deactivated: its usage is final."""

    code = "account-closed"

    def __init__(self, account: str) -> None:
        super().__init__(f"The account {account} is deactivated: its usage is no longer corrected.")


class CorrectionConflict(Conflict):
    """Another correction with this id was made before. Nothing is changed."""

    code = "correction-conflict"

    def __init__(self) -> None:
        super().__init__("A correction with this id was made before, and says something else.")


@dataclass(frozen=True, slots=True)
class UsageCorrection:
    """A correction of the usage of a product on a day. `id` identifies it within its account.

    `quantity` is added to what was counted, and below zero it takes back; so are `conversions`, and `revenue` in its
    currency. `content` is None for usage that names none.
    """

    id: str
    account: str
    product: str
    store: str
    content: str | None
    day: date
    quantity: Decimal
    conversions: int
    revenue: Money | None
    reason: str

    identity: str = field(init=False, compare=False)
    """Hash of the id: the same for each repetition."""
    fingerprint: str = field(init=False, compare=False)
    """Hash of all values. Another fingerprint under the same identity is a conflict."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", digest(_SOURCE, self.id))
        values = (
            self.product,
            self.store,
            self.day.isoformat(),
            f"{self.quantity.normalize():f}",
            str(self.conversions),
            "" if self.revenue is None else f"{self.revenue.amount} {self.revenue.currency}",
            # The last ones may contain any character that a text may.
            self.content or "",
            self.reason,
        )
        object.__setattr__(self, "fingerprint", digest(*values))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a correction changes: the usage of its day, of the whole product and of its content in its store.

    `conversions` and `revenue` are those of the content in the month. `revenue` is in minor units of the correction's
    currency; None if it corrects none.
    """

    usage: Decimal
    content_usage: Decimal
    conversions: int
    revenue: int | None


@dataclass(frozen=True, slots=True)
class RecordedUsageCorrection:
    """A correction that was made: by whom, when, and the figures before and after it."""

    correction: UsageCorrection
    made_by: Actor
    made_at: datetime
    before: Figures
    after: Figures


def check_correction(correction: UsageCorrection, account: Account, subscription: Subscription, today: date) -> None:
    """Raises AccountClosed, or RuleViolation for a correction of nothing, or of usage that could not be counted.

    A day of any age can be corrected, as long as a contract of the account contains it.
    """
    if account.status is Status.DEACTIVATED or not account.is_served_on(today):
        raise AccountClosed(account.id)
    if correction.day > today:
        raise RuleViolation(Violation(("day",), "The day is in the future.", FieldCode.TOO_LATE, {"max": today}))
    refused = source_refusal(account, subscription, correction.store, correction.product, correction.day, today)
    if refused is not None:
        raise RuleViolation(refused)
    if (
        not correction.quantity
        and not correction.conversions
        and not (correction.revenue and correction.revenue.amount)
    ):
        raise RuleViolation(Violation(("quantity",), "The correction changes nothing.", FieldCode.NO_CHANGE))


def corrected(before: Figures, correction: UsageCorrection) -> Figures:
    """The figures after a correction. Raises RuleViolation with each field that would take a figure below zero."""
    revenue = None if correction.revenue is None else (before.revenue or 0) + correction.revenue.amount
    after = Figures(
        usage=before.usage + correction.quantity,
        content_usage=before.content_usage + correction.quantity,
        conversions=before.conversions + correction.conversions,
        revenue=revenue,
    )
    violations = []
    if after.usage < 0 or after.content_usage < 0:
        counted = min(before.usage, before.content_usage)
        detail = f"Only {counted:f} are counted for it on {correction.day}."
        violations.append(_below_zero(("quantity",), detail, counted))
    if after.conversions < 0:
        detail = f"Only {before.conversions} are counted for it in {correction.day:%Y-%m}."
        violations.append(_below_zero(("conversions",), detail, before.conversions))
    if after.revenue is not None and after.revenue < 0:
        detail = f"Only {before.revenue or 0} are counted for it in {correction.day:%Y-%m}, in this currency."
        violations.append(_below_zero(("revenue", "amount"), detail, before.revenue or 0))
    if violations:
        raise RuleViolation(*violations)
    return after


def _below_zero(path: Path, detail: str, counted: Decimal | int) -> Violation:
    least = f"{-counted:f}" if isinstance(counted, Decimal) else -counted
    return Violation(path, f"{detail} A correction cannot take back more.", FieldCode.TOO_SMALL, {"min": least})
