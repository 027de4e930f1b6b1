"""Invoices in the table: numbers, summaries with payments, and documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from billing.accounts.information import Area, BillingDetails, CompanyDetails
from billing.accounts.mapping import account_of, billing_from, company_from, vat_number_due_body
from billing.accounts.records import account_item
from billing.accounts.rules import Account, existing
from billing.accounts.term_mapping import term_from, term_item
from billing.accounts.terms import TermChange
from billing.accounts.vat_number_due import VatNumberDue
from billing.invoicing.balance_mapping import balance_body, other_credit_from
from billing.invoicing.due import CollectionDue, InvoicingDue, invoicing_due_at
from billing.invoicing.due_mapping import (
    collection_due_body,
    collection_due_from,
    day_body,
    day_from,
    invoicing_due_body,
    invoicing_due_from,
)
from billing.invoicing.dunning import UNPAID, InvoicePayment
from billing.invoicing.entries import Entry
from billing.invoicing.exchange_rates.records import RateReads
from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.exemptions.mapping import exemptions_of
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS, Exemptions
from billing.invoicing.holds import InvoicingHold
from billing.invoicing.invoices import Invoice, InvoiceStatus, InvoiceSummary, IssuedInvoice
from billing.invoicing.mapping import document_body, is_whole, issued_from, summary_body, summary_from
from billing.invoicing.numbering import NextNumber, NumberTaken, RegisteredNumber, SeriesCounter
from billing.invoicing.one_off_mapping import closed_body, one_offs_of, open_body
from billing.invoicing.one_offs import NO_ONE_OFFS, OneOffs, Settled, settled
from billing.invoicing.period_mapping import period_body, period_from, period_of
from billing.invoicing.periods import FixedMonth, PaidPeriod
from billing.invoicing.summary_mapping import invoice_from
from billing.invoicing.tax import AwaitedTaxRate, TaxRule
from billing.invoicing.tax_rates.mapping import tax_rates_of
from billing.invoicing.tax_rates.rules import SellerAddress, TaxRates
from billing.invoicing.vat_numbers.mapping import check_body, check_from
from billing.invoicing.vat_numbers.rules import VatNumberCheck, relevant
from billing.invoicing.vat_territories import Address
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import AccountNotFound, ConcurrentChange, NotFound
from billing.kernel.events import Event
from billing.kernel.fields import fields_of
from billing.kernel.money import Money
from billing.kernel.schedules import Job, start_of
from billing.payments.mapping import payment_profile_from
from billing.payments.methods import PaymentProfile
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text, without_version
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Image, Reader, Row, Slice
from billing.subscriptions.mapping import subscriber_from, subscription_body
from billing.subscriptions.subscriber import Subscriber

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

T = TypeVar("T")

DOCUMENTS_AT_ONCE = 50
"""How many documents one read returns. DynamoDB returns 100 items or 16 megabytes at most."""

SUMMARIES_AT_ONCE = 100
"""How many summaries one read returns."""

_RENEWAL, _COLLECTION = keys.due(Job.RENEWAL), keys.due(Job.COLLECTION)
_RECONCILIATION = keys.due(Job.RECONCILIATION)
_CONTEXT = (
    keys.PAGE_ACCOUNT,
    keys.PAGE_SUBSCRIPTION,
    keys.PAGE_PAYMENT_METHOD,
    keys.page_information(Area.COMPANY),
    keys.page_information(Area.BILLING),
    _RENEWAL,
    _COLLECTION,
    _RECONCILIATION,
    keys.BALANCE,
    keys.PAGE_PERIOD,
    keys.HELD,
    keys.PAGE_VAT_CHECK,
    keys.PAGE_TAX_EXEMPTIONS,
    keys.PAGE_ONE_OFFS,
    keys.PAGE_TERM,
)
"""The items of a billing context in the account's partition."""

_TAX_TABLE = (keys.TAX_RATES, keys.TAX_TABLE)
"""The tax rates of staff, which a billing context has too: no other request reads them for an invoice."""


@dataclass(frozen=True, slots=True)
class BillingContext:
    """All that an account's invoices are built from, as one read returns it.

    `due` is the next contract month to invoice, None where no invoices are scheduled. `credit` is the credit balance in
    minor units of the contract's currency, tax included; `other_credit` are the balances in the currencies that the
    contract had before, which only invoices in these can use (decision 0045). `collection` is the due item of an
    earlier release, None where there is none any more. `period` is the running paid period as stored, `hold` whether
    invoicing waits for staff; either can be None.
    `vat_check` is the last check of a VAT number of the company, which may have had another number then.
    `reconcile_on` is the day of the next comparison of the books, None where none is due yet. `exemptions` are those
    from tax, `rates` the tax rates of staff for a seller outside of the EU, `one_offs` the charges and the goodwill
    that are open, `term` the newest change of the contract's term, None without one.
    """

    subscriber: Subscriber
    profile: PaymentProfile
    company: CompanyDetails
    billing: BillingDetails
    due: InvoicingDue | None
    credit: int
    credit_version: int
    collection: CollectionDue | None = None
    period: PaidPeriod | None = None
    hold: InvoicingHold | None = None
    vat_check: VatNumberCheck | None = None
    reconcile_on: date | None = None
    exemptions: Exemptions = NO_EXEMPTIONS
    rates: TaxRates = TaxRates()  # noqa: RUF009 - frozen
    one_offs: OneOffs = NO_ONE_OFFS
    other_credit: Mapping[str, int] = field(default_factory=dict)
    term: TermChange | None = None

    @property
    def currency(self) -> str:
        """The currency of the contract now, and of `credit`."""
        return self.subscriber.account.contract.currency

    @property
    def credits(self) -> dict[str, int]:
        """The credit balance of each currency that is not zero, in minor units; the contract's currency first."""
        return {each: credit for each, credit in {self.currency: self.credit, **self.other_credit}.items() if credit}

    def credit_in(self, currency: str) -> int:
        """The credit balance in a currency, in minor units."""
        return self.credit if currency == self.currency else self.other_credit.get(currency, 0)

    def with_credit_of(self, added: Iterable[Money]) -> BillingContext:
        """The context after these amounts were added to its credit and written; itself where they change nothing."""
        balances = Counter(self.other_credit)
        balances[self.currency] = self.credit
        for each in added:
            balances[each.currency] += each.amount
        own = balances.pop(self.currency)
        others = {currency: credit for currency, credit in balances.items() if credit}
        if (own, others) == (self.credit, self.other_credit):
            return self
        return replace(self, credit=own, other_credit=others, credit_version=self.credit_version + 1)

    def taxed_from(self, seller: Address) -> SellerAddress:
        """The seller's address with the tax rates of staff."""
        return SellerAddress(seller.country, seller.postcode, seller.city, self.rates)


@dataclass(frozen=True, slots=True)
class InvoiceRecord:
    """The summary of an invoice with the state of its payment. `version` counts the changes of the payment.

    `unwritten` is the invoice's document as JSON, where it has no item of its own yet: the next write of this record
    writes it too. That is so for a new invoice, and for one in an item of an earlier release. None for every other.
    """

    invoice: InvoiceSummary
    payment: InvoicePayment
    version: int
    unwritten: str | None

    @property
    def left(self) -> Money:
        """The unpaid amount of an invoice, or the amount that a credit note has yet to refund."""
        return Money(self.payment.left, self.invoice.total.currency)


@dataclass(frozen=True, slots=True)
class WholeInvoice:
    """An invoice with what it said when it was issued."""

    invoice: IssuedInvoice
    record: InvoiceRecord

    @classmethod
    def new(cls, invoice: IssuedInvoice, payment: InvoicePayment) -> WholeInvoice:
        """An invoice that is not stored yet."""
        return cls(invoice, InvoiceRecord(invoice.summary, payment, 0, document_body(invoice)))

    @property
    def payment(self) -> InvoicePayment:
        """The state of its payment."""
        return self.record.payment

    @property
    def version(self) -> int:
        """How often its payment has changed."""
        return self.record.version

    @property
    def left(self) -> Money:
        """See InvoiceRecord.left."""
        return self.record.left

    @property
    def written(self) -> WholeInvoice:
        """The invoice after it was written."""
        return WholeInvoice(self.invoice, PaymentChange(self.record, self.payment).written)


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """An invoice as it was read, and its payment as it becomes."""

    record: InvoiceRecord
    payment: InvoicePayment

    @property
    def new_entries(self) -> tuple[Entry, ...]:
        """What has happened to the money."""
        return self.payment.entries[len(self.record.payment.entries) :]

    @property
    def currency(self) -> str:
        """The currency of the invoice."""
        return self.record.invoice.total.currency

    @property
    def credit(self) -> int:
        """What the change adds to the account's credit in the invoice's currency, in minor units."""
        return self.payment.credit - self.record.payment.credit

    @property
    def added(self) -> Money:
        """What the change adds to the account's credit."""
        return Money(self.credit, self.currency)

    @property
    def written(self) -> InvoiceRecord:
        """The record after it was written."""
        return InvoiceRecord(self.record.invoice, self.payment, self.record.version + 1, None)


@dataclass(frozen=True, slots=True)
class DocumentOfAccount:
    """An account with the document that a request names, as one read returns them.

    `found` is None where there is no such item: no such invoice, or one in an item of an earlier release.
    """

    account: Account
    number: str
    found: IssuedInvoice | None


UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The errors of an item whose form is unknown, such as one that a later release has written."""

RATE_MISSING_KEPT = timedelta(days=400)
"""How long it is kept that staff were told of a missing rate: longer than an invoice can be late."""


class InvoiceStore(RateReads):
    """Reads and writes invoices in the table."""

    def __init__(self, table_name: str, client: Any) -> None:
        super().__init__(table_name, client)
        self._counters: dict[tuple[str, int], SeriesCounter] = {}

    def billing_context(self, account: str) -> BillingContext | None:
        """The billing context of an account, None without the account. One read."""
        partition = keys.account(account)
        return _context_from(self._reads.get_all([*((partition, key) for key in _CONTEXT), _TAX_TABLE]), partition)

    def billing_context_with(self, account: str, number: str) -> tuple[BillingContext, DocumentOfAccount]:
        """The billing context of an account, and the document of an invoice. Raises AccountNotFound. One read."""
        partition, document = keys.account(account), keys.document(number)
        rows = self._reads.get_all([*((partition, key) for key in (*_CONTEXT, document)), _TAX_TABLE])
        context = existing(_context_from(rows, partition))
        return context, _document_of(context.subscriber.account, number, rows.get((partition, document)))

    def document_of(self, account: str, number: str) -> DocumentOfAccount:
        """An account with the document of one of its invoices. Raises AccountNotFound. One read."""
        partition, document = keys.account(account), keys.document(number)
        rows = self._reads.get_all([(partition, keys.PAGE_ACCOUNT), (partition, document)])
        row = rows.get((partition, keys.PAGE_ACCOUNT))
        if row is None:
            raise AccountNotFound
        return _document_of(account_of(row), number, rows.get((partition, document)))

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

    def registered(self, series: str, year: int) -> Iterator[RegisteredNumber]:
        """The whole register of a series and year, the first number first. One query per megabyte (7,000 numbers)."""
        family = keys.numbers(series, year)
        for row in self._reads.query(keys.NUMBERS, family, keys.last_of(family), consistent=True):
            yield _registered_from(series, row)

    def advance(
        self,
        context: BillingContext,
        fixed: FixedMonth,
        events: Sequence[Event] = (),
        after: Settled | None = None,
    ) -> None:
        """Writes a fixed month that has no invoice, and the events. Raises ConcurrentChange. One transaction.

        `after` are the one-offs after an invoice that comes to zero; None where they stay as they are.
        """
        with self._transaction() as write:
            _check_versions(write, context)
            set_renewal_due(write, context, fixed.following)
            if context.reconcile_on is None:  # of an earlier release: each account has such a month within a month
                set_reconciliation_due(write, context, fixed.since)
            write_period(write, context.subscriber.account, fixed.period, fixed.closed)
            if after is not None:
                write_one_offs(write, context, after)
            for event in events:
                write.record(event)

    def issue(
        self,
        context: BillingContext,
        whole: WholeInvoice,
        number: NextNumber,
        fixed: FixedMonth,
        credit: int,
        event: Event,
    ) -> None:
        """Writes an invoice with its number, its event and the next contract month.

        `fixed` is the contract month that it is issued for, its period with this invoice.

        Raises NumberTaken when another invoice has that number, or a later one was issued; ConcurrentChange when the
        account, its subscription, its credit balance, its due month or its one-offs have changed. One transaction:
        numbers stay gapless, and each is registered.
        """
        account, invoice = context.subscriber.account, whole.invoice
        after = settled(context.one_offs.open, invoice.draft.lines, invoice.number, invoice.produced_on)
        with self._numbered(number, whole.invoice) as write:
            _check_versions(write, context)
            set_renewal_due(write, context, fixed.following)
            write_period(write, account, fixed.period, fixed.closed)
            write_invoice(write, account, whole.record)
            write_evidence(write, context, whole.invoice)
            write.record(event)
            set_reconciliation_due(write, context, whole.payment.issued_on)
            write_credit(write, context, credit)
            write_one_offs(write, context, after)

    def issue_one_offs(
        self,
        context: BillingContext,
        whole: WholeInvoice,
        number: NextNumber,
        after: Settled,
        credit: int,
        events: Sequence[Event],
    ) -> None:
        """Writes an invoice of one-off charges alone, with its number and its events. `after` are the one-offs then.

        Raises NumberTaken as `issue` does; ConcurrentChange when the account, its credit balance or its one-offs have
        changed, or another one-off had the id of one that it closes. One transaction.
        """
        account = context.subscriber.account
        with self._numbered(number, whole.invoice) as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write_invoice(write, account, whole.record)
            write_evidence(write, context, whole.invoice)
            for event in events:
                write.record(event)
            set_reconciliation_due(write, context, whole.payment.issued_on)
            write_credit(write, context, credit)
            write_one_offs(write, context, after, is_changed=True)

    def close_one_offs(self, context: BillingContext, after: Settled, events: Sequence[Event]) -> None:
        """Writes the one-offs of an account as they are `after` a change, and the events.

        Raises ConcurrentChange when the account or its one-offs have changed. One transaction.
        """
        account = context.subscriber.account
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write_one_offs(write, context, after)
            for event in events:
                write.record(event)

    def hold(self, context: BillingContext, hold: InvoicingHold, event: Event) -> None:
        """Keeps that invoicing of an account has stopped, or that it may go on, and records it.

        Raises ConcurrentChange when that, the account or what is due has changed. One transaction.
        """
        account = context.subscriber.account
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            write.replace(_hold_item(hold), hold.version)
            write.record(event)

    def held(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[InvoicingHold]:
        """A page of the accounts whose invoicing waits for staff, the longest first; of those on a test clock if one is
        named. One query of the index."""
        return self._reads.oldest(
            keys.on_clock(keys.HELD, clock), "", _hold_of, limit=limit, after=after, index=keys.INDEX
        )

    def invoices_since(self, account: str, day: date) -> tuple[IssuedInvoice, ...]:
        """What was issued on a day or after it, oldest first. One query, and one read per DOCUMENTS_AT_ONCE invoices
        that are not in an item of an earlier release."""
        rows = [
            *self._reads.query(
                keys.account(account), keys.invoice(day, ""), keys.last_of(keys.INVOICE), consistent=True
            )
        ]
        documents = stored_documents(self._reads, rows)
        return tuple(issued_from(documents.get(row.key, row.body)) for row in rows)

    def correct(
        self,
        context: BillingContext,
        changes: Sequence[PaymentChange],
        credit_note: WholeInvoice,
        number: NextNumber,
        events: Sequence[Event],
        fixed: FixedMonth | None = None,
    ) -> None:
        """Writes a credit note with its number, the new payment of the corrected invoice, and those of the invoices
        that its credit pays. `fixed` is the contract month that it is issued for, its period with it; None without one.

        Raises NumberTaken, or ConcurrentChange when a payment or the credit balance has changed; with `fixed` also when
        the account, its subscription or its due item has. One transaction: no money moves without the document that
        explains it.
        """
        with self._numbered(number, credit_note.invoice) as write:
            if fixed is None:
                write.require_account(credit_note.invoice.account)
            else:
                _check_versions(write, context)
                set_renewal_due(write, context, fixed.following)
                write_period(write, context.subscriber.account, fixed.period, fixed.closed)
            write_invoice(write, context.subscriber.account, credit_note.record)
            for event in events:
                write.record(event)
            set_reconciliation_due(write, context, credit_note.payment.issued_on)
            _write_changes(write, context, changes)

    def reissue(
        self,
        context: BillingContext,
        changes: Sequence[PaymentChange],
        credit_note: tuple[WholeInvoice, NextNumber],
        invoice: tuple[WholeInvoice, NextNumber],
        period: PaidPeriod | None,
        stored: str | None,
        events: Sequence[Event],
    ) -> None:
        """Writes a credit note and the invoice in the place of the one that it takes back, with their numbers, and the
        new payments of that one and of others.

        `period` is their paid period with both, None where none is kept. `stored` is its item as it was read where it
        has ended, None for the running one. Raises NumberTaken, or ConcurrentChange when a payment, the credit balance,
        the account, its subscription or the period has changed. One transaction.
        """
        account = context.subscriber.account
        written = [(number, whole.invoice) for whole, number in (credit_note, invoice)]
        with self._all_numbered(written) as write:
            if invoice[1].text in {each.record.invoice.number for each in changes}:
                # A process that is behind in the series takes the number of the invoice itself for free. A transaction
                # with both would have two actions on one item, which DynamoDB does not accept.
                raise NumberTaken(SeriesCounter())
            _check_versions(write, context)
            if period is not None and stored is None:
                write_period(write, account, period, None)
            elif period is not None:
                key = keys.period(period.contract, period.first_month)
                write.replace_if(Item(keys.account(account.id), key, period_body(period, account.contract)), stored)
            for whole, _ in (credit_note, invoice):
                write_invoice(write, account, whole.record)
            new = invoice[0]
            write_evidence(write, context, new.invoice)
            for event in events:
                write.record(event)
            set_reconciliation_due(write, context, new.payment.issued_on)
            for change in changes:
                write_invoice(write, account, replace(change.record, payment=change.payment))
            added = [*(each.added for each in changes), Money(new.payment.credit, new.invoice.draft.total.currency)]
            _write_balance(write, context, context.with_credit_of(added))

    def closed_periods(self, account: str) -> Iterator[tuple[PaidPeriod, str]]:
        """The paid periods of an account that have ended, the latest first, with their items as they are stored. One
        query."""
        rows = self._reads.query(
            keys.account(account), keys.PERIOD, keys.last_of(keys.PERIOD), newest_first=True, consistent=True
        )
        return ((period_from(row.body, row.version), row.body) for row in rows)

    def record(self, account: str, number: str) -> InvoiceRecord:
        """The summary of one invoice by its number. Raises NotFound. One query of the summaries of that year."""
        return _record_from(self._row(account, number))

    def invoice(self, account: str, number: str) -> WholeInvoice:
        """One invoice with its document, by its number. Raises NotFound. Two reads."""
        return self._whole(account, number, self._issued(account, number))

    def document(self, asked: DocumentOfAccount) -> IssuedInvoice:
        """The document that was asked for. Raises NotFound. Nothing to read, or a query for an earlier release's item.

        Two reads if the item was divided in between.
        """
        return asked.found or self._whole(asked.account.id, asked.number, None).invoice

    def whole(self, asked: DocumentOfAccount) -> WholeInvoice:
        """The document that was asked for, with its summary. Raises NotFound. One read."""
        return self._whole(asked.account.id, asked.number, asked.found)

    def summaries(self, account: str) -> tuple[InvoiceRecord, ...]:
        """The summaries of all invoices and credit notes, oldest first. One query per megabyte, strongly consistent."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE), consistent=True)
        return tuple(_record_from(row) for row in rows)

    def unpaid(self, account: str, *, consistent: bool = False) -> tuple[InvoiceRecord, ...]:
        """The unpaid invoices, oldest first, with those in transit. One query of all summaries.

        An eventually consistent read may miss the last moment's changes; `consistent` costs twice the read units.
        Raises an error of UNREADABLE for an item that cannot be read.
        """
        found, faults = self.readable_unpaid(account, consistent=consistent)
        if faults:
            raise faults[0]
        return found

    def readable_unpaid(
        self, account: str, *, consistent: bool = False
    ) -> tuple[tuple[InvoiceRecord, ...], list[Exception]]:
        """Like `unpaid`, without the items that cannot be read and without what they may collect, and their errors."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE), consistent=consistent)
        waiting = {*UNPAID, InvoiceStatus.IN_TRANSIT}
        found: list[InvoiceRecord] = []
        faults: list[Exception] = []
        collecting: list[str] = []
        for row in rows:
            try:
                if invoice_from(row.body).status in waiting:
                    found.append(_record_from(row))
            except UNREADABLE as fault:
                faults.append(fault)
                collecting.append(row.body if "allocations" in row.body else "")
        free = (each for each in found if not any(f'"{each.invoice.number}"' in body for body in collecting))
        return tuple(free), faults

    def documents(self, account: str) -> tuple[WholeInvoice, ...]:
        """All invoices and credit notes of an account, oldest first. Also of one whose deletion has begun. One strongly
        consistent query per megabyte of summaries, and one read per DOCUMENTS_AT_ONCE documents."""
        rows = [*self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE), consistent=True)]
        documents = stored_documents(self._reads, rows)
        return tuple(WholeInvoice(issued_from(documents.get(row.key, row.body)), _record_from(row)) for row in rows)

    def is_registered(self, number: str) -> bool:
        """Whether the register of numbers has this one. One get."""
        key = _place_in_register(number)
        return key is not None and self._reads.get(keys.NUMBERS, key) is not None

    def is_of_deleted(self, account: str, number: str | None, payment: str) -> bool:
        """Whether a payment of an account is one of a deleted account with the same id.

        Its document's number was given and the account does not have the document: no account loses one otherwise. Or a
        deletion has noted the payment, as that of a reactivation, which is named before its invoice has a number. One
        read, strongly consistent: an invoice may be a moment old.
        """
        key = None if number is None else _place_in_register(number)
        noted = (keys.residue(payment), keys.NOTE)
        places = [noted]
        if number is not None and key is not None:
            places += [(keys.NUMBERS, key), (keys.account(account), keys.document(number))]
        found = self._reads.get_all(places)
        return noted in found or [place in found for place in places[1:]] == [True, False]

    def of_payment(self, account: str, payment: str, number: str) -> tuple[InvoiceRecord, ...]:
        """The invoices and credit notes that name a payment of the payment service, and the invoice with this number;
        oldest first. One query of all summaries."""
        rows = self._reads.query(keys.account(account), keys.INVOICE, keys.last_of(keys.INVOICE))
        end = keys.end_of_invoice(number)
        return tuple(_record_from(row) for row in rows if payment in row.body or row.key.endswith(end))

    def invoices(
        self, account: str, *, year: int | None, status: InvoiceStatus | None, limit: int, after: str | None
    ) -> Slice[Invoice]:
        """A page of the invoices, of one year or of all, newest first. One query."""
        return self._listed(account, lambda _, invoice: invoice, year=year, status=status, limit=limit, after=after)

    def whole_invoices(
        self, account: str, *, year: int | None, status: InvoiceStatus | None, limit: int, after: str | None
    ) -> Slice[WholeInvoice]:
        """Like `invoices`, with what each one said. One query, and one read per DOCUMENTS_AT_ONCE invoices."""
        page = self._listed(account, lambda row, _: row, year=year, status=status, limit=limit, after=after)
        documents = stored_documents(self._reads, page.items)
        whole = (WholeInvoice(issued_from(documents.get(row.key, row.body)), _record_from(row)) for row in page.items)
        return Slice(tuple(whole), page.last)

    def _listed(
        self,
        account: str,
        value_of: Callable[[Row, Invoice], T],
        *,
        year: int | None,
        status: InvoiceStatus | None,
        limit: int,
        after: str | None,
    ) -> Slice[T]:
        def listed(row: Row) -> T | None:
            invoice = invoice_from(row.body)
            return value_of(row, invoice) if status in {None, invoice.status} else None

        return self._reads.newest(
            keys.account(account),
            keys.INVOICE,
            listed,
            limit=limit,
            after=after,
            within=None if year is None else f"{keys.INVOICE}{year:04}",
            filtered=status is not None,
        )

    def of_month(
        self, month: date, *, credit_notes: bool, limit: int, after: str | None, clock: str | None = None
    ) -> Slice[WholeInvoice]:
        """A page of the invoices, or of the credit notes, that all accounts got in a month; by day and number. Of those
        on a test clock if one is named.

        One query of the index per shard, and one read per SUMMARIES_AT_ONCE documents. One whose account has been
        deleted meanwhile is left out.
        """
        shards = keys.list_shards(keys.of_month(keys.CREDIT_NOTES if credit_notes else keys.INVOICES, month))
        page = self._reads.listed(shards, lambda row: issued_from(row.body), limit=limit, after=after, clock=clock)
        found: list[WholeInvoice] = []
        for first in range(0, len(page.items), SUMMARIES_AT_ONCE):
            places = {
                (keys.account(each.account), keys.invoice(each.produced_on, each.number)): each
                for each in page.items[first : first + SUMMARIES_AT_ONCE]
            }
            summaries = self._reads.get_all(places)
            found += [WholeInvoice(each, _record_from(summaries[at])) for at, each in places.items() if at in summaries]
        return Slice(tuple(found), page.last)

    def past_due(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[InvoiceRecord]:
        """A page of the past due invoices of all accounts, the oldest due date first; of those on a test clock if one
        is named. One query of each index.

        Those that became past due under an earlier release are in `gsi1` until they are written again. Both indexes
        have the same sort key, so a page begins in both after the last key of the page before.
        """
        pages = [
            self._reads.oldest(
                keys.on_clock(keys.PAST_DUE, clock), "", _record_from, limit=limit, after=after, index=index
            )
            for index in (keys.INDEX, keys.LIST_INDEX)
        ]
        found = {_place_past_due(each.invoice): each for page in pages for each in page.items}
        places = sorted(found)
        follows = len(places) > limit or any(page.last is not None for page in pages)
        return Slice(tuple(found[place] for place in places[:limit]), places[limit - 1] if follows else None)

    def save_payment(
        self, account: Account, record: InvoiceRecord, payment: InvoicePayment, others: Sequence[InvoiceRecord] = ()
    ) -> InvoiceRecord:
        """Writes a payment without an event, and the next version of the `others` that go with it.

        Returns the new record. Raises ConcurrentChange when one of them has changed. One transaction.
        """
        change = PaymentChange(record, payment)
        with self._transaction() as write:
            write.require_account(account.id)
            for each in (replace(record, payment=payment), *others):
                write_invoice(write, account, each)
        return change.written

    def begin_credit_refund(self, context: BillingContext, change: PaymentChange) -> BillingContext:
        """Writes the refund of a part of the credit that is begun, and takes that part from the credit.

        Returns the context with the new credit. Raises ConcurrentChange when the account, the credit or the invoice has
        changed: a reactivation that was requested counts on the credit. One transaction.
        """
        account = context.subscriber.account
        with self._transaction() as write:
            write.check(keys.account(account.id), keys.PAGE_ACCOUNT, account.version)
            _write_changes(write, context, [change])
        return context.with_credit_of([change.added])

    def settle(self, context: BillingContext, changes: Sequence[PaymentChange], events: Sequence[Event]) -> None:
        """Writes new payments of invoices, what they change of the credit, and their events.

        Raises ConcurrentChange when a payment or the credit has changed. One transaction.
        """
        with self._transaction() as write:
            write.require_account(context.subscriber.account.id)
            moved_on = [entry.on for change in changes for entry in change.new_entries]
            if moved_on:
                set_reconciliation_due(write, context, max(moved_on))
            _write_changes(write, context, changes)
            for event in events:
                write.record(event)

    def replace_collection_due(self, context: BillingContext, due: CollectionDue | None) -> None:
        """Retires or removes the collection item of an earlier release. Raises ConcurrentChange. One transaction."""
        account = context.subscriber.account
        before = None if context.collection is None else collection_due_body(context.collection)
        at, body = (None, "") if due is None else (start_of(due.on, account.contract), collection_due_body(due))
        with self._transaction() as write:
            write.require_account(account.id)
            write.due_if(before, account.id, Job.COLLECTION, at, body)

    def ask_for_check(self, context: BillingContext, due: VatNumberDue) -> None:
        """Makes the company's VAT number due, unless it is due already. One transaction. Raises ConcurrentChange."""
        account = context.subscriber.account.id
        with suppress(_DueAlready), self._transaction(_DueAlready()) as write:
            write.require_account(account)
            write.due_if(None, account, Job.VAT_NUMBER, due.at, vat_number_due_body(due))

    def is_told(self, awaited: AwaitedRate | AwaitedTaxRate, account: str) -> bool:
        """Whether staff were told that this rate is missing, of the real accounts or of those on the same test clock.
        One get."""
        return self._reads.get(*_missing_rate_key(awaited, account)) is not None

    def await_rate(
        self, context: BillingContext, awaited: AwaitedRate | AwaitedTaxRate, event: Event | None, *, is_due: bool
    ) -> None:
        """Writes that the due month waits for a rate, if it `is_due`, and that staff are told, with an event.

        Raises ConcurrentChange when the due item has changed, or when staff were told meanwhile. One transaction.
        """
        account = context.subscriber.account.id
        with self._transaction() as write:
            write.require_account(account)
            if is_due and context.due is not None:
                set_renewal_due(write, context, replace(context.due, awaits=awaited))
            if event is not None:
                key = _missing_rate_key(awaited, account)
                write.record_with(event, lambda recorded: _missing_rate_item(key, recorded))

    def begin_currency(self, context: BillingContext, after: Subscriber, change: TermChange, event: Event) -> None:
        """Writes the account in another currency with its subscription, and the change that is in effect by that.

        Credit that it has in that currency since an earlier change is its credit again. Raises ConcurrentChange when
        the account, its subscription, the change, what is due, or what could be left in the old currency has changed:
        credit, one-offs, the payment method. One transaction.
        """
        account, partition = after.account, keys.account(after.account.id)
        others = dict(context.other_credit)
        credit = others.pop(account.contract.currency, 0)
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            item = Item(partition, keys.PAGE_SUBSCRIPTION, subscription_body(after.subscription))
            write.replace(item, context.subscriber.subscription.version)
            self._write_change(write, context, change)
            # Also where nothing changes: who has read the balance before the change would write it in the old currency.
            balance = Item(partition, keys.BALANCE, balance_body(credit, others))
            write.replace(balance, context.credit_version)
            write.check(partition, keys.PAGE_ONE_OFFS, context.one_offs.version)
            write.check(partition, keys.PAGE_PAYMENT_METHOD, context.profile.version)
            write.record(event)

    def lapse_currency(self, context: BillingContext, change: TermChange, event: Event) -> None:
        """Writes that another currency has lapsed. Raises ConcurrentChange when the account, the change or what is due
        has changed. One transaction."""
        account = context.subscriber.account
        with self._transaction() as write:
            write.replace(account_item(account), account.version)
            self._write_change(write, context, change)
            write.record(event)

    def _write_change(self, write: Transaction, context: BillingContext, change: TermChange) -> None:
        account = context.subscriber.account
        write.replace(term_item(account.id, change, account.contract), change.version)
        if context.due is not None:
            set_renewal_due(write, context, context.due)

    def schedule(self, context: BillingContext, due: InvoicingDue) -> None:
        """Writes the first due item of invoicing. Raises ConcurrentChange where one exists. One transaction."""
        with self._transaction() as write:
            write.require_account(context.subscriber.account.id)
            set_renewal_due(write, context, due)

    def _row(self, account: str, number: str) -> Row:
        year = number.rpartition("-")[0].rpartition("-")[2]
        family = f"{keys.INVOICE}{year}" if year.isdecimal() else keys.INVOICE
        for row in self._reads.query(keys.account(account), family, keys.last_of(family)):
            if row.key.endswith(keys.end_of_invoice(number)):
                return row
        raise NotFound("There is no such invoice.")

    def _issued(self, account: str, number: str) -> IssuedInvoice | None:
        key = (keys.account(account), keys.document(number))
        row = self._reads.get_all([key]).get(key)
        return None if row is None else issued_from(row.body)

    def _whole(self, account: str, number: str, document: IssuedInvoice | None) -> WholeInvoice:
        """An invoice by its number, and its document if that is read already."""
        if document is None:
            row = self._row(account, number)
            if is_whole(row.body):
                return WholeInvoice(issued_from(row.body), _record_from(row))
            document = self._issued(account, number)  # it was divided after its document was looked for
            if document is None:
                raise NotFound("There is no such invoice.")
        key = (keys.account(account), keys.invoice(document.produced_on, number))
        summary = self._reads.get_all([key]).get(key)
        if summary is None:
            raise NotFound("There is no such invoice.")
        return WholeInvoice(document, _record_from(summary))

    @contextmanager
    def _numbered(self, number: NextNumber, invoice: IssuedInvoice) -> Iterator[Transaction]:
        """A transaction that takes a number and registers it for an invoice. Raises NumberTaken, ConcurrentChange.

        Numbers are gapless and rise with their days: the transaction fails when the counter is another by now.
        """
        with self._all_numbered([(number, invoice)]) as write:
            yield write

    @contextmanager
    def _all_numbered(self, documents: Sequence[tuple[NextNumber, IssuedInvoice]]) -> Iterator[Transaction]:
        """A transaction that takes several numbers, each of another series. See _numbered."""
        try:
            with self._transaction() as write:
                for number, invoice in documents:
                    series = keys.series(number.series, number.day.year)
                    counter = Item(keys.NUMBERS, series, text({"registered_from": number.registered_from}))
                    write.number(counter, number.count, number.day, _taken)
                    # The counter's condition guards it: one refusal, one cause.
                    write.put(_registered_item(number, invoice))
                yield write
        except NumberTaken as taken:
            [*others, (number, _)] = documents
            if others:  # the refusal does not say of which series it is
                for each, _ in documents:
                    self._counters.pop((each.series, each.day.year), None)
            else:
                self._counters[number.series, number.day.year] = taken.counter
            raise
        for number, _ in documents:
            self._counters[number.series, number.day.year] = number.counter


def _check_versions(write: Transaction, context: BillingContext) -> None:
    """Requires the account and the subscription at the versions that the invoice was built from."""
    account, subscription = context.subscriber.account, context.subscriber.subscription
    partition = keys.account(account.id)
    write.check(partition, keys.PAGE_ACCOUNT, account.version)
    write.check(partition, keys.PAGE_SUBSCRIPTION, subscription.version)


def write_invoice(write: Transaction, account: Account, record: InvoiceRecord) -> None:
    """Writes the summary of an invoice with its payment; version 0 creates it. Its document is written once, with it.

    It is in the index of due work from the day of its next look on, and if it is past due in the list of staff.
    """
    invoice, payment = record.invoice, record.payment
    look = payment.next_look_on
    at = None if look is None else keys.instant(start_of(look, account.contract))
    is_past_due = payment.status is InvoiceStatus.PAST_DUE
    item = Item(
        keys.account(invoice.account),
        keys.invoice(invoice.produced_on, invoice.number),
        summary_body(invoice, payment),
        index=None if at is None else (keys.shard_of(Job.COLLECTION, invoice.account), at),
        list_index=(keys.PAST_DUE, _place_past_due(invoice)) if is_past_due else None,
    )
    write.replace(item, record.version)
    if record.unwritten is not None:
        write.add(document_item(invoice, record.unwritten))


def document_item(invoice: InvoiceSummary, document: str) -> Item:
    """The item of an invoice's document, in the list of its month, invoices and credit notes apart."""
    family = keys.INVOICES if invoice.corrects is None else keys.CREDIT_NOTES
    month = keys.of_month(family, invoice.produced_on)
    place = keys.list_shard(month, invoice.number), keys.listed_document(invoice.produced_on, invoice.number)
    return Item(keys.account(invoice.account), keys.document(invoice.number), document, list_index=place)


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
    waiting = keys.AWAITS_TAX if isinstance(due.awaits, AwaitedTaxRate) else keys.AWAITS_RATE
    waits = None if due.awaits is None else (waiting, keys.awaits_rate(due.awaits.day, account.id))
    write.due_if(before, account.id, Job.RENEWAL, at, invoicing_due_body(due), waits)


def set_reconciliation_due(write: Transaction, context: BillingContext, day: date) -> None:
    """Makes the books due for comparison from `day` on, because money has moved, unless they are due the day after.

    So it is written for accounts of earlier releases, and after a month without motion. There is no condition: a
    comparison that runs meanwhile is made again.
    """
    account = context.subscriber.account
    if context.reconcile_on is None or context.reconcile_on > day + timedelta(days=1):
        write.due(account.id, Job.RECONCILIATION, start_of(day, account.contract), day_body(day))


def write_period(write: Transaction, account: Account, period: PaidPeriod | None, closed: PaidPeriod | None) -> None:
    """The running paid period, at its version, and the one before it, if it is closed now. None for no change."""
    partition = keys.account(account.id)
    if period is not None:
        write.replace(Item(partition, keys.PAGE_PERIOD, period_body(period, account.contract)), period.version)
    if closed is not None:
        key = keys.period(closed.contract, closed.first_month)
        write.put(Item(partition, key, period_body(closed, account.contract)))


def write_credit(write: Transaction, context: BillingContext, credit: int) -> None:
    """Writes the credit balance in the contract's currency, in minor units, where it has changed."""
    _write_balance(write, context, context.with_credit_of([Money(credit - context.credit, context.currency)]))


def write_credit_of(write: Transaction, context: BillingContext, changes: Iterable[PaymentChange]) -> None:
    """Writes what changes of invoices add to the credit balances of their currencies."""
    _write_balance(write, context, context.with_credit_of(each.added for each in changes))


def _write_balance(write: Transaction, context: BillingContext, after: BillingContext) -> None:
    if after is not context:
        body = balance_body(after.credit, after.other_credit)
        write.replace(Item(keys.account(context.subscriber.account.id), keys.BALANCE, body), context.credit_version)


def write_one_offs(write: Transaction, context: BillingContext, after: Settled, *, is_changed: bool = False) -> None:
    """Writes the open one-offs where they have changed, and each closed one as an item of its own, once.

    With `is_changed` the open ones are written anyway: `context` has one that is not stored.
    """
    partition = keys.account(context.subscriber.account.id)
    if is_changed or after.open != context.one_offs.open:
        write.replace(Item(partition, keys.PAGE_ONE_OFFS, open_body(after.open)), context.one_offs.version)
    for each in after.closed:
        write.add(Item(partition, keys.one_off(each.id), closed_body(each)))


def _write_changes(write: Transaction, context: BillingContext, changes: Sequence[PaymentChange]) -> None:
    for change in changes:
        write_invoice(write, context.subscriber.account, replace(change.record, payment=change.payment))
    write_credit_of(write, context, changes)


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
    draft = invoice.draft
    body = {"count": number.count, "day": number.day, "total": draft.total, "tax": draft.tax_amount}
    if draft.seller_tax is not None:
        body["seller_tax"] = draft.seller_tax.amount
    return Item(keys.NUMBERS, keys.number(number.series, number.day.year, number.count), text(body))


def _registered_from(series: str, row: Row) -> RegisteredNumber:
    body = parsed(row.body)
    day, total, tax = date.fromisoformat(body["day"]), Money(**body["total"]), Money(**body["tax"])
    seller_tax = Money(**body["seller_tax"]) if "seller_tax" in body else None
    return RegisteredNumber(series, body["count"], day, total, tax, seller_tax)


def _missing_rate_key(awaited: AwaitedRate | AwaitedTaxRate, account: str) -> tuple[str, str]:
    if isinstance(awaited, AwaitedTaxRate):
        return keys.TAX_RATES, keys.tax_rate_missing(awaited.country, account)
    return keys.EXCHANGE_RATES, keys.rate_missing(awaited.day, awaited.currency, account)


def _missing_rate_item(key: tuple[str, str], event: Event) -> Item:
    return Item(*key, text({"event": event.id}), expires_at=event.time + RATE_MISSING_KEPT)


def _hold_item(hold: InvoicingHold) -> Item:
    waits = hold.released_until is None
    return Item(
        keys.account(hold.account),
        keys.HELD,
        text(without_version(fields_of(hold))),
        index=(keys.HELD, f"{keys.instant(hold.held_at)}#{hold.account}") if waits else None,
    )


def _day_of(row: Row | None) -> date | None:
    return None if row is None else day_from(row.body)


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


def stored_documents(reads: Reader, rows: Sequence[Row]) -> dict[str, str]:
    """The stored documents of invoices, by the key of the invoice's row. Of an earlier release's item, none.

    One read per DOCUMENTS_AT_ONCE invoices.
    """
    divided = [row for row in rows if not is_whole(row.body)]
    found: dict[str, str] = {}
    for first in range(0, len(divided), DOCUMENTS_AT_ONCE):
        places = {
            row.key: (row.partition, keys.document(keys.day_and_number(row.key)[1]))
            for row in divided[first : first + DOCUMENTS_AT_ONCE]
        }
        documents = reads.get_all(places.values())
        found |= {key: documents[place].body for key, place in places.items() if place in documents}
    return found


def _context_from(rows: Mapping[tuple[str, str], Row], partition: str) -> BillingContext | None:
    company, billing = (rows.get((partition, keys.page_information(area))) for area in (Area.COMPANY, Area.BILLING))
    subscriber = subscriber_from(rows, partition)
    if subscriber is None or company is None or billing is None:
        return None
    others = (keys.PAGE_PAYMENT_METHOD, _RENEWAL, _COLLECTION, keys.BALANCE, keys.PAGE_VAT_CHECK)
    profile, due, collection, balance, check = (rows.get((partition, key)) for key in others)
    return BillingContext(
        subscriber=subscriber,
        profile=PaymentProfile() if profile is None else payment_profile_from(profile.body, profile.version),
        company=company_from(company.body),
        billing=billing_from(billing.body),
        due=None if due is None else invoicing_due_from(due.body),
        credit=0 if balance is None else parsed(balance.body)["credit"],
        credit_version=0 if balance is None else balance.version,
        other_credit=other_credit_from(balance),
        term=term_from(rows.get((partition, keys.PAGE_TERM))),
        collection=None if collection is None else collection_due_from(collection.body),
        period=period_of(rows.get((partition, keys.PAGE_PERIOD))),
        hold=_hold_from(rows.get((partition, keys.HELD))),
        vat_check=None if check is None else check_from(check.body, check.version),
        reconcile_on=_day_of(rows.get((partition, _RECONCILIATION))),
        exemptions=exemptions_of(rows.get((partition, keys.PAGE_TAX_EXEMPTIONS))),
        rates=tax_rates_of(rows.get(_TAX_TABLE)),
        one_offs=one_offs_of(rows.get((partition, keys.PAGE_ONE_OFFS))),
    )


def _document_of(account: Account, number: str, row: Row | None) -> DocumentOfAccount:
    return DocumentOfAccount(account, number, None if row is None else issued_from(row.body))


def _place_in_register(number: str) -> str | None:
    """The key of a document's number in the register, None for a name that is no number."""
    series_and_year, _, count = number.rpartition("-")
    series, _, year = series_and_year.rpartition("-")
    return keys.number(series, int(year), int(count)) if year.isdecimal() and count.isdecimal() else None


def _place_past_due(invoice: InvoiceSummary) -> str:
    return keys.past_due(invoice.due_on, invoice.account, invoice.number)


def _record_from(row: Row) -> InvoiceRecord:
    summary, payment, document = summary_from(row.partition.removeprefix(keys.account("")), row.body)
    return InvoiceRecord(summary, payment, row.version, document)
