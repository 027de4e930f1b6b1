"""API views of open claims, for staff."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path

from billing.ending.deletion.claims import OpenClaim
from billing.invoicing.entries import EntryKind
from billing.invoicing.open_money import OpenState
from billing.invoicing.records import InvoiceRecord, WholeInvoice
from billing.invoicing.views import InvoiceDetailsView, PendingInvoiceView
from billing.platform.http.models import MoneyView, View

ClaimId = Annotated[str, Path(min_length=1, max_length=40, description="The number of the document.")]


class EntryView(View):
    """A fact about the money of a document. `reference` and `payment` are ids at the payment service, or the reference
    of a transfer."""

    kind: EntryKind
    amount: MoneyView
    on: date
    reference: str | None
    payment: str | None


class OpenClaimView(View):
    """What is open of a document of a deleted account, in either direction. `claim` is the document's number.

    `to_pay` is owed by the customer, `to_repay` to them. `state` is `open`, `in_transit`, or `disputed` while a bank
    has yet to decide. `receipt` is that of the deletion, null for money that only the payment service knows of. After
    `keep_until` the claim is deleted.
    """

    claim: str
    account: str
    receipt: str | None
    state: OpenState
    to_pay: MoneyView
    to_repay: MoneyView
    due_on: date | None
    kept_at: datetime
    keep_until: date

    @classmethod
    def of(cls, claim: OpenClaim) -> OpenClaimView:
        return cls(**_fields(claim))


class OpenClaimDetailsView(OpenClaimView):
    """An open claim with its document as it was issued, null for money without one. `not_invoiced` was due and never
    issued, because it waited for staff. `entries` are what has become of the money."""

    document: InvoiceDetailsView | None
    not_invoiced: list[PendingInvoiceView]
    entries: list[EntryView]

    @classmethod
    def of(cls, claim: OpenClaim) -> OpenClaimDetailsView:
        whole = None
        if claim.invoice is not None:
            record = InvoiceRecord(claim.invoice.summary, claim.payment, claim.version, None)
            whole = WholeInvoice(claim.invoice, record)
        return cls(
            **_fields(claim),
            document=None if whole is None else InvoiceDetailsView.of(whole),
            not_invoiced=[PendingInvoiceView.of(each) for each in claim.drafts],
            entries=[
                EntryView(
                    kind=each.kind,
                    amount=MoneyView(amount=each.amount, currency=claim.currency),
                    on=each.on,
                    reference=each.reference,
                    payment=each.payment,
                )
                for each in claim.payment.entries
            ],
        )


class OpenClaimsView(View):
    """The longest kept first. `next_cursor` leads to what follows, null at the end."""

    items: list[OpenClaimView]
    next_cursor: str | None


def _fields(claim: OpenClaim) -> dict[str, object]:
    return {
        "claim": claim.id,
        "account": claim.account,
        "receipt": claim.receipt or None,
        "state": claim.state,
        "to_pay": MoneyView.of(claim.owed_to_us),
        "to_repay": MoneyView.of(claim.owed_by_us),
        "due_on": None if claim.invoice is None else claim.invoice.due_on,
        "kept_at": claim.kept_at,
        "keep_until": claim.keep_until,
    }
