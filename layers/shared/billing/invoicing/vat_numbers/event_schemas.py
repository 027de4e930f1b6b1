"""Events of checked VAT numbers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts


class ConfirmedNumberFacts(Facts):
    """`requester` is the seller's own number, `request_identifier` the consultation number that VIES gave for it."""

    number: str
    requester: str | None
    request_identifier: str | None
    answered_on: date


class UnconfirmedNumberFacts(ConfirmedNumberFacts):
    """`code` is VIES's reason for `not_confirmed`. `treatment` is what the next invoices do unless staff decide."""

    result: Literal["invalid", "not_confirmed"]
    code: str | None
    treatment: Literal["reverse_charge", "charge_tax", "hold"]


class UnansweredFacts(Facts):
    """`country` is the member state in VIES's letters, `code` why the last question had no answer."""

    country: str
    since: datetime
    code: str


class DecisionFacts(Facts):
    number: str
    treatment: Literal["reverse_charge", "charge_tax"]
    reason: str


class VatNumberConfirmed(AccountEvent[Literal["vat_number.confirmed"], None, ConfirmedNumberFacts]):
    """VIES has confirmed the company's VAT number."""


class VatNumberNotConfirmed(AccountEvent[Literal["vat_number.not_confirmed"], None, UnconfirmedNumberFacts]):
    """VIES does not confirm the company's VAT number, which makes its invoices reverse charge."""


class VatNumberUnanswered(AccountEvent[Literal["vat_number.unanswered"], None, UnansweredFacts]):
    """VIES has not answered about a member state's numbers for a day. Told to staff, once; the account is one of those
    that wait for an answer."""


class VatNumberDecided(AccountEvent[Literal["vat_number.decided"], DecisionFacts | None, DecisionFacts]):
    """Staff have decided what invoices do about a VAT number."""
