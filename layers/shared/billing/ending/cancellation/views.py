"""API views of a cancellation: preview, request and receipt."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, Field, StringConstraints

from billing.accounts.rules import Status
from billing.ending.cancellation.commands import CancellationRequest
from billing.ending.cancellation.rules import (
    Cancellation,
    ChargesChanged,
    ChargesTotal,
    Consequences,
    DatesChanged,
    DueCharge,
    Reason,
)
from billing.kernel.money import Money
from billing.platform.http import problems
from billing.platform.http.models import (
    Amount,
    Body,
    Confirmed,
    Currency,
    IsoDate,
    MoneyView,
    Month,
    View,
    as_dict,
    plain_lines,
)
from billing.subscriptions.views import PendingVersionView

TEXT_MIN, TEXT_MAX = 10, 2000

RequestedIn = Annotated[Month | None, Query(alias="month", description="Only those that were requested then (UTC).")]


class DueChargeView(View):
    """An invoice that is still issued: `net` before tax, `total` with tax. Credit is not taken off.

    `amount` repeats `net`, for clients of earlier versions. `tax` and `total` are null on receipts of earlier versions.
    """

    on: date
    amount: MoneyView
    net: MoneyView
    tax: MoneyView | None
    total: MoneyView | None

    @classmethod
    def of(cls, charge: DueCharge) -> DueChargeView:
        net = MoneyView.of(charge.amount)
        return cls(
            on=charge.on,
            amount=net,
            net=net,
            tax=None if charge.tax is None else MoneyView.of(charge.tax),
            total=None if charge.total is None else MoneyView.of(charge.total),
        )


class ChargesView(View):
    """How many invoices are still issued, and what they come to with tax, before credit."""

    invoices: int
    total: MoneyView


class ConsequencesView(View):
    """What would happen if an admin cancelled now; all days in the account's time zone.

    `active_until` is the first day not served, `charges` what `charges_still_due` come to: send both back with the
    cancellation. On `purge_on` everything is deleted. `goodwill_lapses` is the goodwill, before tax, that is left after
    these charges: it is not paid out.
    `last_day_to_avoid_it` is the last day on which a cancellation prevents the charge of `next_avoidable_renewal`.
    """

    notice_ends: date
    active_until: date
    charges_still_due: list[DueChargeView]
    charges: ChargesView
    next_avoidable_renewal: date
    last_day_to_avoid_it: date
    purge_on: date
    goodwill_lapses: MoneyView

    @classmethod
    def of(cls, consequences: Consequences) -> ConsequencesView:
        return cls(
            notice_ends=consequences.notice_ends,
            active_until=consequences.active_until,
            charges_still_due=[DueChargeView.of(each) for each in consequences.charges_still_due],
            charges=ChargesView(invoices=consequences.charges.invoices, total=MoneyView.of(consequences.charges.total)),
            next_avoidable_renewal=consequences.next_avoidable_renewal,
            last_day_to_avoid_it=consequences.last_day_to_avoid_it,
            purge_on=consequences.purge_on,
            goodwill_lapses=MoneyView.of(consequences.goodwill_lapses),
        )


@problems.members.register(DatesChanged)
@problems.members.register(ChargesChanged)
def _preview(error: DatesChanged | ChargesChanged) -> dict[str, Any]:
    """Adds the current dates and charges to the problem document, as `preview`."""
    return {"preview": ConsequencesView.of(error.consequences).model_dump(mode="json")}


class RequesterView(View):
    name: str
    email: str


class ReceiptView(View):
    """The receipt of a cancellation: when it came, from whom, why, and every date.

    `goodwill_lapses` is as in the preview, null on receipts of earlier versions.
    """

    receipt: str
    requested_at: datetime
    requested_by: RequesterView
    reason: Reason
    text: str
    notice_ends: date
    active_until: date
    charges_still_due: list[DueChargeView]
    purge_on: date
    goodwill_lapses: MoneyView | None

    @classmethod
    def of(cls, cancellation: Cancellation) -> ReceiptView:
        requester = cancellation.requested_by
        return cls(
            receipt=cancellation.receipt,
            requested_at=cancellation.requested_at,
            requested_by=RequesterView(name=requester.name, email=requester.email),
            reason=cancellation.reason,
            text=cancellation.text,
            notice_ends=cancellation.notice_ends,
            active_until=cancellation.active_until,
            charges_still_due=[DueChargeView.of(each) for each in cancellation.charges_still_due],
            purge_on=cancellation.purge_on,
            goodwill_lapses=None
            if cancellation.goodwill_lapses is None
            else MoneyView.of(cancellation.goodwill_lapses),
        )


class ListedCancellationView(ReceiptView):
    """A cancellation that holds, and whose account it ends."""

    account: str

    @classmethod
    def listed(cls, account: str, cancellation: Cancellation) -> ListedCancellationView:
        return cls(account=account, **as_dict(ReceiptView.of(cancellation)))


class CancellationsView(View):
    """The newest request first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[ListedCancellationView]
    next_cursor: str | None


class OpenInCurrencyView(View):
    """What is open in a currency that the contract had before: as `to_pay` and `to_repay` of the cancellation."""

    to_pay: MoneyView
    to_repay: MoneyView


class CancellationView(View):
    """Where the account stands: `preview` while it is not cancelled, `receipt` once it is.

    `reasons` are those to choose from; `products_in_use` were used in the last seven days. `to_pay` is open of issued
    invoices today, and stays owed after the end; `to_repay` is credit, which the end gives back. `others` is what is
    open in currencies that the contract had before. `pending_version` is an announced change of prices, with the last
    day on which a cancellation avoids it; null without one.
    """

    status: Status
    preview: ConsequencesView | None
    receipt: ReceiptView | None
    reasons: list[Reason]
    products_in_use: list[str]
    to_pay: MoneyView
    to_repay: MoneyView
    others: list[OpenInCurrencyView]
    pending_version: PendingVersionView | None


class ChargesTotalBody(Body):
    amount: Amount
    currency: Currency


class ChargesBody(Body):
    invoices: Annotated[int, Field(strict=True, ge=0)]
    total: ChargesTotalBody


class CancellationBody(Body):
    """A cancellation. `active_until` is the one that the preview has shown; `confirmed` is the sentence's tick.

    `charges` are those that the preview has shown. A client of an earlier version may leave them out: then only the
    dates are compared.
    """

    reason: Literal["too_expensive", "not_used", "missing_features", "other_vendor", "closing_business", "other"]
    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=TEXT_MIN, max_length=TEXT_MAX),
        AfterValidator(plain_lines),
        Field(description="A few lines in the admin's own words."),
    ]
    confirmed: Confirmed
    active_until: IsoDate
    charges: Annotated[ChargesBody | None, Field(description="The preview's charges.")] = None

    def request(self) -> CancellationRequest:
        charges = None
        if self.charges is not None:
            total = Money(self.charges.total.amount, self.charges.total.currency)
            charges = ChargesTotal(self.charges.invoices, total)
        return CancellationRequest(Reason(self.reason), self.text, self.active_until, charges)
