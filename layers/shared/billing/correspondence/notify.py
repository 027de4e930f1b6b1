"""Mails what happened to those whom it concerns: one mail per event and recipient, however often it is delivered.

Before a mail is sent it is claimed, and afterwards that is recorded. Whoever is cut off in between may or may not
have sent it. Until the claim has run out SES can tell that it did (note_feedback); a mail of which nothing was heard
is then sent again, because of the two faults, none and two, two is the lesser (docs/decisions/0007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.accounts.records import AccountStore
from billing.correspondence.audiences import (
    WITH_DOCUMENT,
    Delivery,
    LetterContext,
    Recipient,
    is_mailed,
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
from billing.kernel.events import Event, EventType
from billing.platform.files.interfaces import Documents

CLAIM = timedelta(minutes=2)
"""Longer than a worker may run: whoever holds a claim of that age is no longer there."""

MESSAGE_TYPE = "message/rfc822"

Write = Callable[[Event, LetterContext, Recipient, bytes | None], bytes]
"""Writes the message about an event to a recipient, with the document that it is about. Raises if it cannot."""


class NotAllSent(BillingError):
    """Some of the mail about an event is still to be sent; trying again sends only that."""

    code = "not-all-sent"


class Unwritable(Unprocessable):
    """There is no way to write about this event, now or later."""

    code = "unwritable"


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """How many mails were sent, and to how many nothing was: they have it already, or are not written to."""

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
    """Writes to everybody whom the event concerns. `claimant` names this attempt.

    What fails for one recipient never holds up another. Raises NotAllSent if there is something to try again,
    otherwise Unwritable if there was something that cannot be written.
    """
    if event.account is None or not is_mailed(event):
        return DeliveryCounts(0, 0)
    try:
        situation, addressed, undeliverable = _situation(event, event.account, staff_address, accounts)
    except AccountNotFound:
        return DeliveryCounts(0, 0)  # deleted meanwhile, and with it whoever could be told
    document = _document(event, documents)
    sent = 0
    failures: list[BillingError] = []
    unwritable: list[Unwritable] = []
    for recipient in reachable(addressed, undeliverable):
        try:
            message = _written(write, event, situation, recipient, document)
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


def _situation(
    event: Event, account: str, staff_address: str | None, accounts: AccountStore
) -> tuple[LetterContext, tuple[Recipient, ...], frozenset[str]]:
    if event.type is EventType.ACCOUNT_DELETED:
        after = event.after or {}
        gone = LetterContext(after["account_name"], after["language"], "UTC", None)
        return gone, recipients(event, (), None, staff_address), frozenset()
    known = accounts.details(account)
    people = accounts.correspondents(account)
    billing = known.information.billing.details
    situation = LetterContext(
        account_name=known.account.name,
        language=billing.language,
        time_zone=known.account.contract.time_zone,
        actor_name=next((user.name for user in people.users if user.id == event.actor.user), None),
    )
    return situation, recipients(event, people.users, billing.email, staff_address), people.undeliverable


def _document(event: Event, documents: Documents) -> bytes | None:
    key = (event.after or {}).get("document") if event.type in WITH_DOCUMENT else None
    if key is None:
        return None
    document = documents.get(key)
    if document is None:
        raise NotAllSent("The document that goes with it is not there yet.")
    return document


def _written(
    write: Write, event: Event, situation: LetterContext, recipient: Recipient, document: bytes | None
) -> bytes:
    try:
        return write(event, situation, recipient, document)
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
    """Whether it was sent by this call."""
    delivery = Delivery.of(event, recipient)
    if not deliveries.claim_delivery(delivery, claimant, now, now + CLAIM):
        return False
    try:
        if delivery.account is not None:
            documents.put(audit_copy(delivery.account, delivery), message, MESSAGE_TYPE)
        sent_as = mailer.send(message, recipient.email, delivery)
    except AnswerLost:
        raise  # and keep the claim: while it holds, it can still turn out that it was sent
    except UpstreamFailed:
        deliveries.release_delivery(delivery, claimant)
        raise
    deliveries.record_delivery(delivery, sent_as, now)
    return True


def audit_copy(account: str, delivery: Delivery) -> str:
    """Where the message is kept as it was sent, until the account is deleted."""
    return f"accounts/{account}/mail/{delivery.event}/{delivery.recipient}.eml"
