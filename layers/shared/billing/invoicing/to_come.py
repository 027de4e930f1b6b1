"""What an account is invoiced next: one answer for every place that shows it (decision 0021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.accounts.information import CompanyDetails
from billing.invoicing.due import InvoicingDue
from billing.invoicing.exemptions.rules import Exemptions
from billing.invoicing.holds import PendingInvoice
from billing.invoicing.invoices import InvoiceDraft, build_draft, credit_after
from billing.invoicing.periods import FixedMonth, PaidPeriod, months_to_fix
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_numbers.rules import VatNumberCheck, tax_on_sale
from billing.invoicing.vat_territories import Address
from billing.subscriptions.pricing import changes_within
from billing.subscriptions.subscriber import Subscriber

UPCOMING_MONTHS_MAX = 25
"""How many contract months ahead the next invoice is looked for: nothing is further away than two free years."""


DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InvoicingState:
    """All that decides what an account is invoiced next.

    `due` is the next contract month to invoice, `period` the running paid period as stored, None where there is none.
    `credit` is the credit balance in minor units, tax included. `seller` is the address that the tax depends on.
    `vat_check` and `policy` are the last check of the VAT number and the deployment's treatment of unconfirmed ones.
    `exemptions` are those of the account.
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
    does one that takes back what was invoiced: that is a credit note.
    """
    account, subscription = state.subscriber.account, state.subscriber.subscription
    credit = state.credit
    for fixed in months_to_fix(account, subscription, state.due, state.period, until):
        if fixed.net > 0:
            draft = draft_of(fixed, replace(state, credit=credit))
            yield PendingInvoice(fixed.month, draft)
            credit = credit_after(draft, credit)


def next_invoice(state: InvoicingState, today: date) -> tuple[date, InvoiceDraft] | None:
    """Returns the next invoice as it would be: its day, and what it says. None if none is to come within two years.

    An invoice that is due and not issued is the next one, on `today`.
    """
    contract = state.subscriber.account.contract
    horizon = contract.month_start(max(state.due.month, contract.month_of(today)) + UPCOMING_MONTHS_MAX)
    following = next(invoices_to_come(state, horizon), None)
    return None if following is None else (max(today, following.draft.since), following.draft)


def draft_of(fixed: FixedMonth, state: InvoicingState) -> InvoiceDraft:
    """Returns what is to be invoiced for a month. Its tax is that of the month's first day, however late that is."""
    tax = tax_on_sale(state.seller, state.company, fixed.since, state.vat_check, state.policy, state.exemptions)
    currency = state.subscriber.account.contract.currency
    return build_draft(fixed.occasion, fixed.since, fixed.until, fixed.lines, tax, state.credit, currency, fixed.since)
