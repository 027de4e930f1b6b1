"""The recipients of mail by event type, and the values that describe a mail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum, auto

from billing.accounts.rules import User
from billing.ending.erasure.rules import ERASED_DOMAIN
from billing.kernel.account_ids import clock_of
from billing.kernel.events import Event, EventType, Facts
from billing.kernel.permissions import Role


class Audience(Enum):
    """The groups of recipients that an event type can have.

    ADMINS: the account's admins. BILLING: the address for invoices. CONCERNED: the user that the event is about.
    FORMER: the user that the event has removed, at the address in the event. MANAGER: the customer success manager of a
    review. NAMED: the recipients listed in the event itself, because the account is already deleted. OTHER_ADMINS: the
    account's admins but the one who has caused the event. STAFF: the vendor's own address for staff.
    """

    ADMINS = auto()
    BILLING = auto()
    CONCERNED = auto()
    FORMER = auto()
    MANAGER = auto()
    NAMED = auto()
    OTHER_ADMINS = auto()
    STAFF = auto()


AUDIENCES: dict[EventType, tuple[Audience, ...]] = {
    EventType.ACCOUNT_DEACTIVATED: (Audience.ADMINS,),
    EventType.ACCOUNT_DELETED: (Audience.NAMED,),
    EventType.ACCOUNT_DELETION_NEAR: (Audience.ADMINS,),
    EventType.ACCOUNT_MONEY_OPEN: (Audience.STAFF,),
    EventType.ACCOUNT_PROVISIONED: (Audience.CONCERNED,),
    EventType.ACCOUNT_REACTIVATED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.ACCOUNT_REACTIVATION_FAILED: (Audience.ADMINS,),
    EventType.ADMIN_APPOINTMENT_ANNOUNCED: (Audience.ADMINS, Audience.BILLING),
    EventType.ADMIN_APPOINTMENT_EFFECTIVE: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.ADMIN_APPOINTMENT_ENDED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.ADDRESS_UNDELIVERABLE: (Audience.ADMINS, Audience.STAFF),
    EventType.BANK_STATEMENT_IMPORTED: (Audience.STAFF,),
    EventType.BILLING_INFORMATION_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.CANCELLATION_REQUESTED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.CANCELLATION_WITHDRAWN: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.CARD_EXPIRING: (Audience.ADMINS, Audience.BILLING),
    EventType.CARD_UPDATED: (Audience.ADMINS, Audience.BILLING),
    EventType.CATALOGUE_VERSION_ANNOUNCED: (Audience.ADMINS, Audience.BILLING),
    EventType.CATALOGUE_VERSION_POSTPONED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.CATALOGUE_VERSION_WITHDRAWN: (Audience.ADMINS, Audience.BILLING),
    EventType.CONTRACT_CURRENCY_CHANGED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.CONTRACT_TERM_AGREED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.CONTRACT_TERM_ENDED: (Audience.ADMINS, Audience.STAFF),
    EventType.CONTRACT_TERM_PROPOSED: (Audience.ADMINS,),
    EventType.CREDIT_NOTE_ISSUED: (Audience.ADMINS, Audience.BILLING),
    EventType.CREDIT_REFUND_FAILED: (Audience.STAFF,),
    EventType.DISCOUNTS_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.DOWNLOAD_READY: (Audience.CONCERNED,),
    EventType.EXCHANGE_RATE_MISSING: (Audience.STAFF,),
    EventType.INVOICE_ISSUED: (Audience.ADMINS, Audience.BILLING),
    EventType.INVOICE_PAID: (Audience.ADMINS, Audience.BILLING),
    EventType.INVOICE_REMINDED: (Audience.ADMINS, Audience.BILLING),
    EventType.INVOICING_HELD: (Audience.STAFF,),
    EventType.INVOICE_WRITTEN_OFF: (Audience.STAFF,),
    EventType.ONE_OFF_CHANGED: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.OPEN_CLAIM_CHANGED: (Audience.STAFF,),
    EventType.PAYMENT_DISPUTED: (Audience.STAFF,),
    EventType.PAYMENT_PAST_DUE: (Audience.STAFF,),
    EventType.PAYMENT_REFUNDED_OUTSIDE: (Audience.STAFF,),
    EventType.PAYMENT_UNEXPECTED: (Audience.STAFF,),
    EventType.PAYMENT_METHOD_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.PAYMENT_TERM_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.PAYMENT_FAILED: (Audience.ADMINS, Audience.BILLING),
    EventType.PROVISIONING_CORRECTED: (Audience.CONCERNED,),
    EventType.RECONCILIATION_DIFFERED: (Audience.STAFF,),
    EventType.RENEWAL_NOTICE_DEADLINE_NEAR: (Audience.ADMINS,),
    EventType.REVIEW_BOOKED: (Audience.ADMINS, Audience.MANAGER),
    EventType.REVIEW_CANCELLED: (Audience.ADMINS, Audience.MANAGER),
    EventType.REVIEW_DECLINED: (Audience.ADMINS, Audience.MANAGER),
    EventType.STORE_CHANGED: (Audience.ADMINS,),
    EventType.SUBSCRIPTION_AUTOSCALED: (Audience.ADMINS, Audience.BILLING),
    EventType.SUBSCRIPTION_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.SUBSCRIPTION_TIER_LOWERED: (Audience.ADMINS, Audience.MANAGER, Audience.BILLING),
    EventType.TAX_EXEMPTIONS_CHANGED: (Audience.ADMINS, Audience.BILLING),
    EventType.TAX_EXEMPTION_ENDING: (Audience.STAFF,),
    EventType.TAX_RATE_MISSING: (Audience.STAFF,),
    EventType.TEST_CLOCK_FAILED: (Audience.STAFF,),
    EventType.TRANSFER_RECORDED: (Audience.ADMINS, Audience.BILLING),
    EventType.TRANSFER_TAKEN_BACK: (Audience.ADMINS, Audience.BILLING, Audience.STAFF),
    EventType.USAGE_ABOVE_TIERS: (Audience.STAFF,),
    EventType.USAGE_BELOW_TIER: (Audience.ADMINS,),
    EventType.USAGE_CORRECTED: (Audience.ADMINS,),
    EventType.USAGE_REFUSED: (Audience.ADMINS,),
    EventType.USAGE_REJECTED: (Audience.STAFF,),
    EventType.USAGE_THRESHOLD_REACHED: (Audience.ADMINS,),
    EventType.USER_ADDED: (Audience.CONCERNED, Audience.OTHER_ADMINS),
    EventType.USER_CHANGED: (Audience.CONCERNED, Audience.OTHER_ADMINS),
    EventType.USER_INVITED_AGAIN: (Audience.CONCERNED,),
    EventType.USER_REMOVED: (Audience.FORMER, Audience.OTHER_ADMINS),
    EventType.VAT_NUMBER_NOT_CONFIRMED: (Audience.ADMINS, Audience.STAFF),
    EventType.VAT_NUMBER_UNANSWERED: (Audience.STAFF,),
}
"""The recipients by event type. Event types not listed send no mail."""


ANY_DOMAIN = "*"
"""The domain of test mail where no mail leaves the machine."""


WITH_DOCUMENT = frozenset({EventType.INVOICE_ISSUED, EventType.CREDIT_NOTE_ISSUED})
"""Event types whose mail has a PDF attached. The mail waits until the PDF exists."""


def is_mailed(event: Event) -> bool:
    """Whether an event sends mail: its type has an audience. One that belongs to no account is for staff alone.

    A bank statement is mailed if staff have to decide about it. A correction of usage is mailed only if it undoes an
    alert that was mailed, a change of a user only if it is one of their role, a transfer only if it pays a part or too
    much: each invoice that is paid has a mail of its own. A reminder that the mail about a failed attempt gives
    too has none of its own.
    """
    if event.type is EventType.INVOICE_REMINDED and (event.after or {}).get("mailed_with") is not None:
        return False
    if event.type is EventType.USER_CHANGED and (event.before or {}).get("role") == (event.after or {}).get("role"):
        return False
    if event.type is EventType.USAGE_CORRECTED and (event.after or {}).get("threshold") is None:
        return False
    if event.type is EventType.TRANSFER_RECORDED and not _leaves_something(event.before or {}, event.after or {}):
        return False
    if event.type is EventType.BANK_STATEMENT_IMPORTED and not (event.after or {}).get("doubtful"):
        return False
    audience = AUDIENCES.get(event.type)
    return audience is not None and (event.account is not None or audience == (Audience.STAFF,))


def _leaves_something(before: Facts, after: Facts) -> bool:
    """Whether a transfer has left something to pay of its invoices, or has left credit or paid others with it."""
    is_part = any(each["left"]["amount"] for each in after["invoices"])
    return is_part or bool(after["applied"]) or after["credit"]["amount"] > before["credit"]["amount"]


def outlives_account(event: Event) -> bool:
    """Whether an event is about an account that is deleted: its mail needs nothing of the account.

    Another account may have the same id by now. Such an event has nothing to do with it.
    """
    is_kept = event.type is EventType.ACCOUNT_MONEY_OPEN and (event.after or {}).get("stage") == "deleted"
    return is_kept or event.type in {EventType.ACCOUNT_DELETED, EventType.OPEN_CLAIM_CHANGED}


OUT_OF_ORDER = frozenset(
    {
        EventType.ACCOUNT_PROVISIONED,
        EventType.ADDRESS_UNDELIVERABLE,
        EventType.PROVISIONING_CORRECTED,
        EventType.USER_ADDED,
        EventType.USER_INVITED_AGAIN,
    }
)
"""Event types whose mail waits for no other, and no other for it. An invitation goes to a person who has had no mail
before, and the other admins should hear of it at once. That an address does not take mail is best known at once."""


def is_in_order(event: Event) -> bool:
    """Whether the mail about an event keeps its place among the mails of its account: see OUT_OF_ORDER."""
    is_of_account = event.account is not None and not outlives_account(event)
    return is_mailed(event) and is_of_account and event.type not in OUT_OF_ORDER


_RECIPIENT_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Recipient:
    """The recipient of a mail. `name` is None where only the address is known.

    `is_concerned` says that the event is about this person: the mail to the others has other words.
    `is_staff` says that the mail goes to staff: it then speaks of the customer, and not to them.
    """

    email: str
    name: str | None
    is_concerned: bool = field(default=False, compare=False)
    is_staff: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The identity of one mail: an event and a recipient.

    `account` is None for a deleted account, because nothing may be stored under it again, and for what belongs to
    none. `recipient` is a digest of the event id and the address. The same address has another digest in another
    event's mail.
    """

    account: str | None
    event: str
    recipient: str

    @classmethod
    def of(cls, event: Event, recipient: Recipient) -> Delivery:
        account = None if outlives_account(event) else event.account
        return cls(account, event.id, cls.digest(event.id, recipient.email))

    @staticmethod
    def digest(event: str, email: str) -> str:
        """A SHA-256 digest of event id and address: 32 hexadecimal digits."""
        return hashlib.sha256(f"{event} {email}".encode()).hexdigest()[:_RECIPIENT_DIGITS]


class DeliveryStatus(StrEnum):
    """The status that SES reports for a mail. BOUNCED means permanently."""

    SENT = "sent"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A report of the mail service about one mail. `message` is the mail service's id, `time` an aware UTC instant."""

    status: DeliveryStatus
    delivery: Delivery
    message: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Vendor:
    """The sender. `billing_page` is the URL of the customer's billing page; staff read the mailbox `reply_to`."""

    name: str
    billing_page: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class LetterContext:
    """The facts of a mail that are not in the event: account name, language, time zone, actor.

    `actor_name` and `actor_email` are None where no user of the account acted, or one who was removed since.
    """

    account_name: str
    language: str
    time_zone: str
    actor_name: str | None
    actor_email: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to a mail. A file with an `inline` name is a picture that the HTML shows as `cid:<name>`."""

    name: str
    content_type: str
    content: bytes
    inline: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """The content of a mail: subject, the same words as plain text and as HTML, and attachments."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


def recipients(
    event: Event, users: Sequence[User], billing_address: str | None, staff_address: str | None
) -> tuple[Recipient, ...]:
    """The recipients of an event. Each address occurs once, with the name of the first audience that has it."""
    by_address: dict[str, Recipient] = {}
    for recipient in _recipients(event, users, billing_address, staff_address):
        by_address.setdefault(recipient.email, recipient)
    return tuple(by_address.values())


def _recipients(
    event: Event, users: Sequence[User], billing_address: str | None, staff_address: str | None
) -> Iterator[Recipient]:
    facts = event.after or event.before or {}
    audiences = AUDIENCES.get(event.type, ())
    if facts.get("replaces_agreed") and Audience.STAFF not in audiences:
        # A price that staff have agreed with the customer ends with another tier: they hear of it before the day.
        audiences = (*audiences, Audience.STAFF)
    for audience in audiences:
        match audience:
            case Audience.ADMINS:
                yield from (Recipient(user.email, user.name) for user in users if user.role is Role.ADMIN)
            case Audience.BILLING if billing_address:
                yield Recipient(billing_address, None)
            case Audience.CONCERNED:
                person = facts.get("first_admin", facts)
                # A user who was removed since the event has no access, so there is nothing to announce.
                yield from (Recipient(user.email, user.name, True) for user in users if user.id == person["user"])
            case Audience.FORMER:
                # A user who was invited again since the event has access: this mail would say the contrary, too late.
                if all(user.id != facts["user"] and user.email != facts["email"] for user in users):
                    yield Recipient(facts["email"], facts["name"], True)
            case Audience.OTHER_ADMINS:
                others = (user for user in users if user.id != event.actor.user)
                yield from (Recipient(user.email, user.name) for user in others if user.role is Role.ADMIN)
            case Audience.MANAGER:
                manager = facts.get("appointment", facts)["manager"]
                yield Recipient(manager["email"], manager["name"])
            case Audience.NAMED:
                yield from (Recipient(each["email"], each["name"]) for each in facts["recipients"])
            case Audience.STAFF if staff_address and not _is_known_to_staff(event):
                yield Recipient(staff_address, None, is_staff=True)


def _is_known_to_staff(event: Event) -> bool:
    """Whether staff have made the change themselves: of a one-off only its lapse is news to them."""
    return event.type is EventType.ONE_OFF_CHANGED and (event.after or {}).get("mark") != "lapsed"


def reachable(addressed: Sequence[Recipient], undeliverable: Set[str]) -> tuple[Recipient, ...]:
    """The recipients without undeliverable addresses: those that bounced permanently or complained, and erased ones."""
    erased = f"@{ERASED_DOMAIN}"
    return tuple(each for each in addressed if each.email not in undeliverable and not each.email.endswith(erased))


def allowed(event: Event, addressed: Sequence[Recipient], test_mail_domain: str) -> tuple[Recipient, ...]:
    """The recipients who may get mail about an event. About an account on a test clock: those of `test_mail_domain`,
    all if it is ANY_DOMAIN, and nobody if it is empty."""
    if clock_of(event.account) is None or test_mail_domain == ANY_DOMAIN:
        return tuple(addressed)
    domain = f"@{test_mail_domain.lower()}"
    return tuple(each for each in addressed if test_mail_domain and each.email.lower().endswith(domain))


def lost_addresses(feedback: Feedback, addresses: Set[str], undeliverable: Set[str]) -> tuple[str, ...]:
    """The account's addresses that a report of the mail service makes undeliverable.

    `addresses` are all current addresses of the account, `undeliverable` those already marked. The report carries only
    the digest of the address that the mail was sent to, so each address is digested and compared.
    """
    delivery = feedback.delivery
    return tuple(
        each for each in addresses - undeliverable if Delivery.digest(delivery.event, each) == delivery.recipient
    )
