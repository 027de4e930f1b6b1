"""Requests and responses of the invoice routes: lines with their derivation, and the state of the payment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import Field, model_validator

from billing.invoicing.credit_notes import RequestedPart
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.exchange_rates.views import SellerTaxView
from billing.invoicing.holds import InvoicingHold
from billing.invoicing.invoices import Invoice, InvoiceDraft, InvoiceStatus
from billing.invoicing.issue_credit_note import PlannedCreditNote
from billing.invoicing.numbering import RegisteredNumber
from billing.invoicing.records import InvoiceRecord, WholeInvoice
from billing.invoicing.reissue_invoice import PlannedCorrection, RightAmount
from billing.invoicing.release_invoicing import InvoicingPreview
from billing.invoicing.summary_views import InvoiceView
from billing.invoicing.tax import TaxRule
from billing.invoicing.wording import describe_line
from billing.kernel.account_ids import CLOCK_PATTERN, SERIES_PREFIX
from billing.kernel.field_codes import FieldCode, Unfit
from billing.payments.methods import Method
from billing.platform.http.models import Amount, Body, Currency, IsoDate, MoneyView, Month, Text, View, plain
from billing.subscriptions.pricing import InvoiceLine, Step
from billing.subscriptions.views import DiscountView

YEAR_MIN, YEAR_MAX = 2000, 2999
SHEET_INVOICES_MAX = 1000
"""A sheet reads the documents of its invoices, 50 at a time: about two seconds."""

RELEASED_INVOICES_MAX = 1000

SHEET_NUMBERS_MAX = 20_000
"""About a megabyte of text, or of a workbook in base64: an answer of Lambda has six."""

ProducedIn = Annotated[Month, Query(alias="month", description="The month in which they were produced.")]
InvoiceNumber = Annotated[str, Path(max_length=60)]
Year = Annotated[int | None, Query(ge=YEAR_MIN, le=YEAR_MAX, description="Only those produced in this year.")]
Series = Annotated[
    str,
    Query(
        pattern=rf"^({SERIES_PREFIX}-{CLOCK_PATTERN}-)?[A-Z][A-Z0-9]{{0,9}}$",
        description="What the numbers begin with, of invoices or credit notes. A test clock has its own: TEST-q1-LV.",
    ),
]
RegisterYear = Annotated[int, Query(ge=YEAR_MIN, le=YEAR_MAX, description="The year in the numbers.")]
Status = Annotated[
    Literal["open", "in_transit", "paid", "past_due", "void", "uncollectible"] | None,
    Query(description="Only those that stand so."),
]


class StepView(View):
    """Contract months in a row that cost the same, from `since` to before `until`. `price` is per month.

    `decision` names what has led to the tier (autoscaling's, or a review), null for the tier that was signed.
    """

    since: date
    until: date
    months: int
    up_to: int | None
    price: MoneyView
    decision: str | None
    discounts: list[DiscountView]

    @classmethod
    def of(cls, step: Step, currency: str) -> StepView:
        return cls(
            since=step.since,
            until=step.until,
            months=step.months,
            up_to=step.up_to,
            price=MoneyView.of(step.price),
            decision=step.decision,
            discounts=[DiscountView.of(each, currency) for each in step.discounts],
        )


class InvoiceLineView(View):
    """One product, or with `product` null what is taken off the whole. `net` is before tax.

    `steps` say how the amount came about; `instead_of` what was invoiced already for the same months. `one_off` names a
    one-off charge, of which there are `quantity` pieces, or a goodwill, whose `net` is below zero; null for any other
    line.
    """

    product: str | None
    one_off: str | None
    quantity: int
    description: str
    steps: list[StepView]
    instead_of: list[StepView]
    net: MoneyView

    @classmethod
    def of(cls, line: InvoiceLine, language: str) -> InvoiceLineView:
        currency = line.net.currency
        return cls(
            product=line.product if line.one_off is None else None,
            one_off=line.one_off,
            quantity=line.quantity,
            description=describe_line(line, language),
            steps=[StepView.of(each, currency) for each in line.steps],
            instead_of=[StepView.of(each, currency) for each in line.instead_of],
            net=MoneyView.of(line.net),
        )


class TaxView(View):
    """`rate` is a percentage; `rule` says why; `sentence` is what the law wants to be said, if anything.

    `seller_tax` is the amount in the seller's own currency, null where the law does not ask for it, and in a preview.
    """

    rule: TaxRule
    country: str
    rate: str
    amount: MoneyView
    sentence: str | None
    seller_tax: SellerTaxView | None

    @classmethod
    def of(cls, draft: InvoiceDraft, language: str) -> TaxView:
        tax = draft.tax
        return cls(
            rule=tax.rule,
            country=tax.country,
            rate=plain(tax.rate),
            amount=MoneyView.of(draft.tax_amount),
            sentence=tax.sentence(language),
            seller_tax=None if draft.seller_tax is None else SellerTaxView.of(draft.seller_tax),
        )


class PreviewView(View):
    """The next invoice, as it would be today; `on` is the day on which it is issued.

    `occasion` is `period`, `tier_change`, or `one_off` for one-off charges alone. `credit` is taken from earlier
    credits, `due` is what is left to pay. `prices_change_on` is the renewal with which another version of the catalogue
    holds, null without one.
    """

    on: date
    occasion: str
    since: date
    until: date
    lines: list[InvoiceLineView]
    net: MoneyView
    tax: TaxView
    total: MoneyView
    credit: MoneyView
    due: MoneyView
    prices_change_on: date | None

    @classmethod
    def of(cls, on: date, draft: InvoiceDraft, language: str, prices_change_on: date | None = None) -> PreviewView:
        return cls(
            on=on,
            occasion=draft.occasion,
            since=draft.since,
            until=draft.until,
            lines=[InvoiceLineView.of(line, language) for line in draft.lines],
            net=MoneyView.of(draft.net),
            tax=TaxView.of(draft, language),
            total=MoneyView.of(draft.total),
            credit=MoneyView.of(draft.credit),
            due=MoneyView.of(draft.due),
            prices_change_on=prices_change_on,
        )


class PreparedView(View):
    """Whether the file is written yet, and a link to it that needs no log-in and works until `works_until`."""

    status: Literal["preparing", "ready"]
    link: str | None
    works_until: datetime | None


class PartyView(View):
    name: str
    address_line_1: str
    address_line_2: str | None
    postcode: str | None
    city: str
    country: str
    vat_number: str | None


class CreditedLineView(View):
    """A line, by its position, that a credit note has taken back."""

    line: int
    credit_note: str


class ReminderView(View):
    """A reminder that the customer got: its number, from 1 to 3, and the day."""

    number: int
    on: date


class ReminderPauseView(View):
    """Staff have paused the reminders, from `since` on until before `until`, null: until they resume them. One with
    another `until` than null may be over."""

    since: date
    until: date | None
    reason: str


class RemindersView(View):
    """The reminders of an invoice: those that were `sent`, the day of the next one if it is planned, and the pause."""

    sent: list[ReminderView]
    next_on: date | None
    pause: ReminderPauseView | None

    @classmethod
    def of(cls, payment: InvoicePayment) -> RemindersView:
        reminders = payment.reminders
        return cls(
            sent=[ReminderView(number=each.number, on=each.on) for each in reminders.sent],
            next_on=reminders.next_on if payment.status is InvoiceStatus.PAST_DUE else None,
            pause=None
            if reminders.pause is None
            else ReminderPauseView.model_validate(reminders.pause, from_attributes=True),
        )


class PaymentStandingView(View):
    """Where the payment stands. `next_attempt_on` is null where none is to come by itself; `failure` is why the last
    attempt has failed; `reference` is that of the customer's own transfer.

    `paid` is what was paid, with credit too, or has gone back; `left` is what is still to be; `credited` are lines that
    credit notes have taken back, `waived` and `refunded` what became of their money; `refunded` has also what was
    refunded at Stripe itself. `reminders` are those of the time after the due day.
    """

    status: InvoiceStatus
    paid_on: date | None
    method: Method | None
    attempts: int
    next_attempt_on: date | None
    failure: str | None
    reference: str | None
    paid: MoneyView
    left: MoneyView
    waived: MoneyView
    refunded: MoneyView
    credited: list[CreditedLineView]
    reminders: RemindersView

    @classmethod
    def of(cls, record: InvoiceRecord) -> PaymentStandingView:
        payment, currency = record.payment, record.left.currency
        return cls(
            status=payment.status,
            paid_on=payment.paid_on,
            method=payment.method,
            attempts=payment.attempts,
            next_attempt_on=payment.retried_on,
            failure=payment.failure,
            reference=payment.reference,
            paid=MoneyView(amount=payment.paid, currency=currency),
            left=MoneyView.of(record.left),
            waived=MoneyView(amount=payment.waived, currency=currency),
            refunded=MoneyView(amount=payment.refunded, currency=currency),
            credited=[CreditedLineView(line=line, credit_note=number) for line, number in payment.credited],
            reminders=RemindersView.of(payment),
        )


class CreditedPartView(View):
    """A part of a line that is credited: its net `amount` in minor units. `months` is how many of the line's last
    months that is, null for an amount that staff have named."""

    line: int
    amount: int
    months: int | None


class CorrectionView(View):
    """The invoice that a credit note corrects, which of its lines and which parts of others, and why. `replaced_by` is
    the number of the invoice that is in its place, null without one."""

    number: str
    produced_on: date
    lines: list[int]
    parts: list[CreditedPartView]
    reason: str
    replaced_by: str | None


class ReplacedView(View):
    """The invoice in whose place another one is: its number and day, the credit note that takes it back, and why."""

    number: str
    produced_on: date
    credit_note: str
    reason: str


class InvoiceDetailsView(View):
    """An issued invoice, which never changes, and where its payment stands. With `corrects` it is a credit note: its
    amounts are below zero. With `replaces` it is in the place of another invoice."""

    number: str
    corrects: CorrectionView | None
    replaces: ReplacedView | None
    produced_on: date
    due_on: date
    occasion: str
    since: date
    until: date
    seller: PartyView
    company: PartyView
    lines: list[InvoiceLineView]
    net: MoneyView
    tax: TaxView
    total: MoneyView
    credit: MoneyView
    due: MoneyView
    payment: PaymentStandingView

    @classmethod
    def of(cls, whole: WholeInvoice) -> InvoiceDetailsView:
        invoice, draft = whole.invoice, whole.invoice.draft
        return cls(
            number=invoice.number,
            corrects=None
            if invoice.corrects is None
            else CorrectionView.model_validate(invoice.corrects, from_attributes=True),
            replaces=None
            if invoice.replaces is None
            else ReplacedView.model_validate(invoice.replaces, from_attributes=True),
            produced_on=invoice.produced_on,
            due_on=invoice.due_on,
            occasion=draft.occasion,
            since=draft.since,
            until=draft.until,
            seller=PartyView.model_validate(invoice.seller, from_attributes=True),
            company=PartyView.model_validate(invoice.company, from_attributes=True),
            lines=[InvoiceLineView.of(line, invoice.language) for line in draft.lines],
            net=MoneyView.of(draft.net),
            tax=TaxView.of(draft, invoice.language),
            total=MoneyView.of(draft.total),
            credit=MoneyView.of(draft.credit),
            due=MoneyView.of(draft.due),
            payment=PaymentStandingView.of(whole.record),
        )


class PastDueView(View):
    """An invoice that is past due, and whose."""

    account: str
    company: str
    number: str
    due_on: date
    due: MoneyView
    failure: str | None
    reminders: RemindersView

    @classmethod
    def of(cls, record: InvoiceRecord) -> PastDueView:
        invoice = record.invoice
        return cls(
            account=invoice.account,
            company=invoice.company,
            number=invoice.number,
            due_on=invoice.due_on,
            due=MoneyView.of(record.left),
            failure=record.payment.failure,
            reminders=RemindersView.of(record.payment),
        )


class PastDuesView(View):
    """The longest due first. `next_cursor` leads to what follows, null at the end."""

    items: list[PastDueView]
    next_cursor: str | None


class DocumentOfMonthView(View):
    """An invoice or, with `corrects`, a credit note, whose amounts are below zero; and whose.

    `vat_number` and `country` are the company's, as the document says them; `tax_rate` is a percentage.
    """

    account: str
    company: str
    country: str
    vat_number: str | None
    number: str
    corrects: str | None
    produced_on: date
    due_on: date
    paid_on: date | None
    status: InvoiceStatus
    net: MoneyView
    tax_rule: TaxRule
    tax_rate: str
    tax: MoneyView
    total: MoneyView

    @classmethod
    def of(cls, whole: WholeInvoice) -> DocumentOfMonthView:
        invoice, draft = whole.invoice, whole.invoice.draft
        return cls(
            account=invoice.account,
            company=invoice.company.name,
            country=invoice.company.country,
            vat_number=invoice.company.vat_number,
            number=invoice.number,
            corrects=None if invoice.corrects is None else invoice.corrects.number,
            produced_on=invoice.produced_on,
            due_on=invoice.due_on,
            paid_on=whole.payment.paid_on,
            status=whole.payment.status,
            net=MoneyView.of(draft.net),
            tax_rule=draft.tax.rule,
            tax_rate=plain(draft.tax.rate),
            tax=MoneyView.of(draft.tax_amount),
            total=MoneyView.of(draft.total),
        )


class DocumentsOfMonthView(View):
    """By day and number. `next_cursor` leads to what follows, null at the end."""

    items: list[DocumentOfMonthView]
    next_cursor: str | None


class RegisteredNumberView(View):
    """A number that was given to an invoice or a credit note, and what the document says. It names no customer.

    `total` is with tax. `seller_tax` is the tax in the seller's own currency, null where the document has none. All
    amounts of a credit note are below zero.
    """

    number: str
    produced_on: date
    total: MoneyView
    tax: MoneyView
    seller_tax: MoneyView | None

    @classmethod
    def of(cls, registered: RegisteredNumber) -> RegisteredNumberView:
        return cls(
            number=registered.number,
            produced_on=registered.day,
            total=MoneyView.of(registered.total),
            tax=MoneyView.of(registered.tax),
            seller_tax=None if registered.seller_tax is None else MoneyView.of(registered.seller_tax),
        )


class RegisterView(View):
    """The first number first. `next_cursor` leads to what follows, null at the end."""

    items: list[RegisteredNumberView]
    next_cursor: str | None


Position = Annotated[int, Field(strict=True, ge=0, description="The position of a line of the invoice, from 0.")]


class CreditedPartBody(Body):
    """A part of a line: a net amount in minor units, or its last `months`. One of the two."""

    line: Position
    amount: Annotated[int, Field(strict=True, gt=0)] | None = None
    months: Annotated[int, Field(strict=True, gt=0, le=36)] | None = None

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> CreditedPartBody:
        if (self.amount is None) == (self.months is None):
            raise Unfit("name either amount or months", FieldCode.NOT_ALLOWED)
        return self

    def value(self) -> RequestedPart:
        return RequestedPart(self.line, self.amount, self.months)


class CreditNoteBody(Body):
    """Which lines are taken back, by position from 0; null means all that were not yet, or with `parts` none. `parts`
    are parts of other lines. The customer reads why."""

    lines: Annotated[list[Position], Field(min_length=1, max_length=500)] | None
    parts: Annotated[list[CreditedPartBody], Field(max_length=500)] = Field(default_factory=list)
    reason: Text

    def positions(self) -> tuple[int, ...] | None:
        return None if self.lines is None else tuple(self.lines)

    def values(self) -> tuple[RequestedPart, ...]:
        return tuple(each.value() for each in self.parts)


class RightAmountBody(Body):
    """What a line should have been: its net amount before what is taken off the whole, in minor units."""

    line: Position
    net: Annotated[int, Field(strict=True, ge=0)]

    def value(self) -> RightAmount:
        return RightAmount(self.line, self.net)


class CorrectionBody(Body):
    """Why an invoice is corrected: the customer reads it. `lines` are those whose amount was wrong.

    The new invoice has the company's data of today. Its tax is that of the corrected invoice (`kept`), or what follows
    from these data for the same day (`anew`), where they were wrong in what decides the tax.
    """

    reason: Text
    lines: Annotated[list[RightAmountBody], Field(max_length=500)] = Field(default_factory=list)
    tax: Literal["kept", "anew"] = "kept"

    def values(self) -> tuple[RightAmount, ...]:
        return tuple(each.value() for each in self.lines)


class CreditNotePreviewView(View):
    """A credit note as it would be, its amounts below zero, and what would become of its money: `waived` need not be
    paid, `refunded` goes back to where it came from, `carried` is credit."""

    credit_note: PreviewView
    waived: MoneyView
    refunded: MoneyView
    carried: MoneyView

    @classmethod
    def of(cls, planned: PlannedCreditNote, on: date, language: str) -> CreditNotePreviewView:
        money, currency = planned.money, planned.draft.total.currency
        return cls(
            credit_note=PreviewView.of(on, planned.draft, language),
            waived=MoneyView(amount=money.pre_payment, currency=currency),
            refunded=MoneyView(amount=money.refunded_before + money.refunded, currency=currency),
            carried=MoneyView(amount=money.credit_balance, currency=currency),
        )


class CorrectionPreviewView(CreditNotePreviewView):
    """A correction as it would be: the credit note, what would become of its money, and the invoice in its place, which
    takes what is `carried`."""

    invoice: PreviewView

    @classmethod
    def of_correction(cls, planned: PlannedCorrection, on: date, language: str) -> CorrectionPreviewView:
        note = CreditNotePreviewView.of(planned.note, on, language)
        return cls(**dict(note), invoice=PreviewView.of(on, planned.draft, language))


class ReminderPauseBody(Body):
    """Until when the customer is not reminded of an invoice, and why. The customer can read it."""

    until: Annotated[IsoDate | None, Field(description="The first day with reminders; null: until they are resumed.")]
    reason: Text


class AmountBody(Body):
    """An amount in minor units."""

    amount: Annotated[int, Field(strict=True, gt=0)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class RecordedPaymentBody(Body):
    """Money that has arrived on the bank account, by the reference that came with it: all that is left, or `amount`."""

    paid_on: IsoDate
    reference: Annotated[Text, Field(description="By which the transfer is known.")]
    amount: AmountBody | None = None


class WriteOffBody(Body):
    """Why an invoice will not be paid."""

    reason: Text


class RepaymentBody(Body):
    """Money that was given back by hand, by the reference that went with it."""

    amount: AmountBody
    repaid_on: IsoDate
    reference: Annotated[Text, Field(description="By which the transfer is known.")]


def shown(invoices: Iterable[Invoice]) -> list[InvoiceView]:
    """Invoices as a list shows them."""
    return [InvoiceView.of(each) for each in invoices]


class PendingInvoiceView(View):
    """An invoice that is due and not issued. It covers the days from `since` to before `until`."""

    since: date
    until: date
    net: MoneyView
    tax: MoneyView
    total: MoneyView

    @classmethod
    def of(cls, draft: InvoiceDraft) -> PendingInvoiceView:
        return cls(
            since=draft.since,
            until=draft.until,
            net=MoneyView.of(draft.net),
            tax=MoneyView.of(draft.tax_amount),
            total=MoneyView.of(draft.total),
        )


class InvoicingPreviewView(View):
    """The invoices that are due and not issued, oldest first. `total` is their sum, tax included.

    `held` says that nothing is issued before staff release it, since `held_at`.
    """

    held: bool
    held_at: datetime | None
    invoices: list[PendingInvoiceView]
    total: MoneyView

    @classmethod
    def of(cls, preview: InvoicingPreview) -> InvoicingPreviewView:
        drafts = [each.draft for each in preview.pending]
        return cls(
            held=preview.is_waiting,
            held_at=None if preview.hold is None else preview.hold.held_at,
            invoices=[PendingInvoiceView.of(each) for each in drafts],
            total=MoneyView.of(preview.total),
        )


class ConfirmedTotalBody(Body):
    amount: Amount
    currency: Currency


class ReleaseBody(Body):
    """What staff have seen in the preview and confirm: how many invoices, and their sum, tax included."""

    invoices: Annotated[int, Field(strict=True, ge=1, le=RELEASED_INVOICES_MAX)]
    total: Annotated[ConfirmedTotalBody, Field(description="The preview's total.")]


class HeldInvoicingView(View):
    """An account whose invoicing waits for staff, with what was to be issued when it stopped."""

    account: str
    held_at: datetime
    invoices: int
    total: MoneyView

    @classmethod
    def of(cls, hold: InvoicingHold) -> HeldInvoicingView:
        return cls(account=hold.account, held_at=hold.held_at, invoices=hold.invoices, total=MoneyView.of(hold.total))


class HeldInvoicingsView(View):
    """The longest first. `next_cursor` leads to what follows, null at the end."""

    items: list[HeldInvoicingView]
    next_cursor: str | None
