"""Renders the files of an issued invoice, once: the PDF and the e-invoices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from billing.invoicing.credit_notes import CreditOutcome, credit_outcome
from billing.invoicing.invoices import DocumentKind, IssuedInvoice, document_key, folder_of_invoice
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import NotFound
from billing.platform.files.interfaces import Documents

TYPES = {
    DocumentKind.PDF: "application/pdf",
    DocumentKind.CII: "application/xml",
    DocumentKind.UBL: "application/xml",
}

Render = Callable[[IssuedInvoice, CreditOutcome | None], Mapping[DocumentKind, bytes]]


def render_documents(
    account: str, number: str, *, store: InvoiceStore, documents: Documents, render: Render
) -> tuple[DocumentKind, ...]:
    """Writes the files of an invoice. Returns the kinds that were written; none where they exist already, or the
    account or the invoice does not.

    The PDF is written last, so that its existence implies the others. Files that a cut-off attempt has left of an
    account that is deleted by now are deleted. One list, two reads and one write for each file; two reads more for a
    credit note. Raises UpstreamFailed.
    """
    pdf, folder = document_key(account, number, DocumentKind.PDF), folder_of_invoice(account, number)
    written = [*documents.keys(folder)]
    if pdf in written and store.billing_context(account) is not None:
        return ()
    try:
        invoice = store.invoice(account, number).invoice
    except NotFound:
        if written and store.is_registered(number):
            # Of a deleted account: an attempt was cut off after it had written files.
            documents.delete_all(folder)
        return ()
    files = render(invoice, _outcome(invoice, store))
    for kind in sorted(files, key=lambda each: each is DocumentKind.PDF):
        documents.put(document_key(account, number, kind), files[kind], TYPES[kind])
    if store.billing_context(account) is None:
        # The account was deleted meanwhile: its files must not stay.
        documents.delete_all(folder)
        return ()
    return tuple(files)


def _outcome(invoice: IssuedInvoice, store: InvoiceStore) -> CreditOutcome | None:
    if invoice.corrects is None:
        return None
    corrected, billing = store.record(invoice.account, invoice.corrects.number), store.billing_context(invoice.account)
    return credit_outcome(corrected.payment, invoice, None if billing is None else billing.currency)
