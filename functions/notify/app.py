"""The queue of events → mail: whoever is concerned is written to, once.

What cannot be sent now comes again later, and later each time: when SES is slow or down, mail is late and never lost.
What can never be written goes to the dead letters at once, and holds up nothing.
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
from billing.correspondence.notify import DeliveryCounts, Unwritable, notify
from billing.kernel.events import Event
from billing.platform.events.mapping import event_of


def mail(message: str, _correlation: str) -> Mapping[str, Any]:
    """One event, to each of its recipients."""
    happened, facts = _event(message)
    outcome = _notify(happened, facts)
    return {"sent": outcome.sent, "skipped": outcome.skipped, **_named(happened)}


def about(message: str) -> Mapping[str, Any]:
    """What the log names of a message that was not mailed: nothing of one that is no event."""
    try:
        happened, _ = _event(message)
    except Unwritable:
        return {}
    return _named(happened)


def _event(body: str) -> tuple[Event, AnyEvent]:
    """The event, and what its kind says of it."""
    try:
        happened = event_of(orjson.loads(body)["detail"])
        return happened, published(happened)
    except (KeyError, TypeError, ValueError) as failure:
        raise Unwritable(f"It is no event, or does not fit its schema: {type(failure).__name__}.") from failure


def _notify(happened: Event, facts: AnyEvent) -> DeliveryCounts:
    now = datetime.now(UTC)  # noqa: TID251 - when a mail is really sent: a replayed event changes nothing of it
    vendor = Vendor(os.environ["VENDOR_NAME"], os.environ["BILLING_PAGE"], os.environ["REPLY_TO_ADDRESS"])

    def write(_: Event, situation: LetterContext, recipient: Recipient, document: bytes | None) -> bytes:
        words = letter(facts, situation, recipient, vendor, document)
        return message(words, recipient, os.environ["SENDER_ADDRESS"], vendor, happened.id, now)

    return notify(
        happened,
        claimant=uuid4().hex,
        now=now,
        staff_address=os.environ["STAFF_ADDRESS"] or None,
        accounts=wiring.account_store(),
        deliveries=wiring.delivery_store(),
        mailer=wiring.mailer(),
        documents=wiring.documents(),
        write=write,
    )


def _named(happened: Event) -> dict[str, Any]:
    return {"event": happened.id, "type": happened.type, "account": happened.account}


handler = workers.worker(
    mail, wiring.queue, unwritable=wiring.dead_letters, done="notified", failed="not sent", about=about
)
