"""What a checked VAT number means for the tax of invoices. An outage of VIES never changes it (DESIGN 3.3.11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from billing.accounts.information import CompanyDetails, as_printed, compact_identifier
from billing.accounts.vat_number_due import VatNumberDue
from billing.invoicing.exemptions.rules import Exemptions, exempted
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.tax import Tax, TaxRule, tax_between
from billing.invoicing.tax_rates.rules import own_tax
from billing.invoicing.vat_territories import Address
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict
from billing.kernel.schedules import start_of

CONFIRMED_FOR_DAYS = 30
"""An invoice relies on a confirmation of at most this age. A company can lose its number on any day, and member states
expect the seller to ask again regularly; a month is the shortest time between two invoices of an account."""

UNCONFIRMED_AGAIN_DAYS = 1
"""After how many days an unconfirmed number is asked about again, as long as it awaits a decision: a company that has
just registered its number is not to wait for its invoices."""

LEAD_DAYS = 3
"""How long before a contract month a confirmation that will be too old is renewed. An outage of VIES may last days."""

OUTAGE_TOLD_AFTER = timedelta(days=1)
"""Member states' registers are down for maintenance for hours almost every night. Only a longer outage is news."""

OUTAGE_FORGOTTEN_AFTER = timedelta(days=2)
"""A failure so long after the last one begins a new outage: nobody has asked in between."""

_PREFIX_LENGTH = 2
_PREFIX_IN_VIES = {"GR": "EL"}


class VatNumberUnconfirmed(Conflict):
    """The account's VAT number is not confirmed, and the deployment issues no invoice before staff have decided."""

    code = "vat-number-unconfirmed"

    def __init__(self) -> None:
        super().__init__("The company's VAT number is not confirmed yet. Correct it, or ask us to look into it.")


class NoVatNumber(Conflict):
    """The company has no VAT number to decide about."""

    code = "no-vat-number"

    def __init__(self) -> None:
        super().__init__("The company has no VAT number.")


class VatResult(StrEnum):
    """What VIES says about a number. NOT_CONFIRMED: it refuses to say, because of the number itself."""

    VALID = "valid"
    INVALID = "invalid"
    NOT_CONFIRMED = "not_confirmed"


class Treatment(StrEnum):
    """What an invoice does that could be reverse charge. HOLD: it is not issued before staff have decided."""

    REVERSE_CHARGE = "reverse_charge"
    CHARGE_TAX = "charge_tax"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class VatNumberDecision:
    """Staff's decision about a number that VIES has not confirmed: REVERSE_CHARGE or CHARGE_TAX. `by` is a user id."""

    treatment: Treatment
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VatNumberCheck:
    """The last answer about an account's VAT number, which is evidence for reverse charge.

    `requester` is the seller's number that was sent along, `request_identifier` the consultation number that VIES gave
    for it; both are None without one. `code` is VIES's error code of NOT_CONFIRMED. `answered_on` is VIES's own day,
    `since` that of the first of its answers that said the same. All of these are None where staff decided before VIES
    answered. `version` counts the changes, 0 for none.
    """

    number: str
    result: VatResult | None = None
    code: str | None = None
    requester: str | None = None
    request_identifier: str | None = None
    answered_on: date | None = None
    since: date | None = None
    decision: VatNumberDecision | None = None
    version: int = 0

    @property
    def awaits_decision(self) -> bool:
        """Whether VIES has not confirmed the number, and staff have not decided."""
        return self.result in {VatResult.INVALID, VatResult.NOT_CONFIRMED} and self.decision is None

    def says_the_same(self, other: VatNumberCheck) -> bool:
        """Whether two answers differ in their evidence only."""
        return (self.number, self.result, self.code) == (other.number, other.result, other.code)

    def answered(self, answer: Answer, requester: str | None, today: date) -> VatNumberCheck:
        """The check after an answer of `today`. A confirmation replaces staff's decision; another answer leaves it."""
        answered_on = answer.answered_on or today
        says_the_same = (self.result, self.code) == (answer.result, answer.code)
        return VatNumberCheck(
            number=self.number,
            result=answer.result,
            code=answer.code,
            requester=requester,
            request_identifier=answer.request_identifier,
            answered_on=answered_on,
            since=self.since if says_the_same else answered_on,
            decision=None if answer.result is VatResult.VALID else self.decision,
            version=self.version,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of VIES. `code` is its error code, None for a valid or an invalid number.

    `answered_on` is its own day, None if it names none.
    """

    result: VatResult
    code: str | None
    request_identifier: str | None
    answered_on: date | None


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without answers about the numbers of one member state, `country` in VIES's letters.

    `last` is the last failure. `told` says whether staff were told. `version` counts the changes, 0 for a new one.
    """

    country: str
    since: datetime
    last: datetime
    code: str
    told: bool
    version: int


def after_no_answer(outage: Outage | None, country: str, code: str, now: datetime) -> tuple[Outage, bool]:
    """The outage after one more failure, and whether staff are told of it now: once, after OUTAGE_TOLD_AFTER."""
    version = 0 if outage is None else outage.version
    if outage is None or now - outage.last > OUTAGE_FORGOTTEN_AFTER:
        return Outage(country, now, now, code, told=False, version=version), False
    tells = not outage.told and now - outage.since >= OUTAGE_TOLD_AFTER
    last = max(outage.last, now)
    return replace(outage, last=last, code=code, told=outage.told or tells), tells


def asked_number(vat_number: str | None) -> str | None:
    """A VAT number as VIES is asked about it: ASCII, with the country's prefix in VIES's letters. None without one."""
    number = (as_printed(compact_identifier, vat_number) or "").strip().upper()
    prefix = number[:_PREFIX_LENGTH]
    return _PREFIX_IN_VIES.get(prefix, prefix) + number[_PREFIX_LENGTH:] or None


def country_of(number: str) -> str:
    """The member state that issued a number, in VIES's letters: EL for Greece."""
    return number[:_PREFIX_LENGTH]


def is_checked(seller: Address, company: CompanyDetails, day: date) -> bool:
    """Whether VIES is asked about a company's number: only a number that makes its invoices reverse charge."""
    return tax_between(seller, company, day).rule is TaxRule.REVERSE_CHARGE


def relevant(check: VatNumberCheck | None, company: CompanyDetails) -> VatNumberCheck | None:
    """The check if it is about the company's present number, else None."""
    return check if check is not None and check.number == asked_number(company.vat_number) else None


def treatment(check: VatNumberCheck | None, company: CompanyDetails, policy: UnconfirmedVatNumber | None) -> Treatment:
    """What a reverse charge invoice does. `policy` is None where the deployment does not ask VIES.

    Staff's decision comes first, then the last answer of VIES. A number without any answer yet is no reason to charge
    tax: it waits under HOLD, and goes on otherwise. The age of an answer has no influence, so an outage has none.
    """
    if policy is None:
        return Treatment.REVERSE_CHARGE
    known = relevant(check, company)
    if known is not None and known.decision is not None:
        return known.decision.treatment
    if known is None or known.result is None:
        return Treatment.HOLD if policy is UnconfirmedVatNumber.HOLD else Treatment.REVERSE_CHARGE
    if known.result is VatResult.VALID:
        return Treatment.REVERSE_CHARGE
    return consequence(policy)


def consequence(policy: UnconfirmedVatNumber) -> Treatment:
    """What the next invoices do after an answer that is not a confirmation, unless staff decide."""
    return {
        UnconfirmedVatNumber.HOLD: Treatment.HOLD,
        UnconfirmedVatNumber.CHARGE: Treatment.CHARGE_TAX,
        UnconfirmedVatNumber.CONTINUE: Treatment.REVERSE_CHARGE,
    }[policy]


def tax_on_sale(
    seller: Address,
    company: CompanyDetails,
    day: date,
    check: VatNumberCheck | None,
    policy: UnconfirmedVatNumber | None,
    exemptions: Exemptions,
) -> Tax:
    """The tax on a sale to a company on a day, by the rates of staff for a seller outside of the EU.

    A VAT number that is not to be relied on counts as none. An exemption that holds on the day takes what is charged.
    """
    own = own_tax(seller, company, day)
    return exempted(_tax_in_eu(seller, company, day, check, policy) if own is None else own, exemptions, day)


def _tax_in_eu(
    seller: Address,
    company: CompanyDetails,
    day: date,
    check: VatNumberCheck | None,
    policy: UnconfirmedVatNumber | None,
) -> Tax:
    tax = tax_between(seller, company, day)
    if tax.rule is TaxRule.REVERSE_CHARGE and treatment(check, company, policy) is Treatment.CHARGE_TAX:
        return tax_between(seller, replace(company, vat_number=None), day)
    return tax


def next_check(check: VatNumberCheck, contract: Contract, answered_on: date) -> VatNumberDue:
    """When a number is asked about again after an answer of the account's day `answered_on`.

    While it awaits a decision, that is UNCONFIRMED_AGAIN_DAYS later. Otherwise it follows from the next invoices: any
    contract month may have one. So it is LEAD_DAYS before the first contract month that begins when the answer is older
    than CONFIRMED_FOR_DAYS, but never on the day of the answer.
    """
    if check.awaits_decision:
        return VatNumberDue(start_of(answered_on + timedelta(days=UNCONFIRMED_AGAIN_DAYS), contract))
    too_old_on = answered_on + timedelta(days=CONFIRMED_FOR_DAYS + 1)
    month = max(0, contract.month_of(too_old_on))
    starts = contract.month_start(month)
    if starts < too_old_on:
        starts = contract.month_start(month + 1)
    return VatNumberDue(start_of(max(starts - timedelta(days=LEAD_DAYS), answered_on + timedelta(days=1)), contract))
