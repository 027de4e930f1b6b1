"""Invoices: what they are made of, where they stand, and how they come from a subscription.

One generator makes what is issued, what is previewed, and what the billing page says of the next charge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.domain.contract import Contract
from billing.domain.currencies import MINOR_UNIT_DIGITS
from billing.domain.errors import Conflict
from billing.domain.information import CompanyDetails
from billing.domain.money import Money, rounded
from billing.domain.payment import Method
from billing.domain.subscription import Discount, Line, Subscription, line_on, month_price, reduced
from billing.domain.tax import Tax

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


class Occasion(StrEnum):
    """Why an invoice is issued: a paid period begins, a tier has changed within one, or an invoice is corrected."""

    PERIOD = "period"
    TIER_CHANGE = "tier_change"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Step:
    """Contract months in a row that cost the same: part of how a line's amount came about.

    `price` is per month. `decision` names what led to the tier, None for the tier that was signed; `discounts` are
    those that were active on the product.
    """

    since: date
    until: date
    months: int
    up_to: int | None
    price: Money
    decision: str | None
    discounts: tuple[Discount, ...]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One product, or with `product` None what is taken off the whole; `net` is rounded once, before tax.

    `steps` say how the amount came about, and `instead_of` what was invoiced already for the same months.
    """

    product: str | None
    name: str
    unit: str
    steps: tuple[Step, ...]
    instead_of: tuple[Step, ...]
    net: Money


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
class Draft:
    """An invoice to be, without its number: what a preview shows. `total` includes tax and may be negative.

    `credit` is what is taken from earlier credits, `due` what is left to pay, never below zero.
    """

    occasion: Occasion
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
    draft: Draft
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


def period_lines(subscription: Subscription, contract: Contract, first_month: int) -> tuple[InvoiceLine, ...]:
    """The lines of the paid period that begins with contract month `first_month`.

    Each contract month counts with the tiers and discounts of its first day. Rounded once per product
    and once for what is taken off the whole (DESIGN 3.3).
    """
    months = range(first_month, first_month + contract.interval_months)
    days = [contract.month_start(month) for month in months]
    ends = contract.month_start(first_month + contract.interval_months)
    lines = [_product_line(subscription, line, days, ends) for line in subscription.lines]
    return _with_whole(subscription, contract.currency, days, ends, lines)


def change_lines(
    subscription: Subscription, contract: Contract, month: int, changed: Sequence[str]
) -> tuple[InvoiceLine, ...]:
    """What the changes of tier named by their decisions add to a paid period, from contract month `month` on.

    The difference of what the whole period comes to with them and without, so that it is rounded as the period's own
    invoice was.
    """
    first = month - month % contract.interval_months
    without = replace(
        subscription, changes=tuple(each for each in subscription.changes if each.decision not in changed)
    )
    after, before = (period_lines(each, contract, first) for each in (subscription, without))
    starts = contract.month_start(month)
    found = []
    for new, old in zip(_by_product(after), _by_product(before), strict=True):
        net = new.net.amount - old.net.amount
        if net:
            steps, instead_of = ((_from(starts, each.steps)) for each in (new, old))
            found.append(replace(new, steps=steps, instead_of=instead_of, net=Money(net, contract.currency)))
    return tuple(found)


def drafted(
    occasion: Occasion,
    since: date,
    until: date,
    lines: tuple[InvoiceLine, ...],
    tax: Tax,
    credit: int,
    currency: str,
) -> Draft:
    """The invoice of these lines, with what there is of credit, in minor units."""
    net = sum(line.net.amount for line in lines)
    tax_amount = tax.of(net)
    total = net + tax_amount
    used = max(0, min(total, credit))
    return Draft(
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


def credit_after(draft: Draft, credit: int) -> int:
    """What is left of the credit, in minor units; an invoice below zero adds to it."""
    return credit - draft.credit.amount + max(0, -draft.total.amount)


def amount_per_charge(subscription: Subscription, contract: Contract, first_month: int) -> Money:
    """What the paid period that begins with contract month `first_month` costs, before tax."""
    return Money(sum(line.net.amount for line in period_lines(subscription, contract, first_month)), contract.currency)


def changes_within(subscription: Subscription, contract: Contract, first_month: int) -> tuple[str, ...]:
    """The decisions whose changes take effect inside the paid period that begins there, after its first day."""
    starts, ends = (contract.month_start(first_month + months) for months in (0, contract.interval_months))
    return tuple(each.decision for each in subscription.changes if starts < each.effective_on < ends)


def changes_on(subscription: Subscription, day: date) -> tuple[str, ...]:
    """The decisions whose changes take effect on a day."""
    return tuple(each.decision for each in subscription.changes if each.effective_on == day)


def _product_line(subscription: Subscription, line: Line, days: Sequence[date], ends: date) -> InvoiceLine:
    discounts = subscription.discounts_of(line.product)
    steps: list[Step] = []
    amount = Decimal(0)
    for day, until in zip(days, [*days[1:], ends], strict=True):
        standing, decision = line_on(subscription, line, day)
        active = tuple(each for each in discounts if each.applies_on(day))
        amount += month_price(standing, active, day)
        step = Step(day, until, 1, standing.up_to, standing.price, decision, active)
        if steps and _same(steps[-1], step):
            steps[-1] = replace(steps[-1], until=until, months=steps[-1].months + 1)
        else:
            steps.append(step)
    net = Money(rounded(amount), line.price.currency)
    return InvoiceLine(line.product, line.name, line.unit, tuple(steps), (), net)


def _with_whole(
    subscription: Subscription, currency: str, days: Sequence[date], ends: date, lines: list[InvoiceLine]
) -> tuple[InvoiceLine, ...]:
    on_the_whole = subscription.discounts_of(None)
    if not on_the_whole:
        return tuple(lines)
    total = sum(line.net.amount for line in lines)
    off = Decimal(0)
    steps: list[Step] = []
    for day, until in zip(days, [*days[1:], ends], strict=True):
        month = sum(
            (
                month_price(line_on(subscription, line, day)[0], subscription.discounts_of(line.product), day)
                for line in subscription.lines
            ),
            Decimal(0),
        )
        off += month - reduced(month, on_the_whole, day)
        active = tuple(each for each in on_the_whole if each.applies_on(day))
        step = Step(day, until, 1, None, Money(0, currency), None, active)
        if active and steps and steps[-1].discounts == active and steps[-1].until == day:
            steps[-1] = replace(steps[-1], until=until, months=steps[-1].months + 1)
        elif active:
            steps.append(step)
    # The lines are rounded and this is not: without the limit a free month could cost less than nothing.
    net = -min(total, rounded(off))
    return (*lines, InvoiceLine(None, "", "", tuple(steps), (), Money(net, currency))) if steps else tuple(lines)


def _same(one: Step, other: Step) -> bool:
    """Whether two steps cost the same for the same reason."""
    return (one.up_to, one.price, one.decision, one.discounts) == (
        other.up_to,
        other.price,
        other.decision,
        other.discounts,
    )


def _by_product(lines: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    return sorted(lines, key=lambda line: (line.product is None, line.product or ""))


def _from(day: date, steps: Sequence[Step]) -> tuple[Step, ...]:
    """What of the steps lies on a day or after it, the first day of a contract month."""
    return tuple(
        step if step.since >= day else replace(step, since=day, months=_months_between(day, step.until))
        for step in steps
        if step.until > day
    )


def _months_between(first: date, until: date) -> int:
    """Between two first days of contract months."""
    return (until.year - first.year) * 12 + until.month - first.month


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
