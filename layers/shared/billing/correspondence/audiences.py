"""Who is written to about what, and what a mail consists of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto

from billing.accounts.rules import User
from billing.kernel.events import Event, EventType
from billing.kernel.permissions import Role


class Audience(Enum):
    """Who is written to about a kind of event.

    ADMINS: of the account. BILLING: the address that invoices go to. CONCERNED: the person whom the event is about.
    NAMED: whom the event itself names, because the account is no longer there. MANAGER: the customer success manager
    of a review. STAFF: the vendor's own people.
    """

    ADMINS = auto()
    BILLING = auto()
    CONCERNED = auto()
    MANAGER = auto()
    NAMED = auto()
    STAFF = auto()


AUDIENCES: dict[EventType, tuple[Audience, ...]] = {
    EventType.ACCOUNT_DEACTIVATED: (Audience.ADMINS,),
    EventType.ACCOUNT_DELETED: (Audience.NAMED,),
    EventType.ACCOUNT_DELETION_NEAR: (Audience.ADMINS,),
    EventType.ACCOUNT_PROVISIONED: (Audience.CONCERNED,),
    EventType.ACCOUNT_REACTIVATED: (Audience.ADMINS, Audience.BILLING),
    EventType.ACCOUNT_REACTIVATION_FAILED: (Audience.ADMINS,),
    EventType.ADDRESS_UNDELIVERABLE: (Audience.ADMINS, Audience.STAFF),
    EventType.BILLING_INFORMATION_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.CANCELLATION_REQUESTED: (Audience.ADMINS, Audience.BILLING),
    EventType.CANCELLATION_WITHDRAWN: (Audience.ADMINS, Audience.BILLING),
    EventType.CARD_EXPIRING: (Audience.ADMINS, Audience.BILLING),
    EventType.CARD_UPDATED: (Audience.ADMINS, Audience.BILLING),
    EventType.CREDIT_NOTE_ISSUED: (Audience.ADMINS, Audience.BILLING),
    EventType.DOWNLOAD_READY: (Audience.CONCERNED,),
    EventType.INVOICE_ISSUED: (Audience.ADMINS, Audience.BILLING),
    EventType.INVOICE_PAID: (Audience.ADMINS, Audience.BILLING),
    EventType.INVOICE_WRITTEN_OFF: (Audience.STAFF,),
    EventType.PAYMENT_DISPUTED: (Audience.STAFF,),
    EventType.PAYMENT_PAST_DUE: (Audience.STAFF,),
    EventType.PAYMENT_METHOD_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.PAYMENT_FAILED: (Audience.ADMINS, Audience.BILLING),
    EventType.RENEWAL_NOTICE_DEADLINE_NEAR: (Audience.ADMINS,),
    EventType.REVIEW_BOOKED: (Audience.ADMINS, Audience.MANAGER),
    EventType.REVIEW_CANCELLED: (Audience.ADMINS, Audience.MANAGER),
    EventType.REVIEW_DECLINED: (Audience.ADMINS, Audience.MANAGER),
    EventType.SUBSCRIPTION_AUTOSCALED: (Audience.ADMINS, Audience.BILLING),
    EventType.SUBSCRIPTION_TIER_LOWERED: (Audience.ADMINS, Audience.MANAGER, Audience.BILLING),
    EventType.USAGE_ABOVE_TIERS: (Audience.STAFF,),
    EventType.USAGE_BELOW_TIER: (Audience.ADMINS,),
    EventType.USAGE_REFUSED: (Audience.ADMINS,),
    EventType.USAGE_THRESHOLD_REACHED: (Audience.ADMINS,),
    EventType.USER_ADDED: (Audience.CONCERNED,),
}
"""What is mailed, to whom. Of a kind that is not here nobody is told."""


WITH_DOCUMENT = frozenset({EventType.INVOICE_ISSUED, EventType.CREDIT_NOTE_ISSUED})
"""Whose mail waits for the document that goes with it."""


def is_mailed(event: Event) -> bool:
    """Whether anybody is written to about an event: its type has an audience, and it belongs to an account."""
    return event.type in AUDIENCES and event.account is not None


_RECIPIENT_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who gets a mail. `name` is None where only an address is known."""

    email: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One mail: about an event, to a recipient.

    `account` is None where nothing of the account may be written any more, because it is deleted. `recipient`
    stands for the address in this event's mail; it cannot be recognised in another's.
    """

    account: str | None
    event: str
    recipient: str

    @classmethod
    def of(cls, event: Event, recipient: Recipient) -> Delivery:
        account = None if event.type is EventType.ACCOUNT_DELETED else event.account
        return cls(account, event.id, cls.digest(event.id, recipient.email))

    @staticmethod
    def digest(event: str, email: str) -> str:
        """What stands for the address."""
        return hashlib.sha256(f"{event} {email}".encode()).hexdigest()[:_RECIPIENT_DIGITS]


class DeliveryStatus(StrEnum):
    """What can become of a mail that was handed over. BOUNCED means: for good."""

    SENT = "sent"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the mail service tells of a mail."""

    status: DeliveryStatus
    delivery: Delivery
    message: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who writes. `billing_page` is where the customer sees their billing; `reply_to` is read by people."""

    name: str
    billing_page: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class LetterContext:
    """What a mail says beside the event: whose account, in which language and time zone, and who did it.

    `actor_name` is None where Livello did it, or somebody who is no longer there.
    """

    account_name: str
    language: str
    time_zone: str
    actor_name: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail. With an `inline` name it is a picture that the HTML shows as cid:name."""

    name: str
    content_type: str
    content: bytes
    inline: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is addressed: the same words as text and as HTML."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


def recipients(
    event: Event, users: Sequence[User], billing_address: str | None, staff_address: str | None
) -> tuple[Recipient, ...]:
    """Whom to write to about an event: each address once, under the first name that it is known by."""
    by_address: dict[str, Recipient] = {}
    for recipient in _recipients(event, users, billing_address, staff_address):
        by_address.setdefault(recipient.email, recipient)
    return tuple(by_address.values())


def _recipients(
    event: Event, users: Iterable[User], billing_address: str | None, staff_address: str | None
) -> Iterator[Recipient]:
    facts = event.after or event.before or {}
    for audience in AUDIENCES.get(event.type, ()):
        match audience:
            case Audience.ADMINS:
                yield from (Recipient(user.email, user.name) for user in users if user.role is Role.ADMIN)
            case Audience.BILLING if billing_address:
                yield Recipient(billing_address, None)
            case Audience.CONCERNED:
                person = facts.get("first_admin", facts)
                # Whoever was removed meanwhile has no access to be told of.
                yield from (Recipient(user.email, user.name) for user in users if user.id == person["user"])
            case Audience.MANAGER:
                manager = facts.get("appointment", facts)["manager"]
                yield Recipient(manager["email"], manager["name"])
            case Audience.NAMED:
                yield from (Recipient(each["email"], each["name"]) for each in facts["recipients"])
            case Audience.STAFF if staff_address:
                yield Recipient(staff_address, None)


def reachable(addressed: Sequence[Recipient], undeliverable: Set[str]) -> tuple[Recipient, ...]:
    """Those who are written to: an address that has refused mail for good, or called it unwanted, is skipped."""
    return tuple(each for each in addressed if each.email not in undeliverable)


def lost_addresses(feedback: Feedback, addresses: Set[str], undeliverable: Set[str]) -> tuple[str, ...]:
    """The account's addresses that a report of the mail service is about, and that were not lost before.

    The report names no address but the digest of the one that the mail was for.
    """
    delivery = feedback.delivery
    return tuple(
        each for each in addresses - undeliverable if Delivery.digest(delivery.event, each) == delivery.recipient
    )
