"""Issues invoices: when a paid period begins, and when a tier changes within one.

Each contract month is processed once, in order. One transaction writes the number, the invoice, its event and the
next contract month (DESIGN 3.3.6). So a repeated run does nothing, a missed run is caught up, and no number lacks its
invoice.
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
)
from billing.invoicing.numbering import NumberTaken, number_of
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import tax_between
from billing.invoicing.wording import describe_line
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import EventType, Facts, RequestContext, by_system
from billing.platform.events.new_event import new_event
from billing.platform.retry import RetryBudget
from billing.subscriptions.pricing import change_lines, changes_on, changes_within, period_lines

NUMBER_SECONDS = 12.0
"""How long a run retries while other runs take the numbers. After that the queue delivers the account again."""


def issue_invoices(
    account: str, *, now: datetime, correlation: str, settings: InvoicingSettings, store: InvoiceStore
) -> tuple[str, ...]:
    """Issues the invoices of an account that are due at the instant `now`. Returns their numbers, oldest first.

    One read and one transaction for each due contract month, and one more read for the first number of a process.
    Returns nothing for a deleted account. Raises ConcurrentChange, SeriesExhausted.
    """
    context = by_system(now, correlation)
    issued: list[str] = []
    while True:
        billing = store.billing_context(account)
        if billing is None or billing.due is None:
            break
        contract = billing.subscriber.account.contract
        today = contract.today(now)
        if contract.month_start(billing.due.month) > today:
            break
        following, draft = next_invoice(billing, billing.due, today, settings)
        if draft is None:
            store.advance(billing, following)
        else:
            issued.append(_issue(billing, draft, following, today, context, settings, store))
        if contract.month_start(following.month) > today:
            break
    return tuple(issued)


def next_invoice(
    billing: BillingContext, due: InvoicingDue, today: date, settings: InvoicingSettings
) -> tuple[InvoicingDue, InvoiceDraft | None]:
    """The next due contract month, and the draft of this one's invoice; None where it has nothing to invoice."""
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
        reason, lines = BillingReason.PERIOD, period_lines(subscription, contract, month)
    else:
        changes = tuple(each for each in changes_on(subscription, starts) if each not in due.settled)
        following = InvoicingDue(month + 1, (*due.settled, *changes))
        until = contract.month_start(month - month % contract.interval_months + contract.interval_months)
        reason, lines = BillingReason.TIER_CHANGE, change_lines(subscription, contract, month, changes)
        if not lines:
            return following, None
    tax = tax_between(settings.seller, billing.company, today)
    return following, build_draft(reason, starts, until, lines, tax, billing.credit, contract.currency)


def upcoming(billing: BillingContext, today: date, settings: InvoicingSettings) -> tuple[date, InvoiceDraft] | None:
    """The day and the draft of the next invoice; None if none follows."""
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
    """Calls `write` with the next number and its count in the series and year. Returns the number.

    Tries again with the next one while `write` raises NumberTaken, for NUMBER_SECONDS. Raises ConcurrentChange after
    that, SeriesExhausted when no number is left.
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
    """The invoice of a draft, without its number."""
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
    """The facts of an invoice for its event."""
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
        "credit": asdict(draft.credit),
        "due": asdict(draft.due),
        "method": invoice.method,
        "charge_on": charge_on(invoice),
        "document": document_key(invoice.account, invoice.number, DocumentKind.PDF),
    }


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
