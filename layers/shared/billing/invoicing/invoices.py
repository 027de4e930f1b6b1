"""Invoices: what they are made of, where they stand, and how they come from a subscription.

One generator makes what is issued, what is previewed, and what the billing page says of the next charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.accounts.information import CompanyDetails
from billing.invoicing.tax import Tax
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.errors import Conflict
from billing.kernel.money import Money
from billing.payments.methods import Method
from billing.subscriptions.pricing import InvoiceLine

NUMBER_MAX = 999_999


ELECTRONIC_DECIMALS_MAX = 2


class SeriesExhausted(Conflict):
    """All numbers of a series are given for this year."""

    code = "series-exhausted"

    def __init__(self, series: str, year: int) -> None:
        super().__init__(f"The series {series} has no number left for {year}. Set another InvoiceSeries.")


def number_of(series: str, year: int, count: int) -> str:
    """The number of the how many-th invoice of a series and year, from 1 on. Raises SeriesExhausted."""
    if count > NUMBER_MAX:
        raise SeriesExhausted(series, year)
    return f"{series}-{year}-{count:06}"


class InvoiceStatus(StrEnum):
    """Where an invoice stands. IN_TRANSIT is paid by a method that takes days, and is not overdue."""

    OPEN = "open"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    PAST_DUE = "past_due"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class Invoice:
    """One issued invoice, as a list shows it. `paid_on` is there exactly if it is paid; `total` includes tax.

    With `corrects`, the number of another one, it is a credit note.
    """

    number: str
    produced_on: date
    due_on: date
    paid_on: date | None
    status: InvoiceStatus
    total: Money
    corrects: str | None = None


class BillingReason(StrEnum):
    """Why an invoice is issued: a paid period begins, a tier has changed within one, or an invoice is corrected."""

    PERIOD = "period"
    TIER_CHANGE = "tier_change"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Seller:
    """Who issues the invoice."""

    name: str
    address_line_1: str
    address_line_2: str | None
    postcode: str | None
    city: str
    country: str
    vat_number: str | None
    iban: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """An invoice to be, without its number: what a preview shows. `total` includes tax and may be negative.

    `credit` is what is taken from earlier credits, `due` what is left to pay, never below zero.
    """

    occasion: BillingReason
    since: date
    until: date
    lines: tuple[InvoiceLine, ...]
    net: Money
    tax: Tax
    tax_amount: Money
    total: Money
    credit: Money
    due: Money


@dataclass(frozen=True, slots=True)
class Correction:
    """Which invoice a credit note takes back, or which of its lines, and why."""

    number: str
    produced_on: date
    lines: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class IssuedInvoice:
    """What an invoice says, for good: nothing of it ever changes. `method` is how it was to be paid when issued.

    With `corrects` it is a credit note: its amounts are below zero.
    """

    number: str
    account: str
    produced_on: date
    due_on: date
    draft: InvoiceDraft
    seller: Seller
    company: CompanyDetails
    email: str
    language: str
    method: Method | None
    corrects: Correction | None = None

    @property
    def can_be_electronic(self) -> bool:
        """Whether EN 16931 has a place for it: not for amounts of three decimals (BR-DEC), nor for VAT that is charged
        by somebody without a VAT number (BR-S-02)."""
        digits = MINOR_UNIT_DIGITS[self.draft.total.currency]
        return digits <= ELECTRONIC_DECIMALS_MAX and (
            self.seller.vat_number is not None or not self.draft.tax.is_subject
        )


def build_draft(
    occasion: BillingReason,
    since: date,
    until: date,
    lines: tuple[InvoiceLine, ...],
    tax: Tax,
    credit: int,
    currency: str,
) -> InvoiceDraft:
    """The invoice of these lines, with what there is of credit, in minor units."""
    net = sum(line.net.amount for line in lines)
    tax_amount = tax.of(net)
    total = net + tax_amount
    used = max(0, min(total, credit))
    return InvoiceDraft(
        occasion=occasion,
        since=since,
        until=until,
        lines=lines,
        net=Money(net, currency),
        tax=tax,
        tax_amount=Money(tax_amount, currency),
        total=Money(total, currency),
        credit=Money(used, currency),
        due=Money(max(0, total - used), currency),
    )


def credit_after(draft: InvoiceDraft, credit: int) -> int:
    """What is left of the credit, in minor units; an invoice below zero adds to it."""
    return credit - draft.credit.amount + max(0, -draft.total.amount)


class DocumentKind(StrEnum):
    """An invoice as a file: for a person, and for a machine in either syntax of EN 16931."""

    PDF = "pdf"
    CII = "cii"
    UBL = "ubl"


_ENDINGS = {DocumentKind.PDF: ".pdf", DocumentKind.CII: "-cii.xml", DocumentKind.UBL: "-ubl.xml"}


def folder_of_invoice(account: str, number: str) -> str:
    """Where the files of an invoice stand among the documents."""
    return f"accounts/{account}/invoices/{number}/"


def document_key(account: str, number: str, kind: DocumentKind) -> str:
    """Where one of them stands."""
    return f"{folder_of_invoice(account, number)}{number}{_ENDINGS[kind]}"
