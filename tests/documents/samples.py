"""Sample invoices of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from billing.accounts.information import CompanyDetails
from billing.invoicing.exchange_rates.rules import ExchangeRate, SellerTax
from billing.invoicing.invoices import BillingReason, Correction, InvoiceDraft, IssuedInvoice, Seller
from billing.invoicing.tax import Tax, TaxRule
from billing.kernel.money import Money
from billing.payments.methods import Method
from billing.subscriptions.pricing import InvoiceLine, Step
from billing.subscriptions.rules import Discount

SELLER = Seller("Livello Demo ApS", "Demovej 1", None, "1050", "København", "DK", "DK10000009", "DK5000400440116243")
BUYER = CompanyDetails("Nordlys Kaffe ApS", "Eksempelvej 12", "2. tv.", "2100", "København Ø", "DK", "DK12345674")
DOMESTIC = Tax(TaxRule.DOMESTIC, "DK", Decimal(25))
REVERSE = Tax(TaxRule.REVERSE_CHARGE, "IT", Decimal(0))
STARTS, GROWS, ENDS = date(2026, 4, 15), date(2026, 6, 15), date(2026, 7, 15)
PER_LINE = 249_500


def discount(percent: int | None, amount: int | None = None, reason: str = "Launch") -> Discount:
    return Discount(None, None if percent is None else Decimal(percent), amount, STARTS, None, reason)


def line(number: int, currency: str, net: int) -> InvoiceLine:
    steps = (
        Step(STARTS, GROWS, 2, 25_000, Money(74_000, currency), None, (discount(12),)),
        Step(GROWS, ENDS, 1, 50_000, Money(120_000, currency), "2026-06#search", ()),
    )
    return InvoiceLine(f"product-{number}", f"Search {number}", "searches", steps, (), Money(net, currency))


def invoice(
    lines: int = 2,
    *,
    currency: str = "EUR",
    language: str = "en",
    tax: Tax = DOMESTIC,
    method: Method | None = Method.CARD,
    company: CompanyDetails = BUYER,
    seller: Seller = SELLER,
    credit: int = 0,
    whole: bool = True,
    net: int = PER_LINE,
) -> IssuedInvoice:
    """An invoice of a quarter with a move to a larger tier; `whole` adds a discount on the whole."""
    all_lines = [line(number, currency, net) for number in range(lines)]
    if whole:
        steps = (Step(STARTS, ENDS, 3, None, Money(0, currency), None, (discount(None, 5_000, "Partner"),)),)
        all_lines.append(InvoiceLine(None, "", "", steps, (), Money(-min(15_000, net), currency)))
    total_net = sum(each.net.amount for each in all_lines)
    charged = tax.of(total_net)
    total = total_net + charged
    draft = InvoiceDraft(
        occasion=BillingReason.PERIOD,
        since=STARTS,
        until=ENDS,
        lines=tuple(all_lines),
        net=Money(total_net, currency),
        tax=tax,
        tax_amount=Money(charged, currency),
        total=Money(total, currency),
        credit=Money(credit, currency),
        due=Money(max(0, total - credit), currency),
    )
    return IssuedInvoice(
        "LV-2026-000001",
        "nordlys-kaffe",
        STARTS,
        date(2026, 4, 29),
        draft,
        seller,
        company,
        "a@b.example",
        language,
        method,
    )


def with_one_offs(issued: IssuedInvoice, goodwill: int = 9_000) -> IssuedInvoice:
    """The invoice with three days of training, and a goodwill unless it is 0."""
    draft, currency = issued.draft, issued.draft.total.currency
    training = InvoiceLine("one-off/t", "Training", "", (), (), Money(120_000, currency), one_off="t", quantity=3)
    sorry = InvoiceLine(None, "An outage in May", "", (), (), Money(-goodwill, currency), one_off="s")
    lines = (*draft.lines, training, *([sorry] if goodwill else []))
    net = sum(each.net.amount for each in lines)
    tax = draft.tax.of(net)
    total, charged = Money(net + tax, currency), Money(tax, currency)
    figures = replace(draft, lines=lines, net=Money(net, currency), tax_amount=charged, total=total, due=total)
    return replace(issued, draft=figures)


def of_one_offs(issued: IssuedInvoice) -> IssuedInvoice:
    """An invoice of a one-off charge alone."""
    day = STARTS + timedelta(days=1)
    bare = replace(issued, draft=replace(issued.draft, lines=(), occasion=BillingReason.ONE_OFF, until=day))
    return with_one_offs(bare, goodwill=0)


def with_seller_tax(
    issued: IssuedInvoice,
    currency: str = "DKK",
    *,
    base: str = "EUR",
    invoice_rate: str = "1",
    seller_rate: str = "7.4604",
) -> IssuedInvoice:
    """The invoice with its tax in the seller's currency too."""
    rate = ExchangeRate(base, Decimal(invoice_rate), Decimal(seller_rate), date(2026, 4, 14), "ECB")
    tax = SellerTax(rate.convert(issued.draft.tax_amount, currency), rate)
    return replace(issued, draft=replace(issued.draft, seller_tax=tax))


def italian() -> IssuedInvoice:
    """An invoice to a company in another member state, with reverse charge."""
    company = replace(BUYER, name="Libreria Lucciola S.r.l.", city="Torino", country="IT", vat_number="IT00743110157")
    return invoice(language="it", tax=REVERSE, company=company)


CORRECTION = Correction("LV-2026-000001", STARTS, (0,), "Invoiced on the wrong tier")
