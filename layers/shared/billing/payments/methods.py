"""Payment methods: how an account pays. Card numbers never reach Livello (DESIGN 3.6.1)."""

from __future__ import annotations

import calendar
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money


class Method(StrEnum):
    """The ways to pay."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"
    BANK_TRANSFER = "bank_transfer"


CHARGED = frozenset({Method.CARD, Method.SEPA_DEBIT})
"""The methods that the payment service charges and refunds. A bank transfer does not pass through it."""

CHARGED_METHODS = {
    "card-and-sepa-debit": CHARGED,
    "card": frozenset({Method.CARD}),
    "none": frozenset[Method](),
}
"""The methods that a deployment charges, by the value of its parameter ChargedMethods."""


@dataclass(frozen=True, slots=True)
class Card:
    """What may be shown of a card."""

    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int

    @property
    def last_day(self) -> date:
        """The last day on which the card can be charged."""
        days = calendar.monthrange(self.expiry_year, self.expiry_month)[1]
        return date(self.expiry_year, self.expiry_month, days)


@dataclass(frozen=True, slots=True)
class Debit:
    """What may be shown of a bank account that is debited: its country and the end of its number.

    `mandate` is the reference of the SEPA mandate, and `creditor` the creditor identifier that debits with it. Both are
    on each notice of a debit; None where the payment service did not say, and for debits from before they were kept.
    """

    country: str
    last_four: str
    mandate: str | None = None
    creditor: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """The payment method of an account. `card` is set exactly if it is a card.

    `debit` is set for SEPA debits that the customer has set up.
    """

    method: Method
    card: Card | None
    debit: Debit | None = None

    def __post_init__(self) -> None:
        if (self.card is None) == (self.method is Method.CARD):
            raise ValueError("a card goes with the method card, and only with it")
        if self.debit is not None and self.method is not Method.SEPA_DEBIT:
            raise ValueError("a bank account goes with SEPA debits only")


class SetupStatus(StrEnum):
    """The state of a SetupIntent."""

    SUCCEEDED = "succeeded"
    NEEDS_CONSENT = "needs_consent"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    IN_TRANSIT = "in_transit"


@dataclass(frozen=True, slots=True)
class ChosenMethod:
    """A payment method at the payment service. `shown` is its visible part.

    `customer` is None while it is not attached. `fingerprint` is the same for the same card or bank account.
    """

    payment_method: str
    customer: str | None
    shown: PaymentMethod
    fingerprint: str | None
    created: datetime


@dataclass(frozen=True, slots=True)
class Setup:
    """A SetupIntent. `user` is the id of the user who created it, None if that is not recorded."""

    id: str
    customer: str | None
    status: SetupStatus
    created: datetime
    chosen: ChosenMethod | None
    account: str | None
    user: str | None


class DisputeState(StrEnum):
    """The state of a dispute."""

    OPEN = "open"
    LOST = "lost"
    WON = "won"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment that the customer's bank takes back, or a part of it. `account` and `invoice` are None if it is not
    ours. The bank keeps the money of one that is LOST, and gives back that of one that is WON."""

    id: str
    payment: str
    account: str | None
    invoice: str | None
    amount: Money
    reason: str
    state: DisputeState


class RefundState(StrEnum):
    """The state of a refund. One that is DONE may fail days later (docs.stripe.com/refunds#failed-refunds)."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund of a PaymentIntent. `id` is None where the payment service has refused it.

    `account` and `credit_note` are None if it is not ours, such as one that was made by hand in Stripe's dashboard.
    """

    id: str | None
    state: RefundState
    payment: str
    amount: Money
    account: str | None = None
    credit_note: str | None = None
    attempt: str | None = None


class PaymentFailure(StrEnum):
    """Why an attempt to charge has failed."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    AUTHENTICATION_REQUIRED = "authentication_required"
    NO_PAYMENT_METHOD = "no_payment_method"
    FAILED = "failed"


class ChargeState(StrEnum):
    """The state of a PaymentIntent after an attempt; WAITING before the first."""

    SUCCEEDED = "succeeded"
    IN_TRANSIT = "in_transit"
    FAILED = "failed"
    WAITING = "waiting"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Charge:
    """The state of an invoice's PaymentIntent. `hard` marks a decline that no further attempt can change.

    `amount` is its amount in minor units of `currency`, `method` what it is paid by, `made_at` when the last charge was
    made; None where the payment service did not say.
    """

    payment_intent_id: str
    state: ChargeState
    failure: PaymentFailure | None
    hard: bool
    amount: int | None = None
    method: Method | None = None
    made_at: datetime | None = None
    currency: str | None = None


class SetupSuperseded(Conflict):
    """A newer payment method has already replaced this one."""

    code = "setup-superseded"

    def __init__(self) -> None:
        super().__init__("A newer payment method has taken the place of this one.")


TERM_DAYS_MAX = 120
"""The longest payment term of bank transfers, as of the parameter PaymentTermDays."""

USED_KEPT = 20
"""How many SetupIntents a profile remembers. Older ones are recognised by their time of creation."""


@dataclass(frozen=True, slots=True)
class PaymentProfile:
    """How an account pays, as stored.

    `customer` is its id at the payment service, None before the first setup. `shown` is the visible part of the payment
    method, None without one; `payment_method` is its id at the payment service, None for bank transfers. `setup` is the
    SetupIntent of this method, created at `set_up_at`; for bank transfers that is when staff agreed to them. `used` are
    the last USED_KEPT SetupIntents that led to a method, newest last.

    `agreed_at` is set for an account on a test clock: when it has agreed to the method, by its clock. The time of a
    SetupIntent is Stripe's, which is real. There a bank transfer has no `set_up_at`.

    `term_days` is the payment term that staff have given this account for bank transfers, None for the deployment's.
    """

    customer: str | None = None
    shown: PaymentMethod | None = None
    payment_method: str | None = None
    fingerprint: str | None = None
    setup: str | None = None
    set_up_at: datetime | None = None
    used: tuple[str, ...] = ()
    version: int = 0
    term_days: int | None = None
    agreed_at: datetime | None = None

    @property
    def agreed_since(self) -> datetime | None:
        """Since when the account pays in this way, by its own time; None without a method."""
        return self.agreed_at or self.set_up_at

    def payment_term(self, deployed_days: int) -> int:
        """The days until a bank transfer is due: the account's own, or those of the deployment."""
        return deployed_days if self.term_days is None else self.term_days

    def require_newer(self, setup: Setup) -> None:
        """Raises SetupSuperseded for a SetupIntent that is older than that of the current method.

        A late repetition of a request must not bring a replaced card back.
        """
        older = self.set_up_at is not None and setup.created < self.set_up_at
        if setup.id != self.setup and (older or setup.id in self.used):
            raise SetupSuperseded

    @property
    def charged(self) -> str | None:
        """Identifies what is charged: the id of the method and, for a card, a hash of its number and expiry.

        None without a method. A card that its bank renews keeps its id; the hash changes, so it is charged again.
        """
        if self.payment_method is None or self.shown is None or self.shown.card is None:
            return self.payment_method
        card = self.shown.card
        renewable = f"{self.fingerprint} {card.last_four} {card.expiry_year}-{card.expiry_month}"
        return f"{self.payment_method}#{hashlib.sha256(renewable.encode()).hexdigest()[:8]}"

    def with_method(self, setup: Setup, chosen: ChosenMethod, clock: datetime | None = None) -> PaymentProfile:
        """The profile with the method of a SetupIntent. `clock` is the time of its test clock, if it has one."""
        return replace(
            self,
            shown=chosen.shown,
            payment_method=chosen.payment_method,
            fingerprint=chosen.fingerprint,
            setup=setup.id,
            set_up_at=setup.created,
            agreed_at=clock,
            used=(*self.used, setup.id)[-USED_KEPT:],
        )

    def by_transfer(self, now: datetime, *, is_on_clock: bool = False) -> PaymentProfile:
        """The profile of an account that pays by bank transfer. SetupIntents from before `now` no longer change it,
        except on a test clock: Stripe does not know its time."""
        shown = PaymentMethod(Method.BANK_TRANSFER, None)
        set_up_at, agreed_at = (None, now) if is_on_clock else (now, None)
        profile = replace(self, shown=shown, payment_method=None, fingerprint=None, setup=None)
        return replace(profile, set_up_at=set_up_at, agreed_at=agreed_at)

    def with_customer(self, customer: str) -> PaymentProfile:
        """The profile with another customer at the payment service. The method of the former customer is removed."""
        profile = self if self.payment_method is None else self.without_method()
        return replace(profile, customer=customer)

    def without_method(self) -> PaymentProfile:
        """The profile without a payment method."""
        return replace(self, shown=None, payment_method=None, fingerprint=None)


def require_usable(setup: Setup, profile: PaymentProfile, today: date) -> ChosenMethod:
    """The payment method of a SetupIntent of this account. Raises RuleViolation if it cannot be charged.

    The SetupIntent of another customer gives the same error as one that does not exist.
    """
    place = ("setup_intent",)
    if setup.customer is None or setup.customer != profile.customer:
        raise RuleViolation(Violation(place, NO_SUCH_SETUP, FieldCode.UNKNOWN))
    if setup.status is not SetupStatus.SUCCEEDED or setup.chosen is None:
        raise RuleViolation(Violation(place, _UNFINISHED[setup.status], FieldCode.UNUSABLE))
    card = setup.chosen.shown.card
    if card is not None and card.last_day < today:
        raise RuleViolation(Violation(place, "This card has expired.", FieldCode.UNUSABLE))
    return setup.chosen


NO_SUCH_SETUP = "There is no such SetupIntent of this account."

_UNFINISHED = {
    SetupStatus.NEEDS_CONSENT: "The bank still asks its customer for consent: finish that first.",
    SetupStatus.FAILED: "The payment method was refused. Begin anew with another one.",
    SetupStatus.UNFINISHED: "It is not confirmed yet: confirm it with the client secret first.",
    SetupStatus.IN_TRANSIT: "The bank has not answered yet. Try again in a moment.",
    SetupStatus.SUCCEEDED: "It has led to no payment method that can be kept.",
}

WARNED_DAYS_BEFORE = (30, 7)
"""How many days before the last day of a card its owner is warned."""


@dataclass(frozen=True, slots=True)
class CardWarning:
    """The next warning that a card expires: `days` before its last day, due from the instant `at` on."""

    days: int
    at: datetime


def next_warning(profile: PaymentProfile, contract: Contract, today: date, *, after: int = 1000) -> CardWarning | None:
    """The next warning, due today or later, fewer than `after` days before the last day; None without one."""
    if profile.shown is None or profile.shown.card is None:
        return None
    last_day = profile.shown.card.last_day
    for days in WARNED_DAYS_BEFORE:
        day = last_day - timedelta(days=days)
        if day >= today and days < after:
            return CardWarning(days, datetime.combine(day, time(), ZoneInfo(contract.time_zone)).astimezone(UTC))
    return None
