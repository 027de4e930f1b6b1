"""What becomes of mail: an address that refuses it, or whose owner calls it unwanted, is not written to again."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.records import AccountStore
from billing.correspondence.audiences import DeliveryStatus, Feedback, lost_addresses
from billing.correspondence.records import DeliveryStore
from billing.kernel.errors import AccountNotFound
from billing.kernel.events import EventType, by_system
from billing.platform.events.new_event import new_event


def note_feedback(feedback: Feedback, *, now: datetime, accounts: AccountStore, deliveries: DeliveryStore) -> None:
    """Keeps what the mail service tells; the account's other admins and staff learn of a lost address by mail.

    An address that is no longer the account's, or never was, is nobody's concern. Told twice, it is kept once.

    Raises ConcurrentChange, after which it should be told again.
    """
    delivery = feedback.delivery
    if feedback.status is DeliveryStatus.SENT:
        deliveries.record_delivery(delivery, feedback.message, feedback.time)
        return
    if delivery.account is None:
        return  # there is nobody left to tell, and nothing more will be sent
    try:
        known = accounts.details(delivery.account)
    except AccountNotFound:
        return
    people = accounts.correspondents(delivery.account)
    addresses = {known.information.billing.details.email, *(user.email for user in people.users)}
    for email in lost_addresses(feedback, addresses, people.undeliverable):
        event = new_event(
            EventType.ADDRESS_UNDELIVERABLE,
            by_system(now, feedback.message),
            account=delivery.account,
            before=None,
            after={"email": email, "reason": feedback.status},
        )
        accounts.mark_undeliverable(delivery.account, email, event)
