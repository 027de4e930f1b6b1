"""Roles and permissions: the only place that decides who may do what (DESIGN 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.kernel.errors import Forbidden


class Role(StrEnum):
    """The role of a caller in an account."""

    ADMIN = "admin"
    MEMBER = "member"
    STAFF = "staff"


STAFF_GROUP = "staff"
"""The user pool's group of staff. The API cannot add a user to it (DESIGN 3.4.3)."""


SECOND_FACTOR, MISSING = "second_factor", "missing"
"""The claim of a token whose owner is staff and has no second factor, and its value (DESIGN 3.4.3)."""


USAGE_SCOPE = "livello/usage"
"""The scope that a machine's access token needs to report usage."""


class Permission(StrEnum):
    """What a route needs, as in the table of DESIGN 3.4."""

    READ_BILLING = "read-billing"
    CHANGE_BILLING_INFORMATION = "change-billing-information"
    CHANGE_PAYMENT_METHOD = "change-payment-method"
    SET_BANK_TRANSFER = "set-bank-transfer"
    RECORD_PAYMENTS = "record-payments"
    CORRECT_INVOICES = "correct-invoices"
    CORRECT_USAGE = "correct-usage"
    RELEASE_INVOICING = "release-invoicing"
    CANCEL = "cancel"
    EXPORT = "export"
    READ_DELETIONS = "read-deletions"
    SETTLE_CLAIMS = "settle-claims"
    LIST_ACCOUNTS = "list-accounts"
    LIST_INVOICES = "list-invoices"
    LIST_CANCELLATIONS = "list-cancellations"
    LIST_DECISIONS = "list-decisions"
    LIST_REVIEWS = "list-reviews"
    READ_PAST_DUE = "read-past-due"
    READ_INVOICE_REGISTER = "read-invoice-register"
    READ_RECONCILIATION = "read-reconciliation"
    READ_EVENTS = "read-events"
    DECIDE_VAT_NUMBERS = "decide-vat-numbers"
    READ_USAGE = "read-usage"
    READ_USERS = "read-users"
    ADMINISTER_USERS = "administer-users"
    READ_APPOINTMENTS = "read-appointments"
    APPOINT_ADMINS = "appoint-admins"
    OBJECT_TO_APPOINTMENTS = "object-to-appointments"
    PROVISION_ACCOUNTS = "provision-accounts"
    CHANGE_ACCOUNTS = "change-accounts"
    KEEP_PRODUCTS = "keep-products"
    KEEP_TERM = "keep-term"
    AGREE_TO_TERM = "agree-to-term"
    ADMINISTER_CATALOGUE = "administer-catalogue"
    ADMINISTER_EXCHANGE_RATES = "administer-exchange-rates"
    ADMINISTER_TAX_RATES = "administer-tax-rates"
    ADMINISTER_TEST_CLOCKS = "administer-test-clocks"
    READ_REVIEWS = "read-reviews"
    BOOK_REVIEWS = "book-reviews"
    DECIDE_REVIEWS = "decide-reviews"
    ADMINISTER_SUCCESS_MANAGERS = "administer-success-managers"
    SET_AUTOSCALING = "set-autoscaling"
    SIMULATE_AUTOSCALING = "simulate-autoscaling"


_EVERY_ROLE = frozenset({Role.ADMIN, Role.MEMBER, Role.STAFF})
_ADMIN_ONLY = frozenset({Role.ADMIN})
_ADMIN_AND_STAFF = frozenset({Role.ADMIN, Role.STAFF})
_STAFF_ONLY = frozenset({Role.STAFF})

ALLOWED: dict[Permission, frozenset[Role]] = {
    Permission.READ_BILLING: _EVERY_ROLE,
    Permission.CHANGE_BILLING_INFORMATION: _ADMIN_ONLY,
    Permission.CHANGE_PAYMENT_METHOD: _ADMIN_ONLY,
    Permission.SET_BANK_TRANSFER: _STAFF_ONLY,
    Permission.RECORD_PAYMENTS: _STAFF_ONLY,
    Permission.CORRECT_INVOICES: _STAFF_ONLY,
    Permission.CORRECT_USAGE: _STAFF_ONLY,
    Permission.RELEASE_INVOICING: _STAFF_ONLY,
    Permission.CANCEL: _ADMIN_ONLY,
    Permission.EXPORT: _ADMIN_ONLY,
    Permission.READ_DELETIONS: _STAFF_ONLY,
    Permission.SETTLE_CLAIMS: _STAFF_ONLY,
    Permission.LIST_ACCOUNTS: _STAFF_ONLY,
    Permission.LIST_INVOICES: _STAFF_ONLY,
    Permission.LIST_CANCELLATIONS: _STAFF_ONLY,
    Permission.LIST_DECISIONS: _STAFF_ONLY,
    Permission.LIST_REVIEWS: _STAFF_ONLY,
    Permission.READ_PAST_DUE: _STAFF_ONLY,
    Permission.READ_INVOICE_REGISTER: _STAFF_ONLY,
    Permission.READ_RECONCILIATION: _STAFF_ONLY,
    Permission.READ_EVENTS: _ADMIN_AND_STAFF,
    Permission.DECIDE_VAT_NUMBERS: _STAFF_ONLY,
    Permission.READ_USAGE: _EVERY_ROLE,
    Permission.READ_USERS: _EVERY_ROLE,
    Permission.ADMINISTER_USERS: _ADMIN_ONLY,
    Permission.READ_APPOINTMENTS: _ADMIN_AND_STAFF,
    Permission.APPOINT_ADMINS: _STAFF_ONLY,
    Permission.OBJECT_TO_APPOINTMENTS: _ADMIN_ONLY,
    Permission.PROVISION_ACCOUNTS: _STAFF_ONLY,
    Permission.CHANGE_ACCOUNTS: _STAFF_ONLY,
    Permission.KEEP_PRODUCTS: _ADMIN_AND_STAFF,
    Permission.KEEP_TERM: _ADMIN_AND_STAFF,
    Permission.AGREE_TO_TERM: _ADMIN_ONLY,
    Permission.ADMINISTER_CATALOGUE: _STAFF_ONLY,
    Permission.ADMINISTER_EXCHANGE_RATES: _STAFF_ONLY,
    Permission.ADMINISTER_TAX_RATES: _STAFF_ONLY,
    Permission.ADMINISTER_TEST_CLOCKS: _STAFF_ONLY,
    Permission.READ_REVIEWS: _EVERY_ROLE,
    Permission.BOOK_REVIEWS: _ADMIN_ONLY,
    Permission.DECIDE_REVIEWS: _STAFF_ONLY,
    Permission.ADMINISTER_SUCCESS_MANAGERS: _STAFF_ONLY,
    Permission.SET_AUTOSCALING: _STAFF_ONLY,
    Permission.SIMULATE_AUTOSCALING: _ADMIN_AND_STAFF,
}


def may(role: Role, permission: Permission) -> bool:
    """Whether a caller with this role has the permission."""
    return role in ALLOWED[permission]


@dataclass(frozen=True, slots=True)
class Person:
    """A person who logged in. `user` is the id of the log-in (Cognito's `sub`); it never changes.

    `staff` comes from the vendor's directory, so no account can grant or revoke it. It wins over any role in an
    account: staff cannot use a membership to do what staff may never do (DESIGN 3.4.3).
    """

    user: str
    staff: bool


@dataclass(frozen=True, slots=True)
class Admin:
    """The name and address of an admin, for members who need one, and whether the admin has used the account yet."""

    name: str
    email: str
    has_logged_in: bool


class AdminsOnly(Forbidden):
    """A member tried what only an admin may do. `admins` are the people to ask (DESIGN 3.4.2)."""

    code = "admins-only"

    def __init__(self, admins: tuple[Admin, ...]) -> None:
        super().__init__("Only an admin of this account may do this.")
        self.admins = admins


class SecondFactorMissing(Forbidden):
    """A member of staff has logged in with a password alone. They get no rights at all, also no customer's."""

    code = "second-factor-missing"

    def __init__(self) -> None:
        super().__init__(
            "Staff need a second factor. Set up an authenticator app with the access token of this log-in "
            "(AssociateSoftwareToken, VerifySoftwareToken, SetUserMFAPreference of Cognito), then log in again."
        )
