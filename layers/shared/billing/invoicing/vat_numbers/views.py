"""Requests and responses of the VAT number routes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path

from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_numbers.records import UnconfirmedNumber, VatNumberState
from billing.invoicing.vat_numbers.rules import Treatment, VatNumberCheck, relevant, treatment
from billing.platform.http.models import Body, Text, View

EvidenceNumber = Annotated[str, Path(max_length=60)]


class VatNumberDecisionBody(Body):
    """What invoices do about the number, and why. The reason is kept as evidence."""

    treatment: Literal["reverse_charge", "charge_tax"]
    reason: Text

    def wanted(self) -> Treatment:
        return Treatment(self.treatment)


class VatNumberDecisionView(View):
    treatment: Literal["reverse_charge", "charge_tax"]
    reason: str
    by: str
    at: datetime


class VatNumberEvidenceView(View):
    """An answer of VIES about `number`, asked by `requester`, the seller. `request_identifier` is the consultation
    number, `since` the day of the first answer that said the same. Without an answer yet `result` is null."""

    number: str
    result: Literal["valid", "invalid", "not_confirmed"] | None
    code: str | None
    requester: str | None
    request_identifier: str | None
    answered_on: date | None
    since: date | None
    decision: VatNumberDecisionView | None

    @classmethod
    def of(cls, check: VatNumberCheck) -> VatNumberEvidenceView:
        return cls.model_validate(check, from_attributes=True)


class VatNumberCheckView(VatNumberEvidenceView):
    """`treatment` is what the next reverse charge invoice does; `next_check_at` is when VIES is asked again."""

    treatment: Literal["reverse_charge", "charge_tax", "hold"]
    next_check_at: datetime | None

    @classmethod
    def of_state(
        cls, state: VatNumberState, check: VatNumberCheck, policy: UnconfirmedVatNumber | None
    ) -> VatNumberCheckView:
        return cls(
            **VatNumberEvidenceView.of(check).model_dump(),
            treatment=treatment(relevant(check, state.company), state.company, policy).value,
            next_check_at=None if state.due is None else state.due.at,
        )


class UnconfirmedNumberView(VatNumberEvidenceView):
    """A number that awaits staff's decision, and its account."""

    account: str

    @classmethod
    def of_number(cls, unconfirmed: UnconfirmedNumber) -> UnconfirmedNumberView:
        evidence = VatNumberEvidenceView.of(unconfirmed.check)
        return cls(**evidence.model_dump(), account=unconfirmed.account)


class UnconfirmedNumbersView(View):
    """`next_cursor` leads to what follows, null at the end."""

    items: list[UnconfirmedNumberView]
    next_cursor: str | None
