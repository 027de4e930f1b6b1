"""Events of payment methods and disputes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from billing.platform.events.envelope import AccountEvent, Facts
from billing.platform.events.facts import InvoiceToComeFacts, MoneyFacts


class CardFacts(Facts):
    """What may be shown of a card."""

    brand: str
    last_four: Annotated[str, Field(pattern="^[0-9]{4}$")]
    expiry_month: Annotated[int, Field(ge=1, le=12)]
    expiry_year: int


class NewCardFacts(CardFacts):
    """`detach` names the payment methods that must still be given up at the payment service."""

    detach: list[str]


class DebitFacts(Facts):
    """What may be shown of a bank account that is debited. `mandate` is the reference of the SEPA mandate, `creditor`
    the creditor identifier. Events of an earlier release are without."""

    country: str
    last_four: str
    mandate: str | None = None
    creditor: str | None = None


class PaymentMethodFacts(Facts):
    """`card` is there exactly if it is one, `debit` for SEPA debits."""

    method: Literal["card", "sepa_debit", "bank_transfer"]
    card: CardFacts | None
    debit: DebitFacts | None


class NewPaymentMethodFacts(Facts):
    """`method` is None where there is none any more. `detach` names the payment methods that must still be given up
    at the payment service."""

    method: PaymentMethodFacts | None
    detach: list[str]


class DisputeFacts(Facts):
    """A payment that the customer's bank takes back for now. `invoice` is None if it was for none."""

    invoice: str | None
    amount: MoneyFacts
    reason: str


class NextChargeFacts(InvoiceToComeFacts):
    """`credit` is taken off the total, `due` is left to pay. Both are None in events of an earlier release."""

    credit: MoneyFacts | None = None
    due: MoneyFacts | None = None


class ExpiringCardFacts(Facts):
    """`last_day` is the last one on which the card can be charged; `next_charge` is None if none is to come."""

    card: CardFacts
    last_day: date
    days_left: Literal[30, 7]
    next_charge: NextChargeFacts | None


class PaymentTermFacts(Facts):
    """In how many `days` a bank transfer is due; `is_own` says that the account has a term of its own."""

    days: int
    is_own: bool


class NewPaymentTermFacts(PaymentTermFacts):
    """`is_by_transfer` says that the account pays by bank transfer now, so that its next invoice has the new term."""

    is_by_transfer: bool
    reason: str


class PaymentTermChanged(AccountEvent[Literal["payment_term.changed"], PaymentTermFacts, NewPaymentTermFacts]):
    """Staff have changed the payment term of an account, for the next invoices."""


class CardUpdated(AccountEvent[Literal["card.updated"], CardFacts | None, NewCardFacts]):
    """A new card has taken the place of the old one, whose details are deleted."""


class PaymentMethodChanged(
    AccountEvent[Literal["payment_method.changed"], PaymentMethodFacts | None, NewPaymentMethodFacts]
):
    """The account pays in another way, or in none any more; or the bank has told of a new expiry of its card."""


class PaymentDisputed(AccountEvent[Literal["payment.disputed"], None, DisputeFacts]):
    """A customer's bank takes a payment back for now. Told to staff, who answer it at the payment service."""


class CardExpiring(AccountEvent[Literal["card.expiring"], None, ExpiringCardFacts]):
    """The card expires in 30 days, or in 7."""
