"""Which reported usage is refused, and why: because of its account, store, product, time or day (DESIGN 3.5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from billing.accounts.rules import Account, Status
from billing.kernel.errors import Violation
from billing.kernel.field_codes import FieldCode
from billing.subscriptions.rules import Subscription
from billing.usage.rules import FUTURE_MAX

FIRST_DAY = date(1970, 1, 1)
"""The first day that can be imported. A day before it is a typing error."""


def unknown_account(name: str) -> Violation:
    """The refusal of usage for an account that does not exist."""
    return Violation(("account",), f"There is no account {name}.", FieldCode.UNKNOWN)


def source_refusal(account: Account, subscription: Subscription, store: str, product: str) -> Violation | None:
    """Why usage is refused because of its account, store or product; None if it is not. The path names the argument.

    A deactivated account is not served, so its usage is not counted (DESIGN 3.5.4).
    """
    name = account.id
    if account.status is Status.DEACTIVATED:
        return Violation(
            ("account",), f"The account {name} is deactivated: its usage is no longer counted.", FieldCode.DEACTIVATED
        )
    if store not in {each.id for each in account.stores}:
        return Violation(("store",), f"The account {name} has no store {store}.", FieldCode.UNKNOWN)
    if product not in {line.product for line in subscription.lines}:
        return Violation(("product",), f"The account {name} does not subscribe to {product}.", FieldCode.UNKNOWN)
    return None


def time_refusal(time: datetime, now: datetime, reported_within: timedelta) -> Violation | None:
    """Why usage at the instant `time` is refused at the instant `now`; None if it is not.

    It is refused when it is older than `reported_within`, or more than FUTURE_MAX ahead.
    """
    if time < now - reported_within:
        return Violation(
            ("time",),
            f"It happened more than {reported_within.days} days ago, and is no longer counted.",
            FieldCode.TOO_EARLY,
            {"min": (now - reported_within).isoformat()},
        )
    if time > now + FUTURE_MAX:
        return Violation(
            ("time",),
            f"It lies more than {FUTURE_MAX.seconds // 60} minutes in the future.",
            FieldCode.TOO_LATE,
            {"max": (now + FUTURE_MAX).isoformat()},
        )
    return None


def day_refusal(day: date, today: date) -> Violation | None:
    """Why past usage of a day cannot be imported; None from FIRST_DAY to today."""
    if not FIRST_DAY <= day <= today:
        code = FieldCode.TOO_EARLY if day < FIRST_DAY else FieldCode.TOO_LATE
        return Violation(("day",), f"It must be between {FIRST_DAY} and today.", code, {"min": FIRST_DAY, "max": today})
    return None


def stores_still_reporting(account: Account, stores: Iterable[str]) -> list[str] | None:
    """The names of the stores that report usage for a deactivated account, sorted; None if it is not deactivated.

    `stores` are ids. Ids that the account does not have are left out.
    """
    if account.status is not Status.DEACTIVATED:
        return None
    names = {store.id: store.name for store in account.stores}
    return sorted({names[each] for each in stores if each in names})


def refusal_alert_key(account: Account) -> str:
    """The key of the alert about refused usage: one for each contract, because the account may return on a new one."""
    return f"usage-refused#{account.contract.start.isoformat()}"
