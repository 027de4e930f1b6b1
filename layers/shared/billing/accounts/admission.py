"""Who may make a request: a route declares it once, and the caller is judged before what they have sent (DESIGN 3.4).

Annotations here are no texts: the resolver evaluates them for every request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Request

from billing.accounts.authorise import authorise, authorise_staff
from billing.accounts.rules import Account
from billing.kernel.permissions import Permission, Person
from billing.platform.http.callers import caller
from billing.platform.http.judge import ADMITTED, Judge
from billing.platform.http.models import IDENTIFIER_LENGTH_MAX

if TYPE_CHECKING:  # loaded with the first request that needs it
    from billing.accounts.records import AccountStore


@dataclass(frozen=True, slots=True)
class Admission:
    """What a person asks to do to an account. The request's own read of the account admits them."""

    person: Person
    permission: Permission
    accounts: "Callable[[], AccountStore]"
    request: Request

    def admit(self, account: Account) -> None:
        """Admits the caller by the account as it was read.

        Raises AccountNotFound for a stranger, AdminsOnly for a member (one more query, only then), Forbidden.
        """
        authorise(self.person, account, self.permission, self.accounts)
        self.request.context[ADMITTED] = True

    def account(self, account: str) -> Account:
        """The account, for work that reads nothing else that has it. Raises what admit raises. One get."""
        found = self.accounts().account(account)
        self.admit(found)
        return found


class Permits(Judge):
    """Gives an Admission to a route of an account: the route reads the account, and calls `admit` with it."""

    def __init__(self, permission: Permission, accounts: "Callable[[], AccountStore]") -> None:
        def admission(request: Request) -> Admission:
            request.context[ADMITTED] = False
            return Admission(caller(request), permission, accounts, request)

        super().__init__(admission)

    def judge(self, request: Request) -> None:
        """Judges the caller by a read of its own: one get."""
        admission: Admission = self.dependency(request)
        account = request.path_parameters["account"]
        if len(account) <= IDENTIFIER_LENGTH_MAX:  # nobody belongs to an account that cannot be
            admission.account(account)


class StaffOnly(Judge):
    """Gives the member of staff who makes a request that is about no account. Raises Forbidden for anybody else."""

    def __init__(self, permission: Permission) -> None:
        def staff(request: Request) -> Person:
            person = caller(request)
            authorise_staff(person, permission)
            return person

        super().__init__(staff)
