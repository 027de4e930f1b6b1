"""Staff import a file of bank statements: each booking becomes an entry once, and what agrees exactly is booked.

An import may be cut off anywhere, and the same file may come again: what is done is done, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from billing.invoicing.bank_statements.book import book, recorded
from billing.invoicing.bank_statements.entries import (
    BankEntry,
    EntryStatus,
    ImportedStatement,
    imported,
    new_entries,
)
from billing.invoicing.bank_statements.files import read_statements
from billing.invoicing.bank_statements.matching import (
    Doubt,
    Match,
    Mention,
    PayableInvoice,
    fitting,
    judged,
)
from billing.invoicing.bank_statements.records import ADDED_AT_ONCE, BankStatementStore, Located, payable
from billing.invoicing.bank_statements.references import mentions
from billing.invoicing.bank_statements.rules import Booking, Statement, checked, is_of
from billing.invoicing.records import UNREADABLE
from billing.invoicing.transfers import BookingTakenBack
from billing.kernel.errors import (
    BillingError,
    ConcurrentChange,
    Conflict,
    NotFound,
    RuleViolation,
    StaleVersion,
    UpstreamFailed,
)
from billing.kernel.events import EventType, RequestContext
from billing.payments.gateway import PaymentGateway
from billing.platform.events.new_event import new_event

ATTEMPTS_MAX = 3
"""How often one entry is tried in a request, while others change the same account."""

LOCATED_AT_ONCE = 25
"""Of how many entries the invoices are found at once. Those of a large file take longer than a request may last."""

OPEN = frozenset({EntryStatus.WAITING, EntryStatus.BOOKING})
"""What an import goes on with."""


@dataclass(frozen=True, slots=True)
class StatementOutcome:
    """A statement after a request to import it, with its entries in its order. `failures` says which entries could not
    be looked at: (entry, kind of the error); they wait for the next request."""

    statement: ImportedStatement
    entries: tuple[BankEntry, ...]
    failures: tuple[tuple[str, str], ...] = ()


def import_statements(
    content: bytes,
    *,
    context: RequestContext,
    series: str,
    iban: str | None,
    store: BankStatementStore,
    gateway: PaymentGateway,
    has_time: Callable[[], bool] = lambda: True,
) -> tuple[StatementOutcome, ...]:
    """Imports the statements of a file; goes on with one that is known. Stops looking at entries once it has no time.

    `series` is that of invoice numbers, `iban` the account that customers are asked to pay to, None for any. Raises
    RuleViolation for a file that cannot be imported, naming the place, before anything is written.

    A get and a transaction for each statement, a read for 100 entries and a transaction for 25 new ones; a read for 100
    numbers and a query for each. An entry that is doubtful takes one or two reads and a transaction; one that is booked
    nine round trips.
    """
    found = new_entries(checked(read_statements(content), context.time.date()))
    kept = [_kept(statement, entries, context, store) for statement, entries in found]
    looking = _Looking(context, series, iban, store, gateway)
    return tuple(_looked_at(statement, entries, looking, has_time) for statement, entries in kept)


def _kept(
    statement: Statement, entries: Sequence[BankEntry], context: RequestContext, store: BankStatementStore
) -> tuple[ImportedStatement, list[BankEntry]]:
    """The statement and its entries, as they are once all of them are kept."""
    ids = [each.id for each in entries]
    kept = imported(statement, ids, context.time, context.actor.user)
    known = store.find_statement(kept.id) or store.save_statement(kept)
    stored = store.entries([*dict.fromkeys(ids)])
    missing = [each for each in {each.id: each for each in entries}.values() if each.id not in stored]
    for first in range(0, len(missing), ADDED_AT_ONCE):
        store.add_entries(missing[first : first + ADDED_AT_ONCE])
    stored |= {each.id: replace(each, version=1) for each in missing}
    return known, [stored[each] for each in dict.fromkeys(ids)]


def _looked_at(
    statement: ImportedStatement, entries: Sequence[BankEntry], looking: _Looking, has_time: Callable[[], bool]
) -> StatementOutcome:
    looked_at: list[BankEntry] = []
    failures: list[tuple[str, str]] = []
    for place, entry in enumerate(entries):
        if entry.status not in OPEN or not has_time():
            looked_at.append(entry)
            continue
        looking.locate(entries[place : place + LOCATED_AT_ONCE])
        try:
            looked_at.append(looking.settled(entry))
        except (BillingError, *UNREADABLE) as error:  # one bad entry holds up only itself
            failures.append((entry.id, type(error).__name__))
            looked_at.append(looking.store.entry(entry.id))
    if statement.finished_at is None and not any(each.status in OPEN for each in looked_at):
        event = new_event(
            EventType.BANK_STATEMENT_IMPORTED,
            looking.context,
            account=None,
            before=None,
            after=statement.facts(looked_at),
        )
        statement = looking.store.save_statement(replace(statement, finished_at=looking.context.time), event)
    return StatementOutcome(statement, tuple(looked_at), tuple(failures))


class _Looking:
    """Looks at entries: what they pay, and books it if that is certain."""

    def __init__(
        self,
        context: RequestContext,
        series: str,
        iban: str | None,
        store: BankStatementStore,
        gateway: PaymentGateway,
    ) -> None:
        self.context, self.store = context, store
        self._series, self._iban, self._gateway = series, iban, gateway
        self._located: dict[str, Located] = {}
        self._looked_for: set[str] = set()

    def locate(self, entries: Sequence[BankEntry]) -> None:
        """Finds the invoices of all numbers that the first of these entries names, and with it those of the next ones.
        The place of a number never changes."""
        if entries[0].id in self._looked_for:
            return
        waiting = [each for each in entries if each.status in OPEN]
        numbers = {
            reading for each in waiting for mention in self._mentions(each.booking) for reading in mention.readings
        }
        self._located |= self.store.locate([*numbers])
        self._looked_for |= {each.id for each in waiting}

    def settled(self, entry: BankEntry) -> BankEntry:
        """The entry, booked or doubtful. Raises ConcurrentChange, UpstreamFailed: it waits for the next request."""
        for attempt in range(ATTEMPTS_MAX):
            try:
                return self._settled(entry)
            except (ConcurrentChange, StaleVersion):
                if attempt == ATTEMPTS_MAX - 1:
                    raise
                entry = self.store.entry(entry.id)
                if entry.status not in OPEN:  # another request has done it
                    return entry
        raise ConcurrentChange

    def _settled(self, entry: BankEntry) -> BankEntry:
        if entry.status is EntryStatus.WAITING or self._is_overtaken(entry):
            entry = self.store.save_entry(entry.judged(self._match(entry), self.context.time))
        elif entry.begun_at != self.context.time:
            entry = self.store.save_entry(entry.begun_again(self.context.time))
        if entry.status is not EntryStatus.BOOKING:
            return entry
        try:
            return book(entry, context=self.context, store=self.store, gateway=self._gateway)
        except (ConcurrentChange, StaleVersion, UpstreamFailed):
            raise
        except BookingTakenBack as refusal:
            return self._refused(entry, Doubt.TAKEN_BACK, refusal)
        except (Conflict, NotFound, RuleViolation) as refusal:
            return self._refused(entry, Doubt.REFUSED, refusal)

    def _is_overtaken(self, entry: BankEntry) -> bool:
        """Whether an earlier request was cut off before it booked an entry that was certain then. It may not be now."""
        is_certain = entry.status is EntryStatus.BOOKING and entry.decision is None
        if not is_certain or not entry.may_be_taken_back(self.context.time):
            return False
        return not any(recorded(entry, part, self.store) for part in entry.parts)

    def _refused(self, entry: BankEntry, doubt: Doubt, refusal: BillingError) -> BankEntry:
        """The entry that nothing was booked of. One that staff have decided keeps what it has, and fails."""
        if entry.decision is not None:
            raise refusal
        return self.store.save_entry(entry.doubtful(doubt, refusal.detail))

    def _match(self, entry: BankEntry) -> Match:
        booking = entry.booking
        named = self._mentions(booking)
        located = [self._located[each] for mention in named for each in mention.readings if each in self._located]
        known = self.store.payable(located)
        match = judged(
            booking,
            named,
            known,
            is_own_account=not self._iban or is_of(entry.account, self._iban),
            suggested=() if known else self._suggested(booking),
        )
        if match.doubt is None and any(
            self.store.is_recorded_otherwise(part.account, entry.transfer_of(part)) for part in match.parts
        ):
            return replace(match, doubt=Doubt.PAID_ALREADY)
        return match

    def _suggested(self, booking: Booking) -> Sequence[PayableInvoice]:
        """What the one account owes that this payer has paid for before, if the amount fits."""
        payer = booking.payer.digest
        accounts = () if payer is None or booking.amount.amount <= 0 else self.store.accounts_of_payer(payer)
        if len(accounts) != 1:
            return ()
        return fitting(booking.amount, [payable(each) for each in self.store.unpaid(accounts[0])])

    def _mentions(self, booking: Booking) -> tuple[Mention, ...]:
        return mentions(booking.texts, self._series)
