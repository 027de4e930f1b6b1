"""Issues invoices: when a paid period begins, and when a tier changes within one.

Each contract month is fixed once, in order (billing.invoicing.periods). One transaction writes the number, the invoice,
its event, the paid period and the next contract month (DESIGN 3.3.6). So a repeated run does nothing, a missed run is
caught up, and no number lacks its invoice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from itertools import count

from billing.invoicing.begin_currency import begin_currency
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import charge_on, due_on, initial_payment
from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.holds import (
    INVOICES_AT_ONCE_MAX,
    InvoicingHold,
    PendingInvoice,
    in_currency,
    must_stop,
    released_until,
    total_of,
)
from billing.invoicing.invoices import DocumentKind, InvoiceDraft, IssuedInvoice, credit_after, document_key
from billing.invoicing.numbering import NextNumber, NumberTaken
from billing.invoicing.one_offs import Mark, OneOff, lapsed, settled
from billing.invoicing.periods import FixedMonth, fix_month, rebuilt
from billing.invoicing.rate_hold import wait_for_rate, wait_for_tax_rate
from billing.invoicing.records import BillingContext, InvoiceStore, WholeInvoice
from billing.invoicing.seller_currency import in_sellers_currency
from billing.invoicing.settings import InvoicingSettings, UnconfirmedVatNumber
from billing.invoicing.take_back import credited_already, next_take_back, write_take_back
from billing.invoicing.tax import TaxRule
from billing.invoicing.to_come import InvoicingState, draft_at_end, draft_of, invoices_to_come, next_invoice
from billing.invoicing.vat_number_hold import waits_for_vat_number
from billing.invoicing.vat_territories import Address
from billing.invoicing.wording import describe_line
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.payments.methods import Method, PaymentProfile
from billing.platform.events.new_event import new_event
from billing.platform.retry import RetryBudget
from billing.subscriptions.currency_changes import as_agreed

NUMBER_SECONDS = 12.0
"""How long a run retries while other runs take the numbers. After that the queue delivers the account again."""


def issue_invoices(
    account: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    store: InvoiceStore,
    is_replay: bool = False,
) -> tuple[str, ...]:
    """Issues the invoices of an account that are due at the instant `now`, and the credit notes of months that take
    back what was invoiced. Returns their numbers, oldest first. At the end of the account the last invoice has the
    one-off charges that are left.

    Issues nothing where more than INVOICES_AT_ONCE_MAX are due: these wait for staff. An invoice that waits for its
    VAT number, or for an exchange rate, stays due. One read and one transaction for each due contract month and each
    further credit note, one more read for the first number of a process, one query where the running paid period is not
    stored yet, and one get for tax that is also in the seller's currency; the queries of next_take_back for a credit
    note; one query and one transaction for a renewal with which the currency changes. Returns nothing for a deleted
    account. Raises ConcurrentChange.
    """
    context = by_system(now, correlation, is_replay=is_replay)
    issued: list[str] = []
    while True:
        billing = store.billing_context(account)
        if billing is None or billing.due is None:
            break
        if begin_currency(billing, context, store):
            continue
        known, due = billing.subscriber.account, billing.due
        contract = known.contract
        today = contract.today(now)
        if contract.month_start(due.month) > today:
            last = _issue_at_end(billing, today, context, settings, store)
            issued += [] if last is None else [last]
            break
        billing = with_running_period(billing, store)
        if _stopped(billing, today, context, settings, store):
            break
        fixed = fix_month(known, billing.subscriber.subscription, due, billing.period)
        if fixed.net < 0:
            taken_back, is_fixed = _take_back(billing, fixed, today, context, settings, store)
            issued += [] if taken_back is None else [taken_back]
            if is_fixed and not _goes_on(billing, fixed, today):
                break
            continue
        draft = _draft(billing, fixed, settings) if fixed.period is not None and fixed.lines else None
        if draft is not None and draft.net.amount and draft.tax.rule is TaxRule.RATE_MISSING:
            wait_for_tax_rate(billing, draft, context, store)
            break
        if draft is not None and draft.net.amount and waits_for_vat_number(billing, draft, now, settings, store):
            break
        converted = None if draft is None else in_sellers_currency(draft, contract, settings, store)
        if isinstance(converted, AwaitedRate):
            wait_for_rate(billing, converted, context, settings, store)
            break
        number = _fix(billing, fixed, converted, today, context, settings, store)
        issued += [] if number is None else [number]
        if not _goes_on(billing, fixed, today):
            break
    return tuple(issued)


def with_running_period(billing: BillingContext, store: InvoiceStore) -> BillingContext:
    """The context with the paid period that the month that is due belongs to.

    It is built of the account's invoices where it is not stored: for accounts of earlier releases, once. One query
    then, none otherwise.
    """
    due, account = billing.due, billing.subscriber.account
    contract = account.contract
    if due is None or contract.paid_period(due.month)[0] == due.month:
        return billing
    if billing.period is not None and billing.period.is_current(contract, due):
        return billing
    begins = contract.month_start(contract.paid_period(due.month)[0])
    # The seller's day, which dates invoices, may be two days before the account's: Pago Pago is 25 hours behind
    # Kiritimati.
    invoices = store.invoices_since(account.id, begins - timedelta(days=2))
    return replace(billing, period=rebuilt(billing.subscriber.subscription, contract, due, billing.period, invoices))


def pending_invoices(billing: BillingContext, today: date, settings: InvoicingSettings) -> tuple[PendingInvoice, ...]:
    """What is due on `today` and not issued, oldest first; each takes from the credit what those before it leave.

    Those from a renewal on with which the currency changes are in the new one.
    """
    state = invoicing_state(billing, settings.seller, settings.unconfirmed)
    return () if state is None else tuple(invoices_to_come(state, today + timedelta(days=1)))


def credit_left(billing: BillingContext, today: date, settings: InvoicingSettings) -> int:
    """The account's credit, in minor units, after what is due on `today` and not issued."""
    credit = billing.credit
    for each in pending_invoices(billing, today, settings):
        credit = credit_after(each.draft, credit)
    return credit


def upcoming(billing: BillingContext, today: date, settings: InvoicingSettings) -> tuple[date, InvoiceDraft] | None:
    """The next invoice as it would be: its day, and what it says. None if none is to come within two years."""
    state = invoicing_state(billing, settings.seller, settings.unconfirmed)
    return None if state is None else next_invoice(state, today)


def invoicing_state(
    billing: BillingContext, seller: Address, policy: UnconfirmedVatNumber | None
) -> InvoicingState | None:
    """What decides the next invoices of an account. None where no invoices are scheduled."""
    return None if billing.due is None else state_when_due(billing, billing.due, seller, policy)


def state_when_due(
    billing: BillingContext, due: InvoicingDue, seller: Address, policy: UnconfirmedVatNumber | None
) -> InvoicingState:
    """What decides the next invoices of an account, of which `due` is the first."""
    agreed = as_agreed(billing.subscriber, billing.term)
    return InvoicingState(
        billing.subscriber,
        billing.company,
        due,
        billing.period,
        billing.credit,
        billing.taxed_from(seller),
        billing.vat_check,
        policy,
        billing.exemptions,
        billing.one_offs.open,
        agreed,
        0 if agreed is None else billing.credit_in(agreed.account.contract.currency),
    )


def _goes_on(billing: BillingContext, fixed: FixedMonth, today: date) -> bool:
    """Whether another month is due after this one, or the last invoice of an account that has ended."""
    account = billing.subscriber.account
    return account.contract.month_start(fixed.following.month) <= today or ends_with_one_offs(billing, today)


def ends_with_one_offs(billing: BillingContext, today: date) -> bool:
    """Whether an account has ended, and its last invoice is still to be issued."""
    return bool(billing.one_offs.open) and not billing.subscriber.account.is_served_on(today)


def _issue_at_end(
    billing: BillingContext,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> str | None:
    """Invoices the one-off charges that an ended account has left, and lets the goodwill lapse that is left then.

    Its number; None where there is nothing to issue, or it waits for its VAT number or a rate. It is tried again by
    each step of the end; what still waits at the deletion is kept as a claim.
    """
    state = invoicing_state(billing, settings.seller, settings.unconfirmed)
    account = billing.subscriber.account
    if state is None or account.ending is None or not ends_with_one_offs(billing, today):
        return None
    draft = draft_at_end(state, account.ending.active_until)
    if draft.net.amount and draft.tax.rule is TaxRule.RATE_MISSING:
        wait_for_tax_rate(billing, draft, context, store, is_due=False)
        return None
    if draft.net.amount and waits_for_vat_number(billing, draft, context.time, settings, store):
        return None
    converted = in_sellers_currency(draft, account.contract, settings, store)
    if isinstance(converted, AwaitedRate):
        wait_for_rate(billing, converted, context, settings, store, is_due=False)
        return None
    if not converted.total.amount:  # goodwill is left only where there is nothing more to take it off
        after, gone = lapsed(settled(billing.one_offs.open, converted.lines, None, today))
        events = lapse_events(billing, gone, context)
        if converted.lines:
            facts = free_facts(converted, billing.billing.language)
            free = new_event(EventType.PERIOD_FREE, context, account=account.id, before=None, after=facts)
            events = [free, *events]
        store.close_one_offs(billing, after, events)
        return None
    return issue_one_offs(billing, converted, today, context, settings, store).invoice.number


def issue_one_offs(
    billing: BillingContext,
    draft: InvoiceDraft,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    *,
    events: Callable[[str], Sequence[Event]] = lambda _: (),
) -> WholeInvoice:
    """Issues an invoice of the account's one-offs that the draft has lines of, with the `events` of its number.

    One transaction, and one read for the first number of a process. Raises ConcurrentChange.
    """
    unnumbered = build_invoice(billing, draft, today, settings)
    made: list[WholeInvoice] = []

    def issue(number: NextNumber) -> None:
        invoice = unnumbered.issued_as(number)
        whole = WholeInvoice.new(invoice, initial_payment(invoice, today))
        facts = invoice_facts(invoice, billing.profile)
        issued = new_event(EventType.INVOICE_ISSUED, context, account=invoice.account, before=None, after=facts)
        after = settled(billing.one_offs.open, draft.lines, invoice.number, invoice.produced_on)
        credit = credit_after(draft, billing.credit)
        store.issue_one_offs(billing, whole, number, after, credit, [issued, *events(invoice.number)])
        made.append(whole.written)

    with_next_number(settings.series_of(unnumbered.account), context.time, settings, issue, store)
    return made[-1]


def lapse_events(billing: BillingContext, gone: Sequence[OneOff], context: RequestContext) -> list[Event]:
    """That goodwill has lapsed at the end of its account."""
    language, account = billing.subscriber.language, billing.subscriber.account.id
    return [
        new_event(
            EventType.ONE_OFF_CHANGED,
            context,
            account=account,
            before=each.facts(language),
            after={**replace(each, mark=Mark.LAPSED).facts(language), **NOTHING_FOLLOWS},
        )
        for each in gone
    ]


NOTHING_FOLLOWS: Facts = {"invoices": [], "invoices_without": []}
"""What follows for the invoices to come where there are none."""


def _draft(billing: BillingContext, fixed: FixedMonth, settings: InvoicingSettings) -> InvoiceDraft:
    state = invoicing_state(billing, settings.seller, settings.unconfirmed)
    if state is None:
        raise ValueError("no month is due")
    return draft_of(fixed, state)


def _fix(
    billing: BillingContext,
    fixed: FixedMonth,
    draft: InvoiceDraft | None,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> str | None:
    """Keeps a month that is fixed, and issues its invoice; the number, None where there is nothing to issue."""
    if fixed.period is None or draft is None:
        store.advance(billing, fixed)
        return None
    if draft.total.amount:
        return _issue(billing, draft, fixed, today, context, settings, store)
    free = replace(fixed, period=fixed.period.with_invoice(None, draft.tax, draft.lines))
    facts = free_facts(draft, billing.billing.language)
    account = billing.subscriber.account.id
    event = new_event(EventType.PERIOD_FREE, context, account=account, before=None, after=facts)
    store.advance(billing, free, [event], settled(billing.one_offs.open, draft.lines, None, today))
    return None


def _take_back(
    billing: BillingContext,
    fixed: FixedMonth,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> tuple[str | None, bool]:
    """Issues the next credit note of a month that takes back; its number, None without one, and whether the month is
    fixed with it."""
    take_back = next_take_back(billing, fixed, today, store)
    if take_back is None:
        store.advance(billing, credited_already(fixed))
        return None, True

    def write(number: NextNumber) -> None:
        write_take_back(billing, take_back, number, today=today, context=context, settings=settings, store=store)

    number = with_next_number(
        settings.credit_series_of(billing.subscriber.account.id), context.time, settings, write, store
    )
    return number, take_back.is_last


def _issue(
    billing: BillingContext,
    draft: InvoiceDraft,
    fixed: FixedMonth,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> str:
    unnumbered = build_invoice(billing, draft, today, settings)

    def issue(number: NextNumber) -> None:
        invoice = unnumbered.issued_as(number)
        whole = WholeInvoice.new(invoice, initial_payment(invoice, today))
        event = new_event(
            EventType.INVOICE_ISSUED,
            context,
            account=invoice.account,
            before=None,
            after=invoice_facts(invoice, billing.profile),
        )
        credit = credit_after(draft, billing.credit)
        store.issue(billing, whole, number, invoiced(fixed, invoice), credit, event)

    return with_next_number(settings.series_of(unnumbered.account), context.time, settings, issue, store)


def invoiced(fixed: FixedMonth, invoice: IssuedInvoice) -> FixedMonth:
    """The month with its invoice in the books of its period."""
    if fixed.period is None:
        return fixed
    draft = invoice.draft
    return replace(fixed, period=fixed.period.with_invoice(invoice.number, draft.tax, draft.lines))


def _stopped(
    billing: BillingContext,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> bool:
    """Whether invoicing waits for staff. Keeps it, and tells them, when it begins to."""
    account = billing.subscriber.account
    contract = account.contract
    if billing.due is None or contract.month_of(today) - billing.due.month < INVOICES_AT_ONCE_MAX:
        return False  # a month has one invoice at most
    pending = pending_invoices(billing, today, settings)
    of_now = in_currency(pending, account.contract.currency)
    if not of_now or not must_stop(pending, released_until(billing.hold, contract.start)):
        return False
    if billing.hold is not None and billing.hold.is_waiting(contract.start):
        return True
    hold = InvoicingHold(
        account=account.id,
        held_at=context.time,
        start=account.contract.start,
        invoices=len(of_now),
        total=total_of(of_now, account.contract.currency),
        version=0 if billing.hold is None else billing.hold.version,
    )
    facts = {
        "invoices": hold.invoices,
        "total": asdict(hold.total),
        "since": of_now[0].draft.since,
        "until": of_now[-1].draft.until,
    }
    event = new_event(EventType.INVOICING_HELD, context, account=account.id, before=None, after=facts)
    store.hold(billing, hold, event)
    return True


def with_next_number(
    series: str, now: datetime, settings: InvoicingSettings, write: Callable[[NextNumber], None], store: InvoiceStore
) -> str:
    """Calls `write` with the next number of the seller's day and year at `now`. Returns the number.

    See with_next_numbers.
    """
    [number] = with_next_numbers((series,), now, settings, lambda numbers: write(numbers[0]), store)
    return number


def with_next_numbers(
    series: Sequence[str],
    now: datetime,
    settings: InvoicingSettings,
    write: Callable[[Sequence[NextNumber]], None],
    store: InvoiceStore,
) -> list[str]:
    """Calls `write` with the next number of each series, of the seller's day and year at `now`. Returns the numbers.

    Tries again with the next ones while `write` raises NumberTaken, for NUMBER_SECONDS. Each try takes the day and the
    year anew: midnight may pass meanwhile. Raises ConcurrentChange after that.
    """
    budget = RetryBudget(NUMBER_SECONDS)
    for attempt in count(1):
        day = settings.day_of_issue(now + budget.waited)
        numbers = [store.counter(each, day.year).following(each, day) for each in series]
        try:
            write(numbers)
        except NumberTaken:
            if not budget.lasts(attempt):
                break
        else:
            return [each.text for each in numbers]
    raise ConcurrentChange


def build_invoice(
    billing: BillingContext, draft: InvoiceDraft, today: date, settings: InvoicingSettings
) -> IssuedInvoice:
    """The invoice of a draft on `today`, the account's day, which decides when it is due. It has no number yet.

    Raises ValueError for a draft whose tax rate is missing: no invoice says 0 by mistake.
    """
    if draft.tax.rule is TaxRule.RATE_MISSING:
        raise ValueError(f"the tax rate of {draft.tax.country} is missing")
    method = None if billing.profile.shown is None else billing.profile.shown.method
    term_days = billing.profile.payment_term(settings.term_days)
    return IssuedInvoice(
        number="",
        account=billing.subscriber.account.id,
        produced_on=today,
        due_on=due_on(method, today, term_days, settings.sepa_notice_days),
        draft=draft,
        seller=settings.seller,
        company=billing.company.for_invoice(),
        email=billing.billing.email,
        language=billing.billing.language,
        method=method,
    )


def invoice_facts(invoice: IssuedInvoice, profile: PaymentProfile) -> Facts:
    """The facts of an invoice for its event. `debit` announces a SEPA debit."""
    draft = invoice.draft
    debit = None if profile.shown is None else profile.shown.debit
    return {
        "number": invoice.number,
        "replaces": None if invoice.replaces is None else invoice.replaces.number,
        "produced_on": invoice.produced_on,
        "due_on": invoice.due_on,
        "since": draft.since,
        "until": draft.until,
        "lines": _line_facts(draft, invoice.language),
        "net": asdict(draft.net),
        "tax": asdict(draft.tax_amount),
        "seller_tax": None if draft.seller_tax is None else asdict(draft.seller_tax.amount),
        "total": asdict(draft.total),
        "credit": asdict(draft.credit),
        "due": asdict(draft.due),
        "method": invoice.method,
        "charge_on": charge_on(invoice),
        "debit": None if debit is None or invoice.method is not Method.SEPA_DEBIT else asdict(debit),
        "document": document_key(invoice.account, invoice.number, DocumentKind.PDF),
    }


def free_facts(draft: InvoiceDraft, language: str) -> Facts:
    """What is told of months for which nothing is to be invoiced."""
    return {
        "since": draft.since,
        "until": draft.until,
        "lines": _line_facts(draft, language),
        "total": asdict(draft.total),
    }


def _line_facts(draft: InvoiceDraft, language: str) -> list[Facts]:
    return [{"description": describe_line(line, language), "amount": asdict(line.net)} for line in draft.lines]


def schedule_invoices(account: str, *, now: datetime, store: InvoiceStore) -> bool:
    """Schedules invoices from the next renewal on. Returns False without the account, or where they are scheduled.

    For accounts from before invoicing: their running paid period was invoiced elsewhere. One read, and one transaction
    where it returns True. Raises ConcurrentChange.
    """
    billing = store.billing_context(account)
    if billing is None or billing.due is not None:
        return False
    contract = billing.subscriber.account.contract
    month, _ = contract.next_charge(contract.today(now))
    store.schedule(billing, InvoicingDue(month))
    return True
