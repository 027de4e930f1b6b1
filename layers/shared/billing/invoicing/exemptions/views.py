"""Requests and answers of the routes of exemptions from tax."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from billing.invoicing.exemptions.records import ExemptAccount
from billing.invoicing.exemptions.rules import EXEMPTIONS_MAX, Exemption
from billing.invoicing.tax import Certificate
from billing.invoicing.tax_rates.views import WordsBody, WordsView
from billing.platform.http.models import Body, IsoDate, Text, View


class CertificateBody(Body):
    """The evidence: the number or reference of the certificate, who issued it, and on which day."""

    reference: Text
    authority: Text
    issued_on: IsoDate

    def value(self) -> Certificate:
        return Certificate(self.reference, self.authority, self.issued_on)


class ExemptionBody(Body):
    """No tax is charged on what begins on `valid_from` or later, and before `valid_until`; null for no end.

    `code` is the reason: a code of VATEX for a seller with the VAT of a member state, free words for another one.
    `words` are what the invoice says.
    """

    code: Annotated[Text, Field(examples=["VATEX-EU-151-1A"])]
    words: WordsBody
    certificate: CertificateBody
    valid_from: IsoDate
    valid_until: IsoDate | None = None

    def value(self) -> Exemption:
        return Exemption(self.code, self.words.value(), self.certificate.value(), self.valid_from, self.valid_until)


class ExemptionsBody(Body):
    """All exemptions of an account. One that invoices rely on stays; its end may be changed."""

    exemptions: Annotated[tuple[ExemptionBody, ...], Field(max_length=EXEMPTIONS_MAX)]

    def values(self) -> tuple[Exemption, ...]:
        return tuple(each.value() for each in self.exemptions)


class CertificateView(View):
    """The evidence for an exemption."""

    reference: str
    authority: str
    issued_on: date


class ExemptionView(View):
    """An exemption as it is sent. `valid_until` is the first day on which it does not hold, null for no end."""

    code: str
    words: WordsView
    certificate: CertificateView
    valid_from: date
    valid_until: date | None

    @classmethod
    def of(cls, exemption: Exemption) -> ExemptionView:
        return cls(
            code=exemption.code,
            words=WordsView.of(exemption.words),
            certificate=CertificateView.model_validate(exemption.certificate, from_attributes=True),
            valid_from=exemption.valid_from,
            valid_until=exemption.valid_until,
        )


class ExemptAccountView(View):
    """An account, and its exemptions, oldest first."""

    account: str
    exemptions: list[ExemptionView]

    @classmethod
    def of(cls, found: ExemptAccount) -> ExemptAccountView:
        listed = [ExemptionView.of(each) for each in found.exemptions.entries]
        return cls(account=found.account, exemptions=listed)


class ExemptAccountsView(View):
    """By the end of the last exemption, those without an end last. `next_cursor` leads to what follows, null at the
    end."""

    items: list[ExemptAccountView]
    next_cursor: str | None
