"""What an account is invoiced next: one answer for every place that shows it (decision 0021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.accounts.information import CompanyDetails
from billing.invoicing.due import InvoicingDue
from billing.invoicing.exemptions.rules import Exemptions
from billing.invoicing.holds import PendingInvoice
from billing.invoicing.invoices import BillingReason, InvoiceDraft, build_draft, credit_after
from billing.invoicing.one_offs import OneOff, lines_of_one_offs, settled
from billing.invoicing.periods import FixedMonth, PaidPeriod, fix_month, invoiced_period
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_numbers.rules import VatNumberCheck, tax_on_sale
from billing.invoicing.vat_territories import Address
from billing.subscriptions.pricing import InvoiceLine, changes_within
from billing.subscriptions.subscriber import Subscriber

UPCOMING_MONTHS_MAX = 25
"""How many contract months ahead the next invoice is looked for: nothing is further away than two free years."""


DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InvoicingState:
    """All that decides what an account is invoiced next.

    `due` is the next contract month to invoice, `period` the running paid period as stored, None where there is none.
    `credit` is the credit balance in minor units, tax included, in the contract's present currency. `seller` is the
    address that the tax depends on.
    `vat_check` and `policy` are the last check of the VAT number and the deployment's treatment of unconfirmed ones.
    `exemptions` are those of the account. `one_offs` are the charges and the goodwill that are open. `agreed` is the
    account in another currency that is to come, None without one (billing.subscriptions.currency_changes.as_agreed);
    `credit_then` is its credit in that currency, which an earlier change has left.
    """

    subscriber: Subscriber
    company: CompanyDetails
    due: InvoicingDue
    period: PaidPeriod | None
    credit: int
    seller: Address
    vat_check: VatNumberCheck | None
    policy: UnconfirmedVatNumber | None
    exemptions: Exemptions
    one_offs: tuple[OneOff, ...] = ()
    agreed: Subscriber | None = None
    credit_then: int = 0


def due_of(subscriber: Subscriber, period: PaidPeriod | None, today: date) -> InvoicingDue:
    """Returns the next contract month to invoice, for a reader that does not have the due item.

    It follows the last fixed month of the running period. Without a period it is the first month that the account was
    provisioned to be invoiced for; for an account of an earlier release, the first month that begins today or later.
    """
    account, contract = subscriber.account, subscriber.account.contract
    if period is not None and period.start == contract.start:
        known = subscriber.subscription.known_on(contract.month_start(period.first_month))
        return InvoicingDue(period.fixed_through + 1, changes_within(known, contract, period.first_month))
    if account.invoiced_from is not None:
        return InvoicingDue(account.invoiced_from)
    month = max(0, contract.month_of(today - DAY) + 1)
    first_month, _ = contract.paid_period(month)
    begins = contract.month_start(first_month)
    # An earlier release did not keep when a change was decided. Within a period only the month before decides one.
    known = subscriber.subscription.known_on(begins)
    before = tuple(each for each in known.changes if each.decided_on and each.decided_on < begins)
    settled = changes_within(replace(known, changes=before), contract, first_month)
    return InvoicingDue(month, () if month == first_month else settled)


def invoices_to_come(state: InvoicingState, until: date) -> Iterator[PendingInvoice]:
    """Yields the invoices of the contract months that begin before `until` and are not invoiced, oldest first.

    Each takes from the credit what those before it leave. A month with nothing to invoice yields nothing, and neither
    does one that takes back what was invoiced: that is a credit note. The last one, of an account that ends before
    `until`, is of the one-off charges that no other invoice has.
    """
    return (each for each in drafts_to_come(state, until) if each.draft.total.amount > 0)


def drafts_to_come(state: InvoicingState, until: date) -> Iterator[PendingInvoice]:
    """Yields what `invoices_to_come` yields, and what comes to zero because of goodwill or discounts.

    The latter only where a one-off is open.
    """
    return (each for each, _ in _invoices(state, until))


def one_offs_left(state: InvoicingState, until: date) -> tuple[OneOff, ...]:
    """Returns the one-offs that are open after the invoices that `invoices_to_come` yields."""
    after = [state.one_offs, *(one_offs for _, one_offs in _invoices(state, until))]
    return after[-1]


def _invoices(state: InvoicingState, until: date) -> Iterator[tuple[PendingInvoice, tuple[OneOff, ...]]]:
    """Each invoice to come with the one-offs that are open after it."""
    due, period = state.due, state.period
    while True:
        state = _in_currency_of(due.month, state)
        account = state.subscriber.account
        if account.contract.month_start(due.month) >= until:
            break
        fixed = fix_month(account, state.subscriber.subscription, due, period)
        if fixed.net > 0 or (state.one_offs and fixed.takes_one_offs):
            draft = draft_of(fixed, state)
            state = _after(state, draft)
            yield PendingInvoice(fixed.month, draft), state.one_offs
        due, period = fixed.following, invoiced_period(fixed, period)
    ends = None if account.ending is None else account.ending.active_until
    if ends is not None and ends < until and state.one_offs:
        draft = draft_at_end(state, ends)
        state = _after(state, draft)
        yield PendingInvoice(account.contract.month_of(ends), draft), state.one_offs


def _in_currency_of(month: int, state: InvoicingState) -> InvoicingState:
    """What decides the invoices from a contract month on, if another currency holds by then that is agreed.

    It lapses where something is left in the old one, as in the run (billing.invoicing.begin_currency).
    """
    if state.agreed is None or month < state.agreed.account.contract.terms[-1].from_month:
        return state
    if state.credit or state.one_offs:
        return replace(state, agreed=None)
    return replace(state, subscriber=state.agreed, agreed=None, credit=state.credit_then)


def _after(state: InvoicingState, draft: InvoiceDraft) -> InvoicingState:
    """What decides the next invoices after one."""
    open_ones = settled(state.one_offs, draft.lines, None, draft.since).open
    return replace(state, credit=credit_after(draft, state.credit), one_offs=open_ones)


def next_invoice(state: InvoicingState, today: date) -> tuple[date, InvoiceDraft] | None:
    """Returns the next invoice as it would be: its day, and what it says. None if none is to come within two years.

    An invoice that is due and not issued is the next one, on `today`.
    """
    following = next(invoices_to_come(state, horizon(state, today)), None)
    return None if following is None else (max(today, following.draft.since), following.draft)


def horizon(state: InvoicingState, today: date) -> date:
    """Returns the day before which invoices to come are looked for."""
    contract = state.subscriber.account.contract
    return contract.month_start(max(state.due.month, contract.month_of(today)) + UPCOMING_MONTHS_MAX)


def draft_of(fixed: FixedMonth, state: InvoicingState) -> InvoiceDraft:
    """Returns what is to be invoiced for a month. Its tax is that of the month's first day, however late that is.

    The one-offs that were added before that day are on it, with its tax: an invoice has one tax point and one rate.
    """
    tax = tax_on_sale(state.seller, state.company, fixed.since, state.vat_check, state.policy, state.exemptions)
    currency = state.subscriber.account.contract.currency_of(fixed.month)
    lines = fixed.lines
    if fixed.takes_one_offs:
        language = state.subscriber.language
        lines = (*lines, *lines_of_one_offs(state.one_offs, fixed.since, fixed.net, language, currency))
    return build_draft(fixed.occasion, fixed.since, fixed.until, lines, tax, state.credit, currency, fixed.since)


def draft_at_end(state: InvoicingState, ends: date) -> InvoiceDraft:
    """Returns the last invoice of an account, on the first day that is not served: of the charges that are left."""
    currency = state.subscriber.account.contract.currency
    lines = lines_of_one_offs(state.one_offs, ends, 0, state.subscriber.language, currency)
    return draft_of_one_offs(lines, ends, state)


def draft_of_one_offs(lines: tuple[InvoiceLine, ...], day: date, state: InvoicingState) -> InvoiceDraft:
    """Returns an invoice of one-off charges alone. Its tax point is its day.

    The tax on a service becomes chargeable when it is supplied, and member states may let it be no later than the
    invoice is issued (Directive 2006/112/EC, articles 63 and 66(a)). Staff name no day of supply, so it is that day.
    """
    tax = tax_on_sale(state.seller, state.company, day, state.vat_check, state.policy, state.exemptions)
    currency = state.subscriber.account.contract.currency
    return build_draft(BillingReason.ONE_OFF, day, day + DAY, lines, tax, state.credit, currency, day)
