"""How an account pays. Card numbers never reach Livello: this is what a card looks like to its owner."""

from __future__ import annotations

import calendar
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.money import Money


class Method(StrEnum):
    """The ways to pay."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"
    BANK_TRANSFER = "bank_transfer"


CHARGED = frozenset({Method.CARD, Method.SEPA_DEBIT})
"""What the payment service charges, and can refund. A transfer is the customer's own, and so is where it came from."""


@dataclass(frozen=True, slots=True)
class Card:
    """What may be shown of a card."""

    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int

    @property
    def last_day(self) -> date:
        """The last day on which it can be charged."""
        days = calendar.monthrange(self.expiry_year, self.expiry_month)[1]
        return date(self.expiry_year, self.expiry_month, days)


@dataclass(frozen=True, slots=True)
class Debit:
    """What may be shown of a bank account that is debited: its country and the end of its number."""

    country: str
    last_four: str


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """The one way in which the account pays; `card` is there exactly if that is by card.

    `debit` is there for SEPA debits that were set up by the customer.
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
    """Where the setting up of a payment method stands."""

    SUCCEEDED = "succeeded"
    NEEDS_CONSENT = "needs_consent"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    IN_TRANSIT = "in_transit"


@dataclass(frozen=True, slots=True)
class ChosenMethod:
    """A payment method as the payment service keeps it: its id, whose it is, and by what it is known again.

    `customer` is None before it belongs to anybody, and when it was given up.
    """

    payment_method: str
    customer: str | None
    shown: PaymentMethod
    fingerprint: str | None
    created: datetime


@dataclass(frozen=True, slots=True)
class Setup:
    """The setting up of a payment method: a SetupIntent. `user` is the id of whoever began it, if that is known."""

    id: str
    customer: str | None
    status: SetupStatus
    created: datetime
    chosen: ChosenMethod | None
    account: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment that a bank takes back for now: of which account and invoice, as far as that is known, and why."""

    account: str | None
    invoice: str | None
    amount: Money
    reason: str


class PaymentFailure(StrEnum):
    """Why an attempt has failed. HARD ones are not tried again by themselves: the bank has said never."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    AUTHENTICATION_REQUIRED = "authentication_required"
    NO_PAYMENT_METHOD = "no_payment_method"
    FAILED = "failed"


class ChargeState(StrEnum):
    """What became of an attempt at the payment service."""

    SUCCEEDED = "succeeded"
    IN_TRANSIT = "in_transit"
    FAILED = "failed"
    WAITING = "waiting"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Charge:
    """An invoice's payment at the payment service, as it stands. `hard` means that trying again is of no use."""

    payment_intent_id: str
    state: ChargeState
    failure: PaymentFailure | None
    hard: bool


class SetupSuperseded(Conflict):
    """A newer payment method has taken its place already."""

    code = "setup-superseded"

    def __init__(self) -> None:
        super().__init__("A newer payment method has taken the place of this one.")


USED_KEPT = 20
"""How many of the last setups are known again. Older ones are known by their time."""


@dataclass(frozen=True, slots=True)
class PaymentProfile:
    """What is known of how an account pays.

    `customer` is the account at the payment service, None before the first setup. `shown` is what may be seen of the
    method, None where there is none; `payment_method` is its id at the payment service, None for bank transfers.
    `setup` has led to it, begun at `set_up_at`; `used` are the setups that have led to a method, newest last.
    """

    customer: str | None = None
    shown: PaymentMethod | None = None
    payment_method: str | None = None
    fingerprint: str | None = None
    setup: str | None = None
    set_up_at: datetime | None = None
    used: tuple[str, ...] = ()
    version: int = 0

    def require_newer(self, setup: Setup) -> None:
        """Raises SetupSuperseded for a setup that is older than the one that has led to the method.

        A request that is repeated long after a newer card has replaced its own must not bring the old card back.
        """
        older = self.set_up_at is not None and setup.created < self.set_up_at
        if setup.id != self.setup and (older or setup.id in self.used):
            raise SetupSuperseded

    @property
    def charged(self) -> str | None:
        """What is charged now: the method and, of a card, what its bank may renew. None where there is no method.

        A card that its bank renews keeps its id, and is another chance all the same.
        """
        if self.payment_method is None or self.shown is None or self.shown.card is None:
            return self.payment_method
        card = self.shown.card
        renewed = f"{self.fingerprint} {card.last_four} {card.expiry_year}-{card.expiry_month}"
        return f"{self.payment_method}#{hashlib.sha256(renewed.encode()).hexdigest()[:8]}"

    def with_method(self, setup: Setup, chosen: ChosenMethod) -> PaymentProfile:
        """The profile with the method that a setup has led to."""
        return replace(
            self,
            shown=chosen.shown,
            payment_method=chosen.payment_method,
            fingerprint=chosen.fingerprint,
            setup=setup.id,
            set_up_at=setup.created,
            used=(*self.used, setup.id)[-USED_KEPT:],
        )

    def by_transfer(self, now: datetime) -> PaymentProfile:
        """The profile of an account that transfers the money itself. No setup from before `now` changes that."""
        shown = PaymentMethod(Method.BANK_TRANSFER, None)
        return replace(self, shown=shown, payment_method=None, fingerprint=None, setup=None, set_up_at=now)

    def with_customer(self, customer: str) -> PaymentProfile:
        """The profile of an account that is somebody else at the payment service. What it had there is gone."""
        kept = self if self.payment_method is None else self.without_method()
        return replace(kept, customer=customer)

    def without_method(self) -> PaymentProfile:
        """The profile of an account whose method is no longer there."""
        return replace(self, shown=None, payment_method=None, fingerprint=None)


def require_usable(setup: Setup, profile: PaymentProfile, today: date) -> ChosenMethod:
    """The method that a setup of this account has led to. Raises RuleViolation for any that cannot be charged.

    Another customer's setup is not told apart from none.
    """
    place = ("setup_intent",)
    if setup.customer is None or setup.customer != profile.customer:
        raise RuleViolation(Violation(place, NO_SUCH_SETUP))
    if setup.status is not SetupStatus.SUCCEEDED or setup.chosen is None:
        raise RuleViolation(Violation(place, _UNFINISHED[setup.status]))
    card = setup.chosen.shown.card
    if card is not None and card.last_day < today:
        raise RuleViolation(Violation(place, "This card has expired."))
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
"""How many days before a card's last one its owner is told."""


@dataclass(frozen=True, slots=True)
class CardWarning:
    """The next time that an account is told that its card expires: `days` before its last day, from `at` on."""

    days: int
    at: datetime


def next_warning(profile: PaymentProfile, contract: Contract, today: date, *, after: int = 1000) -> CardWarning | None:
    """The first warning that is due today or still to come, of fewer days than `after`; None if none is."""
    if profile.shown is None or profile.shown.card is None:
        return None
    last_day = profile.shown.card.last_day
    for days in WARNED_DAYS_BEFORE:
        day = last_day - timedelta(days=days)
        if day >= today and days < after:
            return CardWarning(days, datetime.combine(day, time(), ZoneInfo(contract.time_zone)).astimezone(UTC))
    return None
