"""The users of an account in API requests and answers."""

from __future__ import annotations

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


class UserView(View):
    """A person of the account; `user` is what removes them."""

    user: str
    email: str
    name: str
    role: Literal["admin", "member"]

    @classmethod
    def of(cls, user: User) -> UserView:
        return cls.model_validate(fields_of(user, id="user"))


class UsersView(View):
    items: list[UserView]
