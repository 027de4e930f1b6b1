"""When everything of an account is deleted, and what is left: a receipt without a name, and what the law keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.accounts.information import BillingInformation
from billing.accounts.rules import Account, Status, User
from billing.kernel.permissions import Role

EVENT_KEPT = timedelta(days=15)
"""For which the event of the last mail is kept, a day longer than a queue keeps it. It names the admins."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is left of an account: a random id, counts, times and a digest; nothing that names anybody.

    `identity` is a digest by which a table that was restored from a backup is recognised to hold the account again.
    """

    id: str
    identity: str
    began_at: datetime
    deleted_at: datetime
    counts: Mapping[str, int]
    digest: str


def identity(account: str, provisioned_as: str) -> str:
    """By which an account is recognised to be the one that was deleted, without its name."""
    return hashlib.sha256(f"{account} {provisioned_as}".encode()).hexdigest()


def is_deletion_due(account: Account, due: date, now: datetime) -> bool:
    """Whether a deactivated account is deleted at the instant `now`: from the day `due` on, in its own time zone."""
    return account.status is Status.DEACTIVATED and account.contract.today(now) >= due


def told_of_deletion(people: Iterable[User], information: BillingInformation) -> dict[str, str]:
    """Who is told when everything is deleted, names by address: the admins, and the address that invoices went to."""
    admins = {each.email: each.name for each in people if each.role is Role.ADMIN}
    admins.setdefault(information.billing.details.email, information.contact.details.name)
    return admins


def archived_until(produced_on: date, years: int) -> date:
    """The last day for which the law wants an invoice kept: so many full years after that of its issue."""
    return date(produced_on.year + years, 12, 31)
