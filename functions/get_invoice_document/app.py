"""/accounts/{account}/invoices/{number}/pdf and /xml: a redirect to the file, or 202 while it is being rendered."""

import re
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from billing.accounts.admission import Admission, Permits
from billing.invoicing.invoices import DocumentKind, IssuedInvoice, document_key
from billing.invoicing.views import InvoiceNumber, PreparedView
from billing.kernel.errors import Conflict
from billing.kernel.permissions import Permission
from billing.platform.files.interfaces import Documents
from billing.platform.http.answers import Documented, Response, not_stored, not_yet, redirect
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Files, Invoices, account_store

RETRY_SECONDS = 5

XmlSyntax = Annotated[Literal["cii", "ubl"], Query(description="CII, as Factur-X and ZUGFeRD have it, or UBL 2.1.")]

Redirected = Annotated[
    bool,
    Query(description="false: 200 with the link, for a page, because a browser hides a redirect from its scripts."),
]

MayRead = Annotated[Admission, Permits(Permission.READ_BILLING, account_store)]

File = Response[
    Annotated[
        PreparedView,
        Documented(200),
        Documented(202, headers=("Retry-After",)),
        Documented(302, headers=("Location",)),
    ]
]

app = make_api()


class NotElectronic(Conflict):
    """EN 16931 cannot express this invoice."""

    code = "not-electronic"

    def __init__(self) -> None:
        super().__init__(
            "There is no e-invoice of this one: EN 16931 takes neither amounts of three decimals, nor VAT without a "
            "VAT number of the seller."
        )


@app.get("/accounts/<account>/invoices/<number>/pdf")
def get_pdf(
    account: AccountId,
    number: InvoiceNumber,
    admission: MayRead,
    invoices: Invoices,
    files: Files,
    redirected: Redirected = True,
) -> File:
    """The invoice as PDF: a redirect to the file, or 202 while it is written."""
    asked = invoices.document_of(account, number)
    admission.admit(asked.account)
    return _answer(invoices.document(asked), DocumentKind.PDF, files, redirected)


@app.get("/accounts/<account>/invoices/<number>/xml")
def get_xml(
    account: AccountId,
    number: InvoiceNumber,
    admission: MayRead,
    invoices: Invoices,
    files: Files,
    syntax: XmlSyntax = "cii",
    redirected: Redirected = True,
) -> File:
    """The invoice as an e-invoice (EN 16931): a redirect to the file, or 202 while it is written."""
    asked = invoices.document_of(account, number)
    admission.admit(asked.account)
    invoice = invoices.document(asked)
    if not invoice.can_be_electronic:
        raise NotElectronic
    return _answer(invoice, DocumentKind(syntax), files, redirected)


def _answer(invoice: IssuedInvoice, kind: DocumentKind, files: Documents, redirected: bool) -> File:
    key = document_key(invoice.account, invoice.number, kind)
    if key not in files.keys(key):
        return not_yet(PreparedView(status="preparing", link=None), RETRY_SECONDS)
    seller = re.sub(r"[^A-Za-z0-9]+", "-", invoice.seller.name).strip("-")
    name = "-".join(filter(None, (seller, key.rpartition("/")[2])))
    view = PreparedView(status="ready", link=(link := files.link(key, name)))
    return redirect(view, link) if redirected else not_stored(view)


handler = entrypoint(app)
