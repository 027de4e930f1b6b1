"""Payments, refunds and disputes are brought in line with the payment service, whose notices say that one has changed.

A notice comes at least once and in any order: what it is about is read, and what agrees already is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from billing.invoicing.collect_payments import (
    Collector,
    after_refund,
    charged_changes,
    method_of,
    save_changes,
    without_intent,
)
from billing.invoicing.credit_refunds import after_credit_refund
from billing.invoicing.disputes import dispute_steps
from billing.invoicing.dunning import UNPAID, AlreadyPaid, InvoicePayment, after_money, is_news
from billing.invoicing.entries import Entry, EntryKind, attempt_under_way, charged, kept, overpaid, refundable_of
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import EventType, by_system
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Charge, ChargeState, Dispute, Method, Refund, RefundState
from billing.platform.clock import time_for
from billing.platform.events.new_event import new_event

REACTIVATION = "reactivation "
"""How the name of a payment begins that the worker of a reactivation takes in itself."""

REACTIVATION_KEPT_AFTER = timedelta(hours=1)
"""How long the worker of a reactivation is given to take its payment in."""

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
    for an invoice that is settled by now, or for none that we know, is credit, and staff are told. One that was
    cancelled at the payment service makes way for another. `now` is the real time: an account on a test clock has its
    own. Raises ConcurrentChange, UpstreamFailed.
    """
    owner = gateway.invoice_of(payment)
    if owner is None:
        return False
    billing = store.billing_context(owner[0])
    if billing is None:
        return _of_deleted(owner[0])
    charge = gateway.payment(payment)
    collector = Collector(
        billing.subscriber.account,
        by_system(time_for(owner[0], now), correlation),
        settings,
        consent_page,
        store,
        gateway,
    )
    found = _found(billing, payment, owner[1], collector)
    if charge is None or _is_taken_in(found.named, payment):
        return False
    if not found.named and store.is_of_deleted(owner[0], owner[1], payment):
        return None
    record = _target(found.named, payment, owner[1])
    if record is None and charge.state is ChargeState.SUCCEEDED and not _is_awaited(billing, owner[1], charge, now):
        record = _newest(owner[0], charge.currency, store)
        if record is None:
            return _told_of(charge, billing, collector)
        if _is_taken_in([record], payment):
            return False  # the first query was older than this one
    if record is None:
        return False
    if charge.state is ChargeState.SUCCEEDED and charge.currency not in {None, record.left.currency}:
        return _told_of(charge, billing, collector)
    if charge.state is ChargeState.CANCELLED and record.payment.payment_intent_id == payment and _is_open(record):
        _save(found, [PaymentChange(record, record.payment.without_intent())])
        return True
    if record.payment.payment_intent_id == payment:
        if not is_news(charge, record.payment):
            return False
    elif charge.state is not ChargeState.SUCCEEDED:
        return False
    _save(found, _changes(found, record, charge))
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
    service is taken in for the credit notes that wait for one of this payment; what is more is an entry of the invoices
    that the payment has paid, and staff are told. Raises ConcurrentChange, also while it is not known yet whether a
    refund of a credit note is this one; UpstreamFailed.
    """
    current = gateway.refund_of(refund)
    if current is None or current.account is None:
        return False
    billing = store.billing_context(current.account)
    if billing is None:
        return _of_deleted(current.account)
    context = by_system(time_for(current.account, now), correlation)
    collector = Collector(billing.subscriber.account, context, settings, "", store, gateway)
    found = _found(billing, current.payment, current.credit_note or "-", collector)
    if not found.named and store.is_of_deleted(current.account, current.credit_note, current.payment):
        return None
    notes = [each for each in found.named if each.invoice.corrects is not None]
    known = {(entry.kind, entry.reference) for each in found.named for entry in each.payment.entries}
    if current.credit_note is None:
        changes = _by_hand(found, notes, current)
        if changes:
            _save(found, changes)
        return bool(changes)
    # A refund of credit names the invoice that held the credit.
    note = next((each for each in found.named if each.invoice.number == current.credit_note), None)
    begun = (EntryKind.REFUND_BEGUN, current.attempt)
    if note is None or begun not in {(entry.kind, entry.reference) for entry in note.payment.entries}:
        return False
    kind = {RefundState.DONE: EntryKind.REFUND_DONE, RefundState.FAILED: EntryKind.REFUND_FAILED}.get(current.state)
    if kind is None or (kind, refund) in known:
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
    if current is None or current.account is None:
        return False
    billing = store.billing_context(current.account)
    if billing is None:
        return _of_deleted(current.account)
    context = by_system(time_for(current.account, now), correlation)
    collector = Collector(billing.subscriber.account, context, settings, "", store, gateway)
    found = _found(billing, current.payment, current.invoice or "-", collector)
    if not found.named and store.is_of_deleted(current.account, current.invoice, current.payment):
        return None
    if not _is_taken_in(found.named, current.payment):
        # The notice of the payment itself comes later.
        sync_payment(
            current.payment,
            now=now,
            correlation=correlation,
            settings=settings,
            consent_page="",
            store=store,
            gateway=gateway,
        )
        billing = store.billing_context(billing.subscriber.account.id) or billing
        found = _found(billing, current.payment, current.invoice or "-", collector)
    paid = (each.invoice.number for each in found.named if charged(each.payment.entries, current.payment))
    # The payment of a reactivation was named before its invoice had a number.
    facts = {"invoice": next(paid, current.invoice), "amount": asdict(current.amount), "reason": current.reason}
    event = new_event(EventType.PAYMENT_DISPUTED, collector.context, account=current.account, before=None, after=facts)
    is_new = store.record_once(billing.subscriber.account.id, f"dispute/{dispute}", event)
    changes = [*_disputed(found, current)]
    if changes:
        _save(found, changes)
    return is_new or bool(changes)


def _of_deleted(account: str) -> bool | None:
    """None for an account that is deleted. What was charged on a test clock is nobody's money, and no claim."""
    return None if clock_of(account) is None else False


def _found(billing: BillingContext, payment: str, number: str, collector: Collector) -> _Found:
    account = billing.subscriber.account
    named = collector.store.of_payment(account.id, payment, number)
    unpaid = [*collector.store.unpaid(account.id, consistent=True)]  # nothing looks again at what credit could pay
    return _Found(billing, named, unpaid, collector, account.contract.today(collector.context.time))


def _save(found: _Found, changes: Sequence[PaymentChange]) -> None:
    save_changes(found.billing, changes, found.unpaid, found.collector)


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


def _is_open(record: InvoiceRecord) -> bool:
    return record.payment.status in UNPAID


def _is_awaited(billing: BillingContext, name: str, charge: Charge, now: datetime) -> bool:
    """Whether the worker of a reactivation takes the payment in itself. Raises ConcurrentChange while it may just have
    done so: then the notice is repeated."""
    if not name.startswith(REACTIVATION):
        return False
    if billing.subscriber.account.reactivation == name.removeprefix(REACTIVATION):
        return True
    if charge.made_at is None or now - charge.made_at < REACTIVATION_KEPT_AFTER:
        raise ConcurrentChange
    return False


def _told_of(charge: Charge, billing: BillingContext, collector: Collector) -> bool:
    """Tells staff of money that no invoice can keep: there is none, or it is in another currency."""
    account = billing.subscriber.account
    currency = charge.currency or account.contract.currency
    facts = {
        "number": None,
        "payment": charge.payment_intent_id,
        "received": asdict(Money(charge.amount or 0, currency)),
        "credit": asdict(Money(0, currency)),
    }
    event = new_event(EventType.PAYMENT_UNEXPECTED, collector.context, account=account.id, before=None, after=facts)
    return collector.store.record_once(account.id, f"payment/{charge.payment_intent_id}", event)


def _by_hand(found: _Found, notes: Sequence[InvoiceRecord], refund: Refund) -> list[PaymentChange]:
    """What a refund that was made by hand changes: first of the credit notes that wait for one of its payment, then of
    the invoices that the payment has paid."""
    known = [entry.kind for each in found.named for entry in each.payment.entries if entry.reference == refund.id]
    if refund.state is RefundState.FAILED:
        returned = [note for note in notes if _is_done(note.payment, refund)]
        failed = [PaymentChange(note, after_refund(note.payment, refund, found.today)) for note in returned]
        return [*failed, *_outside_failed(found, refund)]
    if known:
        return []
    waiting = [note for note in notes if _waits(note.payment)]
    if waiting and refund.state is RefundState.PENDING:
        return []  # what it is of is decided when it is made
    changes, left = [], refund.amount.amount
    for note in waiting:
        share = replace(refund, amount=Money(min(left, note.payment.left), refund.amount.currency))
        if share.amount.amount:
            changes.append(PaymentChange(note, after_refund(note.payment, share, found.today)))
        left -= share.amount.amount
    outside, left = _refunded_outside(found, refund, left)
    if left and any(attempt_under_way(note.payment.entries) for note in notes):
        raise ConcurrentChange  # the payment service refuses that attempt, and then its credit note waits
    return [*changes, *outside]


def _waits(note: InvoicePayment) -> bool:
    return note.left > 0 and not note.is_in_transit and attempt_under_way(note.entries) is None


def _is_done(note: InvoicePayment, refund: Refund) -> bool:
    """Whether a credit note counts a refund as made."""
    kinds = {entry.kind for entry in note.entries if entry.reference == refund.id}
    return EntryKind.REFUND_DONE in kinds and EntryKind.REFUND_FAILED not in kinds


def _outside_failed(found: _Found, refund: Refund) -> list[PaymentChange]:
    """What it changes that a refund without a credit note has failed."""
    changes = []
    for record in found.named:
        of_it = [each for each in record.payment.entries if each.reference == refund.id]
        if any(each.kind in _UNDONE.values() for each in of_it):
            continue
        entries = [replace(each, kind=_UNDONE[each.kind], on=found.today) for each in of_it if each.kind in _UNDONE]
        if entries:
            changes.append(PaymentChange(record, record.payment.with_entries(*entries)))
    return changes


def _refunded_outside(found: _Found, refund: Refund, left: int) -> tuple[list[PaymentChange], int]:
    """What `left` of a refund, which no credit note explains, changes of the invoices that its payment has paid; and
    what exceeds these.

    It takes back first what was overpaid and is still credit.
    """
    changes, credit = [], found.billing.credit_in(refund.amount.currency)
    for record in found.named:
        payment = record.payment
        share = min(left, refundable_of(payment.entries, refund.payment))
        from_credit = max(0, min(share, credit, payment.credit, overpaid(payment.entries, refund.payment)))
        left, credit = left - share, credit - from_credit
        shares = {EntryKind.CREDIT_REFUNDED: from_credit, EntryKind.REFUNDED_OUTSIDE: share - from_credit}
        entries = [
            Entry(kind, amount, found.today, refund.id, refund.payment) for kind, amount in shares.items() if amount
        ]
        if entries:
            changes.append(PaymentChange(record, payment.with_entries(*entries)))
    return changes, left


_UNDONE = {
    EntryKind.CREDIT_REFUNDED: EntryKind.CREDIT_REFUND_FAILED,
    EntryKind.REFUNDED_OUTSIDE: EntryKind.REFUND_OUTSIDE_FAILED,
}
"""What takes back the entry of a refund that has failed."""


def _newest(account: str, currency: str | None, store: InvoiceStore) -> InvoiceRecord | None:
    """The newest invoice in a currency: it keeps money for which we know no invoice, as credit."""
    documents = store.invoices(account, year=None, status=None, limit=SEARCHED_MAX, after=None).items
    fitting = (each for each in documents if each.corrects is None and currency in {None, each.total.currency})
    number = next((each.number for each in fitting), None)
    return None if number is None else store.record(account, number)


def _changes(found: _Found, record: InvoiceRecord, charge: Charge) -> Sequence[PaymentChange]:
    payment, day = record.payment, found.today
    account = found.billing.subscriber.account
    if charge.made_at is not None and not payment.is_in_transit and clock_of(account.id) is None:
        day = max(record.invoice.produced_on, account.contract.today(charge.made_at))
    if payment.payment_intent_id == charge.payment_intent_id:
        return charged_changes(found.billing, record, charge, found.unpaid, day, payment.tried_with, found.collector)
    return _from_elsewhere(found, record, charge, method_of(found.billing, record, charge), day)


def _from_elsewhere(
    found: _Found, record: InvoiceRecord, charge: Charge, method: Method, day: date
) -> Sequence[PaymentChange]:
    """The money of a payment that the invoice does not wait for. What may still be charged for it is cancelled."""
    payment, others = record.payment, list[PaymentChange]()
    try:
        others = without_intent(record, found.unpaid, found.collector.context, found.collector.gateway)
        payment = payment.without_intent()
    except AlreadyPaid:
        pass  # its own notice comes as well
    return [PaymentChange(record, after_money(payment, charge, method, day)), *others]


def _disputed(found: _Found, dispute: Dispute) -> list[PaymentChange]:
    """What a dispute changes of the invoices that its payment has paid."""
    changes = []
    shares = _shares(found.named, dispute)
    for record, share in zip(found.named, shares, strict=True):
        known = {each.kind for each in record.payment.entries if each.reference == dispute.id}
        entries = [
            Entry(kind, share, found.today, dispute.id, dispute.payment) for kind in dispute_steps(dispute.state, known)
        ]
        if share and entries:
            changes.append(PaymentChange(record, _after_dispute(record.payment, entries)))
    return changes


def _shares(records: Sequence[InvoiceRecord], dispute: Dispute) -> list[int]:
    """How much of a dispute is of each invoice, oldest first; the same in each of its states.

    What earlier disputes and refunds took is not taken again, unless the dispute exceeds what they have left.
    """
    taken = [sum(each.amount for each in record.payment.entries if _is_taken_back(each, dispute)) for record in records]
    if sum(taken):
        return taken
    left, shares = dispute.amount.amount, [0 for _ in records]
    for of_payment in (kept, charged):
        for place, record in enumerate(records):
            share = min(left, max(0, of_payment(record.payment.entries, dispute.payment) - shares[place]))
            shares[place] += share
            left -= share
    return shares


def _is_taken_back(entry: Entry, dispute: Dispute) -> bool:
    return entry.kind is EntryKind.CHARGED_BACK and entry.reference == dispute.id


def _after_dispute(payment: InvoicePayment, entries: Sequence[Entry]) -> InvoicePayment:
    updated = payment.with_entries(*entries)
    if updated.left <= payment.left or payment.is_in_transit:
        return updated  # what is on its way is followed to its end
    # What the bank has taken back is owed again. It is not charged again by itself: staff talk to the customer.
    return replace(updated.without_intent(), is_past_due=True, is_exhausted=True, next_attempt_on=None)
