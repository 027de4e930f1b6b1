"""An issued invoice becomes files, once: for a person, and for a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from billing.invoicing.invoices import DocumentKind, IssuedInvoice, document_key, folder_of_invoice
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import NotFound
from billing.platform.files.interfaces import Documents

TYPES = {
    DocumentKind.PDF: "application/pdf",
    DocumentKind.CII: "application/xml",
    DocumentKind.UBL: "application/xml",
}

Render = Callable[[IssuedInvoice], Mapping[DocumentKind, bytes]]


def render_documents(
    account: str, number: str, *, store: InvoiceStore, documents: Documents, render: Render
) -> tuple[DocumentKind, ...]:
    """The files that were written; none where they are there, or the account is gone.

    The PDF comes last: whoever waits for it finds the others too. Raises UpstreamFailed.
    """
    pdf = document_key(account, number, DocumentKind.PDF)
    if pdf in documents.keys(folder_of_invoice(account, number)):
        return ()
    try:
        invoice = store.invoice(account, number).invoice
    except NotFound:
        return ()
    files = render(invoice)
    for kind in sorted(files, key=lambda each: each is DocumentKind.PDF):
        documents.put(document_key(account, number, kind), files[kind], TYPES[kind])
    if store.billing_context(account) is None:
        # Deleted meanwhile: nothing of it may come back.
        documents.delete_all(folder_of_invoice(account, number))
        return ()
    return tuple(files)
