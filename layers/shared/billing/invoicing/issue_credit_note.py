"""Staff take an issued invoice back, or some of its lines: by a credit note, with what becomes of the money.

What was not paid need not be; what was charged goes back by itself, by a worker, once; the rest is carried to the next
invoices. The credit note, its number and where the invoice stands then are one transaction.
"""

from __future__ import annotations

from dataclasses import replace

from billing.invoicing.apply_credit import apply_credit, wait_for_credit
from billing.invoicing.collect_payments import after as after_changes
from billing.invoicing.collect_payments import merged, without_intent
from billing.invoicing.credit_notes import AlreadyCredited, allocate, credit_note_draft, lines_to_credit
from billing.invoicing.dunning import refund_payment
from billing.invoicing.invoices import Correction
from billing.invoicing.issue_invoices import with_next_number
from billing.invoicing.numbering import NextNumber
from billing.invoicing.payment_events import credit_note_facts, payment_events
from billing.invoicing.records import BillingContext, InvoiceStore, PaymentChange, WholeInvoice
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.events import EventType, RequestContext
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Method
from billing.platform.events.new_event import new_event


def issue_credit_note(
    billing: BillingContext,
    number: str,
    wanted: tuple[int, ...] | None,
    reason: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> WholeInvoice:
    """The credit note of these lines of an invoice, by position; with None of all that are left. The same again is the
    one that there is.

    What was begun at the payment service is cancelled first, so that nobody pays what they need not. Two reads and
    one transaction; a read more for the first number that a process gives. Raises NotFound, RuleViolation,
    AlreadyCredited, NotCorrectable, AlreadyPaid when it was paid meanwhile, ConcurrentChange when the credit has
    changed since the account was read, UpstreamFailed.
    """
    account = billing.subscriber.account.id
    corrected = store.invoice(account, number)
    payment = corrected.payment
    try:
        lines = lines_to_credit(corrected.invoice, payment, wanted)
    except AlreadyCredited:
        existing = _standing(corrected, wanted, reason, account, store)
        if existing is None:
            raise
        return existing
    draft = credit_note_draft(corrected.invoice, payment, lines)
    today = billing.subscriber.account.contract.today(context.time)
    correction = Correction(number, corrected.invoice.produced_on, lines, reason)
    money = allocate(corrected.invoice, payment, correction, "", -draft.total.amount, today)
    credit = billing.credit + money.credit_balance
    is_small = charge_obstacle(corrected.record.left, Method.CARD) is ChargeObstacle.TOO_SMALL
    pays = money.credit_balance or (payment.left and is_small)
    unpaid = store.unpaid(account, consistent=True) if pays else ()
    others = without_intent(corrected.record, unpaid, context, gateway)
    open_ones = [each for each in unpaid if each.invoice.number != number]
    still_open = after_changes(open_ones, others)
    paid = apply_credit(credit, still_open, today) if money.credit_balance else []
    left = credit + sum(each.credit for each in paid)
    waiting = wait_for_credit(left, after_changes(still_open, paid), today) if money.credit_balance else []
    note = replace(
        corrected.invoice,
        number="",
        produced_on=today,
        due_on=today,
        draft=draft,
        seller=settings.seller,
        language=billing.billing.language,
        corrects=correction,
    )
    made: list[WholeInvoice] = []

    def write(credit_number: NextNumber) -> None:
        issued = note.issued_as(credit_number)
        money = allocate(corrected.invoice, payment, correction, issued.number, -draft.total.amount, today)
        refunding = refund_payment(today, money.refunded, money.refunded_payment, payment.method)
        whole = WholeInvoice.new(issued, refunding)
        changes = [PaymentChange(corrected.record, money.payment), *merged(others, [*paid, *waiting])]
        issued_event = new_event(
            EventType.CREDIT_NOTE_ISSUED, context, account=account, before=None, after=credit_note_facts(issued, money)
        )
        store.correct(
            billing,
            changes,
            whole,
            credit_number,
            [issued_event, *payment_events(paid, context, "")],
        )
        made.append(whole.written)

    with_next_number(settings.credit_series_of(account), context.time, settings, write, store)
    return made[-1]


def _standing(
    corrected: WholeInvoice, wanted: tuple[int, ...] | None, reason: str, account: str, store: InvoiceStore
) -> WholeInvoice | None:
    """The credit note that this very request has made before, if it has.

    What is taken off the whole is credited with the last line, without being requested.
    """
    products = {position for position, line in enumerate(corrected.invoice.draft.lines) if line.product is not None}
    credited = dict(corrected.payment.credited)
    numbers = {*credited.values()} if wanted is None else {credited.get(position) for position in wanted}
    for number in sorted(filter(None, numbers), reverse=True):
        whole = store.invoice(account, number)
        correction = whole.invoice.corrects
        if correction is None or correction.reason != reason:
            continue
        if wanted is None or {*wanted} & products == {*correction.lines} & products:
            return whole
    return None
