"""Invoices: their parts, their states and the names of their files.

billing.subscriptions.pricing prices and rounds the lines; this module adds them up. The same generator builds issued
invoices, previews, and the next charge of the billing page (DESIGN 3.3.9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from billing.accounts.information import CompanyDetails
from billing.invoicing.exchange_rates.rules import SellerTax
from billing.invoicing.numbering import NextNumber
from billing.invoicing.tax import Tax
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.money import Money
from billing.payments.methods import Method
from billing.subscriptions.pricing import InvoiceLine

ELECTRONIC_DECIMALS_MAX = 2
"""EN 16931 allows amounts of two decimals (BR-DEC)."""


class InvoiceStatus(StrEnum):
    """The state of an invoice (Stripe's, with two more): IN_TRANSIT is charged by a method that takes days, and is not
    overdue. PAST_DUE is overdue: no automatic attempt follows until the payment method changes."""

    OPEN = "open"
    IN_TRANSIT = "in_transit"
    PAID = "paid"
    PAST_DUE = "past_due"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class Invoice:
    """An issued invoice as a list shows it. `paid_on` is set exactly if it is paid; `total` includes tax.

    `left` is what is still to be paid, in minor units, or of a credit note what goes back. `corrects` is the number of
    the corrected invoice; with it this one is a credit note.
    """

    number: str
    produced_on: date
    due_on: date
    paid_on: date | None
    status: InvoiceStatus
    total: Money
    left: int
    corrects: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """What lists, collection and events need of an issued invoice, which never changes: the rest is its document.

    `total` includes tax. `company` is the name of the company on the invoice. `corrects` is the number of the
    corrected invoice; with it this one is a credit note.
    """

    number: str
    account: str
    produced_on: date
    due_on: date
    total: Money
    company: str
    corrects: str | None = None


class BillingReason(StrEnum):
    """Why an invoice is issued: a paid period begins, a tier has changed within one, or an invoice is corrected.

    ONE_OFF is an invoice of one-off charges alone: issued at once, or at the end of the account.
    """

    PERIOD = "period"
    TIER_CHANGE = "tier_change"
    CORRECTION = "correction"
    ONE_OFF = "one_off"


@dataclass(frozen=True, slots=True)
class Seller:
    """The company that issues the invoice."""

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
    """An invoice without a number: what a preview shows (Stripe). `total` includes tax and may be negative.

    It covers the days from `since` to before `until`. `credit` is taken from the credit balance, `due` is left to pay
    and never negative. `tax_point` is the day whose tax rules and rates apply, None for the day of issue: older
    invoices lack this field. `seller_tax` is the tax in the seller's own currency, None where the law does not ask for
    it, and in a preview.
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
    tax_point: date | None = None
    seller_tax: SellerTax | None = None


@dataclass(frozen=True, slots=True)
class CreditedPart:
    """A part of an invoice's line that a credit note takes back: the line's position, and a net amount above zero in
    minor units. `months` is how many of its last months that is, None where staff have named the amount."""

    line: int
    amount: int
    months: int | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """What a credit note corrects: the number and day of the invoice, the positions of its lines, and the reason.

    It takes back these lines as a whole, or less of them where a paid period owes less than was invoiced. `parts` are
    those of other lines. `replaced_by` is the number of the invoice that was issued in its place, with the credit note.
    """

    number: str
    produced_on: date
    lines: tuple[int, ...]
    reason: str
    parts: tuple[CreditedPart, ...] = ()
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    """The invoice in whose place another one is issued: its number and day, the credit note that takes it back, and
    the reason."""

    number: str
    produced_on: date
    credit_note: str
    reason: str


@dataclass(frozen=True, slots=True)
class IssuedInvoice:
    """The content of an invoice, which never changes. `method` is the payment method on the day of issue.

    With `corrects` it is a credit note: its amounts are negative. `replaces` is the invoice in whose place it is.
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
    replaces: Replaced | None = None

    def issued_as(self, number: NextNumber) -> IssuedInvoice:
        """The same invoice with its number, and with the day that goes with it.

        The days until a SEPA debit count from the day that the invoice says, where that is later than the account's. No
        transfer is due before that day.
        """
        later = max(timedelta(), number.day - self.produced_on) if self.method is Method.SEPA_DEBIT else timedelta()
        due_on = self.due_on + later
        if self.method is Method.BANK_TRANSFER:
            due_on = max(due_on, number.day)
        return replace(self, number=number.text, produced_on=number.day, due_on=due_on)

    def credit_note(
        self,
        draft: InvoiceDraft,
        correction: Correction,
        number: NextNumber,
        seller: Seller,
        language: str,
        due_on: date,
    ) -> IssuedInvoice:
        """A credit note of this invoice, to the company that got the invoice, on the day that goes with its number.

        It is in no invoice's place, also where this invoice is. `due_on` is a day of the account, as for an invoice.
        """
        return replace(
            self,
            number=number.text,
            produced_on=number.day,
            due_on=due_on,
            draft=draft,
            seller=seller,
            language=language,
            corrects=correction,
            replaces=None,
        )

    @property
    def takes_back(self) -> bool:
        """Whether it is a credit note of what is not invoiced of a paid period any more: less is owed, or another
        invoice is in its place. Any other one of staff takes nothing out of what was invoiced."""
        if self.corrects is None:
            return False
        return self.draft.occasion is BillingReason.TIER_CHANGE or self.corrects.replaced_by is not None

    @property
    def summary(self) -> InvoiceSummary:
        """The part of it that lists and collection read."""
        return InvoiceSummary(
            number=self.number,
            account=self.account,
            produced_on=self.produced_on,
            due_on=self.due_on,
            total=self.draft.total,
            company=self.company.name,
            corrects=None if self.corrects is None else self.corrects.number,
        )

    @property
    def can_be_electronic(self) -> bool:
        """Whether EN 16931 can express it: not amounts of three decimals (BR-DEC), nor VAT charged by a seller without
        a VAT number (BR-S-02)."""
        tax = self.draft.seller_tax
        currencies = [self.draft.total.currency, *([] if tax is None else [tax.amount.currency])]
        digits = max(MINOR_UNIT_DIGITS[each] for each in currencies)
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
    tax_point: date | None = None,
    tax_amount: int | None = None,
) -> InvoiceDraft:
    """The draft of these lines. Up to `credit`, in minor units, is taken off the total. `tax` holds on `tax_point`.

    `tax_amount`, in minor units, is that of a correction, which is rounded as on the invoice that it is of.
    """
    net = sum(line.net.amount for line in lines)
    if tax_amount is None:
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
        tax_point=tax_point,
    )


def credit_after(draft: InvoiceDraft, credit: int) -> int:
    """The credit balance after an invoice, in minor units; an invoice with a negative total adds to it."""
    return credit - draft.credit.amount + max(0, -draft.total.amount)


class DocumentKind(StrEnum):
    """The file formats of an invoice: PDF for people, and the two syntaxes of EN 16931 for machines."""

    PDF = "pdf"
    CII = "cii"
    UBL = "ubl"


_ENDINGS = {DocumentKind.PDF: ".pdf", DocumentKind.CII: "-cii.xml", DocumentKind.UBL: "-ubl.xml"}


def folder_of_invoice(account: str, number: str) -> str:
    """The prefix of the keys of an invoice's files in the documents bucket."""
    return f"accounts/{account}/invoices/{number}/"


def document_key(account: str, number: str, kind: DocumentKind) -> str:
    """The key of one file of an invoice."""
    return f"{folder_of_invoice(account, number)}{number}{_ENDINGS[kind]}"
