"""Items of reviews, with the booked time of success managers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.accounts.rules import Account
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import NotFound
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Reader, Row, Slice
from billing.scaling.reviews.mapping import review_body, review_from
from billing.scaling.reviews.rules import Review
from billing.scaling.reviews.success_manager_records import SuccessManagerStore
from billing.subscriptions.mapping import subscription_body
from billing.subscriptions.subscriber import Subscriber

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

BOOKED_RETENTION = timedelta(days=1)
"""How long a booked cell is kept after the review ends."""

BOOKED_ON_CLOCK_RETENTION = timedelta(days=4 * 366)
"""How much longer on a test clock, which may be two years behind the real time, by which DynamoDB deletes."""


class ReviewStore(SuccessManagerStore):
    """Reads and writes reviews and success managers in the one table."""

    def review(self, account: str, review: str) -> Review:
        """One review of an account, read consistently. Raises NotFound. One get."""
        row = self._reads.get(keys.account(account), keys.review(review))
        if row is None:
            raise NotFound("There is no such review.")
        return _review_from(row)

    def open_review(self, account: str) -> Review | None:
        """The account's open review, read consistently; None without one. One get, and another if there is one."""
        return open_review_of(self._reads, account)

    def reviews(self, account: str, *, limit: int, after: str | None) -> Slice[Review]:
        """An account's reviews, newest first. One query."""
        return self._reads.newest(keys.account(account), keys.REVIEW, _review_from, limit=limit, after=after)

    def reviews_of(
        self, success_manager: str, *, limit: int, after: str | None, clock: str | None = None
    ) -> Slice[tuple[str, Review]]:
        """A page of the reviews that were booked with a success manager, with their accounts; the latest first. Of the
        accounts on a test clock if one is named.

        One query of the index.
        """

        def listed(row: Row) -> tuple[str, Review]:
            return row.partition.removeprefix(keys.account("")), _review_from(row)

        partition = keys.reviews_of(success_manager)
        return self._reads.listed([partition], listed, limit=limit, after=after, newest_first=True, clock=clock)

    def book_review(self, account: Account, review: Review, event: Event) -> None:
        """Saves a new review with its booked cells, and records the event.

        Raises ConcurrentChange when the account is no longer at its version or has an open review, or when one of the
        cells is booked. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, account.version)
            write.replace(review_item(account.id, review), 0)
            write.add(Item(partition, keys.REVIEW_OPEN, text({"review": review.id})))
            for cell in _cells(review, account.id):
                write.add(cell)
            write.record(event)

    def cancel_review(self, account: Account, review: Review, event: Event) -> None:
        """Saves a cancelled review, frees its cells, and records the event.

        Raises ConcurrentChange when the review is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account.id)
            close_review(write, account.id, review, frees_time=True)
            write.record(event)

    def decide_review(
        self, account: Account, review: Review, changed: Subscriber | None, event: Event, *, frees_time: bool
    ) -> None:
        """Saves a decided review, and its subscription if it changed, and records the event.

        Raises ConcurrentChange when the account, the review or the subscription is no longer at its version. One
        transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, account.version)
            close_review(write, account.id, review, frees_time=frees_time)
            if changed is not None:
                item = Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(changed.subscription))
                write.replace(item, changed.subscription.version)
                # The renewal from which a lower tier takes effect must not be fixed meanwhile.
                write.check(partition, keys.PAGE_PERIOD, changed.fixed.version)
            write.record(event)


def open_review_of(reads: Reader, account: str) -> Review | None:
    """The account's open review, read consistently; None without one. One get, and another if there is one."""
    partition = keys.account(account)
    row = reads.get(partition, keys.REVIEW_OPEN)
    found = None if row is None else reads.get(partition, keys.review(parsed(row.body)["review"]))
    return None if found is None else _review_from(found)


def free_time(write: Transaction, review: Review, account: str) -> None:
    """Adds to a transaction that the booked time of a review is free again."""
    for cell in _cells(review, account):
        write.delete(cell.partition, cell.key)


def close_review(write: Transaction, account: str, review: Review, *, frees_time: bool) -> None:
    """Adds to a transaction that an open review is closed. The review's version guards it: the first writer wins."""
    partition = keys.account(account)
    write.replace(review_item(account, review), review.version)
    write.delete(partition, keys.REVIEW_OPEN)
    if frees_time:
        free_time(write, review, account)


def review_item(account: str, review: Review) -> Item:
    """The item of a review, in the list of its success manager by its begin."""
    manager = keys.reviews_of(review.manager.success_manager)
    place = manager, f"{keys.instant(review.slot.begins)}#{account}#{review.id}"
    return Item(keys.account(account), keys.review(review.id), review_body(review), list_index=place)


def _cells(review: Review, account: str) -> list[Item]:
    partition = keys.booked_time(review.manager.success_manager, account)
    body, expires_at = text({"review": review.id}), review.slot.ends + BOOKED_RETENTION
    if clock_of(account) is not None:
        expires_at += BOOKED_ON_CLOCK_RETENTION
    return [Item(partition, keys.booked(cell), body, expires_at=expires_at) for cell in review.slot.cells]


def _review_from(row: Row) -> Review:
    return review_from(row.body, row.version)
