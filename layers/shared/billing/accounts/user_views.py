"""The users of an account in API requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from billing.accounts.rules import User
from billing.kernel.fields import fields_of
from billing.platform.http.models import Body, LogInEmail, PersonName, View

RoleFilter = Annotated[Literal["admin", "member"] | None, Query(description="Only people in this role.")]

Erase = Annotated[
    bool,
    Query(
        description="Erase the person from the account's record as well, also if their access has ended before. "
        "Invoices stay as they were issued."
    ),
]


class UserBody(Body):
    """A person who is to have a role in the account. The address says who it is."""

    email: LogInEmail
    name: PersonName
    role: Literal["admin", "member"]


class InviterView(View):
    """Who has invited a person: staff, or a person of the account, by the id of their log-in."""

    kind: Literal["staff", "customer", "system"]
    user: str | None


class UserView(View):
    """A person of the account; `user` is what removes them.

    `invited_at` is when the newest invitation was sent; null, as `invited_by`, for a person whom an earlier release
    invited. `logged_in_at` is the person's first request about this account; null before it. `status` says the same
    in a word: an invited person has not used the account yet, or not since an earlier release.
    """

    user: str
    email: str
    name: str
    role: Literal["admin", "member"]
    invited_at: datetime | None
    invited_by: InviterView | None
    logged_in_at: datetime | None
    status: Literal["invited", "active"]

    @classmethod
    def of(cls, user: User, logged_in_at: datetime | None) -> UserView:
        invitation = user.invitation
        return cls.model_validate(
            {
                **user.facts,
                "invited_at": None if invitation is None else invitation.at,
                "invited_by": None if invitation is None else fields_of(invitation.by),
                "logged_in_at": logged_in_at,
                "status": "invited" if logged_in_at is None else "active",
            }
        )


class UsersView(View):
    items: list[UserView]
