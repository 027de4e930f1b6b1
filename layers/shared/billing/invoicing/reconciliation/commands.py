"""Compares an account's books with themselves and with the payment service, and the register of numbers with itself.

A comparison changes nothing of the books. It writes what differs, once while it lasts, and tells staff what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from billing.invoicing.holds import InvoicingHold
from billing.invoicing.reconciliation.records import ReconciliationStore, RecordedBooks
from billing.invoicing.reconciliation.rules import (
    NIGHT,
    Books,
    Finding,
    Ledger,
    compare_register,
    findings,
    may_have_more,
    named_payments,
    next_comparison,
)
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.vat_numbers.rules import Treatment, relevant, treatment
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.payments.ledger import LedgerPayment, PaymentLedger
from billing.platform.events.new_event import new_event

FINDINGS_MAX = 40
"""How many findings of an account are kept, and how many one transaction removes: it has room for 100 actions."""

CUSTOMERS_MAX = 10
PAYMENTS_MAX = 1_000
MORE_MAX = 300
"""How many customers of an account, payments of a customer, and refunds or disputes of a payment are read."""

DOCUMENTS_COMPARED = timedelta(days=400)
"""How far back documents are compared with their paid periods: the longest period is a year."""


class Comparison(StrEnum):
    """What became of a due comparison. NOT_DUE: it was done before, or the account is gone."""

    NOT_DUE = "not_due"
    AGREES = "agrees"
    DIFFERS = "differs"


def reconcile_account(
    account: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    store: ReconciliationStore,
    ledger: PaymentLedger,
    is_replay: bool = False,
) -> Comparison:
    """Compares the books of an account that are due at the instant `now`.

    Two or three reads, four queries and one transaction; at the payment service a search, and a list per hundred
    payments, per refunded payment and per disputed one. What differs is read once more, so that a change that comes in
    between is none. Raises ConcurrentChange, also where the books have changed meanwhile; UpstreamFailed.
    """
    since = now.date() - DOCUMENTS_COMPARED
    recorded = store.books(account, since)
    if recorded is None or recorded.context.reconcile_on is None:
        return Comparison.NOT_DUE
    today = recorded.context.subscriber.account.contract.today(now)
    if recorded.context.reconcile_on > today:
        return Comparison.NOT_DUE
    books = _books(recorded, settings)
    found = findings(books, _ledger(books, recorded.context.profile.customer, ledger), now)
    if found and store.books(account, since) != recorded:
        raise ConcurrentChange
    new, gone = _news(found, recorded.known, now)
    event = _event(account, new, by_system(now, correlation, is_replay=is_replay)) if new else None
    store.save_comparison(recorded, next_comparison(books, found, today), new, gone, event)
    return Comparison.DIFFERS if found else Comparison.AGREES


def reconcile_register(
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    store: ReconciliationStore,
    is_replay: bool = False,
) -> Comparison:
    """Compares the registers of this year and the last one with their counters, if that is due at `now`.

    Two reads and a query per megabyte for each of the four, and one transaction. Raises ConcurrentChange.
    """
    due, today = store.register_due(), settings.day_of_issue(now)
    if due is None or due > now.date():
        return Comparison.NOT_DUE
    found = []
    for series in dict.fromkeys((settings.series, settings.credit_series)):
        for year in (today.year - 1, today.year):
            difference = _register_difference(series, year, store)
            if difference is not None:
                found.append(difference)
    new, gone = _news(found, store.register_findings(), now)
    event = _event(None, new, by_system(now, correlation, is_replay=is_replay)) if new else None
    store.save_register_comparison(due, now.date() + NIGHT, new, gone, event)
    return Comparison.DIFFERS if found else Comparison.AGREES


def _register_difference(series: str, year: int, store: ReconciliationStore) -> Finding | None:
    """A number that is given while the register is read is no difference: the counter is read before and after."""
    before = store.stored_counter(series, year)
    entries = [*store.registered(series, year)]
    after = store.stored_counter(series, year)
    last = entries[-1].count if entries else 0
    return compare_register(series, year, entries, replace(after, count=min(max(last, before.count), after.count)))


def _books(recorded: RecordedBooks, settings: InvoicingSettings) -> Books:
    context = recorded.context
    return Books(
        account=context.subscriber.account,
        subscription=context.subscriber.subscription,
        due=context.due,
        running=context.period,
        closed=recorded.closed,
        documents=recorded.documents,
        credit=context.credit,
        other_credit=context.other_credit,
        transfers=recorded.transfers,
        is_waiting=_is_waiting(recorded, context.hold, settings),
        one_offs=recorded.one_offs,
    )


def _is_waiting(recorded: RecordedBooks, hold: InvoicingHold | None, settings: InvoicingSettings) -> bool:
    """Whether invoicing waits for staff, for the check of a VAT number, for an exchange rate, or for a tax rate: each
    has a list."""
    context = recorded.context
    due = context.due
    if due is not None and due.awaits is not None:
        return True
    if hold is not None and hold.is_waiting(context.subscriber.account.contract.start):
        return True
    if settings.unconfirmed is None or context.company.vat_number is None:
        return False
    check = relevant(context.vat_check, context.company)
    return treatment(check, context.company, settings.unconfirmed) is Treatment.HOLD


def _ledger(books: Books, customer: str | None, ledger: PaymentLedger) -> Ledger:
    """What the payment service has of an account. One that never had a customer there is not asked about."""
    payments: dict[str, LedgerPayment] = {}
    if customer is not None:
        for each in islice(ledger.customers_of(books.account.id, customer), CUSTOMERS_MAX):
            payments.update((found.id, found) for found in ledger.payments_of(each, PAYMENTS_MAX))
    for payment in named_payments(books):
        if payment not in payments:  # of a former customer, or an old one of very many
            single = ledger.payment_in_ledger(payment)
            if single is not None:
                payments[payment] = single
    return Ledger({payment.id: payment for payment in _with_more(books, payments.values(), ledger)})


def _with_more(books: Books, payments: Iterable[LedgerPayment], ledger: PaymentLedger) -> Iterator[LedgerPayment]:
    """The payments with their refunds and disputes. Most have none, and no request asks for them."""
    for payment in payments:
        refunded, disputed = may_have_more(books, payment)
        yield replace(
            payment,
            refunds=tuple(ledger.refunds_of(payment.id, MORE_MAX)) if refunded else (),
            disputes=tuple(ledger.disputes_of(payment, MORE_MAX)) if disputed else (),
        )


def _news(
    found: Sequence[Finding], known: Sequence[Finding], now: datetime
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that are new at `now`, and those that are gone; of each no more than a transaction holds."""
    lasting = {each.identity for each in found}
    gone = tuple(each for each in known if each.identity not in lasting)[:FINDINGS_MAX]
    before = {each.identity for each in known}
    new = {each.identity: replace(each, since=now) for each in found if each.identity not in before}
    room = max(0, FINDINGS_MAX - (len(known) - len(gone)))
    return tuple(islice(new.values(), room)), gone


def _event(account: str | None, new: Sequence[Finding], context: RequestContext) -> Event:
    facts: Facts = {
        "findings": [
            {
                "rule": each.rule,
                "subject": each.subject,
                "invoice": each.invoice,
                "expected": each.expected,
                "found": each.found,
                "expected_amount": None if each.expected_amount is None else asdict(each.expected_amount),
                "found_amount": None if each.found_amount is None else asdict(each.found_amount),
            }
            for each in new
        ]
    }
    return new_event(EventType.RECONCILIATION_DIFFERED, context, account=account, before=None, after=facts)
