"""The stored forms of an invoice: its summary with its payment, which changes, and its document, which never does."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from billing.accounts.information import CompanyDetails
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.exchange_rates.mapping import seller_tax_from
from billing.invoicing.invoices import (
    BillingReason,
    Correction,
    CreditedPart,
    InvoiceDraft,
    InvoiceSummary,
    IssuedInvoice,
    Replaced,
    Seller,
)
from billing.invoicing.payment_mapping import older_payment_from, payment_body, payment_from
from billing.invoicing.tax import Certificate, Tax, TaxRule
from billing.kernel.fields import fields_of
from billing.kernel.money import Money
from billing.payments.methods import Method
from billing.platform.dynamodb.bodies import parsed, text
from billing.subscriptions.pricing import InvoiceLine, Step
from billing.subscriptions.rules import Discount

Body = dict[str, Any]


def document_body(invoice: IssuedInvoice) -> str:
    """The stored body of what an invoice said when it was issued, with its digest. It is written once."""
    issued = issued_text(invoice)
    return text({"issued": orjson.Fragment(issued), "digest": _digest(issued)})


def summary_body(invoice: InvoiceSummary, payment: InvoicePayment) -> str:
    """The stored body of an invoice's summary: the fields of a list first, then its payment.

    billing.invoicing.summary_mapping reads the first fields only. The key of the item holds the account.
    """
    return text(
        {
            "number": invoice.number,
            "produced_on": invoice.produced_on,
            "due_on": invoice.due_on,
            "paid_on": payment.paid_on,
            "status": payment.status,
            "total": invoice.total,
            "left": payment.left,
            "corrects": invoice.corrects,
            "company": invoice.company,
            "payment": payment_body(payment),
        }
    )


def summary_from(account: str, stored: str) -> tuple[InvoiceSummary, InvoicePayment, str | None]:
    """The summary of an invoice, its payment, and its document where this item holds the document too, as JSON.

    Items of earlier releases hold the whole invoice. With their next change the document gets an item of its own.
    """
    body = parsed(stored)
    if "issued" in body:
        invoice = invoice_from(body["issued"])
        document = text({"issued": body["issued"], "digest": body["digest"]})
        return invoice.summary, older_payment_from(body["payment"], invoice), document
    summary = InvoiceSummary(
        number=body["number"],
        account=account,
        produced_on=date.fromisoformat(body["produced_on"]),
        due_on=date.fromisoformat(body["due_on"]),
        total=Money(**body["total"]),
        company=body["company"],
        corrects=body["corrects"],
    )
    return summary, payment_from(body["payment"], summary), None


def is_whole(stored: str) -> bool:
    """Whether the item of an invoice holds its document too, as earlier releases have written it."""
    return "issued" in parsed(stored)


def archived_body(summary: str, document: str | None) -> str:
    """The whole invoice as one JSON text, of its stored summary and document."""
    return summary if document is None else text({**parsed(summary), **parsed(document)})


def is_as_issued(stored: str) -> bool:
    """Whether a stored document is unchanged since the invoice's issue, by its digest."""
    body = parsed(stored)
    same: bool = _digest(text(body["issued"])) == body["digest"]
    return same


def issued_text(invoice: IssuedInvoice) -> str:
    """The content of an invoice as JSON, byte for byte as its digest covers it."""
    # An invoice keeps its bytes, and so its digest: older ones were issued without these fields.
    draft = fields_of(invoice.draft)
    for name in ("tax_point", "seller_tax"):
        if draft[name] is None:
            del draft[name]
    tax = fields_of(invoice.draft.tax)
    draft["tax"] = {name: value for name, value in tax.items() if value is not None}
    draft["lines"] = [fields_of(line) for line in invoice.draft.lines]
    for line in draft["lines"]:
        if line["one_off"] is None:
            del line["one_off"], line["quantity"]
    body = {**fields_of(invoice), "draft": draft}
    if body["replaces"] is None:
        del body["replaces"]
    if invoice.corrects is not None:
        correction = fields_of(invoice.corrects)
        body["corrects"] = {name: value for name, value in correction.items() if name not in _LATER or value}
    return text(body)


_LATER = frozenset({"parts", "replaced_by"})
"""What most credit notes do not have, and the older ones were issued without."""


def _digest(issued: str) -> str:
    return hashlib.sha256(issued.encode()).hexdigest()


def issued_from(stored: str) -> IssuedInvoice:
    """What an invoice said, of its stored document, or of an item that holds the whole invoice."""
    return invoice_from(parsed(stored)["issued"])


def invoice_from(body: Body) -> IssuedInvoice:
    """The content of an invoice from its parsed JSON."""
    return IssuedInvoice(
        number=body["number"],
        account=body["account"],
        produced_on=date.fromisoformat(body["produced_on"]),
        due_on=date.fromisoformat(body["due_on"]),
        draft=draft_from(body["draft"]),
        seller=Seller(**body["seller"]),
        company=CompanyDetails(**body["company"]),
        email=body["email"],
        language=body["language"],
        method=None if body["method"] is None else Method(body["method"]),
        corrects=_correction(body.get("corrects")),
        replaces=_replaced(body.get("replaces")),
    )


def _correction(body: Body | None) -> Correction | None:
    if body is None:
        return None
    return Correction(
        body["number"],
        date.fromisoformat(body["produced_on"]),
        tuple(body["lines"]),
        body["reason"],
        tuple(CreditedPart(**each) for each in body.get("parts", ())),
        body.get("replaced_by"),
    )


def _replaced(body: Body | None) -> Replaced | None:
    return None if body is None else Replaced(**{**body, "produced_on": date.fromisoformat(body["produced_on"])})


def draft_from(body: Body) -> InvoiceDraft:
    """The draft of its parsed JSON."""
    return InvoiceDraft(
        occasion=BillingReason(body["occasion"]),
        since=date.fromisoformat(body["since"]),
        until=date.fromisoformat(body["until"]),
        lines=tuple(map(_line, body["lines"])),
        net=Money(**body["net"]),
        tax=tax_from(body["tax"]),
        tax_amount=Money(**body["tax_amount"]),
        total=Money(**body["total"]),
        credit=Money(**body["credit"]),
        due=Money(**body["due"]),
        tax_point=_day(body.get("tax_point")),  # older invoices were written without
        seller_tax=seller_tax_from(body.get("seller_tax")),  # as were these
    )


def tax_from(body: Body) -> Tax:
    """The tax of its parsed JSON. What staff have not given is left out there."""
    return Tax(
        TaxRule(body["rule"]),
        body["country"],
        Decimal(body["rate"]),
        body.get("name"),
        body.get("words"),
        body.get("code"),
        certificate_from(body.get("certificate")),
    )


def certificate_from(body: Body | None) -> Certificate | None:
    """The evidence for an exemption of its parsed JSON; None for None."""
    if body is None:
        return None
    return Certificate(body["reference"], body["authority"], date.fromisoformat(body["issued_on"]))


def _line(body: Body) -> InvoiceLine:
    return InvoiceLine(
        product=body["product"],
        name=body["name"],
        unit=body["unit"],
        steps=tuple(map(_step, body["steps"])),
        instead_of=tuple(map(_step, body["instead_of"])),
        net=Money(**body["net"]),
        one_off=body.get("one_off"),  # lines of months are written without
        quantity=body.get("quantity", 1),  # as they are without this
    )


def _step(body: Body) -> Step:
    return Step(
        since=date.fromisoformat(body["since"]),
        until=date.fromisoformat(body["until"]),
        months=body["months"],
        up_to=body["up_to"],
        price=Money(**body["price"]),
        decision=body["decision"],
        discounts=tuple(map(_discount, body["discounts"])),
    )


def _discount(body: Body) -> Discount:
    return Discount(
        product=body["product"],
        percent=None if body["percent"] is None else Decimal(body["percent"]),
        amount=body["amount"],
        valid_from=date.fromisoformat(body["valid_from"]),
        valid_until=_day(body["valid_until"]),
        reason=body["reason"],
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
