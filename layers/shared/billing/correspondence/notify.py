"""Sends the mail about an event: one mail per event and recipient, however often the event is delivered.

A worker claims each mail before it sends it, and records the delivery afterwards. A worker that crashes in between may
or may not have sent the mail. Until the claim expires, SES can report the mail as sent (note_feedback). Without such a
report another worker sends it again: two mails are better than none (docs/decisions/0007).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.accounts.records import AccountStore
from billing.correspondence.audiences import (
    WITH_DOCUMENT,
    Delivery,
    LetterContext,
    Recipient,
    is_mailed,
    outlives_account,
    reachable,
    recipients,
)
from billing.correspondence.mailer import Mailer
from billing.correspondence.records import DeliveryStore
from billing.kernel.errors import (
    AccountNotFound,
    AnswerLost,
    BillingError,
    ConcurrentChange,
    Unprocessable,
    UpstreamFailed,
)
from billing.kernel.events import Event
from billing.platform.files.interfaces import Documents

CLAIM = timedelta(minutes=2)
"""How long a claim lasts. Longer than the time-out of a worker: the owner of an expired claim no longer runs."""

MESSAGE_TYPE = "message/rfc822"

STAFF_LANGUAGE = "en"
"""The language of mail to staff about what belongs to no account; other mail has the language of its account."""

Write = Callable[[Event, LetterContext, Recipient, bytes | None], bytes]
"""Builds the message about an event to a recipient, with the event's PDF if it has one. Raises if it cannot."""


class NotAllSent(BillingError):
    """Some mails about an event were not sent. A retry sends only those."""

    code = "not-all-sent"


class Unwritable(Unprocessable):
    """No mail can be built about this event, now or later."""

    code = "unwritable"


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """How many mails were sent, and how many recipients were skipped: already delivered, or undeliverable."""

    sent: int
    skipped: int


def notify(
    event: Event,
    *,
    claimant: str,
    now: datetime,
    staff_address: str | None,
    accounts: AccountStore,
    deliveries: DeliveryStore,
    mailer: Mailer,
    documents: Documents,
    write: Write,
) -> DeliveryCounts:
    """Sends the mail about an event to each of its recipients. `claimant` names this attempt.

    A failure for one recipient never stops the mail to another. Costs two queries, and for each recipient a
    transaction, an upload of the audit copy, a call of the mail service and a write. Raises NotAllSent if some mails
    should be tried again, otherwise Unwritable if a mail could not be built.
    """
    if not is_mailed(event):
        return DeliveryCounts(0, 0)
    try:
        letter_context, addressed, undeliverable = _addressees(event, staff_address, accounts)
    except AccountNotFound:
        return DeliveryCounts(0, 0)  # deleted meanwhile, together with all its users
    document = _document(event, documents)
    sent = 0
    failures: list[BillingError] = []
    unwritable: list[Unwritable] = []
    for recipient in reachable(addressed, undeliverable):
        try:
            message = _build(write, event, letter_context, recipient, document)
            sent += _deliver(event, recipient, message, claimant, now, deliveries, mailer, documents)
        except Unwritable as failure:
            unwritable.append(failure)
        except (ConcurrentChange, UpstreamFailed) as failure:
            failures.append(failure)
    if failures:
        raise NotAllSent(f"{len(failures)} of {len(addressed)} were not sent: {failures[0].detail}")
    if unwritable:
        raise unwritable[0]
    return DeliveryCounts(sent, len(addressed) - sent)


def _addressees(
    event: Event, staff_address: str | None, accounts: AccountStore
) -> tuple[LetterContext, tuple[Recipient, ...], frozenset[str]]:
    if outlives_account(event):
        after = event.after or {}
        letter_context = LetterContext(after.get("account_name", event.account or ""), after["language"], "UTC", None)
        return letter_context, recipients(event, (), None, staff_address), frozenset()
    if event.account is None:
        return LetterContext("", STAFF_LANGUAGE, "UTC", None), recipients(event, (), None, staff_address), frozenset()
    details = accounts.details(event.account)
    people = accounts.correspondents(event.account)
    billing = details.information.billing.details
    letter_context = LetterContext(
        account_name=details.account.name,
        language=billing.language,
        time_zone=details.account.contract.time_zone,
        actor_name=next((user.name for user in people.users if user.id == event.actor.user), None),
    )
    return letter_context, recipients(event, people.users, billing.email, staff_address), people.undeliverable


def _document(event: Event, documents: Documents) -> bytes | None:
    key = (event.after or {}).get("document") if event.type in WITH_DOCUMENT else None
    if key is None:
        return None
    document = documents.get(key)
    if document is None:
        raise NotAllSent("The document that goes with it is not there yet.")
    return document


def _build(
    write: Write, event: Event, letter_context: LetterContext, recipient: Recipient, document: bytes | None
) -> bytes:
    try:
        return write(event, letter_context, recipient, document)
    except Exception as failure:
        raise Unwritable(f"It cannot be written: {type(failure).__name__}.") from failure


def _deliver(
    event: Event,
    recipient: Recipient,
    message: bytes,
    claimant: str,
    now: datetime,
    deliveries: DeliveryStore,
    mailer: Mailer,
    documents: Documents,
) -> bool:
    """Claims, sends and records one mail. Returns whether this call sent it.

    The copy is stored before the mail is sent. An attempt whose answer was lost leaves its copy, and the next one sends
    that again, as it is: there is one copy, however long SES is down. A refused mail leaves none, because its next
    attempt may have other words.
    """
    delivery = Delivery.of(event, recipient)
    if not deliveries.claim_delivery(delivery, claimant, now, now + CLAIM):
        return False
    copy = None if delivery.account is None else audit_copy(delivery.account, delivery)
    stored = False
    try:
        if copy is not None:
            message = documents.put_once(copy, message, MESSAGE_TYPE)
            stored = True
        message_id = mailer.send(message, recipient.email, delivery)
    except AnswerLost:
        raise  # keep the claim: until it expires, SES may still report that the mail was sent
    except UpstreamFailed:
        if copy is not None and stored:
            with suppress(UpstreamFailed):
                documents.delete_all(copy)
        deliveries.release_delivery(delivery, claimant)
        raise
    deliveries.record_delivery(delivery, message_id, now)
    return True


def audit_copy(account: str, delivery: Delivery) -> str:
    """The document key of a sent message's audit copy. The copy is deleted with the account."""
    return f"accounts/{account}/mail/{delivery.event}/{delivery.recipient}.eml"
