"""What Livello keeps, spoken of in the verbs of the trade. The only way to the table.

Each method says what it costs in round trips. None returns a PynamoDB object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.session import Session
from pynamodb.exceptions import DeleteError, DoesNotExist, PutError, TransactWriteError
from pynamodb.transactions import TransactWrite

from billing.domain.account import USERS_MAX, Account, BillingPage, User
from billing.domain.catalogue import Catalogue
from billing.domain.errors import AccountNotFound, BillingError, ConcurrentChange, NotFound, StaleVersion
from billing.domain.events import Event
from billing.domain.information import Area, BillingDetails, BillingInformation, Details, Information
from billing.domain.invoices import Invoice
from billing.domain.permissions import Role
from billing.domain.schedules import BillingDue, Due, DueStage, Job, billing_due_at, due_at, start_of
from billing.domain.subscription import Subscription
from billing.store import keys, mapping
from billing.store.items import Item, Row, VersionedItem, connect, rows

if TYPE_CHECKING:  # only those who write mail, or deal with reviews, load what is known of it
    from billing.domain.mail import Delivery
    from billing.domain.reviews import Review
    from billing.domain.success_managers import SuccessManager

PAGE_INVOICES = 12
"""How many of the newest invoices the billing page shows."""

BOOKED_KEPT = timedelta(days=1)
"""How long it is remembered that time was given away, when it has passed."""

BOOKED_MAX = 32 * 24 * 4
"""How many quarters of an hour of a success manager are looked at: more than there are in the days that are shown."""

UNDELIVERABLE_MAX = 1000
"""How many undeliverable addresses of an account are looked at."""

DELIVERIES_OF_DELETED_ACCOUNTS_KEPT = timedelta(days=30)
"""Longer than an event can wait among the dead letters, so that one that is delivered again finds them."""

_FAILED_CONDITION = "ConditionalCheckFailedException"

T = TypeVar("T")


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
            subscription=mapping.subscription_from(
                page[keys.PAGE_SUBSCRIPTION].body, page[keys.PAGE_SUBSCRIPTION].version
            ),
            information=BillingInformation(
                company=Information(mapping.company_from(company.body), company.version),
                billing=Information(mapping.billing_from(billing.body), billing.version),
                contact=Information(mapping.contact_from(contact.body), contact.version),
            ),
            payment_method=None if payment is None else mapping.shown_payment_method_from(payment.body),
            invoices=tuple(mapping.invoice_from(row.body) for row in newest),
        )

    def provision(
        self,
        page: BillingPage,
        first_admin: User,
        event: Event,
        due: Due,
        billing: BillingDue,
        notice: DueStage | None = None,
    ) -> None:
        """Creates an account whole, and tells it. `due` is what autoscaling decides of it first, `billing` what is
        invoiced first, `notice` when it is told of the last day to avoid a renewal first.

        Raises ConcurrentChange if the id is taken. One transaction.
        """
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
            # What is still being deleted under this id would take the new account with it.
            transaction.condition_check(Item, partition, keys.PURGE, condition=Item.pk.does_not_exist())
            for key, body in bodies.items():
                transaction.save(VersionedItem(partition, key, body=body))
            transaction.save(_user_item(account, first_admin))
            transaction.save(_event_item(event))
            decided_at, billed_at = due_at(due.month, account.contract), billing_due_at(billing, account.contract)
            transaction.save(_due_item(account, Job.AUTOSCALING, decided_at, mapping.due_body(due)))
            transaction.save(_due_item(account, Job.RENEWAL, billed_at, mapping.billing_due_body(billing)))
            if notice is not None:
                told_at = start_of(notice.on, account.contract)
                transaction.save(_due_item(account, Job.ENDING, told_at, mapping.text(notice)))

    # ---- Billing information ----

    def replace_information(self, account: str, area: Area, details: Details, version: int, event: Event) -> None:
        """Replaces one area's version `version` by the next, and tells it. Raises StaleVersion. One transaction."""
        item = VersionedItem(keys.account(account), keys.PAGE_INFORMATION[area], version=version)
        with self._transaction(StaleVersion()) as transaction:
            transaction.update(item, actions=[VersionedItem.body.set(mapping.information_body(details))])
            transaction.save(_event_item(event))
            if isinstance(details, BillingDetails):
                _write_again_to(transaction, account, details.email)

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
            _write_again_to(transaction, account.account, user.email)

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

    # ---- Mail ----

    def correspondents(self, account: str) -> Correspondents:
        """Who may be written to. One query."""
        found = rows(
            self._connection,
            keys.account(account),
            keys.UNDELIVERABLE,
            keys.last_of(keys.USER),
            limit=USERS_MAX + UNDELIVERABLE_MAX,
            consistent=True,
        )
        return Correspondents(
            users=tuple(mapping.user_from(row.body) for row in found if row.sk.startswith(keys.USER)),
            undeliverable=frozenset(
                row.sk.removeprefix(keys.UNDELIVERABLE) for row in found if row.sk.startswith(keys.UNDELIVERABLE)
            ),
        )

    def claim_delivery(self, delivery: Delivery, claimant: str, now: datetime, until: datetime) -> bool:
        """Whether this mail is the claimant's to send, until `until`. It is nobody's once it is delivered.

        Raises ConcurrentChange while it is somebody else's, or if the account is gone. One transaction, and a
        read if that fails.
        """
        item = _delivery_item(delivery, {"claimant": claimant})
        item.claimed_until = until.isoformat()
        if delivery.account is None:
            item.expires_at = int((now + DELIVERIES_OF_DELETED_ACCOUNTS_KEPT).timestamp())
        free = Item.pk.does_not_exist() | (Item.claimed_until < now.isoformat())
        try:
            with self._transaction() as transaction:
                transaction.save(item, condition=free)
                if delivery.account is not None:
                    _require_account(transaction, delivery.account)
        except ConcurrentChange:
            try:
                standing = Item.get(item.pk, item.sk, consistent_read=True)
            except DoesNotExist:
                raise ConcurrentChange from None
            if standing.claimed_until is None:
                return False
            if standing.body != item.body:  # otherwise it is this very claim, whose answer was lost
                raise
        return True

    def release_delivery(self, delivery: Delivery, claimant: str) -> None:
        """Gives a claimed mail back, because it was not sent. One write."""
        item = _delivery_item(delivery, {"claimant": claimant})
        try:
            item.delete(condition=(Item.body == item.body) & Item.claimed_until.exists())
        except DeleteError as failure:
            if failure.cause_response_code != _FAILED_CONDITION:
                raise

    def record_delivery(self, delivery: Delivery, message: str, now: datetime) -> None:
        """Keeps that a claimed mail was sent, and by which id the mail service speaks of it. One write."""
        item = _delivery_item(delivery, {"message": message, "sent_at": now})
        if delivery.account is None:
            item.expires_at = int((now + DELIVERIES_OF_DELETED_ACCOUNTS_KEPT).timestamp())
        try:
            item.save(condition=Item.pk.exists())
        except PutError as failure:
            # Without the claim the account is gone, and nothing of it may come back.
            if failure.cause_response_code != _FAILED_CONDITION:
                raise

    def write_again_to(self, account: str, email: str) -> None:
        """Gives an address another chance. One write."""
        Item(keys.account(account), keys.undeliverable(email)).delete()

    def mark_undeliverable(self, account: str, email: str, event: Event) -> None:
        """Keeps that an address is not written to, and tells it. Raises ConcurrentChange if it is kept already.

        One transaction.
        """
        item = Item(keys.account(account), keys.undeliverable(email), body=mapping.text({"event": event.event}))
        with self._transaction() as transaction:
            _require_account(transaction, account)
            transaction.save(item, condition=Item.pk.does_not_exist())
            transaction.save(_event_item(event))

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

    def catalogue_version(self, version: int) -> Catalogue:
        """One version of the catalogue, such as an account has signed. Raises NotFound. One get."""
        try:
            item = Item.get(keys.CATALOGUE, keys.catalogue_version(version))
        except DoesNotExist:
            raise NotFound("There is no such version of the catalogue.") from None
        return mapping.catalogue_from(item.body, version)

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

    # ---- Success managers ----

    def success_managers(self, *, limit: int, after: str | None) -> Slice[SuccessManager]:
        """All success managers, by id; `after` is the `last` of the slice before. One query."""
        found = rows(
            self._connection,
            keys.MANAGERS,
            keys.MANAGER if after is None else keys.behind(keys.success_manager(after)),
            keys.last_of(keys.MANAGER),
            limit=limit + 1,
        )
        managers = tuple(mapping.success_manager_from(row.body, row.version) for row in found[:limit])
        return Slice(managers, managers[-1].success_manager if len(found) > limit else None)

    def success_manager(self, success_manager: str) -> SuccessManager | None:
        """One of them, as of now; None if there is no such one. One get."""
        try:
            item = VersionedItem.get(keys.MANAGERS, keys.success_manager(success_manager), consistent_read=True)
        except DoesNotExist:
            return None
        return mapping.success_manager_from(item.body, item.version)

    def replace_success_manager(self, manager: SuccessManager, version: int, event: Event) -> None:
        """Replaces version `version` of a success manager by the next, or with 0 adds one, and tells it.

        Raises StaleVersion. One transaction.
        """
        body = mapping.success_manager_body(manager)
        place = keys.MANAGERS, keys.success_manager(manager.success_manager)
        with self._transaction(StaleVersion()) as transaction:
            if version:
                item = VersionedItem(*place, version=version)
                transaction.update(item, actions=[VersionedItem.body.set(body)])
            else:
                transaction.save(VersionedItem(*place, body=body))
            transaction.save(_event_item(event, keys.MANAGERS))

    def assign_success_manager(self, account: Account, event: Event) -> None:
        """Keeps the account with its success manager, and tells it.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        with self._transaction() as transaction:
            self._change_account(transaction, account)
            transaction.save(_event_item(event))

    def booked(self, success_manager: str, first: datetime, last: datetime) -> frozenset[datetime]:
        """The cells that a success manager has given away from `first` to `last`, both included, by their beginning.

        One query of a tenth of a kilobyte each.
        """
        found = rows(
            self._connection,
            keys.success_manager(success_manager),
            keys.booked(first),
            keys.booked(last),
            limit=BOOKED_MAX,
            consistent=True,
        )
        return frozenset(datetime.fromisoformat(row.sk.removeprefix(keys.BOOKED)) for row in found)

    # ---- Reviews ----

    def review(self, account: str, review: str) -> Review:
        """One review of an account, as of now. Raises NotFound. One get."""
        try:
            item = VersionedItem.get(keys.account(account), keys.review(review), consistent_read=True)
        except DoesNotExist:
            raise NotFound("There is no such review.") from None
        return mapping.review_from(item.body, item.version)

    def open_review(self, account: str) -> Review | None:
        """The review that is booked and not decided yet, as of now. One get, and another if there is one."""
        try:
            standing = Item.get(keys.account(account), keys.REVIEW_OPEN, consistent_read=True)
        except DoesNotExist:
            return None
        return self.review(account, mapping.parsed(standing.body)["review"])

    def reviews(self, account: str, *, limit: int, after: str | None) -> Slice[Review]:
        """An account's reviews, newest first; `after` is the `last` of the slice before. One query."""
        found, last = self._newest(keys.account(account), keys.REVIEW, limit, after)
        return Slice(tuple(mapping.review_from(row.body, row.version) for row in found), last)

    def book_review(self, account: Account, review: Review, event: Event) -> None:
        """Keeps a review with the time that the success manager gives it, and tells it.

        Raises ConcurrentChange when the account is no longer at its version or has an open review, or when some of
        the time is given away. One transaction.
        """
        partition = keys.account(account.account)
        named = mapping.text({"review": review.review})
        absent = Item.pk.does_not_exist()
        with self._transaction() as transaction:
            _require_version(transaction, account)
            transaction.save(VersionedItem(partition, keys.review(review.review), body=mapping.review_body(review)))
            transaction.save(Item(partition, keys.REVIEW_OPEN, body=named), condition=absent)
            for item in _cell_items(review):
                transaction.save(item, condition=absent)
            transaction.save(_event_item(event))

    def cancel_review(self, account: Account, review: Review, event: Event) -> None:
        """Keeps that an open review is cancelled, takes the time back, and tells it.

        Raises ConcurrentChange when the review is no longer at its version. One transaction.
        """
        with self._transaction() as transaction:
            _require_account(transaction, account.account)
            _close_review(transaction, account.account, review, frees_time=True)
            transaction.save(_event_item(event))

    def decide_review(
        self, account: Account, review: Review, subscription: Subscription | None, event: Event, *, frees_time: bool
    ) -> None:
        """Keeps what was decided in an open review, with the subscription if that has changed, and tells it.

        Raises ConcurrentChange when one of the three is no longer at its version. One transaction.
        """
        with self._transaction() as transaction:
            _require_version(transaction, account)
            _close_review(transaction, account.account, review, frees_time=frees_time)
            if subscription is not None:
                item = VersionedItem(
                    keys.account(account.account), keys.PAGE_SUBSCRIPTION, version=subscription.version
                )
                body = mapping.subscription_body(subscription)
                transaction.update(item, actions=[VersionedItem.body.set(body)])
            transaction.save(_event_item(event))

    # ---- Events ----

    def events(self, account: str, *, limit: int, after: str | None) -> Slice[Event]:
        """What happened to an account, newest first; `after` is the `last` of the slice before. One query."""
        found, last = self._newest(keys.account(account), keys.EVENT, limit, after)
        return Slice(tuple(mapping.event_from(row.body) for row in found), last)

    # ---- How ----

    @contextmanager
    def _transaction(self, lost_race: BillingError | None = None) -> Iterator[TransactWrite]:
        """All or nothing, sent when the block ends. A failed condition is a ConcurrentChange unless it is named."""
        with (
            _told_as(lost_race or ConcurrentChange()),
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


def _require_account(transaction: TransactWrite, account: str) -> None:
    """Nothing is written for an account that is gone."""
    partition, key = keys.account(account), keys.PAGE_ACCOUNT
    transaction.condition_check(VersionedItem, partition, key, condition=VersionedItem.pk.exists())


def _require_version(transaction: TransactWrite, account: Account) -> None:
    """What is decided by the account as it was read is written if it still is so."""
    transaction.condition_check(
        VersionedItem,
        keys.account(account.account),
        keys.PAGE_ACCOUNT,
        condition=VersionedItem.version == account.version,
    )


def _close_review(transaction: TransactWrite, account: str, review: Review, *, frees_time: bool) -> None:
    """Keeps an open review as it is now. Its version guards all of it: whoever has it closes the review first."""
    item = VersionedItem(keys.account(account), keys.review(review.review), version=review.version)
    transaction.update(item, actions=[VersionedItem.body.set(mapping.review_body(review))])
    transaction.delete(Item(keys.account(account), keys.REVIEW_OPEN))
    if frees_time:
        for cell in _cell_items(review):
            transaction.delete(cell)


def _cell_items(review: Review) -> list[Item]:
    partition = keys.success_manager(review.manager.success_manager)
    expires_at = int((review.slot.ends + BOOKED_KEPT).timestamp())
    body = mapping.text({"review": review.review})
    return [Item(partition, keys.booked(cell), expires_at=expires_at, body=body) for cell in review.slot.cells]


def _write_again_to(transaction: TransactWrite, account: str, email: str) -> None:
    """An address that an admin has just given is given another chance."""
    transaction.delete(Item(keys.account(account), keys.undeliverable(email)))


def _event_item(event: Event, shared: str = keys.CATALOGUE) -> Item:
    """An event of no account stands in the `shared` partition of what it is about."""
    partition = shared if event.account is None else keys.account(event.account)
    return Item(partition, keys.event(event.event), body=mapping.event_body(event))


def _delivery_item(delivery: Delivery, body: mapping.Body) -> Item:
    partition = keys.deleted(delivery.event) if delivery.account is None else keys.account(delivery.account)
    return Item(partition, keys.delivery(delivery.event, delivery.recipient), body=mapping.text(body))


def _due_item(account: Account, job: Job, at: datetime, body: str) -> Item:
    return Item(
        keys.account(account.account),
        keys.due(job),
        gsi1pk=keys.shard_of(job, account.account),
        gsi1sk=keys.instant(at),
        body=body,
    )


def _user_item(account: Account, user: User) -> Item:
    return Item(
        keys.account(account.account),
        keys.user(user.user),
        gsi1pk=keys.user(user.user),
        gsi1sk=keys.account(account.account),
        body=mapping.user_body(user, account.name),
    )


@contextmanager
def _told_as(failed_condition: BillingError) -> Iterator[None]:
    """Turns a failed condition into the error that it means here, and a conflict into one that invites to repeat.

    Two transactions at the same moment on the same item are a conflict, whatever either of them says.
    """
    try:
        yield
    except TransactWriteError as failure:
        codes = {reason.code for reason in failure.cancellation_reasons if reason}
        if "ConditionalCheckFailed" in codes:
            raise failed_condition from failure
        if "TransactionConflict" in codes:
            raise ConcurrentChange from failure
        raise
