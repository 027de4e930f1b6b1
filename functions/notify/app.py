"""Queue worker: mails each recipient of an event once.

A mail that cannot be sent now is retried with a growing delay: while SES is slow or down, mail is late but never lost.
An event that cannot be read or rendered goes to the dead letters at once.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from billing.platform import (
    workers,  # before pydantic: where that is loaded, the batch utility loads a parser for its models
)

# isort: split

from billing import wiring
from billing.correspondence.audiences import LetterContext, Recipient, Vendor
from billing.correspondence.event_kinds import AnyEvent, published
from billing.correspondence.letters import letter
from billing.correspondence.message import message
from billing.correspondence.notify import DeliveryCounts, Post, Unwritable
from billing.kernel.events import Event
from billing.platform.events.mapping import event_of
from billing.subscriptions.announce_version import VersionAnnouncements


def mail(message: str, _correlation: str) -> Mapping[str, Any]:
    """Mails one event to all its recipients. Raises Unwritable, or BillingError, which retries the message."""
    event, facts = _event(message)
    counts = _notify(event, facts)
    return {"sent": counts.sent, "skipped": counts.skipped, **_named(event)}


def about(message: str) -> Mapping[str, Any]:
    """The log fields of a message that was not mailed. Empty if it is no event."""
    try:
        event, _ = _event(message)
    except Unwritable:
        return {}
    return _named(event)


def _event(body: str) -> tuple[Event, AnyEvent]:
    """The event, and its typed form. Raises Unwritable."""
    try:
        event = event_of(orjson.loads(body)["detail"])
        return event, published(event)
    except (KeyError, TypeError, ValueError) as failure:
        raise Unwritable(f"It is no event, or does not fit its schema: {type(failure).__name__}.") from failure


def _notify(event: Event, facts: AnyEvent) -> DeliveryCounts:
    now = datetime.now(UTC)  # noqa: TID251 - mail carries the time of sending, also for a replayed event
    vendor = Vendor(os.environ["VENDOR_NAME"], os.environ["BILLING_PAGE"], os.environ["REPLY_TO_ADDRESS"])

    def write(about: Event, situation: LetterContext, recipient: Recipient, document: bytes | None) -> bytes:
        words = letter(facts if about is event else published(about), situation, recipient, vendor, document)
        return message(words, recipient, os.environ["SENDER_ADDRESS"], vendor, about.id, now)

    post = Post(
        claimant=uuid4().hex,
        now=now,
        staff_address=os.environ["STAFF_ADDRESS"] or None,
        accounts=wiring.account_store(),
        deliveries=wiring.delivery_store(),
        mailer=wiring.mailer(),
        documents=wiring.documents(),
        write=write,
        test_mail_domain=os.environ["TEST_MAIL_DOMAIN"],
        promises=VersionAnnouncements(now, int(os.environ["PRICE_NOTICE_DAYS"]), wiring.subscription_store()),
    )
    return post.send_in_order(event, workers.attempt())


def _named(event: Event) -> dict[str, Any]:
    return {"event": event.id, "type": event.type, "account": event.account}


handler = workers.worker(
    mail, wiring.queue, unwritable=wiring.dead_letters, done="notified", failed="not sent", about=about
)
