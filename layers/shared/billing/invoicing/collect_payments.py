"""Collecting payments: invoices are charged when they are due, retried, and followed while their payment is in transit.

An invoice has one PaymentIntent at a time, stored before it is charged, and a PaymentIntent succeeds at most once. So
an invoice is charged once, wherever a run is cut off or repeated. What is too small to be charged alone is collected
with the next charge; the charge is allocated to each of the invoices (DESIGN 3.6.4).

The payment service answers in three ways. Done, and never, are facts about one payment, and the next one's turn comes.
Later is an error (UpstreamFailed): it holds up its own invoice alone, and is raised after the others had their turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.accounts.rules import Account, Status
from billing.invoicing.apply_credit import (
    apply_credit,
    can_be_settled,
    collects,
    may_be_charged,
    uses_credit_in,
    wait_for_credit,
)
from billing.invoicing.disputes import set_off
from billing.invoicing.due import retired
from billing.invoicing.dunning import (
    UNPAID,
    AlreadyPaid,
    InvoicePayment,
    after_charge,
    after_failure,
    awaiting_debit,
    awaiting_transfer,
    begin_refund,
    debited_from,
    has_transfer_day,
    is_due,
    is_retried_at_once,
    mark_past_due,
    reminded_of,
    retry_now,
    too_small,
    transfer_due,
)
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.payment_events import payment_events, written_off_events
from billing.invoicing.records import UNREADABLE, BillingContext, InvoiceRecord, InvoiceStore, PaymentChange
from billing.invoicing.remind import is_reminder_due, reminder_events, with_reminder
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import AnswerLost, Conflict, UpstreamFailed
from billing.kernel.events import Event, RequestContext, by_system
from billing.kernel.money import Money, amount_covered, charged_units
from billing.payments.charge_limits import ChargeObstacle, charge_obstacle
from billing.payments.gateway import (
    AmountRefused,
    CustomerDeleted,
    KeyReused,
    KeySpent,
    NewSetup,
    PaymentGateway,
    RequestRefused,
)
from billing.payments.methods import Charge, ChargeState, Method, PaymentFailure, Refund, RefundState

ANSWERS_LOST_MAX = 2
"""How often a run waits in vain for the payment service. Each time costs seconds, and the next may be no better."""

FAULTS = (*UNREADABLE, AssertionError, KeyReused)
"""The errors of a fault in an item or in the program. Like an answer that fails, one holds up its own invoice alone."""

PAYMENTS_BEGUN_MAX = 2
"""How many payments of one invoice a run tries: the one that there is and, where that was cancelled, a new one."""

INVOICES_MAX = 40
"""How many invoices of an earlier release one transaction gives their own days: each is two writes of 100."""

COLLECTED_MAX = 12
"""How many small invoices one charge collects, so that one transaction has room for what becomes of them."""

TOO_SMALL = "Too small to be charged, and no further invoice comes."

DAY = timedelta(days=1)

Allocations = tuple[tuple[str, int], ...]


class NothingToCharge(Conflict):
    """The account has no card and no debit that could be charged."""

    code = "no-payment-method"

    def __init__(self) -> None:
        super().__init__("This account has no payment method that can be charged.")


@dataclass(frozen=True, slots=True)
class Collector:
    """What an account's payments are collected with. `consent_page` is where a bank asks its customer for consent."""

    account: Account
    context: RequestContext
    settings: InvoicingSettings
    consent_page: str
    store: InvoiceStore
    gateway: PaymentGateway


def collect_payments(
    account: str,
    *,
    at_once: bool,
    now: datetime,
    correlation: str,
    settings: InvoicingSettings,
    consent_page: str,
    store: InvoiceStore,
    gateway: PaymentGateway,
    is_replay: bool = False,
) -> int:
    """Collects the payments that are due and, with `at_once`, because the account pays in another way now, all unpaid
    ones that were not tried in that way. Credit pays first. Returns how many payments were processed.

    One read and one query; for each payment one or two writes and as many requests. Nothing for an account that is
    gone. Raises ConcurrentChange; when some payment could not be processed, the first of their reasons, after all
    others were: UpstreamFailed, or an error of FAULTS.
    """
    billing = store.billing_context(account)
    if billing is None:
        return 0
    payer = billing.subscriber.account
    context = by_system(now, correlation, is_replay=is_replay)
    collector = Collector(payer, context, settings, consent_page, store, gateway)
    today = payer.contract.today(now)
    # The due item of an earlier release is removed only where nothing unpaid can have been missed.
    readable, unreadable = store.readable_unpaid(account, consistent=billing.collection is not None)
    unpaid = [*readable]
    all_have_days = not unreadable and all(each.unwritten is None for each in unpaid)
    processed = 0
    failures: list[Exception] = [*unreadable]
    made: set[str] = set()
    if billing.credits:
        billing, processed = pay_from_credit(billing, unpaid, today, collector, failures, made)
    _give_days(billing, unpaid, collector)
    for number in [each.invoice.number for each in unpaid]:
        record = next((each for each in unpaid if each.invoice.number == number), None)
        if record is None:
            continue
        is_collected = number in made or _is_due(billing, record, today, at_once=at_once)
        if not is_collected and not is_reminder_due(record.payment, today):
            continue
        collect = _look_up if number in made else _collect_one
        try:
            # One that is not charged today is written for its reminder, which `save_changes` adds.
            unchanged = [PaymentChange(record, record.payment)]
            changes = collect(billing, record, unpaid, today, collector) if is_collected else unchanged
            billing = save_changes(billing, changes, unpaid, collector)
        except (UpstreamFailed, *FAULTS) as failure:
            failures.append(failure)
            if sum(isinstance(each, AnswerLost) for each in failures) >= ANSWERS_LOST_MAX:
                break
            continue
        processed += 1
    if billing.collection is not None and payer.reactivation is None:
        due = retired(billing.collection, today, all_have_days=all_have_days)
        if due != billing.collection:
            store.replace_collection_due(billing, due)
    if failures:
        raise failures[0]
    return processed


def try_payment_again(
    billing: BillingContext,
    number: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    consent_page: str,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """Charges an unpaid invoice now, or repeats the refund of a credit note; the retry days begin again.

    Credit pays first. One query and one or two transactions, and one more where there is credit. Raises NotFound,
    AlreadyPaid when nothing is left or a payment is in transit, NothingToCharge, ConcurrentChange, UpstreamFailed.
    """
    account = billing.subscriber.account
    record = store.record(account.id, number)
    if record.payment.status not in UNPAID:
        raise AlreadyPaid
    if record.invoice.corrects is None and billing.profile.charged is None:
        raise NothingToCharge
    unpaid = [*store.unpaid(account.id)]
    collector = Collector(account, context, settings, consent_page, store, gateway)
    today = account.contract.today(context.time)
    if billing.credits and record.invoice.corrects is None:
        failures, made = list[Exception](), set[str]()
        billing, _ = pay_from_credit(billing, unpaid, today, collector, failures, made)
        if failures:
            raise failures[0]
        record = next((each for each in unpaid if each.invoice.number == number), record)
        if number in made:
            changes = _look_up(billing, record, unpaid, today, collector)
            save_changes(billing, changes, unpaid, collector)
            return _as_written(number, unpaid)
        if record.payment.status not in UNPAID:
            return record
    again = replace(record, payment=retry_now(record.payment))
    changes = _collect_one(billing, again, unpaid, today, collector)
    save_changes(billing, changes, unpaid, collector)
    return _as_written(number, unpaid)


def _as_written(number: str, unpaid: Sequence[InvoiceRecord]) -> InvoiceRecord:
    """An invoice that `save_changes` has written."""
    return next(each for each in unpaid if each.invoice.number == number)


def begin_consent(account: str, number: str, *, store: InvoiceStore, gateway: PaymentGateway) -> NewSetup:
    """What a browser needs so that the customer's bank can ask its customer for an invoice that it wants that for.

    Raises NotFound, AlreadyPaid, UpstreamFailed.
    """
    record = store.record(account, number)
    if record.payment.status not in UNPAID or record.payment.payment_intent_id is None:
        raise AlreadyPaid
    secret = gateway.consent_secret(record.payment.payment_intent_id)
    if secret is None:
        raise AlreadyPaid
    return secret


def without_intent(
    record: InvoiceRecord, unpaid: Sequence[InvoiceRecord], context: RequestContext, gateway: PaymentGateway
) -> list[PaymentChange]:
    """Cancels each PaymentIntent that could still pay an invoice: its own, and those of others that collect it too.

    Returns the changes of those others. Raises AlreadyPaid when one can no longer be cancelled, UpstreamFailed.
    """
    others = collects(unpaid, record.invoice.number)
    for each in [record, *others]:
        payment = each.payment.payment_intent_id
        if each.payment.has_live_intent and not gateway.cancel(str(payment), f"cancel/{payment}/{context.correlation}"):
            raise AlreadyPaid
    return [PaymentChange(each, each.payment.without_intent()) for each in others]


def _shared_charge(
    change: PaymentChange,
    payment: str,
    allocations: Allocations,
    unpaid: Sequence[InvoiceRecord],
    store: InvoiceStore,
    paid_on: date,
) -> list[PaymentChange]:
    """The change of an invoice whose charge `payment` has succeeded, and those of the others in its `allocations`.

    One query for each of the others that is settled by now: what it gets is credit.
    """
    changes = [change]
    for number, share in allocations[1:]:
        found = next((each for each in unpaid if each.invoice.number == number), None)
        record = found or store.record(change.record.invoice.account, number)
        entry = Entry(EntryKind.CHARGED, share, paid_on, payment)
        charged = replace(record.payment, method=change.payment.method).with_entries(entry)
        changes.append(PaymentChange(record, charged))
    return changes


def after(unpaid: Sequence[InvoiceRecord], changes: Sequence[PaymentChange]) -> list[InvoiceRecord]:
    """The unpaid invoices as they are after these changes, with those that are new among them."""
    written = {each.record.invoice.number: each.written for each in changes}
    known = [written.pop(each.invoice.number, each) for each in unpaid]
    return [*known, *written.values()]


def merged(changes: Sequence[PaymentChange], more: Sequence[PaymentChange]) -> list[PaymentChange]:
    """One change for each invoice, of these and of `more` that follow them in the same transaction."""
    following = {each.record.invoice.number: each for each in more}
    one_each = []
    for each in changes:
        last = following.pop(each.record.invoice.number, None)
        one_each.append(each if last is None else replace(each, payment=last.payment))
    return [*one_each, *following.values()]


def save_changes(
    billing: BillingContext,
    changes: Sequence[PaymentChange],
    unpaid: list[InvoiceRecord],
    collector: Collector,
) -> BillingContext:
    """Writes the result of a payment; the account and the unpaid invoices as they are then. One transaction.

    A reminder that is due of the first of these invoices goes with it; the others have one of their own. A refund that
    is not made is set off with a charge-back. Credit pays what is open at once. What a charge may still pay is due
    today: a run cancels it first. One query for a refund that has failed.
    """
    today = billing.subscriber.account.contract.today(collector.context.time)
    first = changes[0].record.invoice.number
    changes = merged(changes, _set_offs(changes, after(unpaid, changes), today, collector.store))
    for currency in dict.fromkeys(each.currency for each in changes):  # it is one, or seldom a former one too
        left = after(unpaid, changes)
        paid = apply_credit(credit_with(billing, changes, currency), left, today, changes)
        changes = merged(changes, paid)
        credit = credit_with(billing, changes, currency)
        changes = merged(changes, wait_for_credit(credit, after(left, paid), today))
    days = collector.settings.reminder_days
    changes = [with_reminder(each, days, today, is_sent=each.record.invoice.number == first) for each in changes]
    events: list[Event] = payment_events(changes, collector.context, collector.consent_page)
    events += written_off_events(changes, TOO_SMALL, collector.context)
    events += reminder_events(
        changes, billing.profile.shown, collector.settings.seller, collector.consent_page, collector.context
    )
    collector.store.settle(billing, changes, events)
    unpaid[:] = after(unpaid, changes)
    return billing.with_credit_of(each.added for each in changes)


def credit_with(billing: BillingContext, changes: Sequence[PaymentChange], currency: str) -> Money:
    """The account's credit in a currency after these changes."""
    added = sum(each.credit for each in changes if each.currency == currency)
    return Money(billing.credit_in(currency) + added, currency)


def _set_offs(
    changes: Sequence[PaymentChange], left: Sequence[InvoiceRecord], today: date, store: InvoiceStore
) -> list[PaymentChange]:
    """The set-offs of the credit notes and invoices that are `left` after these changes.

    A refund that has failed gives its invoice the next version in any case. So it meets a charge-back of that moment:
    whichever comes second is repeated, and sees the other.
    """
    records = {each.invoice.number: each for each in left}
    payments = {number: record.payment for number, record in records.items()}
    touched: dict[str, None] = {}
    for note in left:
        corrected = note.invoice.corrects
        if corrected is None:
            continue
        number = note.invoice.number
        has_failed = _has_failed(number, changes)
        if corrected not in records and has_failed:
            records[corrected] = store.record(note.invoice.account, corrected)
            payments[corrected] = records[corrected].payment
        if corrected not in records or collects(left, corrected):
            continue
        found = set_off((number, payments[number]), (corrected, payments[corrected]), today)
        if found is not None:
            payments |= {number: found.credit_note, corrected: found.invoice}
            touched |= {number: None, corrected: None}
        elif has_failed:
            touched[corrected] = None
    return [PaymentChange(records[number], payments[number]) for number in touched]


def _has_failed(number: str, changes: Sequence[PaymentChange]) -> bool:
    """Whether these changes say that the refund of a credit note has failed."""
    return any(
        entry.kind is EntryKind.REFUND_FAILED
        for change in changes
        if change.record.invoice.number == number
        for entry in change.new_entries
    )


def _give_days(billing: BillingContext, unpaid: list[InvoiceRecord], collector: Collector) -> None:
    """Gives each unpaid invoice its own day: those of an earlier release, which relied on an item of the account, and
    those for which credit waited that is used by now. One transaction per INVOICES_MAX of them, none without any."""
    waiting = [each for each in unpaid if each.unwritten is not None or _waits_in_vain(billing, each)]
    for first in range(0, len(waiting), INVOICES_MAX):
        some = waiting[first : first + INVOICES_MAX]
        changes = [PaymentChange(each, replace(each.payment, credit_on=None)) for each in some]
        collector.store.settle(billing, changes, ())
        unpaid[:] = after(unpaid, changes)


def _waits_in_vain(billing: BillingContext, record: InvoiceRecord) -> bool:
    return billing.credit_in(record.left.currency) <= 0 and record.payment.credit_on is not None


def pay_from_credit(
    billing: BillingContext,
    unpaid: list[InvoiceRecord],
    today: date,
    collector: Collector,
    failures: list[Exception],
    made: set[str],
) -> tuple[BillingContext, int]:
    """Pays what is open from the credit in its currency, oldest first. A charge that may still succeed is cancelled
    before.

    Adds to `made` the invoices whose charge is made, so that it can no longer be cancelled.
    """
    paid = 0
    for currency in billing.credits:
        billing, more = _pay_from_credit_in(currency, billing, unpaid, today, collector, failures, made)
        paid += more
    return billing, paid


def _pay_from_credit_in(
    currency: str,
    billing: BillingContext,
    unpaid: list[InvoiceRecord],
    today: date,
    collector: Collector,
    failures: list[Exception],
    made: set[str],
) -> tuple[BillingContext, int]:
    left = billing.credit_in(currency)
    for position, record in enumerate(unpaid):
        if left <= 0:
            break
        if not uses_credit_in(currency, record):
            continue
        left -= record.payment.left
        try:
            others = without_intent(record, unpaid, collector.context, collector.gateway)
        except AlreadyPaid:
            if record.payment.has_live_intent:
                made.add(record.invoice.number)
            continue
        except (UpstreamFailed, *FAULTS) as failure:
            failures.append(failure)
            continue
        if record.payment.has_live_intent:
            unpaid[position] = replace(record, payment=record.payment.without_intent())
        for change in others:
            unpaid[:] = [
                replace(each, payment=change.payment) if each.invoice.number == change.record.invoice.number else each
                for each in unpaid
            ]
    changes = apply_credit(Money(billing.credit_in(currency), currency), unpaid, today)
    if not changes:
        return billing, 0
    return save_changes(billing, changes, unpaid, collector), len(changes)


def _is_due(billing: BillingContext, record: InvoiceRecord, today: date, *, at_once: bool) -> bool:
    if is_due(record.payment, today):
        return True
    corrects = record.invoice.corrects is not None
    if at_once and _by_transfer(billing):
        # It has its due day at once, not when it would have been charged next: the term may be another by then.
        has_day = has_transfer_day(record.payment, agreed_day(billing))
        return can_be_settled(record) and (record.payment.is_past_due or not has_day)
    return at_once and is_retried_at_once(record.payment, corrects, billing.profile.charged)


def _look_up(
    billing: BillingContext,
    record: InvoiceRecord,
    unpaid: list[InvoiceRecord],
    today: date,
    collector: Collector,
) -> list[PaymentChange]:
    """What became of a charge that credit could not wait for. Nothing is charged."""
    current = _begun_charge(record.payment, collector)
    if current.state in {ChargeState.SUCCEEDED, ChargeState.IN_TRANSIT}:
        return charged_changes(billing, record, current, unpaid, today, record.payment.tried_with, collector)
    is_cancelled = current.state is ChargeState.CANCELLED  # before another one, which collects this invoice too
    alone = record.payment.without_intent()
    return [PaymentChange(record, alone if is_cancelled else record.payment)]


def _begun_charge(payment: InvoicePayment, collector: Collector) -> Charge:
    """The charge of a payment that has begun, as it is at the payment service. Raises RequestRefused if unknown."""
    charge = collector.gateway.payment(str(payment.payment_intent_id))
    if charge is None:
        raise RequestRefused("Stripe does not know a payment that it has begun for us.")
    return charge


def _collect_one(
    billing: BillingContext,
    record: InvoiceRecord,
    unpaid: list[InvoiceRecord],
    today: date,
    collector: Collector,
) -> list[PaymentChange]:
    """What became of an invoice that is due: first its own change, then those of the invoices that go with it."""
    payment, gateway, settings = record.payment, collector.gateway, collector.settings
    contract, due_on = billing.subscriber.account.contract, reminded_of(payment, record.invoice)
    retry_days = settings.retry_days
    if record.invoice.corrects is not None:
        return [_refund(record, today, collector)]
    if payment.status is InvoiceStatus.IN_TRANSIT and payment.payment_intent_id is not None:
        current = _begun_charge(payment, collector)
        if current.state in {ChargeState.IN_TRANSIT, ChargeState.WAITING}:
            return [PaymentChange(record, replace(payment, next_attempt_on=today + DAY))]
        return charged_changes(billing, record, current, unpaid, today, payment.tried_with, collector)
    shown, method = billing.profile.shown, billing.profile.payment_method
    if _is_stale(record, unpaid):
        # Credit notes have waived a part since the charge was begun: it would take too much.
        if not gateway.cancel(
            str(payment.payment_intent_id), f"cancel/{payment.payment_intent_id}/{collector.context.correlation}"
        ):
            current = _begun_charge(payment, collector)
            return charged_changes(billing, record, current, unpaid, today, payment.tried_with, collector)
        payment = payment.without_intent()
        record = replace(record, payment=payment)
    if _by_transfer(billing):
        try:
            others = without_intent(record, unpaid, collector.context, gateway)
        except AlreadyPaid:
            if payment.payment_intent_id is None:
                return [_collected_elsewhere(record, today)]
            current = _begun_charge(payment, collector)
            if current.state is ChargeState.CANCELLED:
                return [_collected_elsewhere(record, today)]
            return charged_changes(billing, record, current, unpaid, today, payment.tried_with, collector)
        alone = payment.without_intent()
        agreed, term_days = agreed_day(billing), billing.profile.payment_term(settings.term_days)
        until = transfer_due(payment, record.invoice, agreed, term_days)
        late = mark_past_due(alone) if until < today else awaiting_transfer(alone, until, agreed)
        return [PaymentChange(record, late), *others]
    if collects(unpaid, record.invoice.number):
        return [_collected_elsewhere(record, today)]
    if shown is not None and shown.method is Method.SEPA_DEBIT and settings.sepa_notice_days:
        debited_on = debited_from(record.invoice, agreed_day(billing), settings.sepa_notice_days)
        if today < debited_on:
            return [PaymentChange(record, awaiting_debit(payment, debited_on))]
    tried_with = billing.profile.charged
    if payment.is_exhausted and payment.tried_with == tried_with and payment.failure is not None:
        return [PaymentChange(record, mark_past_due(payment))]
    if method is None or billing.profile.customer is None or shown is None or shown.method not in settings.charged:
        failed = after_failure(payment, PaymentFailure.NO_PAYMENT_METHOD, today, retry_days, due_on=due_on)
        return [PaymentChange(record, failed)]
    allocations = _allocations(record, unpaid, shown.method, settings)
    amount = Money(sum(share for _, share in allocations), record.left.currency)
    obstacle = charge_obstacle(amount, shown.method)
    if obstacle is ChargeObstacle.TOO_SMALL:
        return [PaymentChange(record, _too_small(billing, record, unpaid, today))]
    if obstacle is not None:
        return [PaymentChange(record, _never(payment, tried_with, today, due_on))]
    try:
        record, charge = _charged(
            record, allocations, unpaid, billing.profile.customer, method, shown.method, today, collector
        )
    except CustomerDeleted:
        # With all its methods. With its next method the account becomes a new customer (replace_payment_method).
        failed = after_failure(payment, PaymentFailure.NO_PAYMENT_METHOD, today, retry_days, due_on=due_on)
        return [PaymentChange(record, failed)]
    except AmountRefused as refusal:
        small = _too_small(billing, record, unpaid, today)
        return [PaymentChange(record, small if refusal.too_small else _never(payment, tried_with, today, due_on))]
    if charge.made_at is not None and not collector.context.is_replay and clock_of(collector.account.id) is None:
        # The message may be days older than the charge. The payment service has the real time, and no test clock.
        today = max(today, contract.today(charge.made_at))
    return charged_changes(billing, record, charge, unpaid, today, tried_with, collector)


def _is_stale(record: InvoiceRecord, unpaid: Sequence[InvoiceRecord]) -> bool:
    """Whether a charge that was begun, and may still succeed, collects another amount than is left of its invoices."""
    left = {each.invoice.number: each.payment.left for each in (*unpaid, record)}
    return record.payment.has_live_intent and any(
        left.get(number, 0) != share for number, share in record.payment.allocations
    )


def charged_changes(
    billing: BillingContext,
    record: InvoiceRecord,
    charge: Charge,
    unpaid: Sequence[InvoiceRecord],
    today: date,
    tried_with: str | None,
    collector: Collector,
) -> list[PaymentChange]:
    """What a charge of an invoice changes: first that invoice, then the others that it has paid."""
    charged = after_charge(
        record.payment,
        charge,
        method_of(billing, record, charge),
        today,
        collector.settings.retry_days,
        due_on=reminded_of(record.payment, record.invoice),
        tried_with=tried_with,
    )
    change = PaymentChange(record, charged)
    if charge.state is not ChargeState.SUCCEEDED:
        return [change]
    return _shared_charge(change, charge.payment_intent_id, record.payment.allocations, unpaid, collector.store, today)


def _allocations(
    record: InvoiceRecord, unpaid: Sequence[InvoiceRecord], method: Method, settings: InvoicingSettings
) -> Allocations:
    """What a charge of an invoice pays: the invoice itself, and what is too small to be charged alone.

    The charge of a PaymentIntent that exists pays what that was created for. A debit that the invoice's mail has
    announced is of the announced amount.
    """
    payment, own = record.payment, (record.invoice.number, record.payment.left)
    if payment.payment_intent_id is not None:
        return payment.allocations or (own,)
    if method is Method.SEPA_DEBIT and settings.sepa_notice_days:
        return (own,)
    small = [
        each
        for each in unpaid
        if each.invoice.number != record.invoice.number
        and uses_credit_in(record.left.currency, each)  # a charge is in one currency, as credit is
        and charge_obstacle(each.left, method) is ChargeObstacle.TOO_SMALL
        and not may_be_charged(each, unpaid)
    ]
    together = (own, *((each.invoice.number, each.payment.left) for each in small[:COLLECTED_MAX]))
    amount = Money(sum(share for _, share in together), record.left.currency)
    return together if charge_obstacle(amount, method) is None else (own,)


def _collected_elsewhere(record: InvoiceRecord, today: date) -> PaymentChange:
    """An invoice that the charge of another one may still pay waits for it: two charges would both collect it."""
    return PaymentChange(record, too_small(record.payment, today))


def _too_small(
    billing: BillingContext, record: InvoiceRecord, unpaid: Sequence[InvoiceRecord], today: date
) -> InvoicePayment:
    """The payment of an amount that waits for the next charge. Where none comes any more in its currency it is written
    off."""
    payment = record.payment
    currency = record.left.currency
    others = [each for each in unpaid if uses_credit_in(currency, each) and each.payment.left > payment.left]
    comes = billing.subscriber.account.status is not Status.DEACTIVATED and currency == billing.currency
    if comes or others:
        return too_small(payment, today)
    return payment.with_entries(Entry(EntryKind.WRITTEN_OFF, payment.left, today))


def _never(payment: InvoicePayment, tried_with: str | None, today: date, due_on: date) -> InvoicePayment:
    """The payment of an amount that cannot be charged in this way, today or later."""
    return after_failure(payment, PaymentFailure.FAILED, today, (), due_on=due_on, tried_with=tried_with, hard=True)


def _charged(
    record: InvoiceRecord,
    allocations: Allocations,
    unpaid: list[InvoiceRecord],
    customer: str,
    payment_method: str,
    method: Method,
    today: date,
    collector: Collector,
) -> tuple[InvoiceRecord, Charge]:
    """The invoice with its PaymentIntent, and what became of that. One that can never succeed is replaced."""
    charge = Charge("", ChargeState.CANCELLED, None, hard=False)
    for _ in range(PAYMENTS_BEGUN_MAX):
        record, begun = _with_payment_intent(record, allocations, unpaid, customer, method, today, collector)
        attempt = f"charge/{record.invoice.account}/{record.invoice.number}/{begun}/{record.payment.attempts + 1}"
        charge = collector.gateway.charge(begun, payment_method, method, f"{attempt}/{collector.context.correlation}")
        if charge.state is not ChargeState.CANCELLED:
            break
        # By somebody who was cut off, or at the payment service, or it is one of a customer that is no more.
        record = replace(record, payment=record.payment.without_intent())
    return record, charge


def _refund(record: InvoiceRecord, today: date, collector: Collector) -> PaymentChange:
    """The payment of a credit note whose money goes back. The attempt is kept before the refund is asked for."""
    invoice = record.invoice
    begun, attempt = begin_refund(record.payment, today)
    if begun is not record.payment:
        record = collector.store.save_payment(collector.account, record, begun)
    # Of the version, not of the hour: two workers at once have one key, and the payment service refunds once.
    key = f"refund/{invoice.account}/{invoice.number}/{attempt}/{record.version}"
    with another_key_next_time(record, collector):
        refund = collector.gateway.refund(str(begun.payment_intent_id), invoice.number, attempt, record.left, key)
    return PaymentChange(record, after_refund(begun, refund, today))


def after_refund(payment: InvoicePayment, refund: Refund, today: date) -> InvoicePayment:
    """The payment of a credit note after the answer to its refund. One that has failed is owed again: it is repeated
    by hand, or what was repaid in another way is recorded."""
    if refund.state is RefundState.PENDING:
        return replace(payment, is_in_transit=True, is_past_due=False, next_attempt_on=today + DAY)
    still = replace(payment, is_in_transit=False)
    if refund.state is RefundState.DONE:
        covered = amount_covered(payment.left, refund.amount)
        return still.with_entries(Entry(EntryKind.REFUND_DONE, covered, today, refund.id))
    done = [each for each in payment.entries if each.kind is EntryKind.REFUND_DONE and each.reference == refund.id]
    failed = done[-1].amount if done else refund.amount.amount
    answered = still.with_entries(Entry(EntryKind.REFUND_FAILED, failed, today, refund.id))
    return after_failure(
        answered, PaymentFailure.FAILED, today, (), due_on=payment.issued_on, tried_with=payment.tried_with, hard=True
    )


def _with_payment_intent(
    record: InvoiceRecord,
    allocations: Allocations,
    unpaid: list[InvoiceRecord],
    customer: str,
    method: Method,
    today: date,
    collector: Collector,
) -> tuple[InvoiceRecord, str]:
    """The invoice with its PaymentIntent. It is kept before it is charged: one that is not kept never is.

    A run after the due day looks first for one that an earlier run has created: the payment service forgets a key after
    a day. So that no other one collects them as well, the invoices that go with it get their next version too.
    """
    if record.payment.payment_intent_id is not None:
        return record, record.payment.payment_intent_id
    invoice = record.invoice
    amount = Money(sum(share for _, share in allocations), record.left.currency)
    # With all that may change before the answer is here: a key goes with the same parameters only.
    key = f"payment/{invoice.account}/{invoice.number}/{record.version}/{amount.amount}/{customer}/{method}"
    earlier = None
    if record.payment.next_attempt_on is None or record.payment.next_attempt_on < today:
        known = {str(each.reference) for each in record.payment.entries if each.kind is EntryKind.CHARGED}
        earlier = collector.gateway.earlier_payment(customer, invoice.account, invoice.number, amount, known)
    if earlier is not None:
        begun = earlier.payment_intent_id
        found = amount if earlier.amount is None else Money(earlier.amount, amount.currency)
        if charged_units(found) != charged_units(amount):
            allocations = ((invoice.number, amount_covered(record.payment.left, found)),)
    else:
        with another_key_next_time(record, collector):
            begun = collector.gateway.new_payment(customer, invoice.account, invoice.number, amount, method, key)
    payment = replace(record.payment, payment_intent_id=begun, allocations=allocations)
    together = {number for number, _ in allocations[1:]}
    others = [each for each in unpaid if each.invoice.number in together]
    saved = collector.store.save_payment(collector.account, record, payment, others)
    written = {invoice.number: saved} | {
        each.invoice.number: PaymentChange(each, each.payment).written for each in others
    }
    unpaid[:] = [written.get(each.invoice.number, each) for each in unpaid]
    return saved, begun


@contextmanager
def another_key_next_time(record: InvoiceRecord, collector: Collector) -> Iterator[None]:
    """Keys hold the version of the invoice: one that is spent is left behind by a version that is kept first."""
    try:
        yield
    except KeySpent:
        collector.store.save_payment(collector.account, record, record.payment)
        raise


def _by_transfer(billing: BillingContext) -> bool:
    shown = billing.profile.shown
    return shown is not None and shown.method is Method.BANK_TRANSFER


def agreed_day(billing: BillingContext) -> date | None:
    """The account's day on which its payment method was set up or agreed to, None without one."""
    agreed_at = billing.profile.agreed_since
    return None if agreed_at is None else billing.subscriber.account.contract.today(agreed_at)


def method_of(billing: BillingContext, record: InvoiceRecord, charge: Charge) -> Method:
    """How a charge was paid: as it says itself, as the invoice was charged before, or as the account pays now."""
    shown = billing.profile.shown
    return charge.method or record.payment.method or (Method.CARD if shown is None else shown.method)
