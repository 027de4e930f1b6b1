"""Whether a caller may do something to an account: one rule for every route (DESIGN 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from billing.accounts.rules import Account
from billing.kernel.errors import AccountNotFound, Forbidden
from billing.kernel.permissions import Admin, AdminsOnly, Permission, Person, Role, may

if TYPE_CHECKING:  # loaded only for a refused member, whose answer names the admins
    from billing.accounts.records import AccountStore


def authorise(person: Person, account: Account, permission: Permission, accounts: Callable[[], AccountStore]) -> Role:
    """The caller's role in the account, if that role has the permission.

    Raises AccountNotFound for a stranger, which hides whether the account exists; AdminsOnly for a member who lacks an
    admin's permission, with the names of the admins (one query, only then); Forbidden otherwise.
    """
    role = account.role_of(person)
    if role is None:
        raise AccountNotFound
    if may(role, permission):
        return role
    if not may(Role.ADMIN, permission):
        raise Forbidden("Only staff may do this.")
    if role is Role.MEMBER:
        users = accounts().users(account.id)
        admins = (user for user in users if user.role is Role.ADMIN)
        raise AdminsOnly(tuple(Admin(user.name, user.email, user.id in account.logged_in) for user in admins))
    raise Forbidden("Staff may not do this: it is for the account's own admins.")


def authorise_staff(person: Person, permission: Permission) -> None:
    """For requests that are about no account. Raises Forbidden unless the person is staff with the permission."""
    if not (person.staff and may(Role.STAFF, permission)):
        raise Forbidden("Only staff may do this.")
