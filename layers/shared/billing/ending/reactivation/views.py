"""API views of a reactivation: its quote and its status."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from billing.accounts.contract_view import ContractView
from billing.accounts.rules import Ending
from billing.ending.cancellation.rules import reactivate_until
from billing.ending.reactivation.commands import ReactivationQuote
from billing.ending.reactivation.rules import Reactivation
from billing.invoicing.views import PreviewView
from billing.platform.http.models import Amount, Body, Confirmed, Currency, MoneyView, View
from billing.subscriptions.views import LineView


class ReactivationOfferView(View):
    """The new contract, from today on today's prices, and its first invoice, which is charged at once."""

    contract: ContractView
    lines: list[LineView]
    invoice: PreviewView

    @classmethod
    def of(cls, offer: ReactivationQuote, language: str) -> ReactivationOfferView:
        contract = offer.contract
        return cls(
            contract=ContractView.model_validate(contract, from_attributes=True),
            lines=[LineView.of(line, offer.subscription, contract.start) for line in offer.subscription.lines],
            invoice=PreviewView.of(contract.start, offer.draft, language),
        )


class ReactivationView(View):
    """`status` is `possible`, `pending` while the charge is on its way, or `failed`, which can be tried again.

    `reactivate_until` is the last day for it, on `purge_on` everything is deleted. `failure` is why the last charge
    has failed, `due` what was asked for is charged with tax; both null before.
    """

    status: Literal["possible", "pending", "failed"]
    reactivate_until: date
    purge_on: date
    offer: ReactivationOfferView | None
    reactivation: str | None
    due: MoneyView | None
    failure: str | None

    @classmethod
    def of(
        cls, ending: Ending, reactivation: Reactivation | None, offer: ReactivationOfferView | None
    ) -> ReactivationView:
        return cls(
            status="possible" if reactivation is None else reactivation.state.value,
            reactivate_until=reactivate_until(ending),
            purge_on=ending.purge_on,
            offer=offer,
            reactivation=None if reactivation is None else reactivation.id,
            due=None if reactivation is None else MoneyView.of(reactivation.invoice.draft.due),
            failure=None if reactivation is None else reactivation.failure,
        )


class DueBody(Body):
    amount: Amount
    currency: Currency


class ReactivationBody(Body):
    """`due` is what the offer's invoice has shown to be due. `confirmed` is the sentence's tick."""

    due: Annotated[DueBody, Field(description="The offer's invoice.due.")]
    confirmed: Confirmed
