"""/accounts/{account}/invoices/{number}/pdf and /xml: a redirect or a link to the file, or 202 until it is written."""

import re
from datetime import datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from billing.accounts.admission import Admission, Permits
from billing.invoicing.invoices import DocumentKind, IssuedInvoice, document_key
from billing.invoicing.views import InvoiceNumber, PreparedView
from billing.kernel.errors import Conflict
from billing.kernel.permissions import Permission
from billing.platform.files.interfaces import Documents, link_works_until
from billing.platform.http.answers import Documented, Response, not_stored, not_yet, redirect
from billing.platform.http.callers import RealNow
from billing.platform.http.media_types import JSON, elements, media_type, preferred
from billing.platform.http.models import AccountId
from billing.platform.http.resolver import entrypoint, make_api
from billing.wiring import Files, Invoices, account_store

PDF = "application/pdf"
XML = "application/xml"
RETRY_SECONDS = 5

XmlSyntax = Annotated[Literal["cii", "ubl"], Query(description="CII, as Factur-X and ZUGFeRD have it, or UBL 2.1.")]

Accept = Annotated[
    str | None,
    Header(description="application/json: 200 with the link, for a page: a browser hides redirects from its scripts."),
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
    now: RealNow,
    accept: Accept = None,
) -> File:
    """The invoice as PDF: a redirect to the file, or 202 until it is written.

    With `Accept: application/json`, 200 and the link.
    """
    asked = invoices.document_of(account, number)
    admission.admit(asked.account)
    return _answer(invoices.document(asked), DocumentKind.PDF, files, now, _prefers_link(accept, PDF))


@app.get("/accounts/<account>/invoices/<number>/xml")
def get_xml(
    account: AccountId,
    number: InvoiceNumber,
    admission: MayRead,
    invoices: Invoices,
    files: Files,
    now: RealNow,
    syntax: XmlSyntax = "cii",
    accept: Accept = None,
) -> File:
    """The invoice as an e-invoice (EN 16931): a redirect to the file, or 202 until it is written.

    With `Accept: application/json`, 200 and the link.
    """
    asked = invoices.document_of(account, number)
    admission.admit(asked.account)
    invoice = invoices.document(asked)
    if not invoice.can_be_electronic:
        raise NotElectronic
    return _answer(invoice, DocumentKind(syntax), files, now, _prefers_link(accept, XML))


def _answer(invoice: IssuedInvoice, kind: DocumentKind, files: Documents, now: datetime, prefers_link: bool) -> File:
    answer = _file(invoice, kind, files, now, prefers_link)
    answer.headers["Vary"] = "Accept"
    return answer


def _file(invoice: IssuedInvoice, kind: DocumentKind, files: Documents, now: datetime, prefers_link: bool) -> File:
    key = document_key(invoice.account, invoice.number, kind)
    if key not in files.keys(key):
        return not_yet(PreparedView(status="preparing", link=None, works_until=None), RETRY_SECONDS)
    seller = re.sub(r"[^A-Za-z0-9]+", "-", invoice.seller.name).strip("-")
    name = "-".join(filter(None, (seller, key.rpartition("/")[2])))
    view = PreparedView(status="ready", link=(link := files.link(key, name)), works_until=link_works_until(now))
    return not_stored(view) if prefers_link else redirect(view, link)


def _prefers_link(accept: str | None, file: str) -> bool:
    """Whether a client accepts the link as JSON rather than the file (RFC 9110, 12.5.1).

    Of equals, the file comes first, so */* gets the redirect. A client that names JSON and not the file's type gets the
    link: the scripts of pages send `application/json, text/plain, */*` (axios, Angular).
    """
    named = {media_type(each) for each in elements(accept)}
    offers = (JSON, file) if JSON in named and file not in named else (file, JSON)
    return preferred(accept, offers) == JSON


handler = entrypoint(app)
