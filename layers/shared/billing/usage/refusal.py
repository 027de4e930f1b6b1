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

CLOSED_DAYS_BEFORE_DELETION = 1
"""A deactivated account takes late usage until so many days before its deletion. What is counted while the account is
deleted would outlive it."""


def unknown_account(name: str) -> Violation:
    """The refusal of usage for an account that does not exist."""
    return Violation(("account",), f"There is no account {name}.", FieldCode.UNKNOWN)


def source_refusal(
    account: Account,
    subscription: Subscription,
    store: str,
    product: str,
    day: date,
    today: date,
    *,
    with_history: bool = False,
) -> Violation | None:
    """Why usage of a `day` is refused because of its account, store or product; None if it is not.

    The day on which it happened decides, not the day of the report (DESIGN 3.5.4): the account must have been served
    on it, and with this product. `with_history` also takes days before the account's first contract, when another
    system may have served it. The path names the argument.
    """
    name = account.id
    refused = _day_refusal(account, day, today, with_history=with_history)
    if refused is not None:
        return refused
    shop = next((each for each in account.stores if each.id == store), None)
    if shop is None:
        return Violation(("store",), f"The account {name} has no store {store}.", FieldCode.UNKNOWN)
    if shop.is_closed_on(day):
        detail = f"The store {store} of the account {name} is closed from {shop.closed_on} on."
        return Violation(("store",), detail, FieldCode.UNUSABLE)
    if product not in _products_on(account, subscription, day):
        return Violation(("product",), f"The account {name} does not subscribe to {product}.", FieldCode.UNKNOWN)
    return None


def time_refusal(time: datetime, now: datetime, reported_within: timedelta) -> Violation | None:
    """Why usage at the instant `time` is refused at the instant `now`; None if it is not.

    It is refused when it is older than `reported_within`, or more than FUTURE_MAX ahead.
    """
    if time < now - reported_within:
        detail = f"It happened more than {reported_within.days} days ago, and is no longer counted."
        earliest = (now - reported_within).isoformat()
        return Violation(("time",), detail, FieldCode.TOO_EARLY, {"min": earliest})
    if time > now + FUTURE_MAX:
        detail = f"It lies more than {FUTURE_MAX.seconds // 60} minutes in the future."
        return Violation(("time",), detail, FieldCode.TOO_LATE, {"max": (now + FUTURE_MAX).isoformat()})
    return None


def day_refusal(day: date, today: date) -> Violation | None:
    """Why past usage of a day cannot be imported; None from FIRST_DAY to today."""
    if not FIRST_DAY <= day <= today:
        code = FieldCode.TOO_EARLY if day < FIRST_DAY else FieldCode.TOO_LATE
        return Violation(("day",), f"It must be between {FIRST_DAY} and today.", code, {"min": FIRST_DAY, "max": today})
    return None


def is_closed(account: Account, today: date) -> bool:
    """Whether an account takes no usage any more, of no day: it is about to be deleted."""
    days = timedelta(days=CLOSED_DAYS_BEFORE_DELETION)
    return account.ending is not None and today >= account.ending.purge_on - days


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


def _day_refusal(account: Account, day: date, today: date, *, with_history: bool) -> Violation | None:
    """Why usage of a day is refused: no contract contains it, or the account is about to be deleted."""
    name, start, ending = account.id, account.contract.start, account.ending
    if account.status is Status.DEACTIVATED and ending is None:
        return Violation(
            ("account",), f"The account {name} is deactivated: its usage is no longer counted.", FieldCode.DEACTIVATED
        )
    if is_closed(account, today):
        detail = f"The account {name} is deactivated and about to be deleted: its usage is no longer counted."
        return Violation(("account",), detail, FieldCode.DEACTIVATED)
    if ending is not None and day >= ending.active_until:
        on = ending.active_until
        detail = f"The account {name} is deactivated from {on} on: usage of that day or later is not counted."
        return Violation(("day",), detail, FieldCode.DEACTIVATED)
    if day >= start or any(each.start <= day < each.ended_on for each in account.earlier):
        return None
    earliest = min((each.start for each in account.earlier), default=start)
    if day >= earliest:
        ended = max(each.ended_on for each in account.earlier if each.ended_on <= day)
        returned = min((each.start for each in account.earlier if each.start > day), default=start)
        detail = f"The account {name} was deactivated from {ended} to {returned}: usage in between is not counted."
        return Violation(("day",), detail, FieldCode.DEACTIVATED)
    if with_history:
        return None
    detail = f"The contract of the account {name} starts on {earliest}: usage before that day is not counted."
    return Violation(("day",), detail, FieldCode.TOO_EARLY, {"min": earliest})


def _products_on(account: Account, subscription: Subscription, day: date) -> set[str]:
    """The products of the contract that contains a day; those of today for days before all contracts."""
    if day < account.contract.start:
        for each in account.earlier:
            if each.start <= day < each.ended_on:
                return each.products_on(day)
        return {line.product for line in subscription.lines}
    return subscription.products_on(day)
