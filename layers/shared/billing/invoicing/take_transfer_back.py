"""Staff take back a transfer that was recorded wrongly, such as one of another customer (decision 0041).

Entries are facts, so there are counter entries. What the transfer had paid is owed again, from its own due date on, and
dunning goes on. Credit that came from it goes; what that credit has paid by then is owed again too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

from billing.invoicing.apply_credit import apply_credit
from billing.invoicing.collect_payments import after, agreed_day, merged, without_intent
from billing.invoicing.dunning import AlreadyPaid, InvoicePayment, reminded_of, transfer_due
from billing.invoicing.entries import received
from billing.invoicing.payment_events import payment_events
from billing.invoicing.records import BillingContext, InvoiceRecord, PaymentChange
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.transfer_records import TransferStore, is_open
from billing.invoicing.transfers import Reversal, TakingBack, Transfer, owed_again
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.payments.methods import Method
from billing.platform.events.new_event import new_event

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwedAgain:
    """An invoice of which more is left again, in minor units. `charge_on` is the first day of a charge, None without.

    `before` is what was left of it.
    """

    invoice: str
    due_on: date
    before: int
    left: int
    status: str
    charge_on: date | None


@dataclass(frozen=True, slots=True)
class TakenBackTransfer:
    """A transfer that is taken back, the invoices that are owed again, and the account's credit after it.

    For one that was taken back before `invoices` is empty: they may have been paid since.
    """

    transfer: Transfer
    invoices: tuple[OwedAgain, ...]
    credit: Money


def take_transfer_back(
    billing: BillingContext,
    transfer: str,
    reason: str,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: TransferStore,
    gateway: PaymentGateway,
    is_preview: bool = False,
) -> TakenBackTransfer:
    """Takes back a transfer. One that is already is returned as it is. A preview cancels no charge and writes nothing.

    One get, one query of all summaries, a request for each charge to cancel, and one transaction. Raises NotFound,
    CreditRepaid where its money was given back to the customer, ConcurrentChange, UpstreamFailed.
    """
    account = billing.subscriber.account
    known = store.transfer(account.id, transfer)
    currency = known.amount.currency
    credit_before = Money(billing.credit_in(currency), currency)
    if known.taken_back is not None:
        return TakenBackTransfer(known, (), credit_before)
    today = account.contract.today(context.time)
    records = {each.invoice.number: each for each in store.summaries(account.id) if each.left.currency == currency}
    before = {number: each.payment for number, each in records.items()}
    taking = TakingBack(dict(before), credit_before.amount, today, known.reference, currency)
    for share in known.shares:
        taking.take_back(share)
    unpaid = [each for each in records.values() if is_open(each)]
    changes: list[PaymentChange] = []
    for number, payment in taking.payments.items():
        if payment is not before[number]:
            uncharged = [] if is_preview else _uncharged(records[number], unpaid, context, gateway)
            new = _owed_again(records[number], payment, billing, settings, today, known.reference)
            is_cancelled = uncharged is not None and not payment.is_in_transit
            changes = merged(changes, [PaymentChange(records[number], new.without_intent() if is_cancelled else new)])
            changes = _with_others(changes, uncharged or [])
    freed = Money(taking.credit, currency)
    paid = apply_credit(freed, after(unpaid, changes), today, changes) if freed.amount > 0 else []
    changes = merged(changes, paid)
    credit = Money(freed.amount + sum(each.credit for each in paid), currency)
    is_charged = billing.profile.charged is not None
    again = tuple(
        _again(each, is_charged=is_charged) for each in changes if each.payment.left > each.record.payment.left
    )
    reversal = Reversal(context.time, context.actor.user, reason)
    taken_back = replace(known, taken_back=reversal)
    if not is_preview:
        facts = _facts(known, reason, again, credit)
        event = new_event(
            EventType.TRANSFER_TAKEN_BACK,
            context,
            account=account.id,
            before=_before(again, currency, credit_before),
            after=facts,
        )
        events: list[Event] = [event, *payment_events(changes, context, "")]
        taken_back = store.save_transfer(billing, taken_back, changes, events)
    return TakenBackTransfer(taken_back, again, credit)


def _uncharged(
    record: InvoiceRecord, unpaid: Sequence[InvoiceRecord], context: RequestContext, gateway: PaymentGateway
) -> list[PaymentChange] | None:
    """Cancels the charges of an invoice: they take less than is owed again. Returns the changes of the other invoices
    that such a charge would have paid; None where a charge is made: what it leaves is looked at then."""
    try:
        return without_intent(record, unpaid, context, gateway)
    except AlreadyPaid:
        return None


def _with_others(changes: list[PaymentChange], others: Sequence[PaymentChange]) -> list[PaymentChange]:
    """The changes, with those of other invoices whose charge was cancelled, unless they have changed already."""
    known = {each.record.invoice.number for each in changes}
    return [*changes, *(each for each in others if each.record.invoice.number not in known)]


def _owed_again(
    record: InvoiceRecord,
    payment: InvoicePayment,
    billing: BillingContext,
    settings: InvoicingSettings,
    today: date,
    reference: str,
) -> InvoicePayment:
    shown = billing.profile.shown
    by_transfer = shown is not None and shown.method is Method.BANK_TRANSFER
    agreed, term_days = agreed_day(billing), billing.profile.payment_term(settings.term_days)
    until = transfer_due(payment, record.invoice, agreed, term_days) if by_transfer else None
    is_debited = shown is not None and shown.method is Method.SEPA_DEBIT
    charged_from = today + max(DAY, timedelta(days=settings.sepa_notice_days if is_debited else 0))
    if payment.reference == reference:
        payment = replace(payment, reference=None, method=payment.method if received(payment.entries) > 0 else None)
    return owed_again(
        record.payment,
        payment,
        awaited_until=until,
        agreed_on=agreed,
        charged_from=charged_from,
        due_on=reminded_of(payment, record.invoice),
        today=today,
    )


def _again(change: PaymentChange, *, is_charged: bool) -> OwedAgain:
    invoice, payment = change.record.invoice, change.payment
    return OwedAgain(
        invoice.number,
        reminded_of(payment, invoice),
        change.record.payment.left,
        payment.left,
        payment.status,
        payment.retried_on if is_charged else None,
    )


def _before(again: Sequence[OwedAgain], currency: str, credit: Money) -> Facts:
    lefts = [{"number": each.invoice, "left": asdict(Money(each.before, currency))} for each in again]
    return {"invoices": lefts, "credit": asdict(credit)}


def _facts(transfer: Transfer, reason: str, again: Sequence[OwedAgain], credit: Money) -> Facts:
    currency = transfer.amount.currency
    return {
        "transfer": transfer.id,
        "reference": transfer.reference,
        "booked_on": transfer.booked_on,
        "received": asdict(transfer.amount),
        "reason": reason,
        "invoices": [
            {
                "number": each.invoice,
                "due_on": each.due_on,
                "left": asdict(Money(each.left, currency)),
                "charge_on": each.charge_on,
            }
            for each in again
        ],
        "credit": asdict(credit),
    }
