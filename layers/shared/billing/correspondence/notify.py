"""Sends the mail about an event: one mail per event and recipient, however often the event is delivered.

A worker claims each mail before it sends it, and records the delivery afterwards. A worker that crashes in between may
or may not have sent the mail. Until the claim expires, SES can report the mail as sent (note_feedback). Without such a
report another worker sends it again: two mails are better than none (docs/decisions/0007).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from billing.accounts.records import AccountStore
from billing.correspondence.audiences import (
    WITH_DOCUMENT,
    Delivery,
    LetterContext,
    Recipient,
    allowed,
    is_in_order,
    is_mailed,
    outlives_account,
    reachable,
    recipients,
)
from billing.correspondence.mailer import Mailer
from billing.correspondence.records import DeliveryStore
from billing.kernel.account_ids import clock_of
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

ON_TIME = timedelta(minutes=1)
"""A mail that is later than this is written from the record. What an event said may name somebody who is erased by
then. An erasure finds the copies of mails that were on time: it looks again after minutes
(billing.ending.erasure.rules.WAIT)."""

HELD_ATTEMPTS = 9
"""With this attempt a mail goes out although an earlier one did not. The waits before it are nine minutes in all
(billing.platform.workers)."""

MESSAGE_TYPE = "message/rfc822"

STAFF_LANGUAGE = "en"
"""The language of mail to staff about what belongs to no account; other mail has the language of its account."""

Write = Callable[[Event, LetterContext, Recipient, bytes | None], bytes]
"""Builds the message about an event to a recipient, with the event's PDF if it has one. Raises if it cannot."""


class NotAllSent(BillingError):
    """Some mails about an event were not sent. A retry sends only those."""

    code = "not-all-sent"


class Held(BillingError):
    """An earlier mail to the same address comes first."""

    code = "held"


class Promises(Protocol):
    """What depends on a mail: it holds only if the mail went out in time (billing.subscriptions.announce_version)."""

    def concerns(self, event: Event) -> bool:
        """Whether something depends on the mail about an event."""

    def may_be_mailed(self, event: Event) -> bool:
        """Whether the mail may go out now: it may be too late for what it says, or no longer true."""

    def was_mailed(self, event: Event) -> None:
        """Called when the mail has gone out to the customer, maybe more than once."""


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
    post = Post(claimant, now, staff_address, accounts, deliveries, mailer, documents, write)
    return post.send(event).counts()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt to mail about an event came to.

    `failures` are why addresses got nothing this time: their mail is to be tried again. `for_all` is why nobody got
    anything. `unwritable` is why some mail can never be built.
    """

    addressed: int = 0
    sent: int = 0
    failures: Mapping[str, BillingError] = field(default_factory=dict)
    for_all: BillingError | None = None
    unwritable: Unwritable | None = None

    def counts(self) -> DeliveryCounts:
        """Raises NotAllSent if some mails should be tried again, otherwise Unwritable if a mail could not be built."""
        if self.for_all is not None:
            raise self.for_all
        if self.failures:
            reason = next(iter(self.failures.values())).detail
            raise NotAllSent(f"{len(self.failures)} of {self.addressed} were not sent: {reason}")
        if self.unwritable is not None:
            raise self.unwritable
        return DeliveryCounts(self.sent, self.addressed - self.sent)


@dataclass(frozen=True, slots=True)
class Post:
    """What an attempt to send mail needs. `claimant` names the attempt. Mail about accounts on a test clock goes to
    addresses of `test_mail_domain` only (billing.correspondence.audiences.allowed). `promises` are asked before a mail
    that something depends on; None where nothing does."""

    claimant: str
    now: datetime
    staff_address: str | None
    accounts: AccountStore
    deliveries: DeliveryStore
    mailer: Mailer
    documents: Documents
    write: Write
    test_mail_domain: str = ""
    promises: Promises | None = None

    def send(self, event: Event, held: Mapping[str, BillingError] | None = None) -> Outcome:
        """Mails about an event, except to the addresses that are `held`, with the reason. Costs: see notify."""
        if not is_mailed(event):
            return Outcome()
        promise = self.promises if self.promises is not None and self.promises.concerns(event) else None
        if promise is not None and not promise.may_be_mailed(event):
            return Outcome()
        # An event on a test clock does not say how late its mail is.
        is_on_time = clock_of(event.account) is None and self.now - event.time <= ON_TIME
        if event.account is not None and not is_on_time:
            event = self.deliveries.as_recorded(event)
        try:
            letter_context, addressed, undeliverable = _addressees(event, self.staff_address, self.accounts)
        except AccountNotFound:
            return Outcome()  # deleted meanwhile, together with all its users
        to = allowed(event, reachable(addressed, undeliverable), self.test_mail_domain)
        failures = {each.email: held[each.email] for each in to if held and each.email in held}
        try:
            document = _document(event, self.documents)
        except (NotAllSent, UpstreamFailed) as failure:
            return Outcome(len(addressed), failures={each.email: failure for each in to}, for_all=failure)
        sent = 0
        has_customer = False
        unwritable = None
        for recipient in to:
            if recipient.email in failures:
                continue
            try:
                message = _build(self.write, event, letter_context, recipient, document)
                sent += self._deliver(event, recipient, message)
                has_customer |= not recipient.is_staff
            except Unwritable as failure:
                unwritable = unwritable or failure
            except (ConcurrentChange, UpstreamFailed) as failure:
                failures[recipient.email] = failure
        if promise is not None and has_customer:
            promise.was_mailed(event)
        elif promise is not None and not failures:
            unwritable = unwritable or Unwritable("Nobody of the account can be mailed, so it does not hold.")
        return Outcome(len(addressed), sent, failures, unwritable=unwritable)

    def send_in_order(self, event: Event, attempt: int) -> DeliveryCounts:
        """Mails about an event after what its account's earlier events have still to mail, which it sends itself.

        A recipient who did not get an earlier mail gets this one later, but after HELD_ATTEMPTS attempts at the latest.
        Nobody else waits. `attempt` counts the deliveries of the message, from 1. Costs what notify does, for each
        event that is not mailed yet; up to two queries, and a transaction for each event that is mailed. Raises as
        notify does.
        """
        if not is_in_order(event):
            return self.send(event).counts()
        late: dict[str, BillingError] = {}
        for earlier in self.deliveries.not_mailed_before(event):
            late |= self._send_and_note(earlier, late).failures
        held = {address: Held(f"An earlier mail was not sent: {late[address].detail}") for address in late}
        return self._send_and_note(event, held if attempt < HELD_ATTEMPTS else {}).counts()

    def _send_and_note(self, event: Event, held: Mapping[str, BillingError]) -> Outcome:
        outcome = self.send(event, held)
        if not outcome.failures and outcome.for_all is None:
            with suppress(ConcurrentChange):  # the account is deleted, or the next attempt finds all mails delivered
                self.deliveries.note_mailed(event)
        return outcome

    def _deliver(self, event: Event, recipient: Recipient, message: bytes) -> bool:
        """Claims, sends and records one mail. Returns whether this call sent it.

        The copy is stored before the mail is sent. An attempt whose answer was lost leaves its copy, and the next one
        sends that again, as it is: there is one copy, however long SES is down. A refused mail leaves none, because its
        next attempt may have other words.
        """
        delivery = Delivery.of(event, recipient)
        if not self.deliveries.claim_delivery(delivery, self.claimant, self.now, self.now + CLAIM):
            return False
        copy = None if delivery.account is None else audit_copy(delivery.account, delivery)
        stored = False
        try:
            if copy is not None:
                message = self.documents.put_once(copy, message, MESSAGE_TYPE)
                stored = True
            message_id = self.mailer.send(message, recipient.email, delivery)
        except AnswerLost:
            raise  # keep the claim: until it expires, SES may still report that the mail was sent
        except UpstreamFailed:
            if copy is not None and stored:
                with suppress(UpstreamFailed):
                    self.documents.delete_all(copy)
            self.deliveries.release_delivery(delivery, self.claimant)
            raise
        self.deliveries.record_delivery(delivery, message_id, self.now)
        return True


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
    actor = next((user for user in people.users if user.id == event.actor.user), None)
    letter_context = LetterContext(
        account_name=details.account.name,
        language=billing.language,
        time_zone=details.account.contract.time_zone,
        actor_name=None if actor is None else actor.name,
        actor_email=None if actor is None else actor.email,
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


def audit_copy(account: str, delivery: Delivery) -> str:
    """The document key of a sent message's audit copy. The copy is deleted with the account."""
    return f"accounts/{account}/mail/{delivery.event}/{delivery.recipient}.eml"
