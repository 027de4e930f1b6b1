"""Takes back what a paid period was invoiced and does not owe, by credit notes that name its invoices (decision 0018).

A credit note names one invoice. So what several invoices have too much is several credit notes, each in a transaction
with what the period's item says of it; the last one fixes the month. A run that is cut off in between goes on with what
is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.invoicing.apply_credit import apply_credit, wait_for_credit
from billing.invoicing.credit_notes import allocate_taken_back, creditable_of_months, taken_back_draft, within
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import refund_payment
from billing.invoicing.invoices import Correction, InvoiceDraft, IssuedInvoice
from billing.invoicing.numbering import NextNumber
from billing.invoicing.payment_events import credit_note_facts, payment_events
from billing.invoicing.periods import FixedMonth
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange, WholeInvoice
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.wording import less_owed
from billing.kernel.events import EventType, RequestContext
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event
from billing.subscriptions.pricing import InvoiceLine


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A credit note to issue: the invoice that it names, its draft, the month as it is then, and who else is paid.

    `is_last` says whether the month is fixed with it. `unpaid` are the account's unpaid invoices, the named one left
    out; none where the credit note leaves no credit.
    """

    corrected: WholeInvoice
    draft: InvoiceDraft
    fixed: FixedMonth
    is_last: bool
    unpaid: tuple[InvoiceRecord, ...]


def next_take_back(billing: BillingContext, fixed: FixedMonth, today: date, store: InvoiceStore) -> TakeBack | None:
    """Returns the next credit note of a month that takes back. None where staff have credited its invoices already.

    `fixed` is the month as it follows from `billing`. One query for each invoice that it looks at, and one for the
    unpaid ones where the credit note leaves credit.
    """
    if fixed.period is None or billing.due is None:
        return None
    account = billing.subscriber.account.id
    for number in fixed.period.invoices_with(fixed.less_owed):
        corrected = store.invoice(account, number)
        left = creditable_of_months(corrected.invoice, corrected.payment)
        if left <= 0:
            continue
        lines = within(fixed.lines, left)
        draft = taken_back_draft(corrected.invoice, corrected.payment, fixed.since, lines)
        money = allocate_taken_back(corrected.invoice, corrected.payment, draft, "", today)
        unpaid = store.unpaid(account, consistent=True) if money.credit_balance else ()
        others = tuple(each for each in unpaid if each.invoice.number != number)
        is_last = draft.net.amount == fixed.net
        month = fixed if is_last else _unfixed(billing, billing.due, fixed)
        return TakeBack(corrected, draft, month, is_last, others)
    return None


def write_take_back(
    billing: BillingContext,
    take_back: TakeBack,
    number: NextNumber,
    *,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> None:
    """Writes a credit note under its number, with the day that goes with it. One transaction.

    What is unpaid need not be paid, what was charged is refunded by a worker, the rest is credit, which pays what is
    open. Raises NumberTaken, ConcurrentChange.
    """
    account = billing.subscriber.account.id
    corrected, draft = take_back.corrected, take_back.draft
    note = _note(billing, take_back, number, settings)
    money = allocate_taken_back(corrected.invoice, corrected.payment, draft, note.number, today)
    refunding = refund_payment(today, money.refunded, money.refunded_payment, corrected.payment.method)
    currency = draft.total.currency
    credit = Money(billing.credit_in(currency) + money.credit_balance, currency)
    paid = apply_credit(credit, take_back.unpaid, today) if money.credit_balance else []
    left = Money(credit.amount + sum(each.credit for each in paid), currency)
    settled = {each.record.invoice.number for each in paid}
    still_open = [each for each in take_back.unpaid if each.invoice.number not in settled]
    waiting = wait_for_credit(left, still_open, today) if money.credit_balance else []
    facts = credit_note_facts(note, money)
    issued = new_event(EventType.CREDIT_NOTE_ISSUED, context, account=account, before=None, after=facts)
    store.correct(
        billing,
        [PaymentChange(corrected.record, money.payment), *paid, *waiting],
        WholeInvoice.new(note, refunding),
        number,
        [issued, *payment_events(paid, context, "")],
        _with_note(take_back, note.number),
    )


def credited_already(fixed: FixedMonth) -> FixedMonth:
    """The month where no invoice has anything left to take back: credit notes of staff have given it back before."""
    if fixed.period is None:
        return fixed
    return replace(fixed, period=fixed.period.with_taken_back(None, None, fixed.lines))


def _note(
    billing: BillingContext, take_back: TakeBack, number: NextNumber, settings: InvoicingSettings
) -> IssuedInvoice:
    invoice, language = take_back.corrected.invoice, billing.billing.language
    lines = _positions(invoice, take_back.draft.lines)
    correction = Correction(invoice.number, invoice.produced_on, lines, less_owed(language))
    return invoice.credit_note(take_back.draft, correction, number, settings.seller, language, number.day)


def _with_note(take_back: TakeBack, number: str) -> FixedMonth:
    fixed = take_back.fixed
    if fixed.period is None:
        return fixed
    named = take_back.corrected.invoice.number
    return replace(fixed, period=fixed.period.with_taken_back(number, named, take_back.draft.lines))


def _unfixed(billing: BillingContext, due: InvoicingDue, fixed: FixedMonth) -> FixedMonth:
    """The month while more credit notes follow: it is due, and its period has the months from before it."""
    return replace(fixed, following=due, period=billing.period)


def _positions(invoice: IssuedInvoice, lines: Sequence[InvoiceLine]) -> tuple[int, ...]:
    """The positions of the invoice's lines of the products that these lines have."""
    products = {line.product for line in lines}
    of_months = (place for place, line in enumerate(invoice.draft.lines) if line.one_off is None)
    return tuple(place for place in of_months if invoice.draft.lines[place].product in products)
