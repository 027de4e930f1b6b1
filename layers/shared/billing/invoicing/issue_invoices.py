"""Invoices are issued: when a paid period begins, and when a tier changes within one.

Each contract month is looked at once, in order. What is issued is one transaction: the number, the invoice, its event,
and the month that is looked at next. So a run that is repeated finds nothing to do, one that was missed is made up
for, and there is never a number without its invoice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, datetime
from itertools import count

from billing.accounts.rules import Status
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import charge_on, due_on, initial_payment
from billing.invoicing.invoices import (
    BillingReason,
    DocumentKind,
    InvoiceDraft,
    IssuedInvoice,
    build_draft,
    credit_after,
    document_key,
    number_of,
)
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, NumberTaken
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import tax_between
from billing.invoicing.wording import describe_line
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import EventType, Facts, RequestContext, by_system
from billing.platform.events.new_event import new_event
from billing.platform.retry import RetryBudget
from billing.subscriptions.pricing import change_lines, changes_on, changes_within, period_lines

NUMBER_SECONDS = 12.0
"""How long a number is asked for while others take them, before the account waits for its next turn."""


def issue_invoices(
    account: str, *, now: datetime, correlation: str, settings: InvoicingSettings, store: InvoiceStore
) -> tuple[str, ...]:
    """Issues what is due for an account at the instant `now`; the numbers.

    For each contract month that is due one read and one transaction; a get more for the first number that a process
    gives. Nothing for an account that is gone. Raises ConcurrentChange, SeriesExhausted.
    """
    occasion = by_system(now, correlation)
    issued: list[str] = []
    while True:
        billed = store.billing_context(account)
        if billed is None or billed.due is None:
            break
        contract = billed.subscriber.account.contract
        today = contract.today(now)
        if contract.month_start(billed.due.month) > today:
            break
        following, draft = next_invoice(billed, billed.due, today, settings)
        if draft is None:
            store.advance(billed, following)
        else:
            issued.append(_issue(billed, draft, following, today, occasion, settings, store))
        if contract.month_start(following.month) > today:
            break
    return tuple(issued)


def next_invoice(
    billing: BillingContext, due: InvoicingDue, today: date, settings: InvoicingSettings
) -> tuple[InvoicingDue, InvoiceDraft | None]:
    """What is due after a contract month, and what there is to invoice for it, if anything is."""
    account, subscription = billing.subscriber.account, billing.subscriber.subscription
    contract, month = account.contract, due.month
    starts = contract.month_start(month)
    if account.status is Status.DEACTIVATED or not account.is_served_on(starts):
        return InvoicingDue(month + 1), None
    if month % contract.interval_months == 0:
        until = contract.month_start(month + contract.interval_months)
        following = InvoicingDue(month + 1, changes_within(subscription, contract, month))
        if not subscription.lines:
            return following, None
        occasion, lines = BillingReason.PERIOD, period_lines(subscription, contract, month)
    else:
        changed = tuple(each for each in changes_on(subscription, starts) if each not in due.settled)
        following = InvoicingDue(month + 1, (*due.settled, *changed))
        until = contract.month_start(month - month % contract.interval_months + contract.interval_months)
        occasion, lines = BillingReason.TIER_CHANGE, change_lines(subscription, contract, month, changed)
        if not lines:
            return following, None
    tax = tax_between(settings.seller, billing.company, today)
    return following, build_draft(occasion, starts, until, lines, tax, billing.credit, contract.currency)


def upcoming(billing: BillingContext, today: date, settings: InvoicingSettings) -> tuple[date, InvoiceDraft] | None:
    """The next invoice as it would be: its day, and what it says. None if none is to come."""
    due = billing.due
    contract = billing.subscriber.account.contract
    for _ in range(contract.interval_months + 1):
        if due is None or billing.subscriber.account.status is Status.DEACTIVATED:
            return None
        following, draft = next_invoice(billing, due, max(today, contract.month_start(due.month)), settings)
        if draft is not None:
            return max(today, contract.month_start(due.month)), draft
        due = following
    return None


def _issue(
    billing: BillingContext,
    draft: InvoiceDraft,
    following: InvoicingDue,
    today: date,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> str:
    unnumbered = build_invoice(billing, draft, today, settings)

    def issue(number: str, count: int) -> None:
        invoice = replace(unnumbered, number=number)
        record = InvoiceRecord(invoice, initial_payment(invoice), 0)
        event = new_event(
            EventType.INVOICE_ISSUED, context, account=invoice.account, before=None, after=invoice_facts(invoice)
        )
        store.issue(billing, record, settings.series, count, following, credit_after(draft, billing.credit), event)

    return with_next_number(settings.series, today.year, issue, store)


def with_next_number(series: str, year: int, write: Callable[[str, int], None], store: InvoiceStore) -> str:
    """The number under which something was issued: `write` is given one, and how many it makes in its series and year,
    until nobody else has been faster. Raises ConcurrentChange, SeriesExhausted.
    """
    given = store.numbers_given(series, year)
    budget = RetryBudget(NUMBER_SECONDS)
    for attempt in count(1):
        number = number_of(series, year, given + 1)
        try:
            write(number, given + 1)
        except NumberTaken as taken:
            given = taken.count
        else:
            return number
        if not budget.lasts(attempt):
            break
    raise ConcurrentChange


def build_invoice(
    billing: BillingContext, draft: InvoiceDraft, today: date, settings: InvoicingSettings
) -> IssuedInvoice:
    """An invoice of a draft, but for its number."""
    method = None if billing.profile.shown is None else billing.profile.shown.method
    return IssuedInvoice(
        number="",
        account=billing.subscriber.account.id,
        produced_on=today,
        due_on=due_on(method, today, settings.term_days),
        draft=draft,
        seller=settings.seller,
        company=billing.company.for_invoice(),
        email=billing.billing.email,
        language=billing.billing.language,
        method=method,
    )


def invoice_facts(invoice: IssuedInvoice) -> Facts:
    """What is told of an invoice."""
    draft = invoice.draft
    return {
        "number": invoice.number,
        "produced_on": invoice.produced_on,
        "due_on": invoice.due_on,
        "since": draft.since,
        "until": draft.until,
        "lines": [
            {"description": describe_line(line, invoice.language), "amount": asdict(line.net)} for line in draft.lines
        ],
        "net": asdict(draft.net),
        "tax": asdict(draft.tax_amount),
        "total": asdict(draft.total),
        "method": invoice.method,
        "charge_on": charge_on(invoice),
        "document": document_key(invoice.account, invoice.number, DocumentKind.PDF),
    }


def schedule_invoices(account: str, *, now: datetime, store: InvoiceStore) -> bool:
    """Makes invoices due from its next renewal on for an account for which none are; whether none were.

    For accounts that are older than invoices: what they have paid for by now was invoiced elsewhere.
    """
    billed = store.billing_context(account)
    if billed is None or billed.due is not None:
        return False
    contract = billed.subscriber.account.contract
    month, _ = contract.next_charge(contract.today(now))
    store.schedule(billed, InvoicingDue(month))
    return True
