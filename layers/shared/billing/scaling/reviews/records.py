"""Reviews: booked with a success manager, cancelled, decided."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.accounts.rules import Account
from billing.kernel.errors import NotFound
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.scaling.reviews.mapping import review_body, review_from
from billing.scaling.reviews.rules import Review
from billing.scaling.reviews.success_manager_records import SuccessManagerStore
from billing.subscriptions.mapping import subscription_body
from billing.subscriptions.rules import Subscription

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

BOOKED_KEPT = timedelta(days=1)
"""How long it is remembered that time was given away, when it has passed."""


class ReviewStore(SuccessManagerStore):
    """The reviews in the one table, with the success managers whose time they take."""

    def review(self, account: str, review: str) -> Review:
        """One review of an account, as of now. Raises NotFound. One get."""
        row = self._reads.get(keys.account(account), keys.review(review))
        if row is None:
            raise NotFound("There is no such review.")
        return _review_from(row)

    def open_review(self, account: str) -> Review | None:
        """The review that is booked and not decided yet, as of now. One get, and another if there is one."""
        row = self._reads.get(keys.account(account), keys.REVIEW_OPEN)
        return None if row is None else self.review(account, parsed(row.body)["review"])

    def reviews(self, account: str, *, limit: int, after: str | None) -> Slice[Review]:
        """An account's reviews, newest first. One query."""
        return self._reads.newest(keys.account(account), keys.REVIEW, _review_from, limit=limit, after=after)

    def book_review(self, account: Account, review: Review, event: Event) -> None:
        """Keeps a review with the time that the success manager gives it, and records it.

        Raises ConcurrentChange when the account is no longer at its version or has an open review, or when some of
        the time is given away. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, account.version)
            write.replace(Item(partition, keys.review(review.id), review_body(review)), 0)
            write.add(Item(partition, keys.REVIEW_OPEN, text({"review": review.id})))
            for cell in _cells(review):
                write.add(cell)
            write.record(event)

    def cancel_review(self, account: Account, review: Review, event: Event) -> None:
        """Keeps that an open review is cancelled, takes the time back, and records it.

        Raises ConcurrentChange when the review is no longer at its version. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account.id)
            _close(write, account.id, review, frees_time=True)
            write.record(event)

    def decide_review(
        self, account: Account, review: Review, subscription: Subscription | None, event: Event, *, frees_time: bool
    ) -> None:
        """Keeps what was decided in an open review, with the subscription if that has changed, and records it.

        Raises ConcurrentChange when one of the three is no longer at its version. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            write.check(partition, keys.PAGE_ACCOUNT, account.version)
            _close(write, account.id, review, frees_time=frees_time)
            if subscription is not None:
                item = Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(subscription))
                write.replace(item, subscription.version)
            write.record(event)


def _close(write: Transaction, account: str, review: Review, *, frees_time: bool) -> None:
    """Keeps an open review as it is now. Its version guards all of it: the first to close the review wins."""
    partition = keys.account(account)
    write.replace(Item(partition, keys.review(review.id), review_body(review)), review.version)
    write.delete(partition, keys.REVIEW_OPEN)
    if frees_time:
        for cell in _cells(review):
            write.delete(cell.partition, cell.key)


def _cells(review: Review) -> list[Item]:
    partition = keys.success_manager(review.manager.success_manager)
    body, expires_at = text({"review": review.id}), review.slot.ends + BOOKED_KEPT
    return [Item(partition, keys.booked(cell), body, expires_at=expires_at) for cell in review.slot.cells]


def _review_from(row: Row) -> Review:
    return review_from(row.body, row.version)
