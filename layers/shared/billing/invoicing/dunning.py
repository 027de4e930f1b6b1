"""Dunning: the attempts to collect an invoice, and the state of its payment after each (DESIGN 3.6.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.invoicing.entries import (
    Entry,
    EntryKind,
    attempt_under_way,
    balances,
    carried_taken_back,
    credit_from,
    overpaid_net,
    received,
    refunded_outside,
    refunds,
    sum_of,
)
from billing.invoicing.invoices import InvoiceStatus, InvoiceSummary, IssuedInvoice
from billing.invoicing.reminders import NOT_REMINDED, Reminders
from billing.kernel.errors import Conflict
from billing.kernel.events import EventType
from billing.kernel.money import Money, amount_covered
from billing.payments.methods import CHARGED, Charge, ChargeState, Method, PaymentFailure

SMALL_AMOUNT_RETRIED_AFTER = timedelta(days=30)
"""When an amount that is too small to be charged is tried again: by then the account may pay in another way."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InvoicePayment:
    """The money of an invoice, as entries, and the state of collecting it. Amounts are in minor units.

    `owed` is the total of an invoice, at least 0, or of a credit note what it refunds. `entries` say what became of it;
    what is left, the status and the day of payment are computed from them.

    `payment_intent_id` is Stripe's PaymentIntent, which succeeds at most once. It may collect other invoices as well.
    Until it has succeeded `allocations` holds the number and the share of each, its own first; those of earlier
    releases hold none where there is one invoice. A credit note refunds that PaymentIntent.
    `tried_with` is the payment method that was charged last (PaymentProfile.charged), from `first_failed_on` on;
    `attempts` counts the failed ones. With `is_exhausted` none follows, and `next_attempt_on` is the day from which
    the invoice is past due. `reference` is the reference of a bank transfer. From `credit_on` on the account's credit
    waits to pay it: a charge that may still succeed is cancelled first.

    `credited` holds the position of each credited line with the number of its credit note, `credited_parts` those of
    other lines of which a part was credited, with the net amount of the part. `taken_back` holds what
    paid periods do not owe any more of a product, before tax, below zero for what they owe more. `credited_net` is what
    all credit notes come to before tax.

    `transfer_by` is the due day of a bank transfer: of an invoice that was issued for one on `transfer_agreed_on`, or
    whose account has changed to transfers on that day. None for one that is charged, and for those that an earlier
    release has issued: the invoice's own due day.
    """

    issued_on: date
    owed: int
    entries: tuple[Entry, ...] = ()
    is_credit_note: bool = False
    method: Method | None = None
    payment_intent_id: str | None = None
    allocations: tuple[tuple[str, int], ...] = ()
    tried_with: str | None = None
    attempts: int = 0
    first_failed_on: date | None = None
    next_attempt_on: date | None = None
    credit_on: date | None = None
    failure: PaymentFailure | None = None
    reference: str | None = None
    is_in_transit: bool = False
    is_past_due: bool = False
    is_exhausted: bool = False
    credited: tuple[tuple[int, str], ...] = ()
    credited_parts: tuple[tuple[int, str, int], ...] = ()
    credited_net: int = 0
    taken_back: tuple[tuple[str | None, int], ...] = ()
    reminders: Reminders = NOT_REMINDED
    transfer_by: date | None = None
    transfer_agreed_on: date | None = None

    @property
    def balance(self) -> int:
        """What is not settled yet; below zero where more came in than was owed."""
        days = refunds(self.entries, self.owed) if self.is_credit_note else balances(self.entries, self.owed)
        return [self.owed, *(amount for _, amount in days)][-1]

    @property
    def left(self) -> int:
        """What is still to be paid of an invoice, or to be refunded by a credit note."""
        return max(0, self.balance - self.written_off)

    @property
    def written_off(self) -> int:
        """What staff do not expect to be paid any more."""
        return sum_of(self.entries, EntryKind.WRITTEN_OFF) - sum_of(self.entries, EntryKind.WRITE_OFF_TAKEN_BACK)

    @property
    def status(self) -> InvoiceStatus:
        """VOID is an invoice that was credited wholly before any of it was paid. Money that comes later is credit."""
        if self.is_in_transit:
            return InvoiceStatus.IN_TRANSIT
        if self.left:
            return InvoiceStatus.PAST_DUE if self.is_past_due else InvoiceStatus.OPEN
        if self.balance > 0:
            return InvoiceStatus.UNCOLLECTIBLE
        kept = received(self.entries) - overpaid_net(self.entries)
        was_unpaid = self.waived or carried_taken_back(self.entries)
        if was_unpaid and self.credited_total >= self.owed and kept <= 0:
            return InvoiceStatus.VOID
        return InvoiceStatus.PAID

    @property
    def paid_on(self) -> date | None:
        """The day on which nothing was left any more; None unless it is paid."""
        if self.status is not InvoiceStatus.PAID:
            return None
        days = refunds(self.entries, self.owed) if self.is_credit_note else balances(self.entries, self.owed)
        paid, before = self.issued_on, self.owed
        for day, balance in days:
            if balance <= 0 < before:
                paid = day
            before = balance
        return paid

    @property
    def paid(self) -> int:
        """What of an invoice is paid, with credit too, or what a credit note has given back. What was overpaid is no
        part of it, nor what is waived or written off."""
        if self.is_credit_note:
            return self.owed - max(0, self.balance)
        applied = sum_of(self.entries, EntryKind.CREDIT_APPLIED) - sum_of(self.entries, EntryKind.CREDIT_UNAPPLIED)
        return received(self.entries) - overpaid_net(self.entries) + applied

    @property
    def waived(self) -> int:
        """What credit notes have taken off the unpaid part."""
        return sum_of(self.entries, EntryKind.WAIVED)

    @property
    def refunded(self) -> int:
        """What goes back to where it came from: by credit notes, or by staff at the payment service itself."""
        return sum_of(self.entries, EntryKind.RETURNED) + refunded_outside(self.entries)

    @property
    def credited_total(self) -> int:
        """What the credit notes of an invoice come to, tax included."""
        return sum_of(self.entries, EntryKind.WAIVED, EntryKind.RETURNED, EntryKind.CARRIED)

    @property
    def credit(self) -> int:
        """What this invoice adds to the account's credit; below zero where it has used some."""
        return 0 if self.is_credit_note else credit_from(self.entries)

    @property
    def has_live_intent(self) -> bool:
        """Whether a charge that was begun may still succeed."""
        return self.payment_intent_id is not None and not self.is_credit_note and (self.left > 0 or self.is_in_transit)

    def without_intent(self) -> InvoicePayment:
        """The payment without its PaymentIntent: the next charge begins a new one."""
        return replace(self, payment_intent_id=None, allocations=())

    @property
    def overlooked_since(self) -> date | None:
        """Since when nothing is planned for an invoice that is open or in transit; None for every other one."""
        if self.next_attempt_on is not None or self.status not in {InvoiceStatus.OPEN, InvoiceStatus.IN_TRANSIT}:
            return None
        return self.issued_on

    @property
    def remind_on(self) -> date | None:
        """The day of the next reminder of a past-due invoice. One without a plan is looked at now: it gets one."""
        if self.is_credit_note or self.status is not InvoiceStatus.PAST_DUE:
            return None
        return self.issued_on if self.reminders.is_overlooked else self.reminders.next_on

    @property
    def next_look_on(self) -> date | None:
        """The day on which a worker looks at it next. None if it is settled, or past due without another attempt and
        without another reminder.

        Nothing unpaid is forgotten: one that is overlooked is looked at now.
        """
        days = (self.next_attempt_on, self.credit_on, self.overlooked_since, self.remind_on)
        return min((day for day in days if day is not None), default=None)

    @property
    def retried_on(self) -> date | None:
        """The day of the next automatic attempt, None where none follows."""
        return None if self.is_exhausted else self.next_attempt_on

    def with_entries(self, *entries: Entry) -> InvoicePayment:
        """The payment after these entries. What came in beyond what was owed is credit; what is settled is not tried.

        An entry of 0 says nothing and is left out.
        """
        payment = replace(self, entries=(*self.entries, *(each for each in entries if each.amount)))
        if not self.is_credit_note and payment.balance < 0 and entries:
            last = entries[-1]
            source = last.reference if last.kind is EntryKind.CHARGED else last.payment
            excess = Entry(EntryKind.OVERPAID, -payment.balance, last.on, last.reference, source)
            payment = replace(payment, entries=(*payment.entries, excess))
        return payment if payment.left else payment.settled()

    def settled(self) -> InvoicePayment:
        """The payment of an invoice of which nothing is left: nothing more is tried."""
        return replace(
            self,
            next_attempt_on=None,
            credit_on=None,
            failure=None,
            is_in_transit=False,
            is_past_due=False,
            is_exhausted=False,
            reminders=self.reminders.ended(),
        )


TRIED_AFTER = frozenset({EventType.CARD_UPDATED, EventType.PAYMENT_METHOD_CHANGED})
"""After these events all unpaid invoices are charged at once, due or not."""

UNPAID = frozenset({InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE})
"""The states that a charge or a transfer can still settle."""


class AlreadyPaid(Conflict):
    """The invoice is paid already, or its payment is in transit."""

    code = "already-paid"

    def __init__(self) -> None:
        super().__init__("This invoice is paid, or its payment is on its way.")


def due_on(method: Method | None, today: date, term_days: int, sepa_notice_days: int = 0) -> date:
    """The due date of an invoice issued today: today if it is charged, otherwise at the end of the payment term.

    A SEPA debit is due when the days of its notice are over.
    """
    if method is Method.SEPA_DEBIT:
        return today + timedelta(days=sepa_notice_days)
    return today if method in CHARGED else today + timedelta(days=term_days)


def transferred_by(invoice: InvoiceSummary, agreed_on: date | None, term_days: int) -> date:
    """The due date of an invoice that is paid by bank transfer.

    A customer who pays by transfer only since `agreed_on` has the whole term from that day (DESIGN 3.6.4). It may be
    the account's day of issue, which is the due day of a card where the seller's day is one ahead.
    """
    if agreed_on is None or agreed_on < min(invoice.produced_on, invoice.due_on):
        return invoice.due_on
    return max(invoice.due_on, agreed_on + timedelta(days=term_days))


def debited_from(invoice: InvoiceSummary, agreed_on: date | None, sepa_notice_days: int) -> date:
    """The first day on which an invoice may be debited: its mail has announced that day, or with a bank account that
    was set up since, on `agreed_on`, the days of the notice count from then."""
    return max(invoice.produced_on, agreed_on or invoice.produced_on) + timedelta(days=sepa_notice_days)


def charge_on(invoice: IssuedInvoice) -> date | None:
    """The day of the first charge; None where nothing is due, or the customer pays by bank transfer."""
    return invoice.due_on if invoice.method in CHARGED and invoice.draft.due.amount else None


def initial_payment(invoice: IssuedInvoice, today: date, credit: int | None = None) -> InvoicePayment:
    """The payment of an invoice that is issued on the account's day `today`.

    An invoice with nothing due is paid at once; one below zero is credit. `credit`, in minor units, is applied where
    the account has less left than the invoice was agreed with.
    """
    draft = invoice.draft
    applied = draft.credit.amount if credit is None else min(credit, draft.credit.amount)
    payment = InvoicePayment(today, max(0, draft.total.amount)).with_entries(
        Entry(EntryKind.CREDIT_APPLIED, applied, today),
        Entry(EntryKind.CARRIED, max(0, -draft.total.amount), today),
    )
    if not payment.left:
        return payment
    if invoice.method is Method.SEPA_DEBIT and invoice.due_on > invoice.produced_on:
        return replace(payment, next_attempt_on=invoice.due_on)  # the invoice has announced that day
    if invoice.method is Method.BANK_TRANSFER:
        # It is first checked on the day after the due date. That day stays, whatever the term becomes.
        due_on = invoice.due_on
        return replace(payment, next_attempt_on=due_on + DAY, transfer_by=due_on, transfer_agreed_on=today)
    return replace(payment, next_attempt_on=today)


def refund_payment(issued_on: date, amount: int, payment: str | None, method: Method | None) -> InvoicePayment:
    """The payment of a new credit note that refunds `amount` of a `payment`, due at once; with 0 it is done."""
    new = InvoicePayment(issued_on, amount, is_credit_note=True)
    return replace(new, method=method, payment_intent_id=payment, next_attempt_on=issued_on) if amount else new


def after_charge(
    payment: InvoicePayment,
    charge: Charge,
    method: Method,
    today: date,
    retry_days: tuple[int, ...],
    *,
    due_on: date,
    tried_with: str | None = None,
) -> InvoicePayment:
    """The payment after an attempt to charge it. See `after_failure`.

    A charge that has succeeded pays the first of its allocations; without any, all of it is this invoice's. It does not
    succeed again: what it leaves needs another PaymentIntent.
    """
    attempted = replace(payment, payment_intent_id=charge.payment_intent_id)
    if charge.state is ChargeState.SUCCEEDED:
        share = payment.allocations[0][1] if payment.allocations else _covered(payment, charge)
        charged = replace(attempted, method=method, tried_with=tried_with, is_in_transit=False).with_entries(
            Entry(EntryKind.CHARGED, share, today, charge.payment_intent_id)
        )
        return replace(charged, payment_intent_id=None if charged.left else charge.payment_intent_id, allocations=())
    if charge.state is ChargeState.IN_TRANSIT:
        # The notice of its result may be lost: it is read again tomorrow.
        return replace(
            attempted,
            is_in_transit=True,
            is_past_due=False,
            method=method,
            tried_with=tried_with,
            next_attempt_on=today + DAY,
            credit_on=None,
            failure=None,
        )
    if charge.state is ChargeState.CANCELLED:
        # A cancelled PaymentIntent never succeeds: the next attempt creates another one.
        attempted = payment.without_intent()
    failure = charge.failure or PaymentFailure.FAILED
    return after_failure(attempted, failure, today, retry_days, due_on=due_on, tried_with=tried_with, hard=charge.hard)


def after_money(payment: InvoicePayment, charge: Charge, method: Method, on: date) -> InvoicePayment:
    """The payment after a charge that it did not wait for, such as one that was made by hand."""
    entry = Entry(EntryKind.CHARGED, _covered(payment, charge), on, charge.payment_intent_id)
    return replace(payment, method=method).with_entries(entry)


def _covered(payment: InvoicePayment, charge: Charge) -> int:
    if charge.amount is None or charge.currency is None:
        return payment.left
    return amount_covered(payment.left, Money(charge.amount, charge.currency))


def after_failure(
    payment: InvoicePayment,
    failure: PaymentFailure,
    today: date,
    retry_days: tuple[int, ...],
    *,
    due_on: date,
    tried_with: str | None = None,
    hard: bool = False,
) -> InvoicePayment:
    """The payment after a failed attempt; after a `hard` one no retry follows.

    `retry_days` count from the first failure of the method that was charged, `tried_with`; None is a missing method.
    Without another attempt the invoice is past due, but not before its due date is over, and with a payment method
    not before its due date.
    """
    if not payment.left:
        return payment.settled()  # credit notes have waived all of it meanwhile
    is_first = payment.first_failed_on is None or payment.tried_with != tried_with
    first = today if is_first or payment.first_failed_on is None else payment.first_failed_on
    retries = [] if hard else [first + timedelta(days=days) for days in retry_days]
    next_retry = next((day for day in retries if day > today), None)
    past_due_from = due_on if tried_with is not None or payment.is_credit_note else due_on + DAY
    is_past_due = next_retry is None and today >= past_due_from
    return replace(
        payment,
        is_in_transit=False,
        is_past_due=is_past_due,
        is_exhausted=next_retry is None,
        attempts=payment.attempts + 1,
        first_failed_on=first,
        next_attempt_on=None if is_past_due else next_retry or due_on + DAY,
        failure=failure,
        tried_with=tried_with,
    )


def too_small(payment: InvoicePayment, today: date) -> InvoicePayment:
    """The payment of an amount that is too small to be charged: it stays open, and no attempt has failed."""
    return replace(payment, next_attempt_on=today + SMALL_AMOUNT_RETRIED_AFTER)


def mark_past_due(payment: InvoicePayment) -> InvoicePayment:
    """The payment of an invoice whose due date is over and for which no further attempt follows."""
    return replace(payment, is_past_due=True, next_attempt_on=None)


def transfer_due(payment: InvoicePayment, invoice: InvoiceSummary, agreed_on: date | None, term_days: int) -> date:
    """See `transferred_by`. The day that an invoice was given once does not move with a later term of the account."""
    if payment.transfer_by is not None and has_transfer_day(payment, agreed_on):
        return payment.transfer_by
    if payment.transfer_by is None and not payment.attempts and payment.next_attempt_on == invoice.due_on + DAY:
        return invoice.due_on  # an earlier release has issued it for a transfer
    return transferred_by(invoice, agreed_on, term_days)


def has_transfer_day(payment: InvoicePayment, agreed_on: date | None) -> bool:
    """Whether an invoice has its due day for the bank transfers that were agreed to on a day."""
    given_on = payment.transfer_agreed_on
    return given_on is not None and (agreed_on is None or agreed_on <= given_on)


def reminded_of(payment: InvoicePayment, invoice: InvoiceSummary | IssuedInvoice) -> date:
    """The day on which an invoice was due: its own, or a later one that came with the change to bank transfers."""
    return payment.transfer_by or invoice.due_on


def awaiting_transfer(payment: InvoicePayment, until: date, agreed_on: date | None = None) -> InvoicePayment:
    """The payment of an invoice that the customer transfers by a day: it is checked on the day after.

    Reminders count from that day. `agreed_on` is since when the account pays by bank transfer.
    """
    return replace(
        payment,
        is_past_due=False,
        is_exhausted=False,
        next_attempt_on=until + DAY,
        reminders=payment.reminders.begun_again(),
        transfer_by=until,
        transfer_agreed_on=agreed_on,
    )


def awaiting_debit(payment: InvoicePayment, debited_on: date) -> InvoicePayment:
    """The payment of an invoice that is debited on a day: not past due until then, so nobody is reminded."""
    return replace(payment, is_past_due=False, is_exhausted=False, next_attempt_on=debited_on)


def retry_now(payment: InvoicePayment) -> InvoicePayment:
    """The payment before an attempt that an admin asks for: the retry days count from it."""
    return replace(payment, is_exhausted=False, first_failed_on=None)


def begin_refund(payment: InvoicePayment, today: date) -> tuple[InvoicePayment, str]:
    """The payment of a credit note with the refund that is under way, and the number of the attempt.

    It is kept before the refund is asked for: asked for again, it is the same attempt.
    """
    under_way = attempt_under_way(payment.entries)
    if under_way is not None:
        return payment, under_way
    attempt = str(1 + sum(each.kind is EntryKind.REFUND_BEGUN for each in payment.entries))
    begun = Entry(EntryKind.REFUND_BEGUN, payment.left, today, attempt)
    return replace(payment, entries=(*payment.entries, begun)), attempt


def is_due(payment: InvoicePayment, today: date) -> bool:
    """Whether the next attempt is due today or overdue, or none is planned although one should be."""
    attempt = payment.next_attempt_on or payment.overlooked_since
    return attempt is not None and attempt <= today


def is_retried_at_once(payment: InvoicePayment, corrects: bool, method: str | None) -> bool:
    """Whether an unpaid invoice is charged at once because the account has a new payment `method`.

    Not a credit note (`corrects`), which no payment method pays; nor with the method that was tried last.
    """
    if corrects or payment.status not in UNPAID or method is None:
        return False
    # Records from before cards could be renewed under their id name the method only, without the hash of the card.
    return payment.tried_with not in {method, method.partition("#")[0]}


def is_news(charge: Charge, payment: InvoicePayment) -> bool:
    """Whether the payment service has a newer state than the record.

    The run that makes a failed attempt also records it. Only a payment in transit fails, or is cancelled, later.
    """
    if charge.state is ChargeState.SUCCEEDED:
        return True
    if charge.state is ChargeState.IN_TRANSIT:
        return payment.status is not InvoiceStatus.IN_TRANSIT
    ended = charge.state in {ChargeState.FAILED, ChargeState.CANCELLED}
    return ended and payment.status is InvoiceStatus.IN_TRANSIT
