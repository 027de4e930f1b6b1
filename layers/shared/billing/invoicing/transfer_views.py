"""API views and bodies of bank transfers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from billing.invoicing.record_transfer import RecordedTransfer
from billing.invoicing.take_transfer_back import OwedAgain, TakenBackTransfer
from billing.invoicing.transfers import SHARES_MAX, BankTransfer, Share, Transfer
from billing.kernel.money import Money
from billing.platform.http.models import AMOUNT_MAX, Body, Currency, IsoDate, MoneyView, Text, View

INVOICE_NUMBER_MAX = 60

TransferId = Annotated[str, Path(max_length=INVOICE_NUMBER_MAX)]
"""The id of a transfer in a path."""

PaidAmount = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MAX)]


class TransferredBody(Body):
    """The amount of a transfer, in minor units."""

    amount: PaidAmount
    currency: Currency

    def value(self) -> Money:
        return Money(self.amount, self.currency)


class AllocationBody(Body):
    """What of a transfer pays an invoice, in minor units of the transfer's currency."""

    invoice: Annotated[str, Field(min_length=1, max_length=INVOICE_NUMBER_MAX)]
    amount: PaidAmount


class TransferBody(Body):
    """Money that has arrived on the bank account. `allocations` sum to the amount; null pays the oldest open first.

    What exceeds what is left of an invoice is credit. `booking` is the bank's own id of the booking, where it is known:
    it tells two transfers of the same amount, day and reference apart.
    """

    amount: TransferredBody
    booked_on: IsoDate
    reference: Annotated[Text, Field(description="By which the transfer is known.")]
    allocations: Annotated[list[AllocationBody], Field(min_length=1, max_length=SHARES_MAX)] | None = None
    booking: Text | None = None

    def value(self) -> BankTransfer:
        allocations = self.allocations
        return BankTransfer(
            reference=self.reference,
            amount=self.amount.value(),
            booked_on=self.booked_on,
            allocations=None if allocations is None else tuple((each.invoice, each.amount) for each in allocations),
            key=self.booking,
        )


class TakeBackBody(Body):
    """Why a transfer was recorded wrongly. The customer reads it."""

    reason: Text


class ShareView(View):
    """What was paid of an invoice, and what was left of it then. `credit` is the part that nothing was owed for."""

    invoice: str
    amount: MoneyView
    credit: MoneyView
    left: MoneyView

    @classmethod
    def of(cls, share: Share, currency: str) -> ShareView:
        return cls(
            invoice=share.invoice,
            amount=MoneyView(amount=share.amount, currency=currency),
            credit=MoneyView(amount=share.credit, currency=currency),
            left=MoneyView(amount=share.left, currency=currency),
        )


class ReversalView(View):
    """That staff have taken a transfer back."""

    at: datetime
    by: str | None
    reason: str


class TransferView(View):
    """A transfer as it was recorded. `invoices` sum to `amount`; `applied` are those that its credit has paid at once,
    and `credit` is what it has left."""

    id: str
    reference: str
    booking: str | None
    booked_on: date
    amount: MoneyView
    invoices: list[ShareView]
    applied: list[ShareView]
    credit: MoneyView
    recorded_at: datetime
    recorded_by: str | None
    taken_back: ReversalView | None

    @classmethod
    def of(cls, transfer: Transfer) -> TransferView:
        currency, taken_back = transfer.amount.currency, transfer.taken_back
        return cls(
            id=transfer.id,
            reference=transfer.reference,
            booking=transfer.key,
            booked_on=transfer.booked_on,
            amount=MoneyView.of(transfer.amount),
            invoices=[ShareView.of(each, currency) for each in transfer.shares],
            applied=[ShareView.of(each, currency) for each in transfer.applied],
            credit=MoneyView(amount=transfer.credit, currency=currency),
            recorded_at=transfer.recorded_at,
            recorded_by=transfer.recorded_by,
            taken_back=None
            if taken_back is None
            else ReversalView(at=taken_back.at, by=taken_back.by, reason=taken_back.reason),
        )


class RecordedTransferView(View):
    """A transfer, and whether this request records it: false for one that was recorded before."""

    is_new: bool
    transfer: TransferView

    @classmethod
    def of(cls, recorded: RecordedTransfer) -> RecordedTransferView:
        return cls(is_new=recorded.is_new, transfer=TransferView.of(recorded.transfer))


class TransfersView(View):
    """Those that the bank booked last first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[TransferView]
    next_cursor: str | None


class OwedAgainView(View):
    """An invoice of which more is left again. `charge_on` is the first day of a charge, null where none follows."""

    invoice: str
    due_on: date
    status: str
    left: MoneyView
    charge_on: date | None

    @classmethod
    def of(cls, again: OwedAgain, currency: str) -> OwedAgainView:
        return cls(
            invoice=again.invoice,
            due_on=again.due_on,
            status=again.status,
            left=MoneyView(amount=again.left, currency=currency),
            charge_on=again.charge_on,
        )


class TakenBackView(View):
    """A transfer that is taken back, the invoices that are owed again because of it, and the account's credit then.

    For one that was taken back before there are no invoices here: they may have been paid since.
    """

    transfer: TransferView
    invoices: list[OwedAgainView]
    credit: MoneyView

    @classmethod
    def of(cls, taken: TakenBackTransfer) -> TakenBackView:
        currency = taken.transfer.amount.currency
        return cls(
            transfer=TransferView.of(taken.transfer),
            invoices=[OwedAgainView.of(each, currency) for each in taken.invoices],
            credit=MoneyView.of(taken.credit),
        )
