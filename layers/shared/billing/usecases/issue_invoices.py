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

from billing.domain.account import Status
from billing.domain.collection import charge_on, due_on, first_payment
from billing.domain.errors import ConcurrentChange
from billing.domain.events import EventType, Facts, by_system
from billing.domain.events import Occasion as Happening
from billing.domain.invoices import (
    DocumentKind,
    Draft,
    IssuedInvoice,
    Occasion,
    credit_after,
    document_key,
    drafted,
    number_of,
)
from billing.domain.invoicing_due import BillingDue
from billing.domain.pricing import change_lines, changes_on, changes_within, period_lines
from billing.domain.tax import tax_between
from billing.domain.terms import Terms
from billing.store.invoice_store import BillingContext, InvoiceRecord, InvoiceStore, NumberTaken
from billing.usecases.events import new_event
from billing.usecases.invoice_words import described
from billing.usecases.retry import RetryBudget

NUMBER_SECONDS = 12.0
"""How long a number is asked for while others take them, before the account waits for its next turn."""


def issue_invoices(
    account: str, *, now: datetime, correlation: str, terms: Terms, store: InvoiceStore
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
        following, draft = looked_at(billed, billed.due, today, terms)
        if draft is None:
            store.advance(billed, following)
        else:
            issued.append(_issue(billed, draft, following, today, occasion, terms, store))
        if contract.month_start(following.month) > today:
            break
    return tuple(issued)


def looked_at(billed: BillingContext, due: BillingDue, today: date, terms: Terms) -> tuple[BillingDue, Draft | None]:
    """What is due after a contract month, and what there is to invoice for it, if anything is."""
    account, subscription = billed.subscriber.account, billed.subscriber.subscription
    contract, month = account.contract, due.month
    starts = contract.month_start(month)
    if account.status is Status.DEACTIVATED or not account.is_served_on(starts):
        return BillingDue(month + 1), None
    if month % contract.interval_months == 0:
        until = contract.month_start(month + contract.interval_months)
        following = BillingDue(month + 1, changes_within(subscription, contract, month))
        if not subscription.lines:
            return following, None
        occasion, lines = Occasion.PERIOD, period_lines(subscription, contract, month)
    else:
        changed = tuple(each for each in changes_on(subscription, starts) if each not in due.settled)
        following = BillingDue(month + 1, (*due.settled, *changed))
        until = contract.month_start(month - month % contract.interval_months + contract.interval_months)
        occasion, lines = Occasion.TIER_CHANGE, change_lines(subscription, contract, month, changed)
        if not lines:
            return following, None
    tax = tax_between(terms.seller, billed.company, today)
    return following, drafted(occasion, starts, until, lines, tax, billed.credit, contract.currency)


def upcoming(billed: BillingContext, today: date, terms: Terms) -> tuple[date, Draft] | None:
    """The next invoice as it would be: its day, and what it says. None if none is to come."""
    due = billed.due
    contract = billed.subscriber.account.contract
    for _ in range(contract.interval_months + 1):
        if due is None or billed.subscriber.account.status is Status.DEACTIVATED:
            return None
        following, draft = looked_at(billed, due, max(today, contract.month_start(due.month)), terms)
        if draft is not None:
            return max(today, contract.month_start(due.month)), draft
        due = following
    return None


def _issue(
    billed: BillingContext,
    draft: Draft,
    following: BillingDue,
    today: date,
    occasion: Happening,
    terms: Terms,
    store: InvoiceStore,
) -> str:
    unnumbered = invoice_of(billed, draft, today, terms)

    def issue(number: str, count: int) -> None:
        invoice = replace(unnumbered, number=number)
        kept = InvoiceRecord(invoice, first_payment(invoice), 0)
        event = new_event(
            EventType.INVOICE_ISSUED, occasion, account=invoice.account, before=None, after=issued_facts(invoice)
        )
        store.issue(billed, kept, terms.series, count, following, credit_after(draft, billed.credit), event)

    return numbered(terms.series, today.year, issue, store)


def numbered(series: str, year: int, write: Callable[[str, int], None], store: InvoiceStore) -> str:
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


def invoice_of(billed: BillingContext, draft: Draft, today: date, terms: Terms) -> IssuedInvoice:
    """An invoice of a draft, but for its number."""
    method = None if billed.profile.shown is None else billed.profile.shown.method
    return IssuedInvoice(
        number="",
        account=billed.subscriber.account.account,
        produced_on=today,
        due_on=due_on(method, today, terms.term_days),
        draft=draft,
        seller=terms.seller,
        company=billed.company.for_invoice(),
        email=billed.billing.email,
        language=billed.billing.language,
        method=method,
    )


def issued_facts(invoice: IssuedInvoice) -> Facts:
    """What is told of an invoice."""
    draft = invoice.draft
    return {
        "number": invoice.number,
        "produced_on": invoice.produced_on,
        "due_on": invoice.due_on,
        "since": draft.since,
        "until": draft.until,
        "lines": [
            {"description": described(line, invoice.language), "amount": asdict(line.net)} for line in draft.lines
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
    store.schedule(billed, BillingDue(month))
    return True
