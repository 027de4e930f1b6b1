"""An account: one company's contract, stores, people and billing information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from billing.accounts.information import BillingInformation
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import AccountNotFound, Conflict, LimitReached, RuleViolation, Violation
from billing.kernel.events import Actor
from billing.kernel.field_codes import FieldCode
from billing.kernel.permissions import Person, Role

START_PAST_DAYS_MAX = 731
"""A contract that has run for longer is entered with its last renewal as the start: nothing older is invoiced."""

START_FUTURE_DAYS_MAX = 366

USERS_MAX = 100
"""Users of one account. Their roles are part of the account's own item, which every request reads."""


STORES_MAX = 50
"""Open stores of one account."""

STORES_EVER_MAX = 100
"""Stores of one account, closed ones included: their usage can still be reported late, read and corrected."""

CLOSED_DAYS_MAX = 366
"""How far ahead the closing of a store can be entered. A later day is a typing error."""


T = TypeVar("T")


class AccountExists(Conflict):
    """The account id is taken by an account that was provisioned from a different request."""

    code = "account-exists"


class LastAdmin(Conflict):
    """An account always keeps at least one admin."""

    code = "last-admin"

    def __init__(self) -> None:
        super().__init__("An account needs at least one admin. Make somebody else an admin first.")


class TooManyInvitations(LimitReached):
    """The account has sent as many invitations on this UTC day as the deployment allows."""

    code = "too-many-invitations"


class TooManyPromotions(LimitReached):
    """The account has made as many people admins on this UTC day as the deployment allows."""

    code = "too-many-promotions"


class Status(StrEnum):
    """The state of an account (DESIGN 3.1.7)."""

    ACTIVE = "active"
    CANCELLING = "cancelling"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class Store:
    """A web shop of the account, for one domain or language. Usage is counted per store.

    `closed_on` is the first day whose usage is refused, None while the store is open without end.
    """

    id: str
    name: str
    closed_on: date | None = None

    def is_closed_on(self, day: date) -> bool:
        """Whether usage of a day is refused."""
        return self.closed_on is not None and self.closed_on <= day


INVITED_AGAIN_AFTER = timedelta(minutes=15)
"""A request that repeats an invitation within this time sends no second mail: it is the same request, sent again."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """The newest invitation of a person: when, and who sent it."""

    at: datetime
    by: Actor


@dataclass(frozen=True, slots=True)
class User:
    """A person of the customer's company with a role in the account.

    `invitation` is None for a person whom an earlier release invited.
    """

    id: str
    email: str
    name: str
    role: Role
    invitation: Invitation | None = None

    @property
    def facts(self) -> dict[str, str]:
        """The person as events describe them."""
        return {"user": self.id, "email": self.email, "name": self.name, "role": self.role}


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a cancelled account: `active_until` is the first day without service, `purge_on` the day of deletion.

    `receipt` is the id of the cancellation's receipt.
    """

    receipt: str
    active_until: date
    purge_on: date


@dataclass(frozen=True, slots=True)
class EarlierProduct:
    """A product of a contract that has ended, whose usage counted from `since` (None: the contract's start) and before
    `until` (None: the contract's end)."""

    product: str
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class EarlierContract:
    """A contract that has ended, before the account was reactivated.

    The account was served from `start` and before `ended_on`, with these `products`. `dated` are those that it had for
    a part of that time only.
    """

    start: date
    ended_on: date
    products: tuple[str, ...]
    dated: tuple[EarlierProduct, ...] = ()

    def products_on(self, day: date) -> set[str]:
        """The products whose usage of `day` counts."""
        begun = [each for each in self.dated if each.since is None or each.since <= day]
        return {*self.products, *(each.product for each in begun if each.until is None or day < each.until)}


EARLIER_CONTRACTS_MAX = 24
"""Contracts that an account remembers beside its own. Usage that is older is neither reported nor corrected."""


@dataclass(frozen=True, slots=True)
class InvitationCount:
    """How many invitations an account has sent on a UTC day, and how many people it has made admins.

    Each sends mail to a person who has not asked for it, so both are limited. Removals do not lower a count.
    """

    day: date
    invitations: int = 0
    promotions: int = 0

    def invited(self, now: datetime, per_day: int) -> InvitationCount:
        """One invitation more. Raises TooManyInvitations after `per_day` of them."""
        today = self._on(now)
        if today.invitations >= per_day:
            detail = (
                f"This account has sent its {per_day} invitations of this day. The next day begins at midnight UTC."
            )
            raise TooManyInvitations(detail, today.seconds_left(now))
        return replace(today, invitations=today.invitations + 1)

    def promoted(self, now: datetime, per_day: int) -> InvitationCount:
        """One new admin more. Raises TooManyPromotions after `per_day` of them."""
        today = self._on(now)
        if today.promotions >= per_day:
            detail = f"This account has made {per_day} people admins on this day. The next day begins at midnight UTC."
            raise TooManyPromotions(detail, today.seconds_left(now))
        return replace(today, promotions=today.promotions + 1)

    def seconds_left(self, now: datetime) -> int:
        """The seconds until the day is over, rounded up."""
        end = datetime.combine(self.day + timedelta(days=1), time(), UTC)
        return -((now - end) // timedelta(seconds=1))

    def _on(self, now: datetime) -> InvitationCount:
        # The clock of another machine may be a moment ahead: a day that has begun does not begin again.
        today = now.astimezone(UTC).date()
        return self if self.day >= today else InvitationCount(today)


@dataclass(frozen=True, slots=True)
class Account:
    """The billing account of one company.

    `roles` maps user ids to roles. `version` counts the changes of the account's item. `provisioned_as` is a digest of
    the provisioning request, which recognises its repetition. `identity` is the account's own: a ULID of the time of
    its provisioning, which no other account ever has, although a later one may have the same id and request. Empty for
    an account of an earlier release. `success_manager` is the id of the account's customer
    success manager, None until staff assign one. `ending` is None unless the account is cancelled or deactivated.
    `reactivation` is the id of a pending reactivation. `invoiced_from` is the first contract month that was to be
    invoiced when the account was provisioned, None for an account of an earlier release. `earlier` are the contracts
    that ended before this one, oldest first, at most EARLIER_CONTRACTS_MAX; those that ended under an earlier release
    are not there. `invited` counts the invitations of the newest day that had some.

    `logged_in` maps user ids to the instant of the person's first request about this account, in UTC. It is stored
    beside the account's version, so it is no part of what two accounts have in common. Who is not in it has never used
    the account, or not since the release that began to note it. `used_since` is the first request of any admin, who
    may have left since.
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
    invoiced_from: int | None = None
    earlier: tuple[EarlierContract, ...] = ()
    identity: str = ""
    invited: InvitationCount = InvitationCount(date.min)
    logged_in: Mapping[str, datetime] = field(default_factory=dict, compare=False)
    used_since: datetime | None = field(default=None, compare=False)

    def is_served_on(self, day: date) -> bool:
        """Whether the account is served on a day: always, unless a cancellation has taken effect by then."""
        return self.ending is None or day < self.ending.active_until

    def reactivated(
        self, contract: Contract, products: tuple[str, ...], dated: tuple[EarlierProduct, ...] = ()
    ) -> Account:
        """The account on a new contract. `products` are those of the contract that has ended, which it remembers;
        `dated` those that it had for a part of its time."""
        earlier = self.earlier
        if self.ending is not None and self.ending.active_until > self.contract.start:
            ended = EarlierContract(self.contract.start, self.ending.active_until, products, dated)
            earlier = (*earlier, ended)[-EARLIER_CONTRACTS_MAX:]
        return replace(self, status=Status.ACTIVE, contract=contract, ending=None, reactivation=None, earlier=earlier)

    def stores_open_on(self, day: date) -> tuple[Store, ...]:
        """The stores whose usage of a day counts."""
        return tuple(each for each in self.stores if not each.is_closed_on(day))

    def with_store(self, store: Store, today: date) -> Account:
        """The account with a new store, or with a changed one of this id. An equal store changes nothing.

        A closing lies in the future, because usage of today may be counted already. Raises RuleViolation for another
        day and for the last open store, Conflict for more than STORES_MAX open ones or STORES_EVER_MAX in all.
        """
        before = next((each for each in self.stores if each.id == store.id), None)
        if before == store:
            return self
        closes = store.closed_on is not None and (before is None or before.closed_on != store.closed_on)
        if closes and store.closed_on is not None:
            earliest, latest = today + timedelta(days=1), today + timedelta(days=CLOSED_DAYS_MAX)
            if not earliest <= store.closed_on <= latest:
                detail = f"A store closes on a day from {earliest} to {latest}: usage of today may be counted already."
                code = FieldCode.TOO_EARLY if store.closed_on < earliest else FieldCode.TOO_LATE
                raise RuleViolation(Violation(("closed_on",), detail, code, {"min": earliest, "max": latest}))
        stores = [store if each.id == store.id else each for each in self.stores]
        changed = replace(self, stores=tuple(stores if before is not None else [*stores, store]))
        if closes and not any(each.closed_on is None for each in changed.stores):
            raise RuleViolation(Violation(("closed_on",), "An account keeps a store that is open.", FieldCode.UNUSABLE))
        if before is None and len(changed.stores) > STORES_EVER_MAX:
            raise Conflict(f"An account has at most {STORES_EVER_MAX} stores, closed ones included.")
        if len(changed.stores_open_on(today)) > max(STORES_MAX, len(self.stores_open_on(today))):
            raise Conflict(f"An account has at most {STORES_MAX} open stores.")
        return changed

    def is_new_to(self, person: Person) -> bool:
        """Whether this request is the first one of one of the account's own people."""
        return not person.staff and person.user in self.roles and person.user not in self.logged_in

    def awaits(self, user: User, now: datetime) -> bool:
        """Whether an invitation waits for this user, and not since a moment ago: a repeated one is mailed again.

        Of a person whom an earlier release invited nobody knows whether they have used the account: they are not
        invited a second time by a request that only repeats what is so.
        """
        sent = user.invitation
        return user.id not in self.logged_in and sent is not None and now - sent.at >= INVITED_AGAIN_AFTER

    def role_of(self, person: Person) -> Role | None:
        """The person's role in this account; None for a stranger."""
        return Role.STAFF if person.staff else self.roles.get(person.user)

    def with_role(self, user: str, role: Role) -> Account:
        """The account with this person in this role. Raises LastAdmin, or Conflict if the account is full."""
        if user not in self.roles:
            self.require_room()
        return self._with_roles({**self.roles, user: role})

    def with_another(self, gone: str, user: str, role: Role) -> Account:
        """The account with `user` in this role, and without `gone`: another log-in of one person. Raises LastAdmin."""
        return self._with_roles({**{each: old for each, old in self.roles.items() if each != gone}, user: role})

    def require_room(self) -> None:
        """Raises Conflict if the account has USERS_MAX users."""
        if len(self.roles) >= USERS_MAX:
            raise Conflict(f"An account has at most {USERS_MAX} users.")

    def with_invitation(self, now: datetime, per_day: int) -> Account:
        """The account after one more invitation. Raises TooManyInvitations."""
        return replace(self, invited=self.invited.invited(now, per_day))

    def with_promotion(self, now: datetime, per_day: int) -> Account:
        """The account after one more person has become an admin. Raises TooManyPromotions."""
        return replace(self, invited=self.invited.promoted(now, per_day))

    def without(self, user: str) -> Account:
        """The account without this person. Raises LastAdmin."""
        return self._with_roles({each: role for each, role in self.roles.items() if each != user})

    def _with_roles(self, roles: Mapping[str, Role]) -> Account:
        if Role.ADMIN not in roles.values():
            raise LastAdmin
        return replace(self, roles=roles)


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account with its billing information: the starting point of a change, and the addressees of mail."""

    account: Account
    information: BillingInformation


def existing(state: T | None) -> T:
    """The state as it was read. Raises AccountNotFound if there is none."""
    if state is None:
        raise AccountNotFound
    return state


def check_start(start: date, today: date) -> None:
    """Raises RuleViolation for a contract that starts too long ago or too far ahead to be intended."""
    earliest, latest = (
        today - timedelta(days=START_PAST_DAYS_MAX),
        today + timedelta(days=START_FUTURE_DAYS_MAX),
    )
    if not earliest <= start <= latest:
        code = FieldCode.TOO_EARLY if start < earliest else FieldCode.TOO_LATE
        detail = f"The contract must start between {earliest} and {latest}."
        raise RuleViolation(Violation(("contract", "start"), detail, code, {"min": earliest, "max": latest}))
