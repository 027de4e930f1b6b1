"""POST /accounts/{account}/invoices/{number}/payments: staff have found a transfer on the bank account."""

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.authorise import authorise
from billing.invoicing.collect_payments import record_payment
from billing.invoicing.views import InvoiceDetailsView, InvoiceNumber, RecordedPaymentBody
from billing.kernel.permissions import Permission
from billing.platform.http.callers import Caller, Context
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Accounts, Invoices, Payments

app = make_api()


@app.post("/accounts/<account>/invoices/<number>/payments")
def post_payment(
    account: AccountId,
    number: InvoiceNumber,
    body: RecordedPaymentBody,
    caller: Caller,
    context: Context,
    accounts: Accounts,
    invoices: Invoices,
    payments: Payments,
) -> InvoiceDetailsView:
    """Record that an invoice is paid. The same reference and day again change nothing."""
    authorise(caller, accounts.account(account), Permission.RECORD_PAYMENTS, accounts)
    kept = record_payment(
        account, number, body.paid_on, body.reference, context=context, store=invoices, gateway=payments
    )
    return InvoiceDetailsView.of(kept)


handler = entrypoint(app)
