"""Records the mail service's reports: an address that bounced permanently or complained gets no more mail."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.records import AccountStore
from billing.correspondence.audiences import DeliveryStatus, Feedback, lost_addresses
from billing.correspondence.records import DeliveryStore
from billing.kernel.errors import AccountNotFound
from billing.kernel.events import EventType, by_system
from billing.platform.events.new_event import new_event


def note_feedback(
    feedback: Feedback, *, now: datetime, correlation: str, accounts: AccountStore, deliveries: DeliveryStore
) -> None:
    """Records a report of the mail service. The account's other admins and staff get a mail about a lost address.

    A report about an address that the account does not have is ignored. The same report twice changes nothing more.
    Costs one write for a sent mail; otherwise two queries, and one transaction per lost address.

    Raises ConcurrentChange, after which the report should be delivered again.
    """
    delivery = feedback.delivery
    if feedback.status is DeliveryStatus.SENT:
        deliveries.record_delivery(delivery, feedback.message, feedback.time)
        return
    if delivery.account is None:
        return  # the account is deleted, so no more mail is sent to its addresses
    try:
        details = accounts.details(delivery.account)
    except AccountNotFound:
        return
    people = accounts.correspondents(delivery.account)
    addresses = {details.information.billing.details.email, *(user.email for user in people.users)}
    for email in lost_addresses(feedback, addresses, people.undeliverable):
        event = new_event(
            EventType.ADDRESS_UNDELIVERABLE,
            by_system(now, correlation),
            account=delivery.account,
            before=None,
            after={"email": email, "reason": feedback.status},
        )
        accounts.mark_undeliverable(delivery.account, email, event)
