"""Invoices, credit notes and the register of numbers as sheets, with the columns that a bookkeeper posts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.numbering import RegisteredNumber
from billing.invoicing.records import WholeInvoice
from billing.kernel.money import Money
from billing.kernel.spreadsheet import Cell, Sheet

_INVOICE_COLUMNS = (
    "number",
    "produced_on",
    "due_on",
    "paid_on",
    "status",
    "total",
    "currency",
    "corrects",
    "kind",
    "net",
    "tax_rate",
    "tax",
    "tax_rule",
    "tax_country",
    "seller_tax",
    "seller_currency",
    "company",
    "country",
    "vat_number",
    "period_from",
    "period_to",
    "method",
    "reference",
    "paid",
    "left",
    "one_offs",
)
"""New columns come after these: programs read the first ones by their position."""

_REGISTER_COLUMNS = ("number", "produced_on", "total", "tax", "currency", "seller_tax", "seller_currency")


def invoice_sheet(invoices: Iterable[WholeInvoice]) -> Sheet:
    """Invoices and credit notes, a row each: one document has one tax rule and rate.

    Amounts of a credit note are below zero. The rate is in percent. `period_to` is the last day of the period. `paid`
    is what was paid, with credit too, or given back; `left` is what is still to be. `one_offs` is the part of `net`
    that is one-off charges, less goodwill; empty where there are none.
    """
    return Sheet("invoices", _INVOICE_COLUMNS, tuple(map(_invoice_row, invoices)))


def documents_sheet(documents: Iterable[WholeInvoice]) -> Sheet:
    """Invoices or credit notes of several accounts: the columns of one account's, and before them the account's id."""
    rows = ((each.invoice.account, *_invoice_row(each)) for each in documents)
    return Sheet("documents", ("account", *_INVOICE_COLUMNS), tuple(rows))


def register_sheet(numbers: Iterable[RegisteredNumber]) -> Sheet:
    """Numbers of the register, a row each."""
    rows: list[tuple[Cell, ...]] = [
        (
            each.number,
            each.day,
            each.total,
            each.tax,
            each.total.currency,
            each.seller_tax,
            None if each.seller_tax is None else each.seller_tax.currency,
        )
        for each in numbers
    ]
    return Sheet("register", _REGISTER_COLUMNS, tuple(rows))


def _invoice_row(whole: WholeInvoice) -> tuple[Cell, ...]:
    invoice, payment = whole.invoice, whole.payment
    draft, company = invoice.draft, invoice.company
    seller_tax = None if draft.seller_tax is None else draft.seller_tax.amount
    method = payment.method or invoice.method
    sign = 1 if invoice.corrects is None else -1
    return (
        invoice.number,
        invoice.produced_on,
        invoice.due_on,
        payment.paid_on,
        str(payment.status),
        draft.total,
        draft.total.currency,
        None if invoice.corrects is None else invoice.corrects.number,
        "invoice" if invoice.corrects is None else "credit_note",
        draft.net,
        draft.tax.rate,
        draft.tax_amount,
        str(draft.tax.rule),
        draft.tax.country,
        seller_tax,
        None if seller_tax is None else seller_tax.currency,
        company.name,
        company.country,
        company.vat_number,
        draft.since,
        draft.until - timedelta(days=1),
        None if method is None else str(method),
        payment.reference,
        replace(draft.total, amount=sign * payment.paid),
        replace(draft.total, amount=sign * payment.left),
        _one_offs(draft),
    )


def _one_offs(draft: InvoiceDraft) -> Money | None:
    nets = [line.net.amount for line in draft.lines if line.one_off is not None]
    return Money(sum(nets), draft.net.currency) if nets else None
