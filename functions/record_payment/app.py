"""/accounts/{account}/transfers, /invoices/{number}: staff record what was transferred, repaid or will not be paid.

They also pause the reminders of an invoice.
"""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.invoicing.pause_reminders import pause_reminders, resume_reminders
from billing.invoicing.record_transfer import record_payment, record_transfer
from billing.invoicing.records import WholeInvoice
from billing.invoicing.settle_by_hand import record_repayment, write_off
from billing.invoicing.take_transfer_back import take_transfer_back
from billing.invoicing.transfer_views import (
    RecordedTransferView,
    TakeBackBody,
    TakenBackView,
    TransferBody,
    TransferId,
    TransfersView,
    TransferView,
)
from billing.invoicing.views import (
    InvoiceDetailsView,
    InvoiceNumber,
    RecordedPaymentBody,
    ReminderPauseBody,
    RepaymentBody,
    WriteOffBody,
)
from billing.kernel.money import Money
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Tagged, tagged
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.pages import LIMIT_DEFAULT, Cursor, Limit, Pages
from billing.platform.http.preconditions import IfMatch, Preview, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import DeployedSettings, Invoices, Payments, Transfers, account_store

MayRecord = Annotated[Admission, Permits(Permission.RECORD_PAYMENTS, account_store)]

app = make_api()


@app.get("/accounts/<account>/transfers")
def get_transfers(
    account: AccountId,
    admission: MayRecord,
    transfers: Transfers,
    pages: Pages,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> TransfersView:
    """The transfers that were recorded for an account, those that the bank booked last first."""
    admission.account(account)
    page = transfers.transfers(account, limit=limit, after=pages.position(cursor))
    return TransfersView(items=[TransferView.of(each) for each in page.items], next_cursor=pages.cursor(page.last))


@app.get("/accounts/<account>/transfers/<transfer>")
def get_transfer(account: AccountId, transfer: TransferId, admission: MayRecord, transfers: Transfers) -> TransferView:
    """One transfer, as it was recorded."""
    admission.account(account)
    return TransferView.of(transfers.transfer(account, transfer))


@app.post("/accounts/<account>/transfers")
def post_transfer(
    account: AccountId,
    body: TransferBody,
    admission: MayRecord,
    context: Context,
    transfers: Transfers,
    payments: Payments,
    preview: Preview = False,
) -> RecordedTransferView:
    """Record a transfer: of a part, of several invoices, of too much. The same one again is the one that there is."""
    billing = existing(transfers.billing_context(account))
    admission.admit(billing.subscriber.account)
    recorded = record_transfer(
        billing, body.value(), context=context, store=transfers, gateway=payments, is_preview=preview
    )
    return RecordedTransferView.of(recorded)


@app.post("/accounts/<account>/transfers/<transfer>/take-back")
def post_take_back(
    account: AccountId,
    transfer: TransferId,
    body: TakeBackBody,
    admission: MayRecord,
    context: Context,
    transfers: Transfers,
    settings: DeployedSettings,
    payments: Payments,
    preview: Preview = False,
) -> TakenBackView:
    """Take back a transfer that was recorded wrongly. What it had paid is owed again; admins get a mail."""
    billing = existing(transfers.billing_context(account))
    admission.admit(billing.subscriber.account)
    taken = take_transfer_back(
        billing,
        transfer,
        body.reason,
        context=context,
        settings=settings,
        store=transfers,
        gateway=payments,
        is_preview=preview,
    )
    return TakenBackView.of(taken)


@app.post("/accounts/<account>/invoices/<number>/payments")
def post_payment(
    account: AccountId,
    number: InvoiceNumber,
    body: RecordedPaymentBody,
    admission: MayRecord,
    context: Context,
    transfers: Transfers,
    payments: Payments,
) -> InvoiceDetailsView:
    """Record a transfer for an invoice, of all that is left or of an amount. The same again changes nothing."""
    billing, asked = transfers.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    amount = None if body.amount is None else Money(body.amount.amount, body.amount.currency)
    record = record_payment(
        billing, number, body.paid_on, body.reference, amount, context=context, store=transfers, gateway=payments
    )
    return InvoiceDetailsView.of(WholeInvoice(transfers.document(asked), record))


@app.post("/accounts/<account>/invoices/<number>/write-off")
def post_write_off(
    account: AccountId,
    number: InvoiceNumber,
    body: WriteOffBody,
    admission: MayRecord,
    context: Context,
    invoices: Invoices,
    payments: Payments,
) -> InvoiceDetailsView:
    """Write off what is left of an invoice: it is uncollectible. Money that arrives nevertheless pays it."""
    billing, asked = invoices.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    record = write_off(billing, number, body.reason, context=context, store=invoices, gateway=payments)
    return InvoiceDetailsView.of(WholeInvoice(invoices.document(asked), record))


@app.post("/accounts/<account>/invoices/<number>/repayments")
def post_repayment(
    account: AccountId,
    number: InvoiceNumber,
    body: RepaymentBody,
    admission: MayRecord,
    context: Context,
    invoices: Invoices,
) -> InvoiceDetailsView:
    """Record that money was given back by hand: of a credit note whose refund has failed, or of an invoice's credit.

    The same amount, day and reference again change nothing.
    """
    billing, asked = invoices.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    amount = Money(body.amount.amount, body.amount.currency)
    record = record_repayment(billing, number, amount, body.repaid_on, body.reference, context=context, store=invoices)
    return InvoiceDetailsView.of(WholeInvoice(invoices.document(asked), record))


@app.put("/accounts/<account>/invoices/<number>/reminder-pause")
def put_reminder_pause(
    account: AccountId,
    number: InvoiceNumber,
    body: ReminderPauseBody,
    admission: MayRecord,
    context: Context,
    invoices: Invoices,
    if_match: IfMatch = None,
    preview: Preview = False,
) -> Tagged[InvoiceDetailsView]:
    """Pause the reminders of an invoice until a day, or until they are resumed. It is still charged."""
    billing, asked = invoices.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    record = pause_reminders(
        billing,
        number,
        body.until,
        body.reason,
        replaced_version(if_match),
        is_preview=preview,
        context=context,
        store=invoices,
    )
    return tagged(InvoiceDetailsView.of(WholeInvoice(invoices.document(asked), record)), record.version)


@app.delete("/accounts/<account>/invoices/<number>/reminder-pause")
def delete_reminder_pause(
    account: AccountId,
    number: InvoiceNumber,
    admission: MayRecord,
    context: Context,
    invoices: Invoices,
    if_match: IfMatch = None,
) -> Tagged[InvoiceDetailsView]:
    """Resume the reminders of an invoice. The next one comes as many days later as the pause has lasted."""
    billing, asked = invoices.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    record = resume_reminders(billing, number, replaced_version(if_match), context=context, store=invoices)
    return tagged(InvoiceDetailsView.of(WholeInvoice(invoices.document(asked), record)), record.version)


handler = entrypoint(app)
