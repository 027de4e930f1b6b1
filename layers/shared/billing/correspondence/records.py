"""Deliveries in the table: claims of mails, and records of sent mails."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.correspondence.audiences import Delivery, is_in_order
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, instant_before
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row
from billing.platform.dynamodb.table import Table
from billing.platform.events.mapping import event_from

DELETED_ACCOUNT_DELIVERY_RETENTION = timedelta(days=30)
"""How long deliveries of a deleted account stay. Longer than an event can wait in the dead-letter queue: a redelivered
event still finds them."""

EARLIER_MAX = 25
"""How many earlier events a mail looks at. Each is a kilobyte or two."""

RETRIED_FOR = timedelta(days=3)
"""How long a mail is tried again (template.yaml, Notices)."""


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

    def not_mailed_before(self, event: Event) -> tuple[Event, ...]:
        """The earlier events of the account that have still something to mail, oldest first: see note_mailed.

        It looks at EARLIER_MAX events, back to RETRIED_FOR, after which a mail is a dead letter. What an earlier
        release has recorded is left out, because it noted nothing, and so is what is not published. One query, and one
        more if there are such events.
        """
        partition = keys.account(event.account or "")
        first, last = keys.event(instant_before(event.id, RETRIED_FOR)), keys.event(event.id)
        rows = self._reads.query(partition, first, last, limit=EARLIER_MAX + 1, newest_first=True, consistent=True)
        earlier = [each for row in rows if row.key != last and (each := _published_of(row)) is not None]
        waiting = [each for each in earlier if is_in_order(each) and each.sequence is not None]
        if not waiting:
            return ()
        noted = self._reads.query(partition, keys.delivered(waiting[-1].id), keys.delivered(event.id), consistent=True)
        mailed = {row.key for row in noted}
        return tuple(each for each in reversed(waiting) if keys.delivered(each.id) not in mailed)

    def as_recorded(self, event: Event) -> Event:
        """An event of an account as its record has it now: somebody whom it named may be erased since. One get.

        An event that is not in the record is as it was published: the account is deleted, or never recorded it.
        """
        row = self._reads.get(keys.account(event.account or ""), keys.event(event.id))
        recorded = None if row is None else _published_of(row)
        return recorded or event

    def note_mailed(self, event: Event) -> None:
        """Notes that no attempt to mail about an event is left to make. One transaction.

        Raises ConcurrentChange if the account is deleted.
        """
        account = event.account or ""
        with self._transaction() as write:
            write.require_account(account)
            write.put(Item(keys.account(account), keys.delivered(event.id), ""))


def _published_of(row: Row) -> Event | None:
    """The event of a row; None if it is not published, and so not mailed."""
    if "restored" in row.image:
        return None
    try:
        return event_from(row.body)
    except (KeyError, TypeError, ValueError):  # the publisher has set it aside
        return None


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
