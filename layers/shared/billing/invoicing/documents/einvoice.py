"""E-invoices: invoices and credit notes by EN 16931, in its two syntaxes.

The keys are the norm's business terms (BT) and groups (BG); the library writes each in the syntax. Every amount comes
from the invoice: this module only adds up lines and subtracts the credit.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from facturx import generate_xml
from lxml import etree, objectify

from billing.accounts.information import CompanyDetails, as_printed, compact_identifier, normal_postcode
from billing.invoicing.documents.writing import printable
from billing.invoicing.exemptions.rules import VATEX
from billing.invoicing.invoices import IssuedInvoice, Seller
from billing.invoicing.tax import Tax, TaxRule
from billing.invoicing.wording import credit_terms, describe_line, describe_seller_tax, payment_terms
from billing.kernel.money import Money, decimal_text
from billing.payments.methods import Method
from billing.subscriptions.pricing import InvoiceLine

INVOICE, CREDIT_NOTE = "380", "381"
"""UNTDID 1001."""

PIECE = "C62"
"""UN/ECE Recommendation 20: one."""

GERMANY = "DE"

NAMELESS = "-"
"""Replaces a name without a printable character: the norm requires one."""

DAY = timedelta(days=1)

CATEGORIES = {
    TaxRule.DOMESTIC: "S",
    TaxRule.DESTINATION: "S",
    TaxRule.REVERSE_CHARGE: "AE",
    TaxRule.OUTSIDE_EU: "O",
    TaxRule.SELLER_OUTSIDE_EU: "O",
    TaxRule.OWN_RATE: "S",
    TaxRule.ZERO_RATED: "Z",
    TaxRule.EXPORT: "G",
    TaxRule.OUTSIDE_SCOPE: "O",
    TaxRule.EXEMPT: "E",
}
"""UNTDID 5305: standard rate, reverse charge, not subject to VAT, zero rate, export, exempt."""

EXEMPTIONS = {"AE": "VATEX-EU-AE", "G": "VATEX-EU-G", "O": "VATEX-EU-O"}
"""The Commission's codes of why no VAT is charged, by category."""

NO_REASON = frozenset({"S", "Z"})
"""Categories that have no reason for an exemption (BR-S-10, BR-Z-10). Words of staff are a note then."""

MEANS = {Method.CARD: "48", Method.SEPA_DEBIT: "59", Method.BANK_TRANSFER: "30"}
UNDEFINED_MEANS = "1"
"""UNTDID 4461."""


class Syntax(StrEnum):
    """The syntaxes of EN 16931: Factur-X and ZUGFeRD embed CII, Peppol transports UBL."""

    CII = "cii"
    UBL = "ubl"


FLAVOURS = {Syntax.CII: "factur-x", Syntax.UBL: "ubl-2.1"}


def einvoice(invoice: IssuedInvoice, syntax: Syntax) -> bytes:
    """The e-invoice as XML; the same invoice gives the same bytes. Raises ValueError unless `can_be_electronic`."""
    if not invoice.can_be_electronic:
        raise ValueError("EN 16931 has no place for this invoice")
    terms = {name: value for name, value in _terms(invoice).items() if value is not None}
    written = generate_xml(terms, flavor=FLAVOURS[syntax], level="en16931", check_xsd=False, check_schematron=False)
    root = etree.fromstring(written)
    # The library marks empty elements as xsi:nil, which the schemas do not allow.
    objectify.deannotate(root, xsi_nil=True, cleanup_namespaces=True)
    clean: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return clean


def _terms(invoice: IssuedInvoice) -> dict[str, Any]:
    draft, is_credit = invoice.draft, invoice.corrects is not None
    sign = -1 if is_credit else 1
    lines = [line for line in draft.lines if line.product is not None]
    on_the_whole = [line for line in draft.lines if line.product is None]
    allowances = [line for line in on_the_whole if sign * line.net.amount <= 0]
    charges = [line for line in on_the_whole if sign * line.net.amount > 0]
    due = Money(draft.total.amount - draft.credit.amount, draft.total.currency)
    subject = draft.tax.is_subject
    preceding = [each for each in (invoice.corrects, invoice.replaces) if each is not None]
    return {
        "BT-1": invoice.number,
        "BT-2": invoice.produced_on,
        "BT-3": CREDIT_NOTE if is_credit else INVOICE,
        "BT-5": draft.total.currency,
        "BT-6": None if draft.seller_tax is None else draft.seller_tax.amount.currency,
        "BT-9": invoice.due_on if due.amount > 0 else None,
        # A positive amount needs a due date or terms (BR-CO-25), and a credit note is due to the customer.
        "BT-20": _payment_terms(invoice, sign * due.amount),
        # German law wants the day of supply on every invoice (section 14 (4) no. 6 UStG).
        "BT-72": draft.until - DAY if invoice.seller.country == GERMANY else None,
        "BT-73": draft.since,
        "BT-74": draft.until - DAY,
        "BT-81": _means(invoice),
        "BT-83": invoice.number,
        "BT-84": invoice.seller.iban if _means(invoice) == MEANS[Method.BANK_TRANSFER] else None,
        "BT-106": _text(_sum(lines, draft.net.currency), sign),
        "BT-107": _text(_sum(allowances, draft.net.currency), -sign) if allowances else None,
        "BT-108": _text(_sum(charges, draft.net.currency), sign) if charges else None,
        "BT-109": _text(draft.net, sign),
        "BT-110": _text(draft.tax_amount, sign),
        "BT-111": None if draft.seller_tax is None else _text(draft.seller_tax.amount, sign),
        "BT-112": _text(draft.total, sign),
        "BT-113": _text(draft.credit, 1) if draft.credit.amount else None,
        "BT-115": _text(due, sign),
        "BG-1": [{"BT-22": printable(note)} for note in _notes(invoice)] or None,
        # The invoice that a credit note takes back, or in whose place an invoice is issued (EN 16931, BG-3).
        "BG-3": [{"BT-25": each.number, "BT-26": each.produced_on} for each in preceding] or None,
        "BG-4": _party(invoice.seller, subject=subject),
        "BG-7": _party(invoice.company, subject=subject),
        "BG-20": [_on_the_whole(line, draft.tax, -sign, invoice.language) for line in allowances] or None,
        "BG-21": [_on_the_whole(line, draft.tax, sign, invoice.language) for line in charges] or None,
        "BG-23": [_breakdown(invoice, sign)],
        "BG-25": [_line(number, line, draft.tax, sign, invoice.language) for number, line in enumerate(lines, 1)],
    }


def _payment_terms(invoice: IssuedInvoice, due: int) -> str | None:
    if invoice.corrects is not None:
        return credit_terms(invoice.language) if due > 0 else None
    if invoice.method is not Method.BANK_TRANSFER or due <= 0:
        return None
    return payment_terms((invoice.due_on - invoice.produced_on).days, invoice.language)


def _notes(invoice: IssuedInvoice) -> list[str]:
    """Why it corrects another one or is in its place, what staff want to be said of the tax, and the rate of the tax in
    the seller's currency: the norm has no term for rates."""
    of = invoice.corrects or invoice.replaces
    reason = None if of is None else of.reason
    tax = invoice.draft.tax
    words = tax.sentence(invoice.language) if CATEGORIES[tax.rule] in NO_REASON else None
    return [note for note in (reason, words, describe_seller_tax(invoice.draft, invoice.language)) if note]


def _means(invoice: IssuedInvoice) -> str:
    """The code of the payment method. The norm requires an IBAN for a transfer: without one it is undefined."""
    if invoice.method is None or (invoice.method is Method.BANK_TRANSFER and invoice.seller.iban is None):
        return UNDEFINED_MEANS
    return MEANS[invoice.method]


def _party(party: Seller | CompanyDetails, *, subject: bool) -> dict[str, Any]:
    """Seller or buyer. An invoice that is not `subject` to VAT has no VAT numbers (BR-O-02): the number is then written
    as the legal identifier."""
    vat_number = as_printed(compact_identifier, party.vat_number)
    terms = {
        "name": printable(party.name) or NAMELESS,
        "addr_l1": printable(party.address_line_1),
        "addr_l2": printable(party.address_line_2 or ""),
        "postcode": printable(as_printed(normal_postcode, party.postcode) or ""),
        "city": printable(party.city),
        "country_code": party.country,
        "vat_identifier" if subject else "legal_identifier": vat_number or "",
    }
    if not subject and isinstance(party, Seller) and not vat_number:
        terms["legal_identifier"] = terms["name"]
    return {name: value for name, value in terms.items() if value}


def _line(number: int, line: InvoiceLine, tax: Tax, sign: int, language: str) -> dict[str, Any]:
    """One product. Its price is that of the whole period; the description explains the steps in words.

    A one-off charge has its own quantity and price.
    """
    net = Money(sign * line.net.amount, line.net.currency)
    pieces = 1 if line.price is None else line.quantity
    price = Money(abs(net.amount) // pieces, net.currency)
    days = {"BT-134": line.steps[0].since, "BT-135": line.steps[-1].until - DAY} if line.steps else {}
    return {
        "BT-126": str(number),
        "BT-129": str(pieces if net.amount >= 0 else -pieces),
        "BT-130": PIECE,
        "BT-131": decimal_text(net),
        **days,
        "BT-146": decimal_text(price),
        "BT-151": CATEGORIES[tax.rule],
        "BT-152": _rate(tax),
        "BT-153": printable(line.name) or NAMELESS,
        "BT-154": printable(describe_line(line, language)),
    }


def _on_the_whole(line: InvoiceLine, tax: Tax, sign: int, language: str) -> dict[str, Any]:
    return {
        "amount": decimal_text(Money(sign * line.net.amount, line.net.currency)),
        "reason": printable(describe_line(line, language)),
        "vat_category_code": CATEGORIES[tax.rule],
        "vat_rate": _rate(tax),
    }


def _breakdown(invoice: IssuedInvoice, sign: int) -> dict[str, Any]:
    draft = invoice.draft
    category = CATEGORIES[draft.tax.rule]
    terms = {
        "BT-116": _text(draft.net, sign),
        "BT-117": _text(draft.tax_amount, sign),
        "BT-118": category,
        "BT-119": _rate(draft.tax),
        "BT-120": None if category in NO_REASON else draft.tax.sentence(invoice.language),
        "BT-121": draft.tax.code if draft.tax.code in VATEX else EXEMPTIONS.get(category),
    }
    return {name: value for name, value in terms.items() if value is not None}


def _rate(tax: Tax) -> str | None:
    """The rate in percent; None for what is not subject to VAT, where not even zero is allowed (BR-O-05)."""
    return None if not tax.is_subject else f"{tax.rate.normalize():f}"


def _sum(lines: list[InvoiceLine], currency: str) -> Money:
    return Money(sum(line.net.amount for line in lines), currency)


def _text(money: Money, sign: int) -> str:
    return decimal_text(Money(sign * money.amount, money.currency))
