"""Deliveries in the table: claims of mails, and records of sent mails."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.correspondence.audiences import Delivery
from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.table import Table

DELETED_ACCOUNT_DELIVERY_RETENTION = timedelta(days=30)
"""How long deliveries of a deleted account stay. Longer than an event can wait in the dead-letter queue: a redelivered
event still finds them."""


class DeliveryStore(Table):
    """The deliveries in the one table."""

    def claim_delivery(self, delivery: Delivery, claimant: str, now: datetime, until: datetime) -> bool:
        """Claims a mail for `claimant` until `until`. Returns False if the mail is already delivered.

        Raises ConcurrentChange while another claimant holds it, or if the account is deleted. One transaction, and
        one read if the transaction fails.
        """
        item = _item(delivery, {"claimant": claimant}, now, claimed_until=until)
        try:
            with self._transaction() as write:
                write.claim(item, now)
                if delivery.account is not None:
                    write.require_account(delivery.account)
        except ConcurrentChange:
            row = self._reads.get(item.partition, item.key)
            if row is None:
                raise
            if "claimed_until" not in row.image:
                return False
            if row.body != item.body:  # an equal body is this very claim: the answer to its write was lost
                raise
        return True

    def release_delivery(self, delivery: Delivery, claimant: str) -> None:
        """Releases the claimant's claim of a mail that was not sent. One write."""
        self._writes.release(_item(delivery, {"claimant": claimant}, None))

    def record_delivery(self, delivery: Delivery, message: str, now: datetime) -> None:
        """Records that a claimed mail was sent, with the mail service's `message` id. One write.

        Writes nothing if the claim is missing: the account is deleted, and nothing may be stored under it again.
        """
        self._writes.replace_existing(_item(delivery, {"message": message, "sent_at": now}, now))


def _item(delivery: Delivery, body: Body, now: datetime | None, claimed_until: datetime | None = None) -> Item:
    """The item of a delivery, written at `now`. Only a deleted account's last mail expires: no purge removes it."""
    is_last_mail = delivery.account is None
    return Item(
        keys.deleted(delivery.event) if delivery.account is None else keys.account(delivery.account),
        keys.delivery(delivery.event, delivery.recipient),
        text(body),
        expires_at=now + DELETED_ACCOUNT_DELIVERY_RETENTION if is_last_mail and now is not None else None,
        claimed_until=None if claimed_until is None else claimed_until.isoformat(),
    )
