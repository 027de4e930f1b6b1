"""A bank transfer is recorded: by staff, or from a bank statement. It may pay a part, several invoices, or too much.

What is over is credit, which pays what is open, oldest first. Charges that could still pay the same are cancelled
first. The transfer, the invoices, the credit and the events are one transaction (decision 0041).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from billing.invoicing.apply_credit import apply_credit, can_be_settled, collects, wait_for_credit
from billing.invoicing.collect_payments import after, merged, without_intent
from billing.invoicing.credit_notes import NotCorrectable
from billing.invoicing.dunning import UNPAID, AlreadyPaid, InvoicePayment, reminded_of
from billing.invoicing.entries import EntryKind, sum_of
from billing.invoicing.invoices import InvoiceStatus
from billing.invoicing.payment_events import payment_events
from billing.invoicing.records import BillingContext, InvoiceRecord, PaymentChange
from billing.invoicing.transfer_records import TransferStore
from billing.invoicing.transfers import (
    SHARES_MAX,
    BankTransfer,
    NoInvoice,
    Share,
    Transfer,
    after_transfer,
    oldest_first,
    recognised,
)
from billing.kernel.errors import NotFound, RuleViolation, Violation
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.payments.gateway import PaymentGateway
from billing.platform.events.new_event import new_event

Allocations = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class RecordedTransfer:
    """A recorded transfer, whether this request has recorded it, and what it has changed; nothing if it is not new.

    In a preview nothing is recorded.
    """

    transfer: Transfer
    is_new: bool
    changes: tuple[PaymentChange, ...] = ()


def record_transfer(
    billing: BillingContext,
    asked: BankTransfer,
    *,
    context: RequestContext,
    store: TransferStore,
    gateway: PaymentGateway,
    is_preview: bool = False,
    is_for_the_rest: bool = False,
) -> RecordedTransfer:
    """Records a transfer of an account. The same amount, day and reference again is the transfer that there is.

    Where a charge of a named invoice can no longer be cancelled its share is credit, which pays the invoice if the
    charge fails. Where the transfer is said to be all that is left (`is_for_the_rest`), AlreadyPaid is raised instead.
    A preview cancels no charge and writes nothing; it takes charges that have begun for cancelled.

    Two queries and one transaction, a request for each charge to cancel, and a query for each named invoice that is
    settled. Raises RuleViolation for allocations that do not sum to it or name no invoice in its currency, and for a
    day to come; TransferDiffers, BookingTakenBack, NoInvoice, ConcurrentChange, UpstreamFailed.
    """
    account = billing.subscriber.account
    known = store.same_transfers(account.id, asked)
    found = recognised(known, asked)
    if found is not None:
        if asked.key is not None and found.key is None and not is_preview:
            found = store.save_transfer(billing, replace(found, key=asked.key), (), ())
        return RecordedTransfer(found, is_new=False)
    booking = _Booking(billing, asked, context, store, gateway, is_preview=is_preview)
    booking.is_for_the_rest = is_for_the_rest
    transfer, changes, events = booking.made(f"{asked.identity}-{len(known) + 1}")
    if not is_preview:
        transfer = store.save_transfer(billing, transfer, changes, events)
    return RecordedTransfer(transfer, is_new=True, changes=tuple(changes))


def record_payment(
    billing: BillingContext,
    number: str,
    paid_on: date,
    reference: str,
    amount: Money | None = None,
    *,
    context: RequestContext,
    store: TransferStore,
    gateway: PaymentGateway,
) -> InvoiceRecord:
    """The invoice after staff have found a transfer for it on the bank account: of `amount`, or of all that is left.

    The same again changes nothing. One that an earlier release has recorded becomes a transfer that can be taken back.
    One query, and what `record_transfer` takes. Raises NotFound; NotCorrectable for a credit note; AlreadyPaid where
    nothing is left and no amount is named; RuleViolation for another currency, a day to come or before the invoice;
    what `record_transfer` raises.
    """
    account = billing.subscriber.account
    record = store.record(account.id, number)
    payment, currency = record.payment, record.left.currency
    if record.invoice.corrects is not None:
        raise NotCorrectable("A credit note is not paid: record the transfer for its invoice.")
    if amount is None:
        is_known = payment.status is InvoiceStatus.PAID
        if is_known and (payment.reference, payment.paid_on) == (reference, paid_on):
            _adopt(billing, record, paid_on, reference, context, store)
            return record
    today = account.contract.today(context.time)
    if paid_on > max(today, record.invoice.produced_on):  # the seller's day may be one ahead of the account's
        raise RuleViolation(
            Violation(("paid_on",), "It must not be a day to come.", FieldCode.TOO_LATE, {"max": today})
        )
    if paid_on < record.invoice.produced_on:
        raise RuleViolation(
            Violation(
                ("paid_on",),
                "The invoice was not issued before that day.",
                FieldCode.TOO_EARLY,
                {"min": record.invoice.produced_on},
            )
        )
    is_for_the_rest = amount is None
    if amount is None:
        if payment.status not in {*UNPAID, InvoiceStatus.UNCOLLECTIBLE}:
            raise AlreadyPaid
        amount = Money(payment.balance, currency)
    if amount.currency != currency:
        detail = f"The currency is {currency}."
        raise RuleViolation(Violation(("amount", "currency"), detail, FieldCode.NOT_ALLOWED, {"allowed": [currency]}))
    asked = BankTransfer(reference, amount, paid_on, ((number, amount.amount),), is_by_invoice=True)
    recorded = record_transfer(
        billing, asked, context=context, store=store, gateway=gateway, is_for_the_rest=is_for_the_rest
    )
    written = (each.written for each in recorded.changes if each.record.invoice.number == number)
    return next(written, record)


def _adopt(
    billing: BillingContext,
    record: InvoiceRecord,
    paid_on: date,
    reference: str,
    context: RequestContext,
    store: TransferStore,
) -> None:
    """Makes a transfer of what an earlier release has recorded as entries of one invoice, unless it is one."""
    entries = [each for each in record.payment.entries if (each.reference, each.on) == (reference, paid_on)]
    amount = sum_of(entries, EntryKind.TRANSFERRED) - sum_of(entries, EntryKind.TRANSFER_TAKEN_BACK)
    account = billing.subscriber.account.id
    asked = BankTransfer(reference, Money(amount, record.left.currency), paid_on)
    if amount <= 0 or store.same_transfers(account, asked):
        return
    share = Share(record.invoice.number, amount, sum_of(entries, EntryKind.OVERPAID), record.payment.left)
    transfer = Transfer(
        f"{asked.identity}-1", reference, asked.amount, paid_on, (share,), context.time, context.actor.user
    )
    store.save_transfer(billing, transfer, (), ())


class _Booking:
    """One new transfer: what it pays, after the charges that could pay the same are cancelled."""

    def __init__(
        self,
        billing: BillingContext,
        asked: BankTransfer,
        context: RequestContext,
        store: TransferStore,
        gateway: PaymentGateway,
        *,
        is_preview: bool,
    ) -> None:
        self._billing, self._asked, self._context = billing, asked, context
        self._store, self._gateway, self._is_preview = store, gateway, is_preview
        self.is_for_the_rest = False
        account = billing.subscriber.account
        self._today = account.contract.today(context.time)
        unpaid = store.unpaid(account.id, consistent=True)
        self._unpaid = [each for each in unpaid if each.left.currency == asked.amount.currency]
        self._read = {each.invoice.number: each for each in self._unpaid if each.invoice.corrects is None}
        self._cleared: dict[str, list[PaymentChange]] = {}
        self._charged: set[str] = set()
        """The invoices whose charge can no longer be cancelled."""

    def made(self, identity: str) -> tuple[Transfer, list[PaymentChange], list[Event]]:
        """The new transfer, what it changes, and the events."""
        asked, context, account = self._asked, self._context, self._billing.subscriber.account
        allocations = self._named() if asked.allocations is not None else self._oldest_first()
        self._require_booked(allocations)
        shared = self._shared(allocations)
        before = self._billing.credit_in(asked.amount.currency)
        credit = before + sum(each.credit for each in shared)
        if credit != before:
            self._require_credit_in_this_currency(credit - before)
        left = after(self._unpaid, shared)
        more = replace(asked.amount, amount=credit)
        paid = apply_credit(more, left, self._today, shared) if credit > before else []
        credit += sum(each.credit for each in paid)
        rest = replace(asked.amount, amount=credit)
        waiting = wait_for_credit(rest, after(left, paid), self._today) if credit > before else []
        changes = merged(shared, [*paid, *waiting])
        transfer = Transfer(
            id=identity,
            reference=asked.reference,
            amount=asked.amount,
            booked_on=asked.booked_on,
            shares=tuple(self._share(number, amount, shared, changes) for number, amount in allocations),
            recorded_at=context.time,
            recorded_by=context.actor.user,
            applied=tuple(_applied(each, changes) for each in paid),
            key=asked.key,
        )
        event = new_event(
            EventType.TRANSFER_RECORDED,
            context,
            account=account.id,
            before=_before(self._billing, transfer, changes),
            after=_after(transfer, changes, rest),
        )
        return transfer, changes, [event, *payment_events(changes, context, "")]

    # ---- Which invoices ----

    def _named(self) -> Allocations:
        """The allocations of staff. Raises RuleViolation, naming each that cannot be."""
        asked = self._asked
        allocations, currency = asked.allocations or (), asked.amount.currency
        total = sum(amount for _, amount in allocations)
        violations = []
        if total != asked.amount.amount:
            detail = f"The amounts must add up to {asked.amount.amount}: they come to {total}."
            limits = {"min": asked.amount.amount, "max": asked.amount.amount}
            code = FieldCode.TOO_SMALL if total < asked.amount.amount else FieldCode.TOO_LARGE
            violations.append(Violation(("allocations",), detail, code, limits))
        if len(allocations) > SHARES_MAX:
            detail = f"One transfer pays {SHARES_MAX} invoices at most."
            violations.append(Violation(("allocations",), detail, FieldCode.TOO_MANY, {"max": SHARES_MAX}))
            raise RuleViolation(*violations)
        numbers = [number for number, _ in allocations]
        for place, number in enumerate(numbers):
            path = ("allocations", place, "invoice")
            if number in numbers[:place]:
                violations.append(Violation(path, "This invoice is named twice.", FieldCode.DUPLICATE))
            elif number not in self._read:
                fault = self._read_one(number, currency)
                if fault is not None:
                    violations.append(replace(fault, path=path))
        if violations:
            raise RuleViolation(*violations)
        for number in numbers:
            self._clear(number)
        if self.is_for_the_rest and self._charged:
            raise AlreadyPaid
        return allocations

    def _read_one(self, number: str, currency: str) -> Violation | None:
        try:
            record = self._store.record(self._billing.subscriber.account.id, number)
        except NotFound:
            return Violation((), "There is no such invoice.", FieldCode.UNKNOWN)
        if record.invoice.corrects is not None:
            detail = "A credit note is not paid: name the invoice."
            return Violation((), detail, FieldCode.NOT_ALLOWED, {"allowed": [record.invoice.corrects]})
        if record.left.currency != currency:
            return Violation((), f"The invoice is in {record.left.currency}.", FieldCode.NOT_ALLOWED)
        self._read[number] = record
        return None

    def _oldest_first(self) -> Allocations:
        """The oldest open invoices; without any the newest invoice keeps the money as credit. Raises NoInvoice."""
        while True:
            due = [
                (number, each.payment.left)
                for number, each in self._read.items()
                if can_be_settled(each) and number not in self._charged
            ]
            found = oldest_first(self._asked.amount.amount, due)
            before = len(self._charged)
            for number, _ in found:
                self._clear(number)
            if len(self._charged) == before:
                break
        if found:
            return found
        account, currency = self._billing.subscriber.account, self._asked.amount.currency
        keeper = self._store.newest_invoice(account.id, currency)
        if keeper is None and currency != account.contract.currency:
            allowed = {"allowed": [account.contract.currency]}
            detail = f"The account has no invoice in {currency}."
            raise RuleViolation(Violation(("amount", "currency"), detail, FieldCode.NOT_ALLOWED, allowed))
        if keeper is None:
            raise NoInvoice(currency)
        self._read.setdefault(keeper.invoice.number, keeper)
        self._clear(keeper.invoice.number)
        return ((keeper.invoice.number, self._asked.amount.amount),)

    def _clear(self, number: str) -> None:
        """Cancels the charges that could still pay an invoice, or notes that its charge is made."""
        record = self._read[number]
        if number in self._cleared or number in self._charged:
            return
        if record.payment.status is InvoiceStatus.IN_TRANSIT:
            self._charged.add(number)
        elif not can_be_settled(record):
            self._cleared[number] = []
        elif self._is_preview:
            others = collects(self._unpaid, number)
            self._cleared[number] = [PaymentChange(each, each.payment.without_intent()) for each in others]
        else:
            try:
                self._cleared[number] = without_intent(record, self._unpaid, self._context, self._gateway)
            except AlreadyPaid:
                self._charged.add(number)

    # ---- What it changes ----

    def _shared(self, allocations: Allocations) -> list[PaymentChange]:
        """The invoices with their shares, and those whose charge was cancelled because it would have paid them too."""
        changes = [
            PaymentChange(self._read[number], self._paid(self._read[number], amount)) for number, amount in allocations
        ]
        numbers = {number for number, _ in allocations}
        others = {
            each.record.invoice.number: each
            for number in numbers
            for each in self._cleared.get(number, ())
            if each.record.invoice.number not in numbers
        }
        return [*changes, *others.values()]

    def _paid(self, record: InvoiceRecord, amount: int) -> InvoicePayment:
        is_awaited = record.invoice.number not in self._charged
        return after_transfer(record.payment, amount, self._day(record), self._asked.reference, is_awaited=is_awaited)

    def _day(self, record: InvoiceRecord) -> date:
        """The day of the entry: an invoice is not paid before it is issued."""
        return max(self._asked.booked_on, record.invoice.produced_on)

    def _require_booked(self, allocations: Allocations) -> None:
        # The seller's day may be one ahead of the account's.
        latest = max([self._today, *(self._read[number].invoice.produced_on for number, _ in allocations)])
        if self._asked.booked_on > latest:
            detail = "It must not be a day to come."
            raise RuleViolation(Violation(("booked_on",), detail, FieldCode.TOO_LATE, {"max": latest}))

    def _require_credit_in_this_currency(self, credit: int) -> None:
        asked, contract = self._asked.amount, self._billing.subscriber.account.contract
        if asked.currency != contract.currency:
            most = asked.amount - credit
            detail = f"Credit of this account is in {contract.currency}: no more than {most} is owed in this currency."
            raise RuleViolation(Violation(("amount", "amount"), detail, FieldCode.TOO_LARGE, {"max": most}))

    def _share(
        self, number: str, amount: int, shared: Sequence[PaymentChange], changes: Sequence[PaymentChange]
    ) -> Share:
        change = next(each for each in shared if each.record.invoice.number == number)
        return Share(number, amount, sum_of(change.new_entries, EntryKind.OVERPAID), _left(number, changes))


def _applied(paid: PaymentChange, changes: Sequence[PaymentChange]) -> Share:
    """What credit has paid at once of an invoice."""
    number = paid.record.invoice.number
    return Share(number, sum_of(paid.new_entries, EntryKind.CREDIT_APPLIED), 0, _left(number, changes))


def _left(number: str, changes: Sequence[PaymentChange]) -> int:
    return next(each.payment.left for each in changes if each.record.invoice.number == number)


def _before(billing: BillingContext, transfer: Transfer, changes: Sequence[PaymentChange]) -> Facts:
    named = {each.invoice for each in (*transfer.shares, *transfer.applied)}
    return {
        "invoices": [
            {"number": each.record.invoice.number, "left": asdict(each.record.left)}
            for each in changes
            if each.record.invoice.number in named
        ],
        "credit": asdict(replace(transfer.amount, amount=billing.credit_in(transfer.amount.currency))),
    }


def _after(transfer: Transfer, changes: Sequence[PaymentChange], credit: Money) -> Facts:
    currency = transfer.amount.currency
    records = {each.record.invoice.number: each.record for each in changes}

    def paid(share: Share) -> Facts:
        return {
            "number": share.invoice,
            "due_on": reminded_of(records[share.invoice].payment, records[share.invoice].invoice),
            "amount": asdict(Money(share.amount, currency)),
            "credit": asdict(Money(share.credit, currency)),
            "left": asdict(Money(share.left, currency)),
        }

    return {
        "transfer": transfer.id,
        "reference": transfer.reference,
        "booked_on": transfer.booked_on,
        "received": asdict(transfer.amount),
        "invoices": [paid(each) for each in transfer.shares],
        "applied": [paid(each) for each in transfer.applied],
        "credit": asdict(credit),
    }
