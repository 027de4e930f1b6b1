"""Staff decide about a bank entry: what it pays, that it is an account's credit, or that it is ignored. Each decision
can be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from billing.invoicing.bank_statements.book import book, preview_parts, preview_taking_back, take_back
from billing.invoicing.bank_statements.entries import (
    BankEntry,
    EntryDecided,
    EntryDecision,
    EntryStatus,
    NothingDecided,
    check_parts,
)
from billing.invoicing.bank_statements.matching import Doubt, Part
from billing.invoicing.bank_statements.records import BankStatementStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.transfers import Transfer
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import (
    AccountNotFound,
    ConcurrentChange,
    RuleViolation,
    StaleVersion,
    VersionRequired,
    Violation,
)
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.versions import Versions, includes
from billing.payments.gateway import PaymentGateway
from billing.platform.events.new_event import new_event


@dataclass(frozen=True, slots=True)
class Allocation:
    """What of an entry pays an invoice, in minor units. `account` None: whose invoice it is."""

    invoice: str
    amount: int
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """An entry after a decision or in a preview, and the transfers that it is or would be."""

    entry: BankEntry
    transfers: tuple[Transfer, ...] = ()


def decide(
    entry_id: str,
    *,
    allocations: Sequence[Allocation] = (),
    credit_to: str | None = None,
    ignored: str | None = None,
    replaces: Versions | None,
    context: RequestContext,
    store: BankStatementStore,
    gateway: PaymentGateway,
    is_preview: bool = False,
) -> Decided:
    """Decides about a doubtful entry: allocations to invoices, all of it to an account, or `ignored` for a reason.

    The same decision again changes nothing, and goes on with one that was cut off. A preview writes nothing. A get, the
    reads of the numbers, and what booking takes. Raises NotFound, EntryDecided, RuleViolation, VersionRequired,
    StaleVersion, ConcurrentChange, and what record_transfer raises.
    """
    entry = store.entry(entry_id)
    parts = () if ignored is not None else _parts(entry, allocations, credit_to, store)
    if not _is_same(entry, parts, ignored):
        if entry.status is not EntryStatus.DOUBTFUL:
            raise EntryDecided(entry.status)
        if parts:
            check_parts(entry, parts)
        if not is_preview:
            _require(entry, replaces)
        transfers: list[Transfer] = []
        for part in parts:
            try:
                transfers += preview_parts(entry, (part,), context=context, store=store, gateway=gateway)
            except RuleViolation as refusal:
                raise RuleViolation(*_placed(refusal.violations, part, allocations)) from None
        decided = entry.decided(EntryDecision(context.time, context.actor.user, parts, ignored))
        if is_preview:
            return Decided(decided, tuple(transfers))
        event = new_event(EventType.BANK_ENTRY_DECIDED, context, account=None, before=entry.facts, after=decided.facts)
        entry = store.save_entry(decided, event)
    if entry.status is EntryStatus.BOOKING and not is_preview:
        if entry.begun_at != context.time:
            entry = store.save_entry(entry.begun_again(context.time))
        entry = book(entry, context=context, store=store, gateway=gateway)
    return Decided(entry, tuple(store.transfer(account, transfer) for account, transfer in entry.transfers))


def _placed(violations: Sequence[Violation], part: Part, allocations: Sequence[Allocation]) -> Iterator[Violation]:
    """What is wrong with the transfer of a part, where the decision has it."""
    own = [place for place, each in enumerate(allocations) if (each.invoice, each.amount) in (part.invoices or ())]
    for each in violations:
        match each.path:
            case ("allocations", int(place), *rest) if place < len(own):
                yield replace(each, path=("allocations", own[place], *rest))
            case ("allocations", *_):
                yield each
            case _:
                yield replace(each, path=("allocations",) if part.invoices else ("credit", "account"))


def take_decision_back(
    entry_id: str,
    reason: str,
    *,
    replaces: Versions | None,
    context: RequestContext,
    settings: InvoicingSettings,
    store: BankStatementStore,
    gateway: PaymentGateway,
) -> BankEntry:
    """The entry without what was decided or booked by itself: doubtful again. What it has paid is owed again.

    One that was taken back before is returned as it is. A get, a transaction, and what taking back its transfers takes.
    Raises NotFound, NothingDecided, VersionRequired, StaleVersion, CreditRepaid, ConcurrentChange, UpstreamFailed.
    """
    entry = store.entry(entry_id)
    if entry.status is EntryStatus.DOUBTFUL and entry.doubt is Doubt.TAKEN_BACK:
        return entry
    if entry.status in {EntryStatus.DOUBTFUL, EntryStatus.WAITING}:
        raise NothingDecided
    if entry.status is not EntryStatus.TAKING_BACK:
        _require(entry, replaces)
        if not entry.may_be_taken_back(context.time):
            raise ConcurrentChange
        preview_taking_back(entry, reason, context=context, settings=settings, store=store, gateway=gateway)
        going = replace(entry, status=EntryStatus.TAKING_BACK, settled_at=None)
        after = {**entry.doubtful(Doubt.TAKEN_BACK).facts, "reason": reason}
        event = new_event(EventType.BANK_ENTRY_DECIDED, context, account=None, before=entry.facts, after=after)
        entry = store.save_entry(going, event)
    return take_back(entry, reason, context=context, settings=settings, store=store, gateway=gateway)


def _is_same(entry: BankEntry, parts: tuple[Part, ...], ignored: str | None) -> bool:
    """Whether this very decision was made already."""
    decision = entry.decision
    if decision is None or entry.status in {EntryStatus.DOUBTFUL, EntryStatus.TAKING_BACK}:
        return False
    return (decision.parts, decision.reason) == (parts, ignored)


def _require(entry: BankEntry, replaces: Versions | None) -> None:
    if replaces is None:
        raise VersionRequired("Name the version of the entry that you have seen: If-Match with its ETag.")
    if not includes(replaces, entry.version):
        raise StaleVersion


def _is_customer(account: str, store: BankStatementStore) -> bool:
    """Whether there is such an account. No bank moves the money of one on a test clock."""
    return clock_of(account) is None and store.billing_context(account) is not None


def _parts(
    entry: BankEntry, allocations: Sequence[Allocation], credit_to: str | None, store: BankStatementStore
) -> tuple[Part, ...]:
    """What a decision books, by account. Raises RuleViolation for an invoice that no account has,
    and for an account that does not exist."""
    if credit_to is not None:
        if not _is_customer(credit_to, store):
            raise RuleViolation(Violation(("credit", "account"), AccountNotFound().detail, FieldCode.UNKNOWN))
        return (Part(credit_to, entry.booking.amount.amount, None),)
    unknown = [each.invoice for each in allocations if each.account is None]
    located = store.locate(unknown)
    by_account: dict[str, list[tuple[str, int]]] = {}
    violations = []
    for place, each in enumerate(allocations):
        found = located.get(each.invoice)
        account = each.account or (None if found is None else found.account)
        if each.account is not None and not _is_customer(each.account, store):
            violations.append(Violation(("allocations", place, "account"), AccountNotFound().detail, FieldCode.UNKNOWN))
        elif account is None:
            detail = "No account has this invoice. Name the account, if an earlier release has issued it."
            violations.append(Violation(("allocations", place, "invoice"), detail, FieldCode.UNKNOWN))
        else:
            by_account.setdefault(account, []).append((each.invoice, each.amount))
    if violations:
        raise RuleViolation(*violations)
    return tuple(
        Part(account, sum(amount for _, amount in invoices), tuple(invoices))
        for account, invoices in by_account.items()
    )
