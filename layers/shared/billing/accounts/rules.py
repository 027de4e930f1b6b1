"""An account: one company's contract, stores, people and billing information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeVar

from billing.accounts.information import BillingInformation
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import AccountNotFound, Conflict, RuleViolation, Violation
from billing.kernel.permissions import Person, Role

START_PAST_DAYS_MAX = 731
"""A contract that has run for longer is taken over from its last renewal: nothing older is invoiced."""

START_FUTURE_DAYS_MAX = 366

USERS_MAX = 100
"""People of one account. Their roles stand on the account's own item, which every request reads."""


T = TypeVar("T")


class AccountExists(Conflict):
    """The account id is taken, by an account that was provisioned differently."""

    code = "account-exists"


class LastAdmin(Conflict):
    """An account always keeps at least one admin."""

    code = "last-admin"

    def __init__(self) -> None:
        super().__init__("An account needs at least one admin. Make somebody else an admin first.")


class Status(StrEnum):
    """Where an account is in its life (DESIGN 3.1)."""

    ACTIVE = "active"
    CANCELLING = "cancelling"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Store:
    """A web shop of the account: a domain or a language. Usage is counted per store."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A person of the customer's company, as the account knows them."""

    id: str
    email: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Ending:
    """How a cancelled account ends: `active_until` is the first day not served, on `purge_on` all is deleted."""

    receipt: str
    active_until: date
    purge_on: date


@dataclass(frozen=True, slots=True)
class Account:
    """The management account of one company: everything about money hangs here.

    `roles` says what each person (by user id) may do. `version` counts the changes of what stands here.
    `provisioned_as` is a digest of the request that made it, by which a repeated request is recognised.
    `success_manager` is the id of the account's customer success manager, None until staff assign one. `ending` is
    there from a cancellation on, unless that is withdrawn. `reactivation` is the id of the one that is on its way.
    """

    id: str
    name: str
    status: Status
    contract: Contract
    stores: tuple[Store, ...]
    roles: Mapping[str, Role]
    provisioned_as: str
    version: int = 0
    success_manager: str | None = None
    ending: Ending | None = None
    reactivation: str | None = None

    def is_served_on(self, day: date) -> bool:
        """Whether a day lies before the end of a cancelled account."""
        return self.ending is None or day < self.ending.active_until

    def role_of(self, person: Person) -> Role | None:
        """What this person is to this account; None for a stranger."""
        return Role.STAFF if person.staff else self.roles.get(person.user)

    def with_role(self, user: str, role: Role) -> Account:
        """The account with this person in this role. Raises LastAdmin, or Conflict when it is full."""
        if user not in self.roles:
            self.require_room()
        return self._with_roles({**self.roles, user: role})

    def require_room(self) -> None:
        """Raises Conflict when no further person fits in."""
        if len(self.roles) >= USERS_MAX:
            raise Conflict(f"An account has at most {USERS_MAX} users.")

    def without(self, user: str) -> Account:
        """The account without this person. Raises LastAdmin."""
        return self._with_roles({each: role for each, role in self.roles.items() if each != user})

    def _with_roles(self, roles: Mapping[str, Role]) -> Account:
        if Role.ADMIN not in roles.values():
            raise LastAdmin
        return replace(self, roles=roles)


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account with its billing information: whom a mail about it addresses, and what a change starts from."""

    account: Account
    information: BillingInformation


def existing(state: T | None) -> T:
    """What was read of an account. Raises AccountNotFound where there was none."""
    if state is None:
        raise AccountNotFound
    return state


def check_start(start: date, today: date) -> None:
    """Raises RuleViolation for a contract's start that lies too far away to be meant."""
    earliest, latest = (
        today - timedelta(days=START_PAST_DAYS_MAX),
        today + timedelta(days=START_FUTURE_DAYS_MAX),
    )
    if not earliest <= start <= latest:
        raise RuleViolation(
            Violation(("contract", "start"), f"The contract must start between {earliest} and {latest}.")
        )
