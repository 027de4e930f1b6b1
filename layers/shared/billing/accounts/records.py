"""Reads and writes accounts, their users, their billing information and their undeliverable addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from billing.accounts.information import Area, BillingDetails, Details
from billing.accounts.log_in_records import LogInStore, leave, stay
from billing.accounts.mapping import (
    account_body,
    account_of,
    information_body,
    user_and_account_name_from,
    user_body,
    user_from,
    vat_number_due_body,
)
from billing.accounts.page_rows import details_of, page_rows
from billing.accounts.rules import USERS_MAX, Account, AccountDetails, User
from billing.accounts.vat_number_due import VatNumberDue
from billing.kernel.errors import AccountNotFound, StaleVersion
from billing.kernel.events import Event
from billing.kernel.permissions import Role
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.mark import mark_once
from billing.platform.dynamodb.reader import Row, Slice

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

UNDELIVERABLE_MAX = 1000
"""How many undeliverable addresses of an account one query reads."""


@dataclass(frozen=True, slots=True)
class Membership:
    """One account in a user's list of accounts."""

    account: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Correspondents:
    """The users of an account, and its addresses that get no more mail after a bounce or complaint."""

    users: tuple[User, ...]
    undeliverable: frozenset[str]


class AccountStore(LogInStore):
    """Accounts in the table."""

    # ---- Accounts ----

    def account(self, account: str) -> Account:
        """Returns the account, read consistently. Raises AccountNotFound. One get."""
        row = self._reads.get(keys.account(account), keys.PAGE_ACCOUNT)
        if row is None:
            raise AccountNotFound
        return account_of(row)

    def details(self, account: str) -> AccountDetails:
        """Returns the account and its billing information, read consistently. Raises AccountNotFound. One query."""
        page, _ = page_rows(self._reads, account, consistent=True)
        return details_of(page)

    # ---- Billing information ----

    def replace_information(
        self,
        account: str,
        area: Area,
        details: Details,
        version: int,
        event: Event,
        vat_number: VatNumberDue | None = None,
    ) -> None:
        """Replaces version `version` of an area, and records the event. Clears a billing address's undeliverable mark.

        `vat_number` is when the VAT number of a changed company is asked about; None leaves that as it is. Raises
        StaleVersion when the area is at another version, ConcurrentChange after a collision. One transaction.
        """
        partition = keys.account(account)
        with self._transaction(StaleVersion()) as write:
            write.replace(Item(partition, keys.page_information(area), information_body(details)), version)
            write.record(event)
            if isinstance(details, BillingDetails):
                write.delete(partition, keys.undeliverable(details.email))
            if vat_number is not None:
                set_vat_number_due(write, account, vat_number)

    # ---- Users ----

    def note_log_in(self, account: str, user: str, at: datetime, *, is_admin: bool) -> bool:
        """Notes a user's first request about an account; returns whether it was the first. One write.

        The first one of an admin is noted for the account, too. `at` is in UTC. Raises Busy and ConcurrentChange.
        """
        partition, mark = keys.account(account), keys.logged_in(user)
        also = keys.USED_SINCE if is_admin else None
        return mark_once(self._client, self._name, partition, keys.PAGE_ACCOUNT, mark, at.isoformat(), also=also)

    def users(self, account: str) -> tuple[User, ...]:
        """Returns the users of an account, by user id, read consistently. One query."""
        rows = self._reads.query(
            keys.account(account), keys.USER, keys.last_of(keys.USER), limit=USERS_MAX, consistent=True
        )
        return tuple(user_from(row.body) for row in rows)

    def save_user(self, account: Account, user: User, *events: Event, replaces: str | None = None) -> None:
        """Writes a user and the account with its new roles, and records the events.

        Clears the address's undeliverable mark, because an admin has just given this address. `replaces` is the id of
        the same person's log-in that is gone: its user is deleted. Raises ConcurrentChange when the account is no
        longer at its version, while the log-in is being deleted, and while the person is being erased. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            # A person who comes again has not used the account since.
            unmarked = [] if events[-1].before else [keys.logged_in(user.id)]
            if replaces is not None:
                unmarked.append(keys.logged_in(replaces))
                write.delete(partition, keys.user(replaces))
            write.replace_account(account_item(account), account.version, unmarked=unmarked)
            write.put(user_item(account, user))
            for event in events:
                write.record(event)
            write.delete(partition, keys.undeliverable(user.email))
            stay(write, user.id)
            write.check(partition, keys.erasure(user.id), 0)

    def remove_user(self, account: Account, user: str, event: Event, log_in_until: datetime) -> None:
        """Deletes a user, writes the account without their role, and records the event.

        From `log_in_until` on their log-in is deleted, if they belong to no account by then. Raises ConcurrentChange
        when the account is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.replace_account(account_item(account), account.version, unmarked=[keys.logged_in(user)])
            write.delete(keys.account(account.id), keys.user(user))
            write.record(event)
            leave(write, user, log_in_until)

    def correct_provisioning(
        self,
        account: Account,
        admin: User,
        former: Sequence[User],
        information: Mapping[Area, tuple[Details, int]],
        events: Sequence[Event],
        vat_number: VatNumberDue | None,
        log_ins_until: datetime,
    ) -> None:
        """Writes the first admin in place of `former`, and areas at their versions, and records the events.

        Clears the undeliverable marks of the corrected addresses. `vat_number` is when the VAT number of a changed
        company is asked about; None leaves that. From `log_ins_until` on the log-ins of `former` are deleted, if they
        belong to no account by then. Raises StaleVersion when an admin has used the account, or it or an area is no
        longer at its version, while the new log-in is being deleted, and while its person is being erased. One
        transaction.
        """
        partition = keys.account(account.id)
        addresses = {admin.email} | {each.email for each, _ in information.values() if isinstance(each, BillingDetails)}
        gone = [keys.logged_in(user.id) for user in former]
        with self._transaction(StaleVersion()) as write:
            write.replace_account(account_item(account), account.version, unmarked=gone, without=[keys.USED_SINCE])
            for user in former:
                write.delete(partition, keys.user(user.id))
                leave(write, user.id, log_ins_until)
            write.put(user_item(account, admin))
            stay(write, admin.id)
            write.check(partition, keys.erasure(admin.id), 0)
            for area, (details, version) in information.items():
                write.replace(Item(partition, keys.page_information(area), information_body(details)), version)
            for event in events:
                write.record(event)
            for address in sorted(addresses):
                write.delete(partition, keys.undeliverable(address))
            if vat_number is not None:
                set_vat_number_due(write, account.id, vat_number)

    def accounts_of(self, user: str, *, limit: int, after: str | None) -> Slice[Membership]:
        """Returns one page of the accounts of a user, by account id. One query of the index."""
        return self._reads.oldest(
            keys.user(user), keys.account(""), _membership_from, limit=limit, after=after, index=keys.INDEX
        )

    # ---- Addresses ----

    def correspondents(self, account: str) -> Correspondents:
        """Returns the users and the undeliverable addresses of an account, read consistently. One query."""
        limit = USERS_MAX + UNDELIVERABLE_MAX
        rows = [
            *self._reads.query(
                keys.account(account), keys.UNDELIVERABLE, keys.last_of(keys.USER), limit=limit, consistent=True
            )
        ]
        return Correspondents(
            users=tuple(user_from(row.body) for row in rows if row.key.startswith(keys.USER)),
            undeliverable=frozenset(
                row.key.removeprefix(keys.UNDELIVERABLE) for row in rows if row.key.startswith(keys.UNDELIVERABLE)
            ),
        )

    def clear_undeliverable(self, account: str, email: str) -> None:
        """Allows mail to an address again. One write."""
        self._writes.delete(keys.account(account), keys.undeliverable(email))

    def mark_undeliverable(self, account: str, email: str, event: Event) -> None:
        """Marks an address as undeliverable, and records the event.

        Raises ConcurrentChange if it is marked already or the account is deleted. One transaction.
        """

        def mark(recorded: Event) -> Item:
            return Item(keys.account(account), keys.undeliverable(email), text({"event": recorded.id}))

        with self._transaction() as write:
            write.require_account(account)
            write.record_with(event, mark)


def account_item(account: Account) -> Item:
    """The item of an account."""
    return Item(keys.account(account.id), keys.PAGE_ACCOUNT, account_body(account))


def user_item(account: Account, user: User) -> Item:
    """The item of a user. The index lists a user's accounts."""
    partition, key = keys.account(account.id), keys.user(user.id)
    return Item(partition, key, user_body(user, account.name), index=(key, partition))


def set_vat_number_due(write: Transaction, account: str, due: VatNumberDue) -> None:
    """Sets when the VAT number of an account is asked about, whatever was due before."""
    write.due(account, Job.VAT_NUMBER, due.at, vat_number_due_body(due))


def _membership_from(row: Row) -> Membership:
    user, account_name = user_and_account_name_from(row.body)
    return Membership(account=row.partition.removeprefix(keys.account("")), name=account_name, role=user.role)
