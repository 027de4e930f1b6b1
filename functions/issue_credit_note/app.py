"""POST /accounts/{account}/invoices/{number}/credit-notes: staff credit an invoice, or some of its lines."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.views import CreditNoteBody, InvoiceDetailsView, InvoiceNumber
from billing.kernel.permissions import Permission
from billing.platform.http.answers import Created, created
from billing.platform.http.callers import Context
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import DeployedSettings, Invoices, Payments, account_store

MayCorrect = Annotated[Admission, Permits(Permission.CORRECT_INVOICES, account_store)]

app = make_api()


@app.post("/accounts/<account>/invoices/<number>/credit-notes")
def post_credit_note(
    account: AccountId,
    number: InvoiceNumber,
    body: CreditNoteBody,
    admission: MayCorrect,
    context: Context,
    invoices: Invoices,
    settings: DeployedSettings,
    payments: Payments,
) -> Created[InvoiceDetailsView]:
    """Take an invoice back, or some of its lines. The same lines and reason again are the same credit note."""
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    lines = None if body.lines is None else tuple(body.lines)
    record = issue_credit_note(
        billing, number, lines, body.reason, context=context, settings=settings, store=invoices, gateway=payments
    )
    return created(InvoiceDetailsView.of(record), f"/v1/accounts/{account}/invoices/{record.invoice.number}")


handler = entrypoint(app)
