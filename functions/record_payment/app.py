"""/accounts/{account}/invoices/{number}: staff record a transfer, a repayment by hand, or that it will not be paid.

They also pause its reminders.
"""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.invoicing.collect_payments import record_payment
from billing.invoicing.pause_reminders import pause_reminders, resume_reminders
from billing.invoicing.records import WholeInvoice
from billing.invoicing.settle_by_hand import record_repayment, write_off
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
from billing.platform.http.preconditions import IfMatch, Preview, replaced_version
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Invoices, Payments, account_store

MayRecord = Annotated[Admission, Permits(Permission.RECORD_PAYMENTS, account_store)]

app = make_api()


@app.post("/accounts/<account>/invoices/<number>/payments")
def post_payment(
    account: AccountId,
    number: InvoiceNumber,
    body: RecordedPaymentBody,
    admission: MayRecord,
    context: Context,
    invoices: Invoices,
    payments: Payments,
) -> InvoiceDetailsView:
    """Record that an invoice is paid. The same reference and day again change nothing."""
    billing, asked = invoices.billing_context_with(account, number)
    admission.admit(billing.subscriber.account)
    record = record_payment(
        billing, number, body.paid_on, body.reference, context=context, store=invoices, gateway=payments
    )
    return InvoiceDetailsView.of(WholeInvoice(invoices.document(asked), record))


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
