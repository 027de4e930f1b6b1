"""Events of invoices, credit notes and their payments."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from billing.invoicing.reminders import REMINDERS
from billing.payments.event_schemas import DebitFacts
from billing.platform.events.envelope import AccountEvent, Facts
from billing.platform.events.facts import InvoiceToComeFacts, MoneyFacts

WebAddress = Annotated[str, Field(pattern='^https?://[^\\s<>"]+$')]
"""Where a link may lead."""


class InvoiceLineFacts(Facts):
    description: str
    amount: MoneyFacts


class InvoiceFacts(Facts):
    """`until` is the first day that is not paid for. `charge_on` is None where the customer transfers the money
    themselves; `document` is the key of the PDF among the documents, None without one. `credit` was taken off the
    total and `due` is left to pay; older events are without. `debit` is the bank account that a SEPA debit is announced
    for, which takes `due` on `charge_on`. `seller_tax` is the tax in the seller's own currency, None where the invoice
    does not have it. `replaces` is the number of the invoice that it is in the place of."""

    number: str
    replaces: str | None = None
    produced_on: date
    due_on: date
    since: date
    until: date
    lines: list[InvoiceLineFacts]
    net: MoneyFacts
    tax: MoneyFacts
    seller_tax: MoneyFacts | None = None
    total: MoneyFacts
    credit: MoneyFacts | None = None
    due: MoneyFacts | None = None
    method: Literal["card", "sepa_debit", "bank_transfer"] | None
    charge_on: date | None
    debit: DebitFacts | None = None
    document: str | None


class CreditNoteFacts(Facts):
    """`corrects` is the invoice's number. Its amounts are below zero; what becomes of the money is not: `waived` need
    not be paid, `refunded` goes back, `carried` is taken off the next invoices; or it `is_repaid_by_hand`, because the
    contract has another currency by now. `document` is the key of the PDF.
    `seller_tax` is the tax in the seller's own currency, None where the credit note does not have it. `replaced_by` is
    the number of the invoice that was issued in the place of the corrected one, None without one."""

    number: str
    corrects: str
    replaced_by: str | None = None
    reason: str
    produced_on: date
    lines: list[InvoiceLineFacts]
    net: MoneyFacts
    tax: MoneyFacts
    seller_tax: MoneyFacts | None = None
    total: MoneyFacts
    waived: MoneyFacts
    refunded: MoneyFacts
    carried: MoneyFacts
    document: str
    is_repaid_by_hand: bool = False


class RefundFacts(Facts):
    number: str
    corrects: str
    refunded: MoneyFacts


class CreditRefundFacts(Facts):
    """`number` is the invoice that held the credit."""

    number: str
    refunded: MoneyFacts


class PaidFacts(Facts):
    """`method` is None where credit has paid the rest."""

    number: str
    paid_on: date
    total: MoneyFacts
    method: Literal["card", "sepa_debit", "bank_transfer"] | None


ReminderNumber = Annotated[int, Field(ge=1, le=REMINDERS)]


class MailedReminderFacts(Facts):
    """The reminder that the mail about a failed attempt gives too, so that the customer gets one mail."""

    number: ReminderNumber
    days_past_due: int


class FailedPaymentFacts(Facts):
    """`next_attempt_on` is None when there will be none; `authenticate_at` is where the customer's bank asks for
    their consent, None unless it does. `reminder` is a reminder that was due in the same moment, None without one.
    `due_on` is the invoice's due day, or a later one that came with the change to bank transfers."""

    number: str
    due_on: date
    total: MoneyFacts
    reason: Literal[
        "declined", "insufficient_funds", "expired_card", "authentication_required", "no_payment_method", "failed"
    ]
    next_attempt_on: date | None
    authenticate_at: WebAddress | None
    reminder: MailedReminderFacts | None = None


class EarlierReminderFacts(Facts):
    """The last reminder of an invoice before this one."""

    reminder: ReminderNumber
    sent_on: date


class TransferToFacts(Facts):
    """The account that customers transfer money to; `iban` is None where the deployment does not say."""

    name: str
    iban: str | None


class ReminderFacts(Facts):
    """`reminder` is its number from 1 to 3. `due_on` is the invoice's due day, or a later one that came with the change
    to bank transfers. `due` is what is left to pay of `total`. `method` is how the account pays, None without a
    method. `charged_back` says that a bank has taken a payment back. `next_reminder_on` is None after the last one.
    `invoice_at` is the invoice's page, None where a deployment has none. `mailed_with` names the event of the same
    moment whose mail gives the reminder too; None: it has a mail of its own."""

    number: str
    reminder: ReminderNumber
    produced_on: date
    due_on: date
    days_past_due: int
    total: MoneyFacts
    due: MoneyFacts
    method: Literal["card", "sepa_debit", "bank_transfer"] | None
    transfer_to: TransferToFacts | None
    charged_back: bool
    next_reminder_on: date | None
    invoice_at: WebAddress | None
    mailed_with: Literal["payment.failed"] | None


class ReminderPauseFacts(Facts):
    """Nothing is sent from `since` on until before `until`; None: until staff resume the reminders."""

    since: date
    until: date | None
    reason: str


class RemindersFacts(Facts):
    """`pause` is None where reminders are sent. `next_reminder_on` is None where none is planned yet, or follows."""

    number: str
    pause: ReminderPauseFacts | None
    next_reminder_on: date | None


class PastDueFacts(Facts):
    """`reason` is why the last attempt has failed, `charged_back` where the bank has taken the payment back, and None
    where the customer transfers the money themselves. With `corrects`, the number of an invoice, it is a credit note
    whose refund has failed: the money is owed to the customer."""

    number: str
    corrects: str | None = None
    due_on: date
    due: MoneyFacts
    reason: str | None


class FreePeriodFacts(Facts):
    """`since` and `until` are the months', `lines` what they come to together: nothing."""

    since: date
    until: date
    lines: list[InvoiceLineFacts]
    total: MoneyFacts


class OneOffUseFacts(Facts):
    """What an invoice has of a one-off, before tax. `number` is None where the invoice came to zero: it was not
    issued."""

    number: str | None
    amount: MoneyFacts


class OneOffFacts(Facts):
    """A one-off charge, or a goodwill that reduces the next invoices before tax: `quantity` pieces at `price`.

    `amount` is the whole of it before tax, `left` what no invoice has yet."""

    one_off: str
    kind: Literal["charge", "goodwill"]
    description: str
    price: MoneyFacts
    quantity: int
    amount: MoneyFacts
    reason: str
    mark: Literal["open", "invoiced", "taken_back", "lapsed"]
    left: MoneyFacts
    uses: list[OneOffUseFacts]


class OneOffChangeFacts(OneOffFacts):
    """A one-off after a change. `invoices` are those to come up to the last one that has it, `invoices_without` the
    same as they would have been without the change. One that was invoiced at once is alone on its invoice."""

    invoices: list[InvoiceToComeFacts]
    invoices_without: list[InvoiceToComeFacts]


class HeldInvoicesFacts(Facts):
    """So many invoices that are not issued, their total with tax, and the days that they are for."""

    invoices: int
    total: MoneyFacts
    since: date
    until: date


class WrittenOffFacts(Facts):
    number: str
    due_on: date
    written_off: MoneyFacts
    reason: str


class RepaidFacts(Facts):
    """`number` is the credit note that owed the money, or the invoice whose credit was repaid."""

    number: str
    repaid_on: date
    amount: MoneyFacts
    reference: str


class UnexpectedPaymentFacts(Facts):
    """`payment` is the payment at Stripe or the reference of the transfer, `received` what it brought, and `credit` the
    part that nothing was owed for. `number` is the invoice that keeps it, None where there is none in its
    currency: then nothing is credited."""

    number: str | None
    payment: str
    received: MoneyFacts
    credit: MoneyFacts


class RefundedOutsideFacts(Facts):
    """`number` is the invoice whose payment was refunded at Stripe itself, with the `refund` there. `credit` is the
    part that was taken off the account's credit: no credit note is needed for it. One that was `made` may have `failed`
    days later."""

    number: str
    refund: str
    refunded: MoneyFacts
    credit: MoneyFacts
    state: Literal["made", "failed"]


class InvoiceLeftFacts(Facts):
    """What was `left` of an invoice."""

    number: str
    left: MoneyFacts


class InvoicesLeftFacts(Facts):
    """The invoices that a transfer concerns, and the account's credit, before it."""

    invoices: list[InvoiceLeftFacts]
    credit: MoneyFacts


class TransferShareFacts(Facts):
    """What was paid of an invoice, and what is `left` of it. `credit` is the part of the amount that is credit: nothing
    is owed for it, or the invoice has a payment on its way, which its `left` waits for."""

    number: str
    due_on: date
    amount: MoneyFacts
    credit: MoneyFacts
    left: MoneyFacts


class TransferFacts(Facts):
    """`invoices` are what the transfer pays: the amounts sum to `received`. What exceeds what was left of one is
    credit; `applied` are the invoices that it has paid at once. `credit` is the account's credit after that."""

    transfer: str
    reference: str
    booked_on: date
    received: MoneyFacts
    invoices: list[TransferShareFacts]
    applied: list[TransferShareFacts]
    credit: MoneyFacts


class OwedAgainFacts(Facts):
    """An invoice of which more is `left` again. `charge_on` is the first day on which it may be charged, None where
    the customer transfers it."""

    number: str
    due_on: date
    left: MoneyFacts
    charge_on: date | None


class TransferTakenBackFacts(Facts):
    """`invoices` are those that are owed again, also because credit that came from the transfer had paid them."""

    transfer: str
    reference: str
    booked_on: date
    received: MoneyFacts
    reason: str
    invoices: list[OwedAgainFacts]
    credit: MoneyFacts


class InvoiceIssued(AccountEvent[Literal["invoice.issued"], None, InvoiceFacts]):
    """An invoice was issued."""


class CreditNoteIssued(AccountEvent[Literal["credit_note.issued"], None, CreditNoteFacts]):
    """An invoice, or some of its lines, was taken back by staff."""


class CreditNoteRefunded(AccountEvent[Literal["credit_note.refunded"], None, RefundFacts]):
    """The money of a credit note went back to where it came from."""


class CreditRefunded(AccountEvent[Literal["credit.refunded"], None, CreditRefundFacts]):
    """At the end of an account, credit went back to the payment that it came from."""


class CreditRefundFailed(AccountEvent[Literal["credit.refund_failed"], None, CreditRefundFacts]):
    """A refund of credit has failed, perhaps days later: it is credit again, and repaid by hand. Told to staff."""


class PeriodFree(AccountEvent[Literal["period.free"], None, FreePeriodFacts]):
    """Months began for which there is nothing to invoice: no invoice was issued."""


class OneOffChanged(AccountEvent[Literal["one_off.changed"], OneOffFacts | None, OneOffChangeFacts]):
    """Staff have added a one-off charge or a goodwill, or have taken one back; or a goodwill has lapsed, because its
    account has ended."""


class InvoicingHeld(AccountEvent[Literal["invoicing.held"], None, HeldInvoicesFacts]):
    """More invoices were due at once than are issued by themselves. None was; staff look at them. Told to staff."""


class InvoicingReleased(AccountEvent[Literal["invoicing.released"], None, HeldInvoicesFacts]):
    """Staff have looked at the invoices that were held, and they are issued now."""


class InvoicePaid(AccountEvent[Literal["invoice.paid"], None, PaidFacts]):
    """An invoice was paid."""


class InvoiceReminded(AccountEvent[Literal["invoice.reminded"], EarlierReminderFacts | None, ReminderFacts]):
    """A customer was reminded of a past-due invoice."""


class InvoiceRemindersChanged(AccountEvent[Literal["invoice.reminders_changed"], RemindersFacts, RemindersFacts]):
    """Staff have paused the reminders of an invoice, or resumed them. No mail."""


class PaymentFailed(AccountEvent[Literal["payment.failed"], None, FailedPaymentFacts]):
    """An attempt to charge an invoice has failed."""


class PaymentPastDue(AccountEvent[Literal["payment.past_due"], None, PastDueFacts]):
    """An invoice is past due, and is not tried again by itself. Told to staff."""


class PaymentUnexpected(AccountEvent[Literal["payment.unexpected"], None, UnexpectedPaymentFacts]):
    """Money has arrived that nothing is owed for: twice, for a void invoice, or for one that we do not know. It is
    credit. Told to staff."""


class PaymentRefundedOutside(AccountEvent[Literal["payment.refunded_outside"], None, RefundedOutsideFacts]):
    """A payment was refunded at Stripe itself, without a credit note. Told to staff, who issue one."""


class InvoiceWrittenOff(AccountEvent[Literal["invoice.written_off"], None, WrittenOffFacts]):
    """What is left of an invoice will not be paid. Told to staff."""


class PaymentRepaid(AccountEvent[Literal["payment.repaid"], None, RepaidFacts]):
    """Staff have recorded that they have given money back by hand."""


class TransferRecorded(AccountEvent[Literal["transfer.recorded"], InvoicesLeftFacts, TransferFacts]):
    """A bank transfer was recorded. It may pay a part of an invoice, several, or too much."""


class TransferTakenBack(AccountEvent[Literal["transfer.taken_back"], InvoicesLeftFacts, TransferTakenBackFacts]):
    """Staff have taken back a transfer that was recorded wrongly: what it had paid is owed again."""
