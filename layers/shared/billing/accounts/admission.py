"""Permissions of routes: a route declares its permission once, and the caller is judged before the body (DESIGN 3.4.5).

The module has no `from __future__ import annotations`: the resolver would evaluate the texts for every request.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Request

from billing.accounts.authorise import authorise, authorise_staff
from billing.accounts.rules import Account
from billing.kernel.errors import ConcurrentChange
from billing.kernel.permissions import Permission, Person, Role, may
from billing.platform.http.callers import caller, request_time
from billing.platform.http.judge import ADMITTED, Judge
from billing.platform.http.models import IDENTIFIER_LENGTH_MAX

if TYPE_CHECKING:  # loaded with the first request that needs it
    from billing.accounts.records import AccountStore


@dataclass(frozen=True, slots=True)
class Admission:
    """A person and the permission that a route needs. The route's own read of the account admits the person."""

    person: Person
    permission: Permission
    accounts: "Callable[[], AccountStore]"
    request: Request

    def admit(self, account: Account) -> None:
        """Admits the caller to the account, as it was read. Their first request is noted: one write, only then.

        Raises AccountNotFound for a stranger, AdminsOnly for a member (one query, only then), Forbidden otherwise.
        """
        if account.is_new_to(self.person):
            # Before a refusal: a member who is told the admins has logged in, too. A collision loses only the note, and
            # the next request sets it.
            with suppress(ConcurrentChange):
                is_admin = account.role_of(self.person) is Role.ADMIN
                at = request_time(self.request)
                self.accounts().note_log_in(account.id, self.person.user, at, is_admin=is_admin)
        authorise(self.person, account, self.permission, self.accounts)
        self.request.context[ADMITTED] = True

    def may(self, account: Account, permission: Permission) -> bool:
        """Whether the caller also has another permission, for what only some callers are shown."""
        role = account.role_of(self.person)
        return role is not None and may(role, permission)

    def account(self, account: str) -> Account:
        """Reads the account and admits the caller, for routes with no other read of it. Raises as `admit`. One get."""
        admitted = self.accounts().account(account)
        self.admit(admitted)
        return admitted


class Permits(Judge):
    """Injects an Admission into a route of an account. The route reads the account, and calls `admit` with it."""

    def __init__(self, permission: Permission, accounts: "Callable[[], AccountStore]") -> None:
        def admission(request: Request) -> Admission:
            request.context[ADMITTED] = False
            return Admission(caller(request), permission, accounts, request)

        super().__init__(admission)
        self.permission = permission

    def judge(self, request: Request) -> None:
        """Judges the caller by its own read of the account. Raises as `Admission.admit`. One get."""
        admission: Admission = self.dependency(request)
        account = request.path_parameters["account"]
        if len(account) <= IDENTIFIER_LENGTH_MAX:  # a longer id cannot exist: validation reports it
            admission.account(account)


class StaffOnly(Judge):
    """Injects the staff member who makes a request about no account. Raises Forbidden for any other person."""

    def __init__(self, permission: Permission) -> None:
        def staff(request: Request) -> Person:
            person = caller(request)
            authorise_staff(person, permission)
            return person

        super().__init__(staff)
        self.permission = permission
