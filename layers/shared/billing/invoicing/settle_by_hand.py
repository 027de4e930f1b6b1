"""Staff settle what no charge and no transfer settles: an invoice that will not be paid, money that they gave back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.invoicing.collect_payments import without_intent
from billing.invoicing.credit_notes import NotCorrectable
from billing.invoicing.dunning import UNPAID, AlreadyPaid
from billing.invoicing.entries import Entry, EntryKind, attempt_under_way
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.payment_events import payment_events, written_off_events
from billing.invoicing.records import BillingContext, InvoiceRecord, InvoiceStore, PaymentChange
from billing.kernel.errors import Conflict, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.platform.events.new_event import new_event


class RefundUnderWay(Conflict):
    """The payment service has not answered yet whether the refund is made."""

    code = "refund-under-way"

    def __init__(self) -> None:
        super().__init__("A refund of this credit note is on its way. Wait until it is made, or has failed.")


def write_off(
    billing: BillingContext,
    number: str,
    reason: str,
    *,
    context: RequestContext,
    store: InvoiceStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """The invoice without what will not be paid of it: uncollectible. One that is already is returned as it is.

    Its PaymentIntent is cancelled first. Money that arrives nevertheless pays it. Two queries and one transaction.
    Raises NotFound, AlreadyPaid for one that is paid, void or in transit, NotCorrectable for a credit note,
    ConcurrentChange, UpstreamFailed.
    """
    account = billing.subscriber.account
    record = store.record(account.id, number)
    if record.invoice.corrects is not None:
        raise NotCorrectable("What a credit note gives back is owed to the customer: record that it was repaid.")
    if record.payment.status is InvoiceStatus.UNCOLLECTIBLE:
        return record
    if record.payment.status not in UNPAID:
        raise AlreadyPaid
    unpaid = [*store.unpaid(account.id)]
    others = without_intent(record, unpaid, context, gateway)
    entry = Entry(EntryKind.WRITTEN_OFF, record.payment.left, account.contract.today(context.time), context.actor.user)
    payment = record.payment.without_intent().with_entries(entry)
    changes = [PaymentChange(record, payment), *others]
    store.settle(billing, changes, written_off_events(changes, reason, context))
    return changes[0].written


def record_repayment(
    billing: BillingContext,
    number: str,
    amount: Money,
    repaid_on: date,
    reference: str,
    *,
    context: RequestContext,
    store: InvoiceStore,
) -> InvoiceRecord:
    """The credit note, or the invoice with credit, of which staff have given money back by hand. The same again changes
    nothing.

    One query and one transaction. Raises NotFound, RuleViolation for a day to come or before the document, another
    currency, or more than is owed: of a credit note what is left, of an invoice the credit that comes from it and that
    the account still has; RefundUnderWay, ConcurrentChange.
    """
    account = billing.subscriber.account
    record = store.record(account.id, number)
    payment = record.payment
    entry = Entry(EntryKind.REPAID_BY_HAND, amount.amount, repaid_on, reference)
    if entry in payment.entries:
        return record
    today = account.contract.today(context.time)
    if repaid_on > today:
        raise RuleViolation(
            Violation(("repaid_on",), "It must not be a day to come.", FieldCode.TOO_LATE, {"max": today})
        )
    if repaid_on < record.invoice.produced_on:
        raise RuleViolation(
            Violation(
                ("repaid_on",),
                "The document was not issued before that day.",
                FieldCode.TOO_EARLY,
                {"min": record.invoice.produced_on},
            )
        )
    if amount.currency != record.left.currency:
        raise RuleViolation(
            Violation(
                ("amount", "currency"),
                f"The currency is {record.left.currency}.",
                FieldCode.NOT_ALLOWED,
                {"allowed": [record.left.currency]},
            )
        )
    if payment.is_credit_note and (payment.is_in_transit or attempt_under_way(payment.entries) is not None):
        raise RefundUnderWay
    most = payment.left if payment.is_credit_note else max(0, min(payment.credit, billing.credit_in(amount.currency)))
    if amount.amount > most:
        raise RuleViolation(
            Violation(("amount", "amount"), f"No more than {most} is owed.", FieldCode.TOO_LARGE, {"max": most})
        )
    changes = [PaymentChange(record, payment.with_entries(entry))]
    facts = {"number": number, "repaid_on": repaid_on, "amount": asdict(amount), "reference": reference}
    event = new_event(EventType.PAYMENT_REPAID, context, account=account.id, before=None, after=facts)
    store.settle(billing, changes, [event, *payment_events(changes, context, "")])
    return changes[0].written
