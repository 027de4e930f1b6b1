"""Events: every change records one, in the transaction of the change (DESIGN 4.1 and 4.4).

The id of an event is a ULID. The ids of an account's events sort in the order in which the events were recorded: each
transaction gives them ids after the last one (billing.platform.dynamodb.transaction).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from billing.kernel.permissions import Person

ORDER_ATTEMPTS = 8
"""How often a transaction is sent while others record later events of the same account."""

ULID_LENGTH = 26
RANDOM_BYTES = 10
RANDOM_LETTERS = 16
"""The letters of the random part of a ULID; those before them are its millisecond."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: it has no letter that looks like a digit."""

_BITS = 5

Facts = Mapping[str, Any]

VERSION = 1
"""The version of the event schemas. A change that breaks consumers raises it."""


class EventType(StrEnum):
    """The kinds of events; each has a schema of its own (billing.correspondence.event_kinds)."""

    ACCOUNT_DEACTIVATED = "account.deactivated"
    ACCOUNT_DELETED = "account.deleted"
    ACCOUNT_DELETION_NEAR = "account.deletion_near"
    ACCOUNT_MONEY_OPEN = "account.money_open"
    ACCOUNT_PROVISIONED = "account.provisioned"
    ACCOUNT_REACTIVATED = "account.reactivated"
    ACCOUNT_REACTIVATION_FAILED = "account.reactivation_failed"
    ACCOUNT_REACTIVATION_REQUESTED = "account.reactivation_requested"
    ACCOUNT_SUCCESS_MANAGER_ASSIGNED = "account.success_manager_assigned"
    ADDRESS_UNDELIVERABLE = "address.undeliverable"
    ADMIN_APPOINTMENT_ANNOUNCED = "admin_appointment.announced"
    ADMIN_APPOINTMENT_EFFECTIVE = "admin_appointment.effective"
    ADMIN_APPOINTMENT_ENDED = "admin_appointment.ended"
    AUTOSCALING_CHANGED = "autoscaling.changed"
    BANK_ENTRY_DECIDED = "bank_entry.decided"
    BANK_STATEMENT_IMPORTED = "bank_statement.imported"
    BILLING_INFORMATION_CHANGED = "billing_information.changed"
    CANCELLATION_REQUESTED = "cancellation.requested"
    CANCELLATION_WITHDRAWN = "cancellation.withdrawn"
    CARD_EXPIRING = "card.expiring"
    CARD_UPDATED = "card.updated"
    CATALOGUE_REPLACED = "catalogue.replaced"
    CATALOGUE_VERSION_ANNOUNCED = "catalogue_version.announced"
    CATALOGUE_VERSION_POSTPONED = "catalogue_version.postponed"
    CATALOGUE_VERSION_WITHDRAWN = "catalogue_version.withdrawn"
    CONTRACT_CURRENCY_CHANGED = "contract_currency.changed"
    CONTRACT_TERM_AGREED = "contract_term.agreed"
    CONTRACT_TERM_ENDED = "contract_term.ended"
    CONTRACT_TERM_PROPOSED = "contract_term.proposed"
    CREDIT_REFUNDED = "credit.refunded"
    CREDIT_REFUND_FAILED = "credit.refund_failed"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    CREDIT_NOTE_REFUNDED = "credit_note.refunded"
    DISCOUNTS_CHANGED = "discounts.changed"
    DOWNLOAD_READY = "download.ready"
    DOWNLOAD_REQUESTED = "download.requested"
    EXCHANGE_RATES_REPLACED = "exchange_rates.replaced"
    EXCHANGE_RATE_MISSING = "exchange_rate.missing"
    INVOICE_ISSUED = "invoice.issued"
    INVOICE_PAID = "invoice.paid"
    INVOICE_REMINDED = "invoice.reminded"
    INVOICE_REMINDERS_CHANGED = "invoice.reminders_changed"
    INVOICING_HELD = "invoicing.held"
    INVOICING_RELEASED = "invoicing.released"
    INVOICE_WRITTEN_OFF = "invoice.written_off"
    ONE_OFF_CHANGED = "one_off.changed"
    OPEN_CLAIM_CHANGED = "open_claim.changed"
    OPEN_CLAIM_SETTLED = "open_claim.settled"
    PAYMENT_DISPUTED = "payment.disputed"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_METHOD_CHANGED = "payment_method.changed"
    PAYMENT_PAST_DUE = "payment.past_due"
    PAYMENT_TERM_CHANGED = "payment_term.changed"
    PAYMENT_REFUNDED_OUTSIDE = "payment.refunded_outside"
    PAYMENT_UNEXPECTED = "payment.unexpected"
    PERIOD_FREE = "period.free"
    PAYMENT_REPAID = "payment.repaid"
    PROVISIONING_CORRECTED = "provisioning.corrected"
    RECONCILIATION_DIFFERED = "reconciliation.differed"
    RENEWAL_NOTICE_DEADLINE_NEAR = "renewal.notice_deadline_near"
    REVIEW_BOOKED = "review.booked"
    REVIEW_CANCELLED = "review.cancelled"
    REVIEW_DECLINED = "review.declined"
    STORE_CHANGED = "store.changed"
    SUBSCRIPTION_AUTOSCALED = "subscription.autoscaled"
    SUBSCRIPTION_CHANGED = "subscription.changed"
    SUBSCRIPTION_TIER_LOWERED = "subscription.tier_lowered"
    SUCCESS_MANAGER_CHANGED = "success_manager.changed"
    TAX_EXEMPTIONS_CHANGED = "tax_exemptions.changed"
    TAX_EXEMPTION_ENDING = "tax_exemption.ending"
    TAX_RATES_REPLACED = "tax_rates.replaced"
    TAX_RATE_MISSING = "tax_rate.missing"
    TEST_CLOCK_ADVANCING = "test_clock.advancing"
    TEST_CLOCK_CREATED = "test_clock.created"
    TEST_CLOCK_DELETED = "test_clock.deleted"
    TEST_CLOCK_DELETING = "test_clock.deleting"
    TEST_CLOCK_FAILED = "test_clock.failed"
    TEST_CLOCK_READY = "test_clock.ready"
    TRANSFER_RECORDED = "transfer.recorded"
    TRANSFER_TAKEN_BACK = "transfer.taken_back"
    USAGE_ABOVE_TIERS = "usage.above_tiers"
    USAGE_BELOW_TIER = "usage.below_tier"
    USAGE_CORRECTED = "usage.corrected"
    USAGE_REFUSED = "usage.refused"
    USAGE_REJECTED = "usage.rejected"
    USAGE_THRESHOLD_REACHED = "usage.threshold_reached"
    USER_ADDED = "user.added"
    USER_CHANGED = "user.changed"
    USER_ERASED = "user.erased"
    USER_ERASURE_REQUESTED = "user.erasure_requested"
    USER_INVITED_AGAIN = "user.invited_again"
    USER_REMOVED = "user.removed"
    VAT_NUMBER_CONFIRMED = "vat_number.confirmed"
    VAT_NUMBER_DECIDED = "vat_number.decided"
    VAT_NUMBER_NOT_CONFIRMED = "vat_number.not_confirmed"
    VAT_NUMBER_UNANSWERED = "vat_number.unanswered"


class ActorKind(StrEnum):
    """The kind of an actor."""

    STAFF = "staff"
    CUSTOMER = "customer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change. `user` is the id of a person's log-in; None if Livello itself made it."""

    kind: ActorKind
    user: str | None

    @classmethod
    def of(cls, person: Person) -> Actor:
        """The actor for a person who made a request."""
        return cls(ActorKind.STAFF if person.staff else ActorKind.CUSTOMER, person.user)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The request that makes a change: who asked, when, and the request's id in the logs.

    With `is_replay` the time is not the real one: a replay of the past has named it.
    """

    actor: Actor
    time: datetime
    correlation: str
    is_replay: bool = False


def by_system(time: datetime, correlation: str, *, is_replay: bool = False) -> RequestContext:
    """The context of a run that no person made, such as a schedule. `correlation` is the id of the run in the logs."""
    return RequestContext(Actor(ActorKind.SYSTEM, None), time, correlation, is_replay)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an account; `account` is None for what all accounts share, such as the catalogue.

    `before` and `after` are the facts before and after the change. `before` is None if nothing existed, `after` is None
    if nothing is left. What follows from an event of a replay happens at its `time`, otherwise at the real time.

    `sequence` is the event's place among those of its account. It is the id, and None until the event is recorded, or
    if an earlier release recorded it. So it is no part of what two events have in common.
    """

    id: str
    type: EventType
    account: str | None
    time: datetime
    actor: Actor
    correlation: str
    before: Facts | None
    after: Facts | None
    version: int = VERSION
    is_replay: bool = False
    sequence: str | None = field(default=None, compare=False)


def in_order(events: Iterable[Event], last: str) -> tuple[Event, ...]:
    """The events with their sequence: ids that sort after `last`, the last id before them, and after one another.

    An event keeps its id if that sorts so already. Otherwise it gets the id that follows the one before, as monotonic
    ULIDs do (https://github.com/ulid/spec#monotonicity). Its `time` stays as the clock of its machine said it.
    """
    ordered = []
    for event in events:
        last = event.id if event.id > last else following(last)
        ordered.append(replace(event, id=last, sequence=last))
    return tuple(ordered)


def time_of_ulid(ulid: str) -> datetime:
    """The instant of a ULID, to the millisecond. Raises ValueError for another text."""
    return datetime.fromtimestamp((_number_of(ulid) >> RANDOM_BYTES * 8) / 1000, UTC)


def ulid(time: datetime, randomness: bytes) -> str:
    """The ULID of an instant with RANDOM_BYTES of randomness: 48 bits of milliseconds, then 80 random bits."""
    milliseconds = int(time.timestamp() * 1000)
    return _ulid_of(milliseconds << RANDOM_BYTES * 8 | int.from_bytes(randomness, "big"))


def following(previous: str) -> str:
    """The first ULID after another one."""
    return _ulid_of(_number_of(previous) + 1)


def instant_before(id_: str, span: timedelta) -> str:
    """The first ULID of the instant that lies `span` before the one of another ULID."""
    milliseconds = (_number_of(id_) >> RANDOM_BYTES * 8) - span // timedelta(milliseconds=1)
    return _ulid_of(max(0, milliseconds) << RANDOM_BYTES * 8)


def _number_of(id_: str) -> int:
    number = 0
    for letter in id_:
        number = number << _BITS | _ALPHABET.index(letter)
    return number


def _ulid_of(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range((ULID_LENGTH - 1) * _BITS, -1, -_BITS))
