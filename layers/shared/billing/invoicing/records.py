"""Invoice records in the table: numbers, contents and payments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from billing.accounts.information import Area, BillingDetails, CompanyDetails
from billing.accounts.mapping import billing_from, company_from, vat_number_due_body
from billing.accounts.rules import Account
from billing.accounts.vat_number_due import VatNumberDue
from billing.invoicing.due import InvoicingDue, invoicing_due_at
from billing.invoicing.due_mapping import day_body, day_from, invoicing_due_body, invoicing_due_from
from billing.invoicing.dunning import UNPAID, InvoicePayment
from billing.invoicing.holds import InvoicingHold
from billing.invoicing.invoices import Invoice, InvoiceStatus, IssuedInvoice
from billing.invoicing.mapping import invoice_body, issued_from, record_from
from billing.invoicing.numbering import NextNumber, NumberTaken, RegisteredNumber, SeriesCounter
from billing.invoicing.period_mapping import period_body, period_of
from billing.invoicing.periods import FixedMonth, PaidPeriod
from billing.invoicing.summary_mapping import invoice_from
from billing.invoicing.tax import TaxRule
from billing.invoicing.vat_numbers.mapping import check_body, check_from
from billing.invoicing.vat_numbers.rules import VatNumberCheck, relevant
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import ConcurrentChange, NotFound
from billing.kernel.events import Event
from billing.kernel.fields import fields_of
from billing.kernel.money import Money
from billing.kernel.schedules import Job, start_of
from billing.payments.mapping import payment_profile_from
from billing.payments.methods import PaymentProfile
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text, without_version
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image, Row, Slice
from billing.platform.dynamodb.table import Table
from billing.subscriptions.mapping import subscriber_from
from billing.subscriptions.subscriber import Subscriber

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction


@dataclass(frozen=True, slots=True)
class BillingContext:
    """All that an account's invoices are built from, as one read returns it.

    `due` is the next contract month to invoice, None where no invoices are scheduled. `credit` is the credit balance in
    minor units, tax included. `collect_on` is the next day on which payments are collected. `period` is the running
    paid period as stored, `hold` whether invoicing waits for staff; either can be None. `vat_check` is the
    last check of a VAT number of the company, which may have had another number then.
    """

    subscriber: Subscriber
    profile: PaymentProfile
    company: CompanyDetails
    billing: BillingDetails
    due: InvoicingDue | None
    credit: int
    credit_version: int
    collect_on: date | None
    period: PaidPeriod | None = None
    hold: InvoicingHold | None = None
    vat_check: VatNumberCheck | None = None


@dataclass(frozen=True, slots=True)
class InvoiceRecord:
    """An invoice with the state of its payment. `version` counts the changes of the payment."""

    invoice: IssuedInvoice
    payment: InvoicePayment
    version: int

    @property
    def left(self) -> Money:
        """The unpaid amount of an invoice, or the amount that a credit note has yet to refund."""
        return Money(self.payment.left, self.invoice.draft.due.currency)


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """An invoice as it was read, and its payment as it becomes."""

    record: InvoiceRecord
    payment: InvoicePayment

    @property
    def credit(self) -> int:
        """What the change adds to the account's credit, in minor units."""
        return self.payment.credit - self.record.payment.credit

    @property
    def written(self) -> InvoiceRecord:
        """The record after it was written."""
        return InvoiceRecord(self.record.invoice, self.payment, self.record.version + 1)


class InvoiceStore(Table):
    """Reads and writes invoices in the table."""

    def __init__(self, table_name: str, client: Any) -> None:
        super().__init__(table_name, client)
        self._counters: dict[tuple[str, int], SeriesCounter] = {}

    def billing_context(self, account: str) -> BillingContext | None:
        """The billing context of an account, None without the account. One read."""
        partition = keys.account(account)
        renewal, collection = keys.due(Job.RENEWAL), keys.due(Job.COLLECTION)
        company, billing = (keys.page_information(area) for area in (Area.COMPANY, Area.BILLING))
        page = (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.PAGE_PAYMENT_METHOD, company, billing)
        more = (renewal, collection, keys.BALANCE, keys.PAGE_PERIOD, keys.HELD, keys.VAT_CHECK)
        rows = self._reads.get_all((partition, key) for key in (*page, *more))
        subscriber = subscriber_from(rows, partition)
        if subscriber is None or (partition, company) not in rows or (partition, billing) not in rows:
            return None
        keys_of_others = (keys.PAGE_PAYMENT_METHOD, renewal, collection, keys.BALANCE, keys.VAT_CHECK)
        profile, due, collect, balance, check = (rows.get((partition, key)) for key in keys_of_others)
        return BillingContext(
            subscriber=subscriber,
            profile=PaymentProfile() if profile is None else payment_profile_from(profile.body, profile.version),
            company=company_from(rows[partition, company].body),
            billing=billing_from(rows[partition, billing].body),
            due=None if due is None else invoicing_due_from(due.body),
            credit=0 if balance is None else parsed(balance.body)["credit"],
            credit_version=0 if balance is None else balance.version,
            collect_on=None if collect is None else day_from(collect.body),
            period=period_of(rows.get((partition, keys.PAGE_PERIOD))),
            hold=_hold_from(rows.get((partition, keys.HELD))),
            vat_check=None if check is None else check_from(check.body, check.version),
        )

    def counter(self, series: str, year: int) -> SeriesCounter:
        """The numbers that a series has in a year; cached for the process, one read the first time.

        A stale counter raises NumberTaken with the current one when it is used.
        """
        if (series, year) not in self._counters:
            key = (keys.NUMBERS, keys.series(series, year))
            row = self._reads.get_all([key]).get(key)
            self._counters[series, year] = _counter_from(None if row is None else row.image)
        return self._counters[series, year]

    def register(self, series: str, year: int, *, limit: int, after: str | None) -> Slice[RegisteredNumber]:
        """A page of the register of a series and year, the first number first. One query."""

        def registered(row: Row) -> RegisteredNumber:
            return _registered_from(series, row)

        return self._reads.oldest(keys.NUMBERS, keys.numbers(series, year), registered, limit=limit, after=after)

    def advance(self, context: BillingContext, fixed: FixedMonth, events: Sequence[Event] = ()) -> None:
        """Writes a fixed month that has no invoice, and the events. Raises ConcurrentChange. One transaction."""
        with self._transaction() as write:
            _check_versions(write, context)
            set_renewal_due(write, context, fixed.following)
            write_period(write, context.subscriber.account, fixed.period, fixed.closed)
            for event in events:
                write.record(event)

    def issue(
        self,
        context: BillingContext,
        record: InvoiceRecord,
        number: NextNumber,
        fixed: FixedMonth,
        credit: int,
        event: Event,
    ) -> None:
        """Writes an invoice with its number, its event and the next due items.

        `fixed` is the contract month that it is issued for, its period with this invoice.

        Raises NumberTaken when another invoice has that number, or a later one was issued; ConcurrentChange when the
        account, its subscription, its credit balance or its due items have changed. One transaction: numbers stay
        gapless, and each is registered.
        """
        next_attempt_on = record.payment.next_attempt_on
        with self._numbered(number, record.invoice) as write:
            _check_versions(write, context)
            set_renewal_due(write, context, fixed.following)
            write_period(write, context.subscriber.account, fixed.period, fixed.closed)
            write_invoice(write, record)
            write_evidence(write, context, record.invoice)
            write.record(event)
            if next_attempt_on is not None:
                set_collection_due(write, context, _earliest(context.collect_on, next_attempt_on))
            write_credit(write, context, credit)

    def hold(self, context: BillingContext, hold: InvoicingHold, event: Event) -> None:
        """Keeps that invoicing of an account has stopped, or that it may go on, and records it.

        Raises ConcurrentChange when that, the account or what is due has changed. One transaction.
        """
        account = context.subscriber.account
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write.replace(_hold_item(hold), hold.version)
            write.record(event)

    def held(self, *, limit: int, after: str | None) -> Slice[InvoicingHold]:
        """A page of the accounts whose invoicing waits for staff, the longest first. One query of the index."""
        return self._reads.oldest(keys.HELD, "", _hold_of, limit=limit, after=after, index=keys.INDEX)

    def invoices_since(self, account: str, day: date) -> tuple[IssuedInvoice, ...]:
        """What was issued on a day or after it, oldest first. One query."""
        found = self._reads.query(
            keys.account(account), keys.invoice(day, ""), keys.last_of(keys.INVOICE), consistent=True
        )
        return tuple(issued_from(row.body) for row in found)

    def correct(
        self,
        context: BillingContext,
        changes: Sequence[PaymentChange],
        credit_note: InvoiceRecord,
        number: NextNumber,
        collect_on: date | None,
        events: Sequence[Event],
    ) -> None:
        """Writes a credit note with its number, the new payment of the corrected invoice, and those of the invoices
        that its credit pays.

        Raises NumberTaken, or ConcurrentChange when a payment or the credit balance has changed. One transaction:
        no money moves without the document that explains it.
        """
        with self._numbered(number, credit_note.invoice) as write:
            write.require_account(credit_note.invoice.account)
            write_invoice(write, credit_note)
            for event in events:
                write.record(event)
            if collect_on != context.collect_on:
                set_collection_due(write, context, collect_on)
            _write_changes(write, context, changes)

    def invoice(self, account: str, number: str) -> InvoiceRecord:
        """One invoice by its number. Raises NotFound. One query of the account's invoices of that year."""
        year = number.rpartition("-")[0].rpartition("-")[2]
        family = f"{keys.INVOICE}{year}" if year.isdecimal() else keys.INVOICE
        for row in self._reads.query(keys.account(account), family, keys.last_of(family)):
            if row.key.endswith(keys.end_of_invoice(number)):
                return _record_from(row)
        raise NotFound("There is no such invoice.")

    def unpaid(self, account: str) -> tuple[InvoiceRecord, ...]:
        """The unpaid invoices, oldest first, with those in transit. One query of all invoices."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE))
        waiting = {*UNPAID, InvoiceStatus.IN_TRANSIT}
        return tuple(_record_from(row) for row in rows if invoice_from(row.body).status in waiting)

    def documents(self, account: str) -> tuple[InvoiceRecord, ...]:
        """All invoices and credit notes of an account, oldest first. Also of one whose deletion has begun. One query
        per megabyte."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE), consistent=True)
        return tuple(map(_record_from, rows))

    def is_registered(self, number: str) -> bool:
        """Whether the register of numbers has this one. One get."""
        series, _, rest = number.partition("-")
        year, _, count = rest.partition("-")
        if not (year.isdecimal() and count.isdecimal()):
            return False
        return self._reads.get(keys.NUMBERS, keys.number(series, int(year), int(count))) is not None

    def of_payment(self, account: str, payment: str, number: str) -> tuple[InvoiceRecord, ...]:
        """The invoices and credit notes that name a payment of the payment service, and the invoice with this number;
        oldest first. One query of all invoices."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE))
        return tuple(_record_from(row) for row in rows if payment in row.body or row.key.endswith(f"#{number}"))

    def invoices(
        self, account: str, *, year: int | None, status: InvoiceStatus | None, limit: int, after: str | None
    ) -> Slice[Invoice]:
        """A page of the invoices, of one year or of all, newest first. One query."""

        def listed(row: Row) -> Invoice | None:
            invoice = invoice_from(row.body)
            return invoice if status in {None, invoice.status} else None

        return self._reads.newest(
            keys.account(account),
            keys.INVOICE,
            listed,
            limit=limit,
            after=after,
            within=None if year is None else f"{keys.INVOICE}{year:04}",
            filtered=status is not None,
        )

    def past_due(self, *, limit: int, after: str | None) -> Slice[InvoiceRecord]:
        """A page of the past due invoices of all accounts, the oldest due date first. One query of the index."""
        return self._reads.oldest(keys.PAST_DUE, "", _record_from, limit=limit, after=after, index=keys.INDEX)

    def save_payment(
        self, record: InvoiceRecord, payment: InvoicePayment, others: Sequence[InvoiceRecord] = ()
    ) -> InvoiceRecord:
        """Writes a payment without an event, and the next version of the `others` that go with it.

        Returns the new record. Raises ConcurrentChange when one of them has changed. One transaction.
        """
        with self._transaction() as write:
            write.require_account(record.invoice.account)
            for each in (InvoiceRecord(record.invoice, payment, record.version), *others):
                write_invoice(write, each)
        return InvoiceRecord(record.invoice, payment, record.version + 1)

    def begin_credit_refund(self, context: BillingContext, change: PaymentChange) -> BillingContext:
        """Writes the refund of a part of the credit that is begun, and takes that part from the credit.

        Returns the context with the new credit. Raises ConcurrentChange when the account, the credit or the invoice has
        changed: a reactivation that was requested counts on the credit. One transaction.
        """
        account = context.subscriber.account
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            _write_changes(write, context, [change])
        return replace(context, credit=context.credit + change.credit, credit_version=context.credit_version + 1)

    def settle(
        self,
        context: BillingContext,
        changes: Sequence[PaymentChange],
        collect_on: date | None,
        events: Sequence[Event],
    ) -> None:
        """Writes new payments of invoices, what they change of the credit, their events, and the next collection day.

        Raises ConcurrentChange when a payment, the credit or that day has changed. One transaction.
        """
        with self._transaction() as write:
            write.require_account(context.subscriber.account.id)
            set_collection_due(write, context, collect_on)
            _write_changes(write, context, changes)
            for event in events:
                write.record(event)

    def collect_on(self, context: BillingContext, day: date | None) -> None:
        """Writes the next collection day of the account. Raises ConcurrentChange. One transaction."""
        with self._transaction() as write:
            write.require_account(context.subscriber.account.id)
            set_collection_due(write, context, day)

    def ask_for_check(self, context: BillingContext, due: VatNumberDue) -> None:
        """Makes the company's VAT number due, unless it is due already. One transaction. Raises ConcurrentChange."""
        account = context.subscriber.account.id
        with suppress(_DueAlready), self._transaction(_DueAlready()) as write:
            write.require_account(account)
            write.due_if(None, account, Job.VAT_NUMBER, due.at, vat_number_due_body(due))

    def schedule(self, context: BillingContext, due: InvoicingDue) -> None:
        """Writes the first due item of invoicing. Raises ConcurrentChange where one exists. One transaction."""
        with self._transaction() as write:
            write.require_account(context.subscriber.account.id)
            set_renewal_due(write, context, due)

    @contextmanager
    def _numbered(self, number: NextNumber, invoice: IssuedInvoice) -> Iterator[Transaction]:
        """A transaction that takes a number and registers it for an invoice. Raises NumberTaken, ConcurrentChange.

        Numbers are gapless and rise with their days: the transaction fails when the counter is another by now.
        """
        series = number.series, number.day.year
        try:
            with self._transaction() as write:
                counter = Item(keys.NUMBERS, keys.series(*series), text({"registered_from": number.registered_from}))
                write.number(counter, number.count, number.day, _taken)
                write.put(
                    _registered_item(number, invoice)
                )  # the counter's condition guards it: one refusal, one cause
                yield write
        except NumberTaken as taken:
            self._counters[series] = taken.counter
            raise
        self._counters[series] = number.counter


def _check_versions(write: Transaction, context: BillingContext) -> None:
    """Requires the account and the subscription at the versions that the invoice was built from."""
    account, subscription = context.subscriber.account, context.subscriber.subscription
    partition = keys.account(account.id)
    write.check(partition, keys.PAGE_ACCOUNT, account.version)
    write.check(partition, keys.PAGE_SUBSCRIPTION, subscription.version)


def write_invoice(write: Transaction, record: InvoiceRecord) -> None:
    """Writes an invoice with its payment; version 0 creates it. Past due invoices are in the index."""
    invoice, payment = record.invoice, record.payment
    is_past_due = payment.status is InvoiceStatus.PAST_DUE
    item = Item(
        keys.account(invoice.account),
        keys.invoice(invoice.produced_on, invoice.number),
        invoice_body(invoice, payment),
        index=(keys.PAST_DUE, f"{invoice.due_on.isoformat()}#{invoice.account}#{invoice.number}")
        if is_past_due
        else None,
    )
    write.replace(item, record.version)


def write_evidence(write: Transaction, context: BillingContext, invoice: IssuedInvoice) -> None:
    """Writes what is known of the VAT number on which a reverse charge invoice relies, as evidence. It never changes.

    It is no part of the invoice's content, whose digest stays that of the document.
    """
    check = relevant(context.vat_check, invoice.company)
    if check is not None and invoice.draft.tax.rule is TaxRule.REVERSE_CHARGE:
        write.put(Item(keys.account(invoice.account), keys.vat_evidence(invoice.number), check_body(check)))


def set_renewal_due(
    write: Transaction, context: BillingContext, due: InvoicingDue, contract: Contract | None = None
) -> None:
    """Writes the next contract month to invoice, of the account's contract or of a new `contract`."""
    account = context.subscriber.account
    before = None if context.due is None else invoicing_due_body(context.due)
    at = invoicing_due_at(due, contract or account.contract)
    write.due_if(before, account.id, Job.RENEWAL, at, invoicing_due_body(due))


def set_collection_due(write: Transaction, context: BillingContext, day: date | None) -> None:
    """Writes the next collection day; None removes it."""
    account = context.subscriber.account
    before = None if context.collect_on is None else day_body(context.collect_on)
    if day is None:
        write.due_if(before, account.id, Job.COLLECTION, None)
    else:
        write.due_if(before, account.id, Job.COLLECTION, start_of(day, account.contract), day_body(day))


def write_period(write: Transaction, account: Account, period: PaidPeriod | None, closed: PaidPeriod | None) -> None:
    """The running paid period, at its version, and the one before it, if it is closed now. None for no change."""
    partition = keys.account(account.id)
    if period is not None:
        write.replace(Item(partition, keys.PAGE_PERIOD, period_body(period, account.contract)), period.version)
    if closed is not None:
        key = keys.period(closed.contract, closed.first_month)
        write.put(Item(partition, key, period_body(closed, account.contract)))


def write_credit(write: Transaction, context: BillingContext, credit: int) -> None:
    """Writes the credit balance, in minor units, where it has changed."""
    if credit != context.credit:
        partition = keys.account(context.subscriber.account.id)
        write.replace(Item(partition, keys.BALANCE, text({"credit": credit})), context.credit_version)


def _write_changes(write: Transaction, context: BillingContext, changes: Sequence[PaymentChange]) -> None:
    for change in changes:
        write_invoice(write, InvoiceRecord(change.record.invoice, change.payment, change.record.version))
    write_credit(write, context, context.credit + sum(change.credit for change in changes))


class _DueAlready(ConcurrentChange):
    """The due item exists already, or the account does not exist."""


def _taken(stored: Image | None) -> NumberTaken:
    return NumberTaken(_counter_from(stored))


def _counter_from(stored: Image | None) -> SeriesCounter:
    """The counter of a stored item, None for none. Those of earlier releases have no day and no register."""
    if stored is None:
        return SeriesCounter()
    count = int(stored["count"]["N"])
    if "dated" not in stored:
        return SeriesCounter(count, None, count + 1)
    first = parsed(stored["body"]["S"])["registered_from"]
    return SeriesCounter(count, date.fromisoformat(stored["dated"]["S"]), first)


def _registered_item(number: NextNumber, invoice: IssuedInvoice) -> Item:
    body = {"count": number.count, "day": number.day, "total": invoice.draft.total, "tax": invoice.draft.tax_amount}
    return Item(keys.NUMBERS, keys.number(number.series, number.day.year, number.count), text(body))


def _registered_from(series: str, row: Row) -> RegisteredNumber:
    body = parsed(row.body)
    day, total, tax = date.fromisoformat(body["day"]), Money(**body["total"]), Money(**body["tax"])
    return RegisteredNumber(series, body["count"], day, total, tax)


def _earliest(one: date | None, other: date) -> date:
    return other if one is None else min(one, other)


def _hold_item(hold: InvoicingHold) -> Item:
    waits = hold.released_until is None
    return Item(
        keys.account(hold.account),
        keys.HELD,
        text(without_version(fields_of(hold))),
        index=(keys.HELD, f"{keys.instant(hold.held_at)}#{hold.account}") if waits else None,
    )


def _hold_from(row: Row | None) -> InvoicingHold | None:
    return None if row is None else _hold_of(row)


def _hold_of(row: Row) -> InvoicingHold:
    body = parsed(row.body)
    return InvoicingHold(
        account=body["account"],
        held_at=datetime.fromisoformat(body["held_at"]),
        start=date.fromisoformat(body["start"]),
        invoices=body["invoices"],
        total=Money(**body["total"]),
        released_until=body["released_until"],
        version=row.version,
    )


def _record_from(row: Row) -> InvoiceRecord:
    return InvoiceRecord(*record_from(row.body), row.version)
