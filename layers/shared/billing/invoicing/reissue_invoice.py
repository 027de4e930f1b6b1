"""Staff correct an issued invoice: a credit note takes it back, and another invoice of the same days is in its place.

Both are one transaction, with what the paid period has as invoiced, and with the adjustments of amounts that were wrong
(decision 0039). What was paid stays, and pays the new invoice; only the difference is due, or goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.invoicing.apply_credit import wait_for_credit
from billing.invoicing.collect_payments import after as after_changes
from billing.invoicing.collect_payments import merged, without_intent
from billing.invoicing.credit_notes import (
    AlreadyCredited,
    CreditNoteAllocation,
    NotCorrectable,
    allocate,
    credit_note_draft,
    lines_to_credit,
    require_correctable,
    tax_on,
)
from billing.invoicing.dunning import initial_payment, refund_payment
from billing.invoicing.entries import disputed_payments
from billing.invoicing.exchange_rates.rules import AwaitedRate, SellerTax
from billing.invoicing.invoices import (
    Correction,
    InvoiceDraft,
    InvoiceStatus,
    IssuedInvoice,
    Replaced,
    build_draft,
)
from billing.invoicing.issue_credit_note import PlannedCreditNote
from billing.invoicing.issue_invoices import build_invoice, invoice_facts, with_next_numbers, with_running_period
from billing.invoicing.numbering import NextNumber
from billing.invoicing.payment_events import credit_note_facts
from billing.invoicing.periods import Adjustment, PaidPeriod
from billing.invoicing.records import BillingContext, InvoiceStore, PaymentChange, WholeInvoice
from billing.invoicing.seller_currency import ExchangeRateUnknown, in_sellers_currency
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import AwaitedTaxRate, Tax, TaxRule
from billing.invoicing.tax_rates.rules import TaxRateUnknown
from billing.invoicing.vat_numbers.rules import Treatment, VatNumberUnconfirmed, tax_on_sale, treatment
from billing.kernel.contract_calendar import months_after
from billing.kernel.errors import RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.platform.events.new_event import new_event
from billing.subscriptions.pricing import InvoiceLine


@dataclass(frozen=True, slots=True)
class RightAmount:
    """What a line of an invoice should have been: a net amount in minor units, before what is taken off the whole."""

    line: int
    net: int


@dataclass(frozen=True, slots=True)
class PeriodOfInvoice:
    """The paid period that an invoice is of. `stored` is its item where it has ended, None for the running one."""

    period: PaidPeriod
    stored: str | None


@dataclass(frozen=True, slots=True)
class PlannedCorrection:
    """A correction without numbers: the credit note, and the draft of the invoice in its place.

    `period` is the paid period with the adjustments, None where none is kept: the invoice is of an earlier release.
    """

    note: PlannedCreditNote
    draft: InvoiceDraft
    period: PeriodOfInvoice | None


def preview_correction(
    billing: BillingContext,
    number: str,
    right: Sequence[RightAmount],
    reason: str,
    *,
    keeps_tax: bool,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> PlannedCorrection:
    """What `reissue_invoice` would issue now. It reads as much. Raises NotFound, RuleViolation, AlreadyCredited,
    NotCorrectable, ExchangeRateUnknown, TaxRateUnknown, VatNumberUnconfirmed."""
    corrected = store.invoice(billing.subscriber.account.id, number)
    return _plan(billing, corrected, right, reason, keeps_tax, context, settings, store)


def reissue_invoice(
    billing: BillingContext,
    number: str,
    right: Sequence[RightAmount],
    reason: str,
    *,
    keeps_tax: bool,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> WholeInvoice:
    """Takes an invoice back and issues another one of the same days in its place, with the company's data of today.

    The credit note is of all that is left of the invoice, and so is the new one, except for the lines whose `right`
    amount is another. With `keeps_tax` its tax rule and rate are those of the corrected invoice; without it they are
    what the data of today make of them on the same day. A charge that was begun is cancelled first.

    The same again, with the same reason, is the invoice that there is. Two reads, one query for an invoice of a period
    that has ended, and one transaction; one read more for each first number that a process gives, one query for what
    credit may pay, one get for tax that is also in the seller's currency. Raises NotFound, RuleViolation,
    AlreadyCredited, NotCorrectable, ExchangeRateUnknown, TaxRateUnknown, VatNumberUnconfirmed, AlreadyPaid,
    ConcurrentChange, UpstreamFailed.
    """
    account = billing.subscriber.account
    corrected = store.invoice(account.id, number)
    try:
        planned = _plan(billing, corrected, right, reason, keeps_tax, context, settings, store)
    except AlreadyCredited:
        tax = corrected.invoice.draft.tax if keeps_tax else _tax_anew(billing, corrected.invoice, settings)
        existing = _standing(corrected, right, reason, tax, store)
        if existing is None:
            raise
        return existing
    today = account.contract.today(context.time)
    unpaid = store.unpaid(account.id, consistent=True)
    others = without_intent(corrected.record, unpaid, context, gateway)
    still_open = after_changes([each for each in unpaid if each.invoice.number != number], others)
    currency = planned.draft.total.currency
    credit = billing.credit_in(currency) + planned.note.money.credit_balance - planned.draft.credit.amount
    waiting = wait_for_credit(Money(credit, currency), still_open, today)
    made: list[WholeInvoice] = []

    def write(numbers: Sequence[NextNumber]) -> None:
        note_number, invoice_number = numbers
        invoice = replace(
            build_invoice(billing, planned.draft, today, settings),
            replaces=Replaced(number, corrected.invoice.produced_on, note_number.text, reason),
        ).issued_as(invoice_number)
        correction = replace(planned.note.correction, replaced_by=invoice.number)
        note = corrected.invoice.credit_note(
            planned.note.draft, correction, note_number, settings.seller, billing.billing.language, today
        )
        money = _allocated(corrected, note.draft, correction, note.number, planned.draft, today)
        refunding = refund_payment(today, money.refunded, money.refunded_payment, corrected.payment.method)
        issued = WholeInvoice.new(invoice, initial_payment(invoice, today))
        store.reissue(
            billing,
            [PaymentChange(corrected.record, money.payment), *merged(others, waiting)],
            (WholeInvoice.new(note, refunding), note_number),
            (issued, invoice_number),
            None if planned.period is None else _invoiced(planned.period, note, invoice),
            None if planned.period is None else planned.period.stored,
            [
                new_event(
                    EventType.CREDIT_NOTE_ISSUED,
                    context,
                    account=account.id,
                    before=None,
                    after=credit_note_facts(note, money, billing.currency),
                ),
                new_event(
                    EventType.INVOICE_ISSUED,
                    context,
                    account=account.id,
                    before=None,
                    after=invoice_facts(invoice, billing.profile),
                ),
            ],
        )
        made.append(issued.written)

    series = settings.credit_series_of(account.id), settings.series_of(account.id)
    with_next_numbers(series, context.time, settings, write, store)
    return made[-1]


def _plan(
    billing: BillingContext,
    corrected: WholeInvoice,
    right: Sequence[RightAmount],
    reason: str,
    keeps_tax: bool,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> PlannedCorrection:
    invoice, payment = corrected.invoice, corrected.payment
    today = billing.subscriber.account.contract.today(context.time)
    _require_replaceable(corrected)
    lines = lines_to_credit(invoice, payment, None)
    note_draft = credit_note_draft(invoice, payment, lines)
    new_lines, differences = _right_lines(invoice, note_draft, right)
    period = _period_of(billing, invoice, store)
    if differences:
        if period is None:
            raise NotCorrectable("The paid period of this invoice is not kept: its amounts cannot be corrected.")
        period = _adjusted(period, invoice, differences, reason, context)
    correction = Correction(invoice.number, invoice.produced_on, lines, reason)
    tax = invoice.draft.tax if keeps_tax else _tax_anew(billing, invoice, settings)
    is_held = treatment(billing.vat_check, billing.company, settings.unconfirmed) is Treatment.HOLD
    if tax.rule is TaxRule.REVERSE_CHARGE and not keeps_tax and is_held:
        raise VatNumberUnconfirmed
    if tax.rule is TaxRule.REVERSE_CHARGE and not billing.company.vat_number:
        # EN 16931, BR-AE-02: a reverse charge invoice has the buyer's VAT number.
        detail = "The invoice has the reverse charge, and the company has no VAT number now: tax follows anew."
        raise RuleViolation(Violation(("tax",), detail, FieldCode.NOT_ALLOWED))
    draft = _draft(invoice, note_draft, new_lines, tax, 0)
    money = _allocated(corrected, note_draft, correction, "", draft, today)
    credit = billing.credit_in(draft.total.currency) + money.credit_balance
    draft = _draft(invoice, note_draft, new_lines, tax, credit)
    draft = _in_sellers_currency(draft, note_draft, billing, invoice, settings, store)
    return PlannedCorrection(PlannedCreditNote(corrected, note_draft, correction, money), draft, period)


def _require_replaceable(corrected: WholeInvoice) -> None:
    payment = corrected.payment
    require_correctable(corrected.invoice, payment)
    if payment.status is InvoiceStatus.UNCOLLECTIBLE:
        raise NotCorrectable("It is written off: another invoice in its place would be owed again.")
    if disputed_payments(payment.entries):
        raise NotCorrectable("The bank disputes its payment. Wait until it has decided.")


def _right_lines(
    invoice: IssuedInvoice, note: InvoiceDraft, right: Sequence[RightAmount]
) -> tuple[tuple[InvoiceLine, ...], dict[str, int]]:
    """The lines of the new invoice, and what they have more or, below zero, less than the credit note, by product.

    What is taken off the whole stays as it was, but never takes more than the lines come to. A one-off charge is no
    part of what months owe, so it has no difference. Raises RuleViolation.
    """
    taken_back = {_key(line): -line.net.amount for line in note.lines}
    nets, last = dict(taken_back), len(invoice.draft.lines) - 1
    differences: dict[str, int] = {}
    for place, each in enumerate(right):
        path = ("lines", place, "line")
        if each.line > last:
            detail = f"The invoice has the lines 0 to {last}."
            raise RuleViolation(Violation(path, detail, FieldCode.UNKNOWN, {"min": 0, "max": last}))
        wrong = invoice.draft.lines[each.line]
        product, key = wrong.product, _key(wrong)
        if product is None:
            detail = "What is taken off the whole has no amount of its own."
            raise RuleViolation(Violation(path, detail, FieldCode.UNSUPPORTED))
        if key not in taken_back:
            raise RuleViolation(Violation(path, "Nothing is left of this line.", FieldCode.NOT_ALLOWED))
        if each.line in {earlier.line for earlier in right[:place]}:
            raise RuleViolation(Violation(path, "This line stands here twice.", FieldCode.DUPLICATE))
        nets[key] = each.net
        if each.net != taken_back[key] and wrong.one_off is None:
            differences[product] = each.net - taken_back[key]
    if sum(nets.values()) <= 0:
        detail = "Nothing would be left to invoice: a credit note takes an invoice back as a whole."
        raise RuleViolation(Violation(("lines",), detail, FieldCode.TOO_SMALL, {"min": 1}))
    originals = {_key(line): line for line in invoice.draft.lines}
    currency = invoice.draft.total.currency
    lines = tuple(
        replace(originals.get(_key(line), line), net=Money(nets[_key(line)], currency))
        for line in note.lines
        if nets[_key(line)]
    )
    return lines, differences


def _key(line: InvoiceLine) -> tuple[str | None, str | None]:
    """What names a line of an invoice: a goodwill and the discounts are both taken off the whole."""
    return line.product, line.one_off


def _period_of(billing: BillingContext, invoice: IssuedInvoice, store: InvoiceStore) -> PeriodOfInvoice | None:
    """The paid period in which an invoice is invoiced; None for one of an earlier release that kept none."""
    if billing.period is not None and _invoices(billing.period, invoice.number):
        return PeriodOfInvoice(billing.period, None)
    for period, stored in store.closed_periods(invoice.account):
        if _invoices(period, invoice.number):
            return PeriodOfInvoice(period, stored)
    # The running one may not be stored yet: an earlier release has issued its invoices.
    running = with_running_period(billing, store).period
    return PeriodOfInvoice(running, None) if running is not None and _invoices(running, invoice.number) else None


def _invoices(period: PaidPeriod, number: str) -> bool:
    return any(each.number == number for each in period.invoiced)


def _adjusted(
    of: PeriodOfInvoice, invoice: IssuedInvoice, differences: dict[str, int], reason: str, context: RequestContext
) -> PeriodOfInvoice:
    """The period with an adjustment of each product whose amount was wrong, in the first month of the invoice."""
    month = of.period.first_month
    for later in range(of.period.first_month, of.period.fixed_through + 1):
        if months_after(of.period.start, later) <= invoice.draft.since:
            month = later
    by, day = context.actor.user or context.actor.kind, context.time.date()
    added = [Adjustment(month, product, amount, reason, by, day) for product, amount in differences.items()]
    return replace(of, period=replace(of.period, adjustments=(*of.period.adjustments, *added)))


def _tax_anew(billing: BillingContext, invoice: IssuedInvoice, settings: InvoicingSettings) -> Tax:
    day = invoice.draft.tax_point or invoice.produced_on
    seller, policy = billing.taxed_from(settings.seller), settings.unconfirmed
    tax = tax_on_sale(seller, billing.company, day, billing.vat_check, policy, billing.exemptions)
    if tax.rule is TaxRule.RATE_MISSING:
        raise TaxRateUnknown(AwaitedTaxRate(tax.country, day))
    return tax


def _draft(
    invoice: IssuedInvoice, note: InvoiceDraft, lines: tuple[InvoiceLine, ...], tax: Tax, credit: int
) -> InvoiceDraft:
    """The draft of the new invoice. With the same net and tax it comes to what the credit note takes back.

    The tax of a part is what is left of that of the whole, and the first invoices were rounded half to even. Rounded
    anew, an invoice whose address was wrong could ask for a cent.
    """
    old = invoice.draft
    point = old.tax_point or invoice.produced_on
    amount, net = None, sum(line.net.amount for line in lines)
    if tax == old.tax:
        amount = -note.tax_amount.amount if net == -note.net.amount else tax_on(invoice, net)
    return build_draft(old.occasion, old.since, old.until, lines, tax, credit, old.total.currency, point, amount)


def _in_sellers_currency(
    draft: InvoiceDraft,
    note: InvoiceDraft,
    billing: BillingContext,
    invoice: IssuedInvoice,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> InvoiceDraft:
    """The draft with its tax in the seller's currency, where the law asks for it: at the rate of the corrected invoice,
    which was that of the same tax point. Raises ExchangeRateUnknown."""
    before: SellerTax | None = invoice.draft.seller_tax
    if note.seller_tax is not None and draft.tax_amount.amount == -note.tax_amount.amount:
        taken_back = note.seller_tax.amount
        same = replace(note.seller_tax, amount=replace(taken_back, amount=-taken_back.amount))
        return replace(draft, seller_tax=same)
    if before is not None and draft.tax_amount.amount:
        return replace(
            draft,
            seller_tax=replace(before, amount=before.rate.convert(draft.tax_amount, before.amount.currency)),
        )
    converted = in_sellers_currency(draft, billing.subscriber.account.contract, settings, store)
    if isinstance(converted, AwaitedRate):
        raise ExchangeRateUnknown(converted)
    return converted


def _allocated(
    corrected: WholeInvoice,
    note: InvoiceDraft,
    correction: Correction,
    number: str,
    new: InvoiceDraft,
    today: date,
) -> CreditNoteAllocation:
    kept = new.total.amount
    return allocate(corrected.invoice, corrected.payment, correction, number, -note.total.amount, today, kept)


def _invoiced(of: PeriodOfInvoice, note: IssuedInvoice, invoice: IssuedInvoice) -> PaidPeriod:
    """The period after the credit note has taken out what it credits, and the new invoice is in its place."""
    corrects = None if note.corrects is None else note.corrects.number
    period = of.period.with_taken_back(note.number, corrects, note.draft.lines)
    return period.with_invoice(invoice.number, invoice.draft.tax, invoice.draft.lines)


def _standing(
    corrected: WholeInvoice, right: Sequence[RightAmount], reason: str, tax: Tax, store: InvoiceStore
) -> WholeInvoice | None:
    """The invoice that this very request has issued before, if it has: other amounts or another tax are another one."""
    account, lines = corrected.invoice.account, corrected.invoice.draft.lines
    for number in sorted({number for _, number in corrected.payment.credited}, reverse=True):
        note = store.invoice(account, number).invoice
        correction = note.corrects
        if correction is None or correction.replaced_by is None or correction.reason != reason:
            continue
        whole = store.invoice(account, correction.replaced_by)
        nets = {_key(line): -line.net.amount for line in note.draft.lines}
        nets |= {_key(lines[each.line]): each.net for each in right if each.line < len(lines)}
        issued = {_key(line): line.net.amount for line in whole.invoice.draft.lines}
        if whole.invoice.draft.tax == tax and {each: net for each, net in nets.items() if net} == issued:
            return whole
    return None
