"""Who may do what: DESIGN 3.4, in the one place that decides it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.kernel.errors import Forbidden


class Role(StrEnum):
    """What a caller is to an account."""

    ADMIN = "admin"
    MEMBER = "member"
    STAFF = "staff"


STAFF_GROUP = "staff"
"""The group of the user pool whose people are staff. Nobody gets into it through the API."""


USAGE_SCOPE = "livello/usage"
"""What a machine's token must carry to report usage."""


class Permission(StrEnum):
    """What the routes do, in the rows of DESIGN 3.4."""

    READ_BILLING = "read-billing"
    CHANGE_BILLING_INFORMATION = "change-billing-information"
    CHANGE_PAYMENT_METHOD = "change-payment-method"
    SET_BANK_TRANSFER = "set-bank-transfer"
    RECORD_PAYMENTS = "record-payments"
    CORRECT_INVOICES = "correct-invoices"
    CANCEL = "cancel"
    EXPORT = "export"
    READ_DELETIONS = "read-deletions"
    READ_PAST_DUE = "read-past-due"
    READ_EVENTS = "read-events"
    READ_USAGE = "read-usage"
    READ_USERS = "read-users"
    ADMINISTER_USERS = "administer-users"
    PROVISION_ACCOUNTS = "provision-accounts"
    ADMINISTER_CATALOGUE = "administer-catalogue"
    READ_REVIEWS = "read-reviews"
    BOOK_REVIEWS = "book-reviews"
    DECIDE_REVIEWS = "decide-reviews"
    ADMINISTER_SUCCESS_MANAGERS = "administer-success-managers"
    SET_AUTOSCALING = "set-autoscaling"
    SIMULATE_AUTOSCALING = "simulate-autoscaling"


_EVERYBODY = frozenset({Role.ADMIN, Role.MEMBER, Role.STAFF})
_ADMIN_ONLY = frozenset({Role.ADMIN})
_ADMIN_AND_STAFF = frozenset({Role.ADMIN, Role.STAFF})
_STAFF_ONLY = frozenset({Role.STAFF})

ALLOWED: dict[Permission, frozenset[Role]] = {
    Permission.READ_BILLING: _EVERYBODY,
    Permission.CHANGE_BILLING_INFORMATION: _ADMIN_ONLY,
    Permission.CHANGE_PAYMENT_METHOD: _ADMIN_ONLY,
    Permission.SET_BANK_TRANSFER: _STAFF_ONLY,
    Permission.RECORD_PAYMENTS: _STAFF_ONLY,
    Permission.CORRECT_INVOICES: _STAFF_ONLY,
    Permission.CANCEL: _ADMIN_ONLY,
    Permission.EXPORT: _ADMIN_ONLY,
    Permission.READ_DELETIONS: _STAFF_ONLY,
    Permission.READ_PAST_DUE: _STAFF_ONLY,
    Permission.READ_EVENTS: _ADMIN_AND_STAFF,
    Permission.READ_USAGE: _EVERYBODY,
    Permission.READ_USERS: _EVERYBODY,
    Permission.ADMINISTER_USERS: _ADMIN_ONLY,
    Permission.PROVISION_ACCOUNTS: _STAFF_ONLY,
    Permission.ADMINISTER_CATALOGUE: _STAFF_ONLY,
    Permission.READ_REVIEWS: _EVERYBODY,
    Permission.BOOK_REVIEWS: _ADMIN_ONLY,
    Permission.DECIDE_REVIEWS: _STAFF_ONLY,
    Permission.ADMINISTER_SUCCESS_MANAGERS: _STAFF_ONLY,
    Permission.SET_AUTOSCALING: _STAFF_ONLY,
    Permission.SIMULATE_AUTOSCALING: _ADMIN_AND_STAFF,
}


def may(role: Role, permission: Permission) -> bool:
    """Whether a caller in this role may do it."""
    return role in ALLOWED[permission]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logged in. `user` is the id that the log-in gives; it never changes.

    `staff` is a fact of the vendor's directory, so no account can give it or take it away, and it wins over
    any role in an account: staff cannot do by membership what staff may never do.
    """

    user: str
    staff: bool


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin of an account, as a member is told of them."""

    name: str
    email: str


class AdminsOnly(Forbidden):
    """A member tried what only an admin may do; `admins` says whom to ask (DESIGN 3.4)."""

    code = "admins-only"

    def __init__(self, admins: tuple[Admin, ...]) -> None:
        super().__init__("Only an admin of this account may do this.")
        self.admins = admins
