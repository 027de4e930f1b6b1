"""Mail that is claimed, sent, or given back."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.correspondence.audiences import Delivery
from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table

DELIVERIES_OF_DELETED_ACCOUNTS_KEPT = timedelta(days=30)
"""Longer than an event can wait among the dead letters, so that one that is delivered again finds them."""


class DeliveryStore(Table):
    """The deliveries in the one table."""

    def claim_delivery(self, delivery: Delivery, claimant: str, now: datetime, until: datetime) -> bool:
        """Whether this mail is the claimant's to send, until `until`. It is nobody's once it is delivered.

        Raises ConcurrentChange while it is somebody else's, or if the account is gone. One transaction, and a
        read if that fails.
        """
        item = _item(delivery, {"claimant": claimant}, now, claimed_until=until)
        try:
            with self._transaction() as write:
                write.claim(item, now)
                if delivery.account is not None:
                    write.require_account(delivery.account)
        except ConcurrentChange:
            found = self._reads.get(item.partition, item.key)
            if found is None:
                raise
            if "claimed_until" not in found.image:
                return False
            if found.body != item.body:  # otherwise it is this very claim, whose answer was lost
                raise
        return True

    def release_delivery(self, delivery: Delivery, claimant: str) -> None:
        """Gives a claimed mail back, because it was not sent. One write."""
        self._writes.release(_item(delivery, {"claimant": claimant}, None))

    def record_delivery(self, delivery: Delivery, message: str, now: datetime) -> None:
        """Keeps that a claimed mail was sent, and by which id the mail service names it. One write.

        Without the claim the account is gone, and nothing of it may come back: then nothing is kept.
        """
        self._writes.replace_existing(_item(delivery, {"message": message, "sent_at": now}, now))


def _item(delivery: Delivery, body: Body, now: datetime | None, claimed_until: datetime | None = None) -> Item:
    """A delivery, to be written at `now`. Only the last mail of a deleted account, which belongs to none, expires."""
    last = delivery.account is None
    return Item(
        keys.deleted(delivery.event) if delivery.account is None else keys.account(delivery.account),
        keys.delivery(delivery.event, delivery.recipient),
        text(body),
        expires_at=now + DELIVERIES_OF_DELETED_ACCOUNTS_KEPT if last and now is not None else None,
        claimed_until=None if claimed_until is None else claimed_until.isoformat(),
    )
