"""Queue worker: renders the files of an issued invoice or credit note."""

from collections.abc import Mapping
from typing import Any

import orjson
from billing import wiring
from billing.invoicing.credit_notes import CreditOutcome
from billing.invoicing.documents.einvoice import Syntax, einvoice
from billing.invoicing.documents.pdf import invoice_pdf
from billing.invoicing.documents.render import render_documents
from billing.invoicing.invoices import DocumentKind, IssuedInvoice
from billing.platform.events.mapping import event_of
from billing.platform.workers import worker


def render(message: str, _: str) -> Mapping[str, Any]:
    """Renders one invoice or credit note. Raises BillingError, which retries the message."""
    event = event_of(orjson.loads(message)["detail"])
    account, number = str(event.account), str((event.after or {})["number"])
    written = render_documents(
        account, number, store=wiring.invoice_store(), documents=wiring.documents(), render=rendered
    )
    return {"account": account, "number": number, "files": len(written)}


def rendered(invoice: IssuedInvoice, outcome: CreditOutcome | None = None) -> dict[DocumentKind, bytes]:
    """The content of each file: the PDF, and both e-invoices if EN 16931 can express the invoice."""
    if not invoice.can_be_electronic:
        return {DocumentKind.PDF: invoice_pdf(invoice, None, outcome)}
    cii = einvoice(invoice, Syntax.CII)
    return {
        DocumentKind.PDF: invoice_pdf(invoice, cii, outcome),
        DocumentKind.CII: cii,
        DocumentKind.UBL: einvoice(invoice, Syntax.UBL),
    }


handler = worker(render, wiring.queue)
