"""Staff add a one-off charge or a goodwill to an account, and take one back: a preview, or the change (decision 0040).

The preview and the change take the same way. What becomes of the money is asked of the one function that answers what
an account is invoiced next (billing.invoicing.to_come).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from billing.invoicing.exchange_rates.rules import AwaitedRate
from billing.invoicing.holds import PendingInvoice
from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.issue_invoices import NOTHING_FOLLOWS, issue_one_offs, state_when_due
from billing.invoicing.one_off_records import OneOffStore
from billing.invoicing.one_offs import (
    NET_MAX,
    OPEN_MAX,
    AccountEnded,
    Mark,
    OneOff,
    OneOffClosed,
    OneOffExists,
    OneOffKind,
    Settled,
    TooManyOneOffs,
    goodwill_left,
    line_at_once,
    settled,
)
from billing.invoicing.rate_hold import wait_for_rate, wait_for_tax_rate
from billing.invoicing.records import BillingContext
from billing.invoicing.seller_currency import ExchangeRateUnknown, in_sellers_currency
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import TaxRule
from billing.invoicing.tax_rates.rules import TaxRateUnknown
from billing.invoicing.to_come import (
    InvoicingState,
    draft_of_one_offs,
    drafts_to_come,
    due_of,
    horizon,
    one_offs_left,
)
from billing.invoicing.vat_number_hold import waits_for_vat_number
from billing.invoicing.vat_numbers.rules import VatNumberUnconfirmed
from billing.kernel.errors import ConcurrentChange, NotFound, RuleViolation, Violation
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event


@dataclass(frozen=True, slots=True)
class NewOneOff:
    """What staff ask for. See OneOff."""

    id: str
    kind: OneOffKind
    description: str
    translations: tuple[tuple[str, str], ...]
    price: Money
    quantity: int
    is_at_once: bool
    reason: str


@dataclass(frozen=True, slots=True)
class OneOffChange:
    """A one-off after a change, and what becomes of the invoices to come, each with the day on which it is issued.

    `invoices` go up to the last one that has it, `without` are the same as they would have been without the change.
    `lapses` is the goodwill, before tax, that is left at the end of a cancelled account.
    """

    one_off: OneOff
    invoices: tuple[tuple[date, InvoiceDraft], ...]
    without: tuple[tuple[date, InvoiceDraft], ...]
    lapses: Money


def add_one_off(
    billing: BillingContext,
    new: NewOneOff,
    *,
    is_preview: bool,
    context: RequestContext,
    settings: InvoicingSettings,
    store: OneOffStore,
) -> OneOffChange:
    """Adds a one-off to the next invoice, or issues an invoice of it at once. The same again changes nothing.

    One get and one transaction; at once, one read more for the first number of a process, and one get for tax that is
    also in the seller's currency; one read and one get more if the transaction's condition fails. Raises RuleViolation,
    OneOffExists, TooManyOneOffs, AccountEnded, TaxRateUnknown, VatNumberUnconfirmed, ExchangeRateUnknown,
    ConcurrentChange.
    """
    account, today = billing.subscriber.account, billing.subscriber.account.contract.today(context.time)
    one_off = OneOff(
        id=new.id,
        kind=new.kind,
        description=new.description,
        translations=new.translations,
        price=new.price,
        quantity=new.quantity,
        reason=new.reason,
        added_on=today,
        added_at=context.time,
        added_by=str(context.actor.user),
        is_at_once=new.is_at_once,
    )
    known = _known(billing, new.id, store)
    if known is not None:
        return _repeated(billing, known, one_off, today, settings)
    _require_valid(billing, one_off)
    if not account.is_served_on(today):
        raise AccountEnded
    if one_off.is_at_once:
        return _at_once(billing, one_off, today, is_preview, context, settings, store)
    if len(billing.one_offs.open) >= OPEN_MAX:
        raise TooManyOneOffs
    added = replace(billing, one_offs=billing.one_offs.with_added(one_off))
    change = _change(one_off, added, billing, one_off, today, settings)
    if is_preview:
        return change
    try:
        store.add_one_off(billing, one_off, _event(billing, None, change, context))
    except ConcurrentChange:
        return _added_meanwhile(billing, one_off, today, settings, store)
    return change


def take_back_one_off(
    billing: BillingContext,
    identity: str,
    *,
    is_preview: bool,
    context: RequestContext,
    settings: InvoicingSettings,
    store: OneOffStore,
) -> OneOffChange:
    """Takes an open one-off back, or what is left of a goodwill. One that was taken back stays so.

    One transaction; one get for a one-off that is not open. Raises NotFound, OneOffClosed, ConcurrentChange.
    """
    today = billing.subscriber.account.contract.today(context.time)
    one_off = billing.one_offs.find(identity)
    if one_off is None:
        closed = store.closed_one_off(billing.subscriber.account.id, identity)
        if closed is None:
            raise NotFound("There is no such one-off.")
        if closed.mark is not Mark.TAKEN_BACK:
            raise OneOffClosed(closed.mark)
        return _unchanged(billing, closed)
    after = replace(billing, one_offs=billing.one_offs.without(identity))
    taken_back = replace(one_off, mark=Mark.TAKEN_BACK)
    change = _change(taken_back, after, billing, one_off, today, settings)
    if not is_preview:
        event = _event(billing, one_off, change, context)
        store.close_one_offs(billing, Settled(after.one_offs.open, (taken_back,)), [event])
    return change


def _require_valid(billing: BillingContext, one_off: OneOff) -> None:
    currency = billing.subscriber.account.contract.currency
    violations = []
    if one_off.price.currency != currency:
        limits = {"allowed": [currency]}
        detail = f"The contract's currency is {currency}."
        violations.append(Violation(("currency",), detail, FieldCode.NOT_ALLOWED, limits))
    if one_off.net > NET_MAX:
        detail = f"{one_off.quantity} pieces come to more than {NET_MAX}."
        violations.append(Violation(("amount",), detail, FieldCode.TOO_LARGE, {"max": NET_MAX // one_off.quantity}))
    if one_off.kind is OneOffKind.GOODWILL and one_off.is_at_once:
        detail = "A goodwill reduces the next invoice: it is no invoice of its own."
        violations.append(Violation(("invoice",), detail, FieldCode.NOT_TOGETHER))
    if one_off.kind is OneOffKind.GOODWILL and one_off.quantity > 1:
        detail = "A goodwill is one amount."
        violations.append(Violation(("quantity",), detail, FieldCode.NOT_TOGETHER))
    if violations:
        raise RuleViolation(*violations)


def _at_once(
    billing: BillingContext,
    charge: OneOff,
    today: date,
    is_preview: bool,
    context: RequestContext,
    settings: InvoicingSettings,
    store: OneOffStore,
) -> OneOffChange:
    state = _state(billing, today, settings)
    draft = draft_of_one_offs((line_at_once(charge, billing.subscriber.language),), today, state)
    lapses = Money(0, charge.price.currency)
    if is_preview:
        return OneOffChange(charge, ((today, draft),), (), lapses)
    if draft.tax.rule is TaxRule.RATE_MISSING:
        raise TaxRateUnknown(wait_for_tax_rate(billing, draft, context, store, is_due=False))
    if waits_for_vat_number(billing, draft, context.time, settings, store):
        raise VatNumberUnconfirmed
    converted = in_sellers_currency(draft, billing.subscriber.account.contract, settings, store)
    if isinstance(converted, AwaitedRate):
        wait_for_rate(billing, converted, context, settings, store, is_due=False)
        raise ExchangeRateUnknown(converted)
    # It is open in no item: the transaction that issues the invoice writes it for the first time, closed.
    added = replace(billing, one_offs=billing.one_offs.with_added(charge))

    def change(number: str, produced_on: date) -> OneOffChange:
        [invoiced] = settled([charge], converted.lines, number, produced_on).closed
        return OneOffChange(invoiced, ((today, converted),), (), lapses)

    def events(number: str) -> Sequence[Event]:
        return [_event(billing, None, change(number, today), context)]

    try:
        issued = issue_one_offs(added, converted, today, context, settings, store, events=events)
    except ConcurrentChange:
        return _added_meanwhile(billing, charge, today, settings, store)
    return change(issued.invoice.number, issued.invoice.produced_on)


def _known(billing: BillingContext, identity: str, store: OneOffStore) -> OneOff | None:
    return billing.one_offs.find(identity) or store.closed_one_off(billing.subscriber.account.id, identity)


def _repeated(
    billing: BillingContext, known: OneOff, asked: OneOff, today: date, settings: InvoicingSettings
) -> OneOffChange:
    """What a repeated request answers. Raises OneOffExists if the known one-off is another one."""
    if not known.is_same(asked):
        raise OneOffExists
    if known.mark is not Mark.OPEN:
        return _unchanged(billing, known)
    before = replace(billing, one_offs=billing.one_offs.without(known.id))
    return _change(known, billing, before, known, today, settings)


def _added_meanwhile(
    billing: BillingContext, one_off: OneOff, today: date, settings: InvoicingSettings, store: OneOffStore
) -> OneOffChange:
    """The answer of a request that lost against a copy of itself. Raises ConcurrentChange where it was another one."""
    current = store.billing_context(billing.subscriber.account.id)
    known = None if current is None else _known(current, one_off.id, store)
    if current is None or known is None:
        raise ConcurrentChange
    return _repeated(current, known, one_off, today, settings)


def _unchanged(billing: BillingContext, one_off: OneOff) -> OneOffChange:
    return OneOffChange(one_off, (), (), Money(0, billing.subscriber.account.contract.currency))


def _change(
    shown: OneOff,
    after: BillingContext,
    before: BillingContext,
    changed: OneOff,
    today: date,
    settings: InvoicingSettings,
) -> OneOffChange:
    """What becomes of the invoices to come, up to the last one that has the changed one-off, in whichever of the two it
    is open."""
    states = [_state(each, today, settings) for each in (after, before)]
    [with_it] = [each for each in states if any(open_one.id == changed.id for open_one in each.one_offs)]
    last = max((each.draft.since for each in _having(with_it, changed, today)), default=None)
    until = horizon(with_it, today)
    invoices, without = (
        tuple(
            (max(today, each.draft.since), each.draft)
            for each in drafts_to_come(state, until)
            if last is not None and each.draft.since <= last and each.draft.lines
        )
        for state in states
    )
    ends = after.subscriber.account.ending is not None
    lapses = goodwill_left(one_offs_left(states[0], until)) if ends else 0
    return OneOffChange(shown, invoices, without, Money(lapses, changed.price.currency))


def _having(state: InvoicingState, one_off: OneOff, today: date) -> Iterator[PendingInvoice]:
    """The invoices to come that have a part of a one-off."""
    left = one_off.left
    for each in drafts_to_come(state, horizon(state, today)):
        part = sum(abs(line.net.amount) for line in each.draft.lines if line.one_off == one_off.id)
        left -= part
        if part:
            yield each
        if left <= 0:
            break


def _state(billing: BillingContext, today: date, settings: InvoicingSettings) -> InvoicingState:
    """What decides the invoices to come, also of an account whose first one is not scheduled yet."""
    due = billing.due or due_of(billing.subscriber, billing.period, today)
    return state_when_due(billing, due, settings.seller, settings.unconfirmed)


def _event(billing: BillingContext, before: OneOff | None, change: OneOffChange, context: RequestContext) -> Event:
    language = billing.subscriber.language
    follows = {
        "invoices": [_charge_facts(*each) for each in change.invoices],
        "invoices_without": [_charge_facts(*each) for each in change.without],
    }
    return new_event(
        EventType.ONE_OFF_CHANGED,
        context,
        account=billing.subscriber.account.id,
        before=None if before is None else before.facts(language),
        after={**change.one_off.facts(language), **NOTHING_FOLLOWS, **follows},
    )


def _charge_facts(on: date, draft: InvoiceDraft) -> Facts:
    return {"on": on, "amount": asdict(draft.net), "tax": asdict(draft.tax_amount), "total": asdict(draft.total)}
