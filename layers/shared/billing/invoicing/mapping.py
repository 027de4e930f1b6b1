"""The stored form of an invoice: first the fields of a list, then the content, then the payment."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from billing.accounts.information import CompanyDetails
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.invoices import BillingReason, Correction, InvoiceDraft, IssuedInvoice, Seller
from billing.invoicing.payment_mapping import payment_body, payment_from
from billing.invoicing.tax import Tax, TaxRule
from billing.kernel.fields import fields_of
from billing.kernel.money import Money
from billing.payments.methods import Method
from billing.platform.dynamodb.bodies import parsed, text
from billing.subscriptions.pricing import InvoiceLine, Step
from billing.subscriptions.rules import Discount

Body = dict[str, Any]


def invoice_body(invoice: IssuedInvoice, payment: InvoicePayment) -> str:
    """The stored body of an invoice with its payment. billing.invoicing.summary_mapping reads the first fields only."""
    issued = issued_text(invoice)
    return text(
        {
            "number": invoice.number,
            "produced_on": invoice.produced_on,
            "due_on": invoice.due_on,
            "paid_on": payment.paid_on,
            "status": payment.status,
            "total": invoice.draft.total,
            "corrects": None if invoice.corrects is None else invoice.corrects.number,
            "issued": orjson.Fragment(issued),
            "digest": _digest(issued),
            "payment": payment_body(payment),
        }
    )


def is_as_issued(stored: str) -> bool:
    """Whether the stored content of an invoice is unchanged since its issue, by its digest."""
    body = parsed(stored)
    same: bool = _digest(text(body["issued"])) == body["digest"]
    return same


def issued_text(invoice: IssuedInvoice) -> str:
    """The content of an invoice as JSON, byte for byte as its digest covers it."""
    if invoice.draft.tax_point is not None:
        return text(invoice)  # orjson writes dataclasses itself, without a copy
    # An older invoice keeps its bytes, and so its digest: it was issued without this field.
    draft = {name: value for name, value in fields_of(invoice.draft).items() if name != "tax_point"}
    return text({**fields_of(invoice), "draft": draft})


def _digest(issued: str) -> str:
    return hashlib.sha256(issued.encode()).hexdigest()


def issued_from(stored: str) -> IssuedInvoice:
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
    )


def _correction(body: Body | None) -> Correction | None:
    if body is None:
        return None
    return Correction(body["number"], date.fromisoformat(body["produced_on"]), tuple(body["lines"]), body["reason"])


def record_from(stored: str) -> tuple[IssuedInvoice, InvoicePayment]:
    """An invoice with its payment."""
    body = parsed(stored)
    invoice = invoice_from(body["issued"])
    return invoice, payment_from(body["payment"], invoice)


def draft_from(body: Body) -> InvoiceDraft:
    """The draft of its parsed JSON."""
    return InvoiceDraft(
        occasion=BillingReason(body["occasion"]),
        since=date.fromisoformat(body["since"]),
        until=date.fromisoformat(body["until"]),
        lines=tuple(map(_line, body["lines"])),
        net=Money(**body["net"]),
        tax=Tax(TaxRule(body["tax"]["rule"]), body["tax"]["country"], Decimal(body["tax"]["rate"])),
        tax_amount=Money(**body["tax_amount"]),
        total=Money(**body["total"]),
        credit=Money(**body["credit"]),
        due=Money(**body["due"]),
        tax_point=_day(body.get("tax_point")),  # older invoices were written without
    )


def _line(body: Body) -> InvoiceLine:
    return InvoiceLine(
        product=body["product"],
        name=body["name"],
        unit=body["unit"],
        steps=tuple(map(_step, body["steps"])),
        instead_of=tuple(map(_step, body["instead_of"])),
        net=Money(**body["net"]),
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
