"""When an account is deleted, and what a purge leaves of it (DESIGN 3.7).

It leaves the Receipt, the event of the last mail for EVENT_RETENTION, the open claims until they are settled
(billing.ending.deletion.claims), and, until `archived_until`, the invoices in the archive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.accounts.information import BillingInformation
from billing.accounts.rules import Account, Status, User
from billing.kernel.permissions import Role

EVENT_RETENTION = timedelta(days=15)
"""How long the event of the last mail stays: a day longer than in a queue. Not longer, because it names the admins."""


class NotAsked(StrEnum):
    """A service that a deletion could not ask.

    PAYMENT_SERVICE: the deployment has no key of it, because all its customers pay by transfer. Nothing of the account
    is known to be there. CUSTOMER_LEFT: the same, but the account has a customer there: delete it by hand.
    """

    PAYMENT_SERVICE = "payment_service"
    CUSTOMER_LEFT = "customer_left"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The only record of a deleted account: a random id, counts, times and digests. It names no person (DESIGN 3.7.2).

    `identity` is a digest of the account. It shows that a restored backup contains the deleted account again. `kept`
    has the number of `claims` of the vendor and of `repayments` to the customer that stay until they are settled, and
    `kept_until` the last day of any of them; empty and None where nothing is open. `archived_until` is the last day on
    which any of its invoices is in the archive, None where none is. `not_asked` are the services that could not be
    asked whether they have something of the account (NotAsked).
    """

    id: str
    identity: str
    began_at: datetime
    deleted_at: datetime
    counts: Mapping[str, int]
    digest: str
    kept: Mapping[str, int] = field(default_factory=dict)
    kept_until: date | None = None
    archived_until: date | None = None
    not_asked: tuple[NotAsked, ...] = ()


def kept_counts(kept: Iterable[tuple[str, bool, bool]]) -> dict[str, int]:
    """How many claims of the vendor are kept, and how many repayments to the customer; empty for none."""
    kept = tuple(kept)
    if not kept:
        return {}
    return {"claims": sum(ours for _, ours, _ in kept), "repayments": sum(theirs for _, _, theirs in kept)}


def identity(account: Account) -> str:
    """The SHA-256 digest that identifies a deleted account without its name.

    It is the digest of the account's own identity. An account of an earlier release has none: two of these have the
    same digest if the second was provisioned by the same request, after the first was deleted. A comparison of
    digests then needs the times too (scripts.reapply_deletions).
    """
    own = account.identity or f"{account.id} {account.provisioned_as}"
    return hashlib.sha256(own.encode()).hexdigest()


def is_deletion_due(account: Account, due: date, now: datetime) -> bool:
    """Whether an account can be deleted at `now`: it is deactivated, and `due` has begun in its time zone."""
    return account.status is Status.DEACTIVATED and account.contract.today(now) >= due


def deletion_recipients(people: Iterable[User], information: BillingInformation) -> dict[str, str]:
    """The recipients of the mail about the deletion, names by address: the admins and the address for invoices."""
    admins = {each.email: each.name for each in people if each.role is Role.ADMIN}
    admins.setdefault(information.billing.details.email, information.contact.details.name)
    return admins


def archived_until(produced_on: date, years: int) -> date:
    """The last day of an invoice's archiving: the end of so many years after the year of its issue (DESIGN 3.7.3)."""
    return date(produced_on.year + years, 12, 31)
