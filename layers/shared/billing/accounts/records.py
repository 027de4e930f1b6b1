"""Accounts, their people, their billing information, and the addresses that may be written to."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.information import Area, BillingDetails, Details
from billing.accounts.mapping import (
    account_body,
    account_from,
    information_body,
    user_and_account_name_from,
    user_body,
    user_from,
)
from billing.accounts.page_rows import details_of, page_rows
from billing.accounts.rules import USERS_MAX, Account, AccountDetails, User
from billing.kernel.errors import AccountNotFound, StaleVersion
from billing.kernel.events import Event
from billing.kernel.permissions import Role
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table

UNDELIVERABLE_MAX = 1000
"""How many undeliverable addresses of an account are looked at."""


@dataclass(frozen=True, slots=True)
class Membership:
    """An account as one of its people finds it in their list."""

    account: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Correspondents:
    """The people of an account, and the addresses to which nothing is sent any more."""

    users: tuple[User, ...]
    undeliverable: frozenset[str]


class AccountStore(Table):
    """The accounts in the one table."""

    # ---- Accounts ----

    def account(self, account: str) -> Account:
        """One account, as of now. Raises AccountNotFound. One get."""
        row = self._reads.get(keys.account(account), keys.PAGE_ACCOUNT)
        if row is None:
            raise AccountNotFound
        return account_from(row.body, row.version)

    def details(self, account: str) -> AccountDetails:
        """An account with its billing information, as of now. Raises AccountNotFound. One query."""
        page, _ = page_rows(self._reads, account, consistent=True)
        return details_of(page)

    # ---- Billing information ----

    def replace_information(self, account: str, area: Area, details: Details, version: int, event: Event) -> None:
        """Replaces one area's version `version` by the next, and records it. Raises StaleVersion. One transaction."""
        partition = keys.account(account)
        with self._transaction(StaleVersion()) as write:
            write.replace(Item(partition, keys.page_information(area), information_body(details)), version)
            write.record(event)
            if isinstance(details, BillingDetails):
                write.delete(partition, keys.undeliverable(details.email))

    # ---- People ----

    def users(self, account: str) -> tuple[User, ...]:
        """The people of an account, by user id, as of now. One query."""
        found = self._reads.query(
            keys.account(account), keys.USER, keys.last_of(keys.USER), limit=USERS_MAX, consistent=True
        )
        return tuple(user_from(row.body) for row in found)

    def save_user(self, account: Account, user: User, event: Event) -> None:
        """Keeps a person together with the account whose roles have changed for them, and records it.

        An address that an admin has just given is written to again. Raises ConcurrentChange when the account is no
        longer at its version. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.put(user_item(account, user))
            write.record(event)
            write.delete(partition, keys.undeliverable(user.email))

    def remove_user(self, account: Account, user: str, event: Event) -> None:
        """Removes a person together with their role in the account, and records it.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            write.delete(keys.account(account.id), keys.user(user))
            write.record(event)

    def accounts_of(self, user: str, *, limit: int, after: str | None) -> Slice[Membership]:
        """The accounts a person belongs to, by account id. One query of the index."""
        return self._reads.oldest(
            keys.user(user), keys.account(""), _membership_from, limit=limit, after=after, index=keys.INDEX
        )

    # ---- Addresses ----

    def correspondents(self, account: str) -> Correspondents:
        """Who may be written to, as of now. One query."""
        limit = USERS_MAX + UNDELIVERABLE_MAX
        found = self._reads.query(
            keys.account(account), keys.UNDELIVERABLE, keys.last_of(keys.USER), limit=limit, consistent=True
        )
        rows = [*found]
        return Correspondents(
            users=tuple(user_from(row.body) for row in rows if row.key.startswith(keys.USER)),
            undeliverable=frozenset(
                row.key.removeprefix(keys.UNDELIVERABLE) for row in rows if row.key.startswith(keys.UNDELIVERABLE)
            ),
        )

    def write_again_to(self, account: str, email: str) -> None:
        """Gives an address another chance. One write."""
        self._writes.delete(keys.account(account), keys.undeliverable(email))

    def mark_undeliverable(self, account: str, email: str, event: Event) -> None:
        """Keeps that an address is not written to, and records it. Raises ConcurrentChange if it is kept already.

        One transaction.
        """
        with self._transaction() as write:
            write.require_account(account)
            write.add(Item(keys.account(account), keys.undeliverable(email), text({"event": event.id})))
            write.record(event)


def account_item(account: Account) -> Item:
    """An account, to be written."""
    return Item(keys.account(account.id), keys.PAGE_ACCOUNT, account_body(account))


def user_item(account: Account, user: User) -> Item:
    """A person, to be written; the index finds their accounts."""
    partition, key = keys.account(account.id), keys.user(user.id)
    return Item(partition, key, user_body(user, account.name), index=(key, partition))


def _membership_from(row: Row) -> Membership:
    person, account_name = user_and_account_name_from(row.body)
    return Membership(account=row.partition.removeprefix(keys.account("")), name=account_name, role=person.role)
