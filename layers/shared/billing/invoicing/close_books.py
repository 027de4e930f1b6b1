"""The money of an account that ends: what is owed is invoiced, and credit goes back (DESIGN 3.7.4).

It runs with each step of the end, from the first day that is not served: it repeats what was cut off, and takes in
what has become credit since. Nothing here holds up the end. What stays open is told to staff, and is kept as claims.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from billing.accounts.rules import Account
from billing.invoicing.collect_payments import ANSWERS_LOST_MAX, Collector, another_key_next_time, pay_from_credit
from billing.invoicing.credit_refunds import (
    CreditPart,
    after_credit_refund,
    begin_credit_refund,
    credit_parts,
    credit_refund_under_way,
)
from billing.invoicing.dunning import UNPAID
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.issue_invoices import issue_invoices, pending_invoices
from billing.invoicing.open_money import OpenMoney, documents_in, open_money
from billing.invoicing.payment_events import payment_events
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange, WholeInvoice
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.errors import AnswerLost, UpstreamFailed
from billing.kernel.events import RequestContext
from billing.kernel.money import Money, charged_units
from billing.payments.gateway import KeySpent, PaymentGateway
from billing.payments.methods import RefundState


@dataclass(frozen=True, slots=True)
class ClosedBooks:
    """What is open after the books were closed. `failure` is why some refund is not made yet: it is to be repeated."""

    open: OpenMoney
    failure: Exception | None


def has_ended(account: Account, today: date) -> bool:
    """Whether an account is not served any more, so that its books can be closed."""
    return account.ending is not None and today >= account.ending.active_until


def close_books(
    account: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> ClosedBooks | None:
    """Issues what an ended account owes, pays what is open from its credit, and refunds the rest of the credit.

    Months that take back what was invoiced get their credit notes. Credit is kept back as far as invoices may still
    need it: those that are open, in transit or not issued. Nothing is refunded while a reactivation is being charged,
    which counts on the credit. None for an account that has not ended. Two reads and two queries, with one read for
    each 50 documents, and what issuing needs; for each refund two transactions and two or three requests. Raises
    ConcurrentChange.
    """
    billing = store.billing_context(account)
    if billing is None or not has_ended(billing.subscriber.account, _today(billing, context)):
        return None
    issue_invoices(
        account,
        now=context.time,
        correlation=context.correlation,
        settings=settings,
        store=store,
        is_replay=context.is_replay,
    )
    billing = store.billing_context(account)
    if billing is None:
        return None
    collector = Collector(billing.subscriber.account, context, settings, "", store, gateway)
    failures: list[Exception] = []
    if billing.subscriber.account.reactivation is None:
        billing, documents = _without_credit(billing, collector, failures)
    else:
        documents = {each.invoice.number: each for each in store.documents(account)}
    today = _today(billing, context)
    values = [(each.invoice, each.payment) for each in documents.values()]
    pending = [each.draft for each in pending_invoices(billing, today, settings)]
    currency = billing.subscriber.account.contract.currency
    found = open_money(values, billing.credits, pending, currency, today)
    return ClosedBooks(found, failures[0] if failures else None)


def _without_credit(
    billing: BillingContext, collector: Collector, failures: list[Exception]
) -> tuple[BillingContext, dict[str, WholeInvoice]]:
    """The account after its credit has paid what is open and what is left of it was refunded, and all its documents."""
    store, account = collector.store, collector.account.id
    today = _today(billing, collector.context)
    unpaid = [*store.unpaid(account, consistent=True)]
    if billing.credits:
        billing, _ = pay_from_credit(billing, unpaid, today, collector, failures, set())
    documents = {each.invoice.number: each for each in store.documents(account)}
    for number, whole in documents.items():
        if credit_refund_under_way(whole.payment) is not None:
            billing, record = _refund(billing, whole.record, today, collector, failures)
            documents[number] = replace(whole, record=record)
    for currency in billing.credits:
        billing = _refund_credit_in(currency, billing, documents, unpaid, today, collector, failures)
    return billing, documents


def _refund_credit_in(
    currency: str,
    billing: BillingContext,
    documents: dict[str, WholeInvoice],
    unpaid: list[InvoiceRecord],
    today: date,
    collector: Collector,
    failures: list[Exception],
) -> BillingContext:
    """Refunds the credit in a currency that no invoice may still need. Changes the `documents` that hold it."""
    spare = billing.credit_in(currency) - _still_needed(currency, billing, unpaid, today, collector)
    values = documents_in(currency, [(each.invoice, each.payment) for each in documents.values()])
    for part in credit_parts(values, billing.credit_in(currency), today):
        if sum(isinstance(each, AnswerLost) for each in failures) >= ANSWERS_LOST_MAX:
            break
        amount = min(spare, part.amount)
        if part.payment is None or part.number is None or amount <= 0:
            continue
        if not charged_units(Money(amount, currency)):
            continue  # the payment service refunds no such fraction
        spare -= amount
        whole = documents[part.number]
        if credit_refund_under_way(whole.payment) is not None:
            continue  # one refund of an invoice at a time: its answer says to which attempt it belongs
        begun = begin_credit_refund(whole.payment, CreditPart(part.number, part.payment, amount), today)
        change = PaymentChange(whole.record, begun)
        billing = collector.store.begin_credit_refund(billing, change)
        billing, record = _refund(billing, change.written, today, collector, failures)
        documents[part.number] = replace(whole, record=record)
    return billing


def _still_needed(
    currency: str, billing: BillingContext, unpaid: list[InvoiceRecord], today: date, collector: Collector
) -> int:
    """What invoices may still need of the credit in a currency, in minor units."""
    invoices = [each for each in unpaid if each.invoice.corrects is None and each.left.currency == currency]
    waiting = {*UNPAID, InvoiceStatus.IN_TRANSIT}
    open_amounts = sum(each.payment.left for each in invoices if each.payment.status in waiting)
    pending = pending_invoices(billing, today, collector.settings)
    to_come = [each.draft.total for each in pending if each.draft.total.currency == currency]
    return open_amounts + sum(max(0, each.amount) for each in to_come)


def _refund(
    billing: BillingContext,
    record: InvoiceRecord,
    today: date,
    collector: Collector,
    failures: list[Exception],
) -> tuple[BillingContext, InvoiceRecord]:
    """Asks for a refund that is kept already, and writes its answer. One that is pending is asked about again later."""
    invoice, begun = record.invoice, credit_refund_under_way(record.payment)
    if begun is None:
        return billing, record
    attempt, money = str(begun.reference), Money(begun.amount, record.left.currency)
    key = f"refund/{invoice.account}/{invoice.number}/{attempt}/{record.version}"
    try:
        with another_key_next_time(record, collector):
            refund = collector.gateway.refund(str(begun.payment), invoice.number, attempt, money, key)
    except UpstreamFailed as failure:
        failures.append(failure)
        kept = isinstance(failure, KeySpent)  # the next version of the invoice was written, for another key
        return billing, PaymentChange(record, record.payment).written if kept else record
    if refund.state is RefundState.PENDING:
        return billing, record
    change = PaymentChange(record, after_credit_refund(record.payment, refund, today))
    collector.store.settle(billing, [change], payment_events([change], collector.context, ""))
    return billing.with_credit_of([change.added]), change.written


def _today(billing: BillingContext, context: RequestContext) -> date:
    return billing.subscriber.account.contract.today(context.time)
