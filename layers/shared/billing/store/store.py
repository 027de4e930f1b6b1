"""What Livello keeps, spoken of in the verbs of the trade. The only way to the table.

Each method says what it costs in round trips. None returns a PynamoDB object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from botocore.session import Session
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.transactions import TransactWrite

from billing.domain.account import USERS_MAX, Account, BillingPage, User
from billing.domain.catalogue import Catalogue
from billing.domain.errors import AccountNotFound, BillingError, ConcurrentChange, StaleVersion
from billing.domain.events import Event
from billing.domain.information import Area, BillingInformation, Details, Information
from billing.domain.invoices import Invoice
from billing.domain.permissions import Role
from billing.store import keys, mapping
from billing.store.items import Item, Row, VersionedItem, connect, rows

PAGE_INVOICES = 12
"""How many of the newest invoices the billing page shows."""

_LOST_RACES = frozenset({"ConditionalCheckFailed", "TransactionConflict"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Membership:
    """An account as one of its people finds it in their list."""

    account: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A part of a list. `last` leads to what follows; None when nothing does."""

    items: tuple[T, ...]
    last: str | None


class BillingStore:
    """The one table."""

    def __init__(self, table_name: str, session: Session) -> None:
        self._connection = connect(table_name, session)

    # ---- Accounts ----

    def account(self, account: str) -> Account:
        """One account, as of now. Raises AccountNotFound. One get."""
        try:
            item = VersionedItem.get(keys.account(account), keys.PAGE_ACCOUNT, consistent_read=True)
        except DoesNotExist:
            raise AccountNotFound from None
        return mapping.account_from(item.body, item.version)

    def billing_page(self, account: str, *, invoices: int = PAGE_INVOICES, consistent: bool = False) -> BillingPage:
        """The whole billing page with its newest invoices. Raises AccountNotFound. One query.

        Lags behind a change by a moment unless it is read `consistent`, at twice the price.
        """
        found = rows(
            self._connection,
            keys.account(account),
            keys.INVOICE if invoices else keys.PAGE,
            keys.last_of(keys.PAGE),
            limit=len(keys.PAGE_ITEMS) + invoices,
            newest_first=True,
            consistent=consistent,
        )
        page = {row.sk: row for row in found}
        if not page.keys() >= keys.PAGE_ALWAYS:
            # Not there, or just coming to be: a query may see a part of a transaction.
            raise AccountNotFound
        newest = [row for row in found if row.sk.startswith(keys.INVOICE)][:invoices]
        payment = page.get(keys.PAGE_PAYMENT_METHOD)
        company, billing, contact = (page[keys.PAGE_INFORMATION[area]] for area in Area)
        return BillingPage(
            account=mapping.account_from(page[keys.PAGE_ACCOUNT].body, page[keys.PAGE_ACCOUNT].version),
            subscription=mapping.subscription_from(page[keys.PAGE_SUBSCRIPTION].body),
            information=BillingInformation(
                company=Information(mapping.company_from(company.body), company.version),
                billing=Information(mapping.billing_from(billing.body), billing.version),
                contact=Information(mapping.contact_from(contact.body), contact.version),
            ),
            payment_method=None if payment is None else mapping.payment_method_from(payment.body),
            invoices=tuple(mapping.invoice_from(row.body) for row in newest),
        )

    def provision(self, page: BillingPage, first_admin: User, event: Event) -> None:
        """Creates an account whole, and tells it. Raises ConcurrentChange if the id is taken. One transaction."""
        account = page.account
        partition = keys.account(account.account)
        bodies = {
            keys.PAGE_ACCOUNT: mapping.account_body(account),
            keys.PAGE_SUBSCRIPTION: mapping.subscription_body(page.subscription),
            **{
                keys.PAGE_INFORMATION[area]: mapping.information_body(page.information.area(area).details)
                for area in Area
            },
        }
        with self._transaction() as transaction:
            for key, body in bodies.items():
                transaction.save(VersionedItem(partition, key, body=body))
            transaction.save(_user_item(account, first_admin))
            transaction.save(_event_item(event))

    # ---- Billing information ----

    def replace_information(self, account: str, area: Area, details: Details, version: int, event: Event) -> None:
        """Replaces one area's version `version` by the next, and tells it. Raises StaleVersion. One transaction."""
        item = VersionedItem(keys.account(account), keys.PAGE_INFORMATION[area], version=version)
        with self._transaction(StaleVersion()) as transaction:
            transaction.update(item, actions=[VersionedItem.body.set(mapping.information_body(details))])
            transaction.save(_event_item(event))

    # ---- People ----

    def users(self, account: str) -> tuple[User, ...]:
        """The people of an account, by user id. One query."""
        found = rows(
            self._connection,
            keys.account(account),
            keys.USER,
            keys.last_of(keys.USER),
            limit=USERS_MAX,
            consistent=True,
        )
        return tuple(mapping.user_from(row.body) for row in found)

    def save_user(self, account: Account, user: User, event: Event) -> None:
        """Keeps a person together with the account whose roles have changed for them, and tells it.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        with self._transaction() as transaction:
            self._change_account(transaction, account)
            transaction.save(_user_item(account, user))
            transaction.save(_event_item(event))

    def remove_user(self, account: Account, user: str, event: Event) -> None:
        """Forgets a person together with their role in the account, and tells it.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        with self._transaction() as transaction:
            self._change_account(transaction, account)
            transaction.delete(Item(keys.account(account.account), keys.user(user)))
            transaction.save(_event_item(event))

    def accounts_of(self, user: str, *, limit: int, after: str | None) -> Slice[Membership]:
        """The accounts a person belongs to, by account id. One query of the index."""
        found = rows(
            self._connection,
            keys.user(user),
            keys.account("") if after is None else keys.behind(keys.account(after)),
            keys.last_of(keys.account("")),
            limit=limit + 1,
            index=keys.INDEX,
        )
        memberships = tuple(
            Membership(account=row.pk.removeprefix(keys.account("")), name=account_name, role=person.role)
            for row in found[:limit]
            for person, account_name in [mapping.user_and_account_name_from(row.body)]
        )
        return Slice(memberships, memberships[-1].account if len(found) > limit else None)

    # ---- Invoices ----

    def invoices(self, account: str, *, limit: int, after: str | None) -> Slice[Invoice]:
        """An account's invoices, newest first; `after` is the `last` of the slice before. One query."""
        found, last = self._newest(keys.account(account), keys.INVOICE, limit, after)
        return Slice(tuple(mapping.invoice_from(row.body) for row in found), last)

    # ---- Catalogue ----

    def catalogue(self) -> Catalogue | None:
        """The newest version of the catalogue, None before the first. One query."""
        newest = rows(
            self._connection,
            keys.CATALOGUE,
            keys.VERSION,
            keys.last_of(keys.VERSION),
            limit=1,
            newest_first=True,
            consistent=True,
        )
        if not newest:
            return None
        return mapping.catalogue_from(newest[0].body, int(newest[0].sk.removeprefix(keys.VERSION)))

    def add_catalogue(self, catalogue: Catalogue, event: Event) -> None:
        """Adds a version that is not there yet, and tells it. Raises StaleVersion if it is. One transaction."""
        item = Item(
            keys.CATALOGUE,
            keys.catalogue_version(catalogue.version),
            body=mapping.catalogue_body(catalogue.products),
        )
        with self._transaction(StaleVersion()) as transaction:
            transaction.save(item, condition=Item.pk.does_not_exist())
            transaction.save(_event_item(event))

    # ---- Events ----

    def events(self, account: str, *, limit: int, after: str | None) -> Slice[Event]:
        """What happened to an account, newest first; `after` is the `last` of the slice before. One query."""
        found, last = self._newest(keys.account(account), keys.EVENT, limit, after)
        return Slice(tuple(mapping.event_from(row.body) for row in found), last)

    # ---- How ----

    @contextmanager
    def _transaction(self, lost_race: BillingError | None = None) -> Iterator[TransactWrite]:
        """All or nothing, sent when the block ends; a lost race is a ConcurrentChange unless it is named."""
        with (
            _lost_race_as(lost_race or ConcurrentChange()),
            TransactWrite(connection=self._connection) as transaction,
        ):
            yield transaction

    def _newest(self, partition: str, family: str, limit: int, after: str | None) -> tuple[list[Row], str | None]:
        """A slice of a family, newest first, and where the next one begins."""
        before = family + after if after else keys.last_of(family)
        found = rows(
            self._connection,
            partition,
            family,
            before,
            limit=limit + 2,  # the one that `after` names, and one that tells whether more follow
            newest_first=True,
        )
        following = [row for row in found if row.sk != before]
        last = following[limit - 1].sk.removeprefix(family) if len(following) > limit else None
        return following[:limit], last

    @staticmethod
    def _change_account(transaction: TransactWrite, account: Account) -> None:
        item = VersionedItem(keys.account(account.account), keys.PAGE_ACCOUNT, version=account.version)
        transaction.update(item, actions=[VersionedItem.body.set(mapping.account_body(account))])


def _event_item(event: Event) -> Item:
    partition = keys.CATALOGUE if event.account is None else keys.account(event.account)
    return Item(partition, keys.event(event.event), body=mapping.event_body(event))


def _user_item(account: Account, user: User) -> Item:
    return Item(
        keys.account(account.account),
        keys.user(user.user),
        gsi1pk=keys.user(user.user),
        gsi1sk=keys.account(account.account),
        body=mapping.user_body(user, account.name),
    )


@contextmanager
def _lost_race_as(error: BillingError) -> Iterator[None]:
    """Turns a failed condition into the error that it means here; anything else goes through."""
    try:
        yield
    except TransactWriteError as failure:
        if any(reason and reason.code in _LOST_RACES for reason in failure.cancellation_reasons):
            raise error from failure
        raise
