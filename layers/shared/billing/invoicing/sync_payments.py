"""Payments, refunds and disputes are brought in line with the payment service, whose notices say that one has changed.

A notice comes at least once and in any order: what it is about is read, and what agrees already is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from billing.invoicing.collect_payments import Collector, after_refund, save_changes, shared_charge
from billing.invoicing.credit_refunds import after_credit_refund
from billing.invoicing.disputes import dispute_steps
from billing.invoicing.dunning import InvoicePayment, after_charge, is_news
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.events import EventType, by_system
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Charge, ChargeState, Dispute, Method, RefundState
from billing.platform.events.new_event import new_event

REACTIVATION = "reactivation "
"""How the name of a payment begins that the worker of a reactivation takes in itself."""

SEARCHED_MAX = 20
"""Among how many of the newest documents the newest invoice is searched."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The account of a payment, the invoices that name it, and the unpaid ones."""

    billing: BillingContext
    named: tuple[InvoiceRecord, ...]
    unpaid: list[InvoiceRecord]
    collector: Collector
    today: date


def sync_payment(
    payment: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    consent_page: str,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> bool | None:
    """Brings an invoice in line with its payment at the payment service; whether anything was changed.

    None for a payment of an account that does not exist, or of a former one with the same id. Money that has arrived
    for an invoice that is settled by now is credit. Raises ConcurrentChange, UpstreamFailed.
    """
    owner = gateway.invoice_of(payment)
    billing = None if owner is None else store.billing_context(owner[0])
    if owner is None:
        return False
    if billing is None:
        return None
    charge = gateway.payment(payment)
    collector = Collector(by_system(now, correlation), settings, consent_page, store, gateway)
    found = _found(billing, payment, owner[1], collector)
    if charge is None or _is_taken_in(found.named, payment):
        return False
    if not found.named and _is_of_former_account(owner[1], store):
        return None
    record = _target(found.named, payment, owner[1])
    if record is None and charge.state is ChargeState.SUCCEEDED and not owner[1].startswith(REACTIVATION):
        record = _newest(owner[0], store)
    if record is None:
        return False
    if record.payment.payment_intent_id == payment:
        if not is_news(charge, record.payment):
            return False
    elif charge.state is not ChargeState.SUCCEEDED:
        return False
    _save(found, _changes(found, record, charge, store))
    return True


def sync_refund(
    refund: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> bool | None:
    """Brings a credit note in line with its refund, or the invoice whose credit it gives back; whether anything was
    changed. None for a refund of an account that does not exist, or of a former one with the same id.

    One that has failed, however late, is owed again, and staff are told. A refund that was made by hand at the payment
    service is taken in for a credit note that waits for one of this payment. Raises ConcurrentChange, UpstreamFailed.
    """
    current = gateway.refund_of(refund)
    billing = None if current is None or current.account is None else store.billing_context(current.account)
    if current is None or current.account is None:
        return False
    if billing is None:
        return None
    collector = Collector(by_system(now, correlation), settings, "", store, gateway)
    found = _found(billing, current.payment, current.credit_note or "-", collector)
    if not found.named and current.credit_note is not None and _is_of_former_account(current.credit_note, store):
        return None
    notes = [each for each in found.named if each.invoice.corrects is not None]
    known = {(entry.kind, entry.reference) for each in found.named for entry in each.payment.entries}
    if current.credit_note is not None:
        # Without a credit note it names the invoice whose credit went back.
        note = next((each for each in found.named if each.invoice.number == current.credit_note), None)
        begun = (EntryKind.REFUND_BEGUN, current.attempt)
        if note is None or begun not in {(entry.kind, entry.reference) for entry in note.payment.entries}:
            return False
    else:
        waiting = [each for each in notes if each.payment.is_past_due and each.payment.left >= current.amount.amount]
        note = waiting[0] if waiting and current.state is RefundState.DONE else None
    kind = {RefundState.DONE: EntryKind.REFUND_DONE, RefundState.FAILED: EntryKind.REFUND_FAILED}.get(current.state)
    if note is None or kind is None or (kind, refund) in known:
        return False
    if note.invoice.corrects is None:
        answer = after_credit_refund(note.payment, current, found.today)
    elif kind is EntryKind.REFUND_DONE and not note.payment.left:
        return False
    else:
        answer = after_refund(note.payment, current, found.today)
    if kind is EntryKind.REFUND_DONE and (EntryKind.REFUND_FAILED, refund) in known:
        return False
    _save(found, [PaymentChange(note, answer)])
    return True


def sync_dispute(
    dispute: str,
    *,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> bool | None:
    """Takes in what a customer's bank does with a payment; whether anything was changed.

    None for a payment of an account that does not exist, or of a former one with the same id. Staff are told of a new
    dispute. One that is lost takes the money back, of each invoice that the payment has paid, as far as the disputed
    amount reaches; one that is won after that gives it back. Raises ConcurrentChange, UpstreamFailed.
    """
    current = gateway.dispute(dispute)
    billing = None if current is None or current.account is None else store.billing_context(current.account)
    if current is None or current.account is None:
        return False
    if billing is None:
        return None
    collector = Collector(by_system(now, correlation), settings, "", store, gateway)
    found = _found(billing, current.payment, current.invoice or "-", collector)
    if not found.named and current.invoice is not None and _is_of_former_account(current.invoice, store):
        return None
    facts = {"invoice": current.invoice, "amount": asdict(current.amount), "reason": current.reason}
    event = new_event(EventType.PAYMENT_DISPUTED, collector.context, account=current.account, before=None, after=facts)
    is_new = store.record_once(billing.subscriber.account.id, f"dispute/{dispute}", event)
    changes = [*_disputed(found, current)]
    if changes:
        _save(found, changes)
    return is_new or bool(changes)


def _found(billing: BillingContext, payment: str, number: str, collector: Collector) -> _Found:
    account = billing.subscriber.account
    named = collector.store.of_payment(account.id, payment, number)
    unpaid = [*collector.store.unpaid(account.id)]
    return _Found(billing, named, unpaid, collector, account.contract.today(collector.context.time))


def _save(found: _Found, changes: Sequence[PaymentChange]) -> None:
    save_changes(found.billing, changes, found.unpaid, found.collector)


def _is_of_former_account(number: str, store: InvoiceStore) -> bool:
    """Whether a document that an account does not have belongs to a deleted account with the same id: its number was
    given, and no account loses a document otherwise."""
    return number.startswith(REACTIVATION) or store.is_registered(number)


def _is_taken_in(named: Sequence[InvoiceRecord], payment: str) -> bool:
    return any(
        entry.kind is EntryKind.CHARGED and entry.reference == payment
        for each in named
        for entry in each.payment.entries
    )


def _target(named: Sequence[InvoiceRecord], payment: str, number: str) -> InvoiceRecord | None:
    """The invoice that a payment is of, or that its metadata names. Never a credit note, which refunds it only."""
    invoices = [each for each in named if each.invoice.corrects is None]
    of_it = [each for each in invoices if each.payment.payment_intent_id == payment]
    by_name = [each for each in invoices if each.invoice.number == number]
    return next(iter([*of_it, *by_name]), None)


def _newest(account: str, store: InvoiceStore) -> InvoiceRecord | None:
    """The newest invoice: it keeps money for which we know no invoice, as credit."""
    documents = store.invoices(account, year=None, status=None, limit=SEARCHED_MAX, after=None).items
    number = next((each.number for each in documents if each.corrects is None), None)
    return None if number is None else store.invoice(account, number)


def _changes(found: _Found, record: InvoiceRecord, charge: Charge, store: InvoiceStore) -> Sequence[PaymentChange]:
    payment, contract = record.payment, found.billing.subscriber.account.contract
    shown = found.billing.profile.shown
    method = charge.method or payment.method or (Method.CARD if shown is None else shown.method)
    day = found.today
    if charge.made_at is not None and not payment.is_in_transit:
        day = max(record.invoice.produced_on, contract.today(charge.made_at))
    if payment.payment_intent_id != charge.payment_intent_id:
        payment = replace(payment, allocations=())
    settings = found.collector.settings
    charged = after_charge(
        payment,
        charge,
        method,
        day,
        settings.retry_days,
        due_on=record.invoice.due_on,
        tried_with=payment.tried_with,
    )
    change = PaymentChange(record, charged)
    if charge.state is not ChargeState.SUCCEEDED:
        return [change]
    return shared_charge(change, found.unpaid, store, day)


def _disputed(found: _Found, dispute: Dispute) -> list[PaymentChange]:
    """What a dispute changes of the invoices that its payment has paid."""
    changes, left = [], dispute.amount.amount
    for record in found.named:
        paid = sum(
            each.amount
            for each in record.payment.entries
            if each.kind is EntryKind.CHARGED and each.reference == dispute.payment
        )
        share = min(left, paid)
        left -= share
        known = {each.kind for each in record.payment.entries if each.reference == dispute.id}
        entries = [
            Entry(kind, share, found.today, dispute.id, dispute.payment) for kind in dispute_steps(dispute.state, known)
        ]
        if share and entries:
            changes.append(PaymentChange(record, _after_dispute(record.payment, entries)))
    return changes


def _after_dispute(payment: InvoicePayment, entries: Sequence[Entry]) -> InvoicePayment:
    updated = payment.with_entries(*entries)
    if updated.left <= payment.left:
        return updated
    # What the bank has taken back is owed again. It is not charged again by itself: staff talk to the customer.
    return replace(
        updated, payment_intent_id=None, allocations=(), is_past_due=True, is_exhausted=True, next_attempt_on=None
    )
