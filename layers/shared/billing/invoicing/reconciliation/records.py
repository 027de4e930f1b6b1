"""What is compared, and the findings, in the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from billing.invoicing.due_mapping import day_body, day_from
from billing.invoicing.invoices import BillingReason, IssuedInvoice
from billing.invoicing.mapping import is_whole, issued_from, summary_from
from billing.invoicing.numbering import SeriesCounter
from billing.invoicing.one_off_mapping import closed_from
from billing.invoicing.one_offs import OneOff
from billing.invoicing.period_mapping import period_from
from billing.invoicing.periods import PaidPeriod, amounts_of
from billing.invoicing.reconciliation.mapping import finding_body, finding_from
from billing.invoicing.reconciliation.rules import BookedDocument, BookedOneOff, Finding
from billing.invoicing.records import BillingContext, InvoiceStore, stored_documents
from billing.invoicing.transfer_records import transfer_from
from billing.invoicing.transfers import Transfer
from billing.kernel.events import Event
from billing.kernel.schedules import Job, start_of
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

ONE_OFFS_MAX = 2000
"""How many closed one-offs of an account are read: four a month for forty years."""

PERIODS_MAX = 600
"""How many closed paid periods of an account are read: fifty years of months."""

REGISTER = keys.NUMBERS
"""The name of the register among the accounts that are due: no account has an id with capitals."""


@dataclass(frozen=True, slots=True)
class RecordedBooks:
    """An account with its money, as read at once. `known` are the findings of the comparisons before.

    `is_register_due` says whether the register of numbers has its due item. `one_offs` are all of the account, open or
    closed.
    """

    context: BillingContext
    closed: tuple[PaidPeriod, ...]
    documents: tuple[BookedDocument, ...]
    known: tuple[Finding, ...]
    is_register_due: bool
    transfers: tuple[Transfer, ...] = ()
    one_offs: tuple[OneOff, ...] = ()


class ReconciliationStore(InvoiceStore):
    """Reads the books, and writes what differs."""

    def books(self, account: str, since: date) -> RecordedBooks | None:
        """The books of an account; None without it, or where no comparison is due at any time.

        Of the invoices and credit notes that were issued from the day `since` on it reads the documents too. Two reads,
        one more per DOCUMENTS_AT_ONCE of these, and four queries, all strongly consistent.
        """
        context = self.billing_context(account)
        if context is None or context.reconcile_on is None:
            return None
        partition, register_due = keys.account(account), (REGISTER, keys.due(Job.RECONCILIATION))
        rows = [*self._all(partition, keys.INVOICE, None)]
        said = stored_documents(self._reads, [row for row in rows if keys.day_and_number(row.key)[0] >= since])
        return RecordedBooks(
            context=context,
            closed=tuple(period_from(row.body, row.version) for row in self._all(partition, keys.PERIOD, PERIODS_MAX)),
            documents=tuple(_booked(row, said.get(row.key), context) for row in rows),
            known=tuple(finding_from(row.body) for row in self._all(partition, keys.FINDING, None)),
            is_register_due=register_due in self._reads.get_all([register_due]),
            transfers=tuple(map(transfer_from, self._all(partition, keys.TRANSFER, None))),
            one_offs=(
                *context.one_offs.open,
                *(closed_from(row.body) for row in self._all(partition, keys.EXTRA, ONE_OFFS_MAX)),
            ),
        )

    def save_comparison(
        self,
        books: RecordedBooks,
        next_on: date,
        new: Sequence[Finding],
        gone: Sequence[Finding],
        event: Event | None,
    ) -> None:
        """Writes the findings that are new, removes those that are gone, and moves the due day of the comparison.

        The first comparison of all makes the register of numbers due as well. Raises ConcurrentChange when the due day
        has changed. One transaction.
        """
        account = books.context.subscriber.account
        before = None if books.context.reconcile_on is None else day_body(books.context.reconcile_on)
        with self._transaction() as write:
            write.require_account(account.id)
            at = start_of(next_on, account.contract)
            write.due_if(before, account.id, Job.RECONCILIATION, at, day_body(next_on))
            _write_findings(write, keys.account(account.id), new, gone, event)
            if not books.is_register_due:
                write.add(_register_due(next_on))

    def register_due(self) -> date | None:
        """The day on which the register is compared next; None before the first comparison. One read."""
        key = (REGISTER, keys.due(Job.RECONCILIATION))
        row = self._reads.get_all([key]).get(key)
        return None if row is None else day_from(row.body)

    def stored_counter(self, series: str, year: int) -> SeriesCounter:
        """The numbers that a series has in a year, as stored now. One read."""
        self._counters.pop((series, year), None)
        return self.counter(series, year)

    def register_findings(self) -> tuple[Finding, ...]:
        """The findings about the register. One query."""
        return tuple(finding_from(row.body) for row in self._all(REGISTER, keys.FINDING, None))

    def save_register_comparison(
        self, due: date, next_on: date, new: Sequence[Finding], gone: Sequence[Finding], event: Event | None
    ) -> None:
        """Like save_comparison, for the register that was due on `due`. Raises ConcurrentChange. One transaction."""
        with self._transaction() as write:
            write.replace_if(_register_due(next_on), day_body(due))
            _write_findings(write, REGISTER, new, gone, event)

    def findings(self, account: str | None, *, limit: int, after: str | None) -> Slice[Finding]:
        """A page of the findings: of an account, by rule, or of all accounts and the register, the oldest first.

        One query, of the index of lists where no account is given.
        """
        if account is not None:
            return self._reads.oldest(keys.account(account), keys.FINDING, _finding_of, limit=limit, after=after)
        return self._reads.oldest(keys.FINDINGS, "", _finding_of, limit=limit, after=after, index=keys.LIST_INDEX)

    def _all(self, partition: str, family: str, limit: int | None) -> Iterator[Row]:
        return self._reads.query(partition, family, keys.last_of(family), limit=limit, consistent=True)


def _booked(row: Row, document: str | None, context: BillingContext) -> BookedDocument:
    """An invoice or credit note, of the row of its summary and its stored `document`, None where that was not read.

    An item of an earlier release holds its document too, and is looked at with the DUE#collection of its account.
    """
    summary, payment, _ = summary_from(context.subscriber.account.id, row.body)
    stored = row.body if is_whole(row.body) else document
    issued = None if stored is None else issued_from(stored)
    return BookedDocument(
        number=summary.number,
        produced_on=summary.produced_on,
        currency=summary.total.currency,
        payment=payment,
        looked_at=_looked_at(row, context),
        lines=None if issued is None else amounts_of(issued.draft.lines),
        is_of_a_period=issued is not None and (issued.takes_back or _is_of_a_period(issued)),
        stands_for=None if issued is None else _stands_for(issued),
        one_offs=() if issued is None else _one_offs(issued, {position for position, _ in payment.credited}),
    )


def _one_offs(issued: IssuedInvoice, credited: Set[int]) -> tuple[BookedOneOff, ...]:
    """The lines of an invoice that have a one-off; none of a credit note."""
    lines = enumerate(issued.draft.lines) if issued.corrects is None else ()
    return tuple(
        BookedOneOff(line.one_off, abs(line.net.amount), position in credited)
        for position, line in lines
        if line.one_off is not None
    )


def _is_of_a_period(issued: IssuedInvoice) -> bool:
    """Whether it is an invoice of contract months, of a release that keeps paid periods."""
    is_of_months = issued.draft.occasion is not BillingReason.ONE_OFF
    return issued.corrects is None and issued.draft.tax_point is not None and is_of_months


def _stands_for(issued: IssuedInvoice) -> str | None:
    """The invoice of which it is the correction: its credit note, or the invoice in its place."""
    if issued.replaces is not None:
        return issued.replaces.number
    corrects = issued.corrects
    return None if corrects is None or corrects.replaced_by is None else corrects.number


def _looked_at(row: Row, context: BillingContext) -> date | None:
    """The day from which a planner finds an invoice, by its own place in the index or by the account's of before."""
    contract = context.subscriber.account.contract
    days = [] if context.collection is None else [context.collection.on]
    if row.image.get(f"{keys.INDEX}pk", {}).get("S") == keys.shard_of(Job.COLLECTION, context.subscriber.account.id):
        days.append(contract.today(datetime.fromisoformat(row.image[f"{keys.INDEX}sk"]["S"])))
    return min(days, default=None)


def _write_findings(
    write: Transaction, partition: str, new: Sequence[Finding], gone: Sequence[Finding], event: Event | None
) -> None:
    for each in new:
        write.add(_finding_item(partition, each))
    for each in gone:
        write.delete(partition, keys.finding(*each.identity))
    if event is not None:
        write.record(event, shared=partition)


def _finding_item(partition: str, finding: Finding) -> Item:
    if finding.since is None:
        raise ValueError("a finding is stored with its first day")
    place = "#".join((keys.instant(finding.since), finding.account or REGISTER, *finding.identity))
    key = keys.finding(*finding.identity)
    return Item(partition, key, finding_body(finding), list_index=(keys.FINDINGS, place))


def _register_due(day: date) -> Item:
    index = (keys.shard_of(Job.RECONCILIATION, REGISTER), f"{day.isoformat()}T00:00Z")
    return Item(REGISTER, keys.due(Job.RECONCILIATION), day_body(day), index=index)


def _finding_of(row: Row) -> Finding:
    return finding_from(row.body)
