"""Staff credit an invoice, some of its lines or parts of them, or issue another invoice in its place."""

from typing import Annotated

import billing.platform.dynamodb.transaction  # noqa: F401 - PynamoDB is loaded before the first request that writes
from billing.accounts.admission import Admission, Permits
from billing.accounts.rules import existing
from billing.invoicing.issue_credit_note import issue_credit_note, preview_credit_note
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.reissue_invoice import preview_correction, reissue_invoice
from billing.invoicing.views import (
    CorrectionBody,
    CorrectionPreviewView,
    CreditNoteBody,
    CreditNotePreviewView,
    InvoiceDetailsView,
    InvoiceNumber,
)
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
    """Take an invoice back, or some of its lines, or parts of them.

    The same lines, parts and reason again are the same credit note.
    """
    record = issue_credit_note(
        _admitted(account, admission, invoices),
        number,
        body.positions(),
        body.reason,
        parts=body.values(),
        context=context,
        settings=settings,
        store=invoices,
        gateway=payments,
    )
    return created(InvoiceDetailsView.of(record), f"/v1/accounts/{account}/invoices/{record.invoice.number}")


@app.post("/accounts/<account>/invoices/<number>/credit-notes/preview")
def post_credit_note_preview(
    account: AccountId,
    number: InvoiceNumber,
    body: CreditNoteBody,
    admission: MayCorrect,
    context: Context,
    invoices: Invoices,
) -> CreditNotePreviewView:
    """What a credit note would say, and what would become of its money. Nothing changes."""
    billing = _admitted(account, admission, invoices)
    planned = preview_credit_note(
        billing, number, body.positions(), body.values(), body.reason, now=context.time, store=invoices
    )
    today = billing.subscriber.account.contract.today(context.time)
    return CreditNotePreviewView.of(planned, today, billing.billing.language)


@app.post("/accounts/<account>/invoices/<number>/correction")
def post_invoice_correction(
    account: AccountId,
    number: InvoiceNumber,
    body: CorrectionBody,
    admission: MayCorrect,
    context: Context,
    invoices: Invoices,
    settings: DeployedSettings,
    payments: Payments,
) -> Created[InvoiceDetailsView]:
    """Take an invoice back and issue another one in its place, with the company's data of today.

    The same amounts and reason again are the same invoice.
    """
    record = reissue_invoice(
        _admitted(account, admission, invoices),
        number,
        body.values(),
        body.reason,
        keeps_tax=body.tax == "kept",
        context=context,
        settings=settings,
        store=invoices,
        gateway=payments,
    )
    return created(InvoiceDetailsView.of(record), f"/v1/accounts/{account}/invoices/{record.invoice.number}")


@app.post("/accounts/<account>/invoices/<number>/correction/preview")
def post_invoice_correction_preview(
    account: AccountId,
    number: InvoiceNumber,
    body: CorrectionBody,
    admission: MayCorrect,
    context: Context,
    invoices: Invoices,
    settings: DeployedSettings,
) -> CorrectionPreviewView:
    """What a correction would issue, and what would become of the money. Nothing changes."""
    billing = _admitted(account, admission, invoices)
    planned = preview_correction(
        billing,
        number,
        body.values(),
        body.reason,
        keeps_tax=body.tax == "kept",
        context=context,
        settings=settings,
        store=invoices,
    )
    today = billing.subscriber.account.contract.today(context.time)
    return CorrectionPreviewView.of_correction(planned, today, billing.billing.language)


def _admitted(account: str, admission: Admission, invoices: InvoiceStore) -> BillingContext:
    billing = existing(invoices.billing_context(account))
    admission.admit(billing.subscriber.account)
    return billing


handler = entrypoint(app)
