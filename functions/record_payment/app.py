"""POST /accounts/{account}/invoices/{number}/payments: staff record a bank transfer that has arrived."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.invoicing.collect_payments import record_payment
from billing.invoicing.views import InvoiceDetailsView, InvoiceNumber, RecordedPaymentBody
from billing.kernel.permissions import Permission
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
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
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    record = record_payment(
        billing, number, body.paid_on, body.reference, context=context, store=invoices, gateway=payments
    )
    return InvoiceDetailsView.of(record)


handler = entrypoint(app)
