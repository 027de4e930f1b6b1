"""Which reported usage is not counted, and why: of which account, store, product and day (DESIGN 6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from billing.accounts.rules import Account, Status
from billing.kernel.errors import Violation
from billing.subscriptions.rules import Subscription
from billing.usage.rules import FUTURE_MAX

FIRST_DAY = date(1970, 1, 1)
"""Of usage that is imported. A day before it is a typing error."""


def unknown_account(name: str) -> Violation:
    """Why usage of an account does not count that does not exist."""
    return Violation(("account",), f"There is no account {name}.")


def source_refusal(account: Account, subscription: Subscription, store: str, product: str) -> Violation | None:
    """Why usage of an account does not count, whenever it was. The path is the wrong argument's name.

    A deactivated account is not served, so its usage is not counted (DESIGN 3.1).
    """
    name = account.id
    if account.status is Status.DEACTIVATED:
        return Violation(("account",), f"The account {name} is deactivated: its usage is no longer counted.")
    if store not in {each.id for each in account.stores}:
        return Violation(("store",), f"The account {name} has no store {store}.")
    if product not in {line.product for line in subscription.lines}:
        return Violation(("product",), f"The account {name} does not subscribe to {product}.")
    return None


def time_refusal(time: datetime, now: datetime, reported_within: timedelta) -> Violation | None:
    """Why usage of an instant is not taken at the instant `now`: too old, or further ahead than clocks differ."""
    if time < now - reported_within:
        return Violation(("time",), f"It happened more than {reported_within.days} days ago, and is no longer counted.")
    if time > now + FUTURE_MAX:
        return Violation(("time",), f"It lies more than {FUTURE_MAX.seconds // 60} minutes in the future.")
    return None


def day_refusal(day: date, today: date) -> Violation | None:
    """Why past usage of a day is not imported: FIRST_DAY to today is."""
    if not FIRST_DAY <= day <= today:
        return Violation(("day",), f"It must be between {FIRST_DAY} and today.")
    return None


def stores_still_reporting(account: Account, stores: Iterable[str]) -> list[str] | None:
    """The names of the account's stores whose usage is refused because it is deactivated; None if it is not."""
    if account.status is not Status.DEACTIVATED:
        return None
    known = {store.id: store.name for store in account.stores}
    return sorted({known[each] for each in stores if each in known})


def refusal_told_as(account: Account) -> str:
    """By which it is remembered that an account was told: once for each contract, as it may come back on a new one."""
    return f"usage-refused#{account.contract.start.isoformat()}"
