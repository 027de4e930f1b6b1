"""Whether a caller may do something to an account: one rule for every route (DESIGN 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from billing.accounts.rules import Account
from billing.kernel.errors import AccountNotFound, Forbidden
from billing.kernel.permissions import Admin, AdminsOnly, Permission, Person, Role, may

if TYPE_CHECKING:  # loaded for a member who is told whom to ask
    from billing.accounts.records import AccountStore


def authorise(person: Person, account: Account, permission: Permission, accounts: Callable[[], AccountStore]) -> Role:
    """The caller's role in the account, if it allows this.

    Raises AccountNotFound for a stranger, who is not told that the account exists; AdminsOnly for a member who
    tries what an admin may do, and is told whom to ask (one query, only then); Forbidden for anybody else.
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
        raise AdminsOnly(tuple(Admin(user.name, user.email) for user in users if user.role is Role.ADMIN))
    raise Forbidden("Staff may not do this: it is for the account's own admins.")


def authorise_staff(person: Person, permission: Permission) -> None:
    """For what belongs to no account. Raises Forbidden for everybody but staff."""
    if not (person.staff and may(Role.STAFF, permission)):
        raise Forbidden("Only staff may do this.")
