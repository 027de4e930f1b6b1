"""Events of exemptions from tax."""

from __future__ import annotations

from datetime import date
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts
from billing.platform.events.facts import MoneyFacts


class CertificateFacts(Facts):
    """The evidence: its number or reference, who issued it, and on which day."""

    reference: str
    authority: str
    issued_on: date


class ExemptionFacts(Facts):
    """No tax is charged on what begins on `valid_from` or later, and before `valid_until`; null for no end. `words` are
    what the invoice says, by language."""

    code: str
    words: dict[str, str]
    certificate: CertificateFacts
    valid_from: date
    valid_until: date | None


class TaxOfChargeFacts(Facts):
    """The next charge, before credit, and the rule and the rate of its tax in percent."""

    on: date
    amount: MoneyFacts
    tax: MoneyFacts
    total: MoneyFacts
    rule: str
    rate: str


class ExemptionsFacts(Facts):
    """All exemptions of an account, oldest first, and its next charge; null where none is to come."""

    exemptions: list[ExemptionFacts]
    next_charge: TaxOfChargeFacts | None


class EndingExemptionFacts(Facts):
    """The exemption, and the first day from which tax is charged again."""

    exemption: ExemptionFacts
    ends_on: date


class TaxExemptionsChanged(AccountEvent[Literal["tax_exemptions.changed"], ExemptionsFacts, ExemptionsFacts]):
    """Staff have changed what an account is exempt from. Issued invoices stay as they are. Told to the admins."""


class TaxExemptionEnding(AccountEvent[Literal["tax_exemption.ending"], None, EndingExemptionFacts]):
    """An exemption ends in 30 days, and no other one follows it. Told to staff, once for an end."""
