"""Staff look at invoices that wait for them, and let invoicing go on (decision 0018)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from billing.invoicing.holds import (
    InvoicingHold,
    NothingHeld,
    PendingInvoice,
    PendingInvoicesChanged,
    in_currency,
    total_of,
)
from billing.invoicing.issue_invoices import pending_invoices, with_running_period
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.events import EventType, RequestContext
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event


@dataclass(frozen=True, slots=True)
class InvoicingPreview:
    """The invoices of an account that are due and not issued, and whether they wait for staff.

    `total` is with tax. `hold` is None where invoicing of the contract has never stopped.
    """

    pending: tuple[PendingInvoice, ...]
    total: Money
    hold: InvoicingHold | None

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is issued before staff release it."""
        return self.hold is not None and self.hold.released_until is None


def preview_invoicing(
    billing: BillingContext, *, context: RequestContext, settings: InvoicingSettings, store: InvoiceStore
) -> InvoicingPreview:
    """Returns what is to be issued now. No read, but one query where the running paid period is not stored yet."""
    contract = billing.subscriber.account.contract
    due = pending_invoices(with_running_period(billing, store), contract.today(context.time), settings)
    pending = in_currency(due, contract.currency)
    hold = billing.hold if billing.hold is not None and billing.hold.start == contract.start else None
    return InvoicingPreview(pending, total_of(pending, contract.currency), hold)


def release_invoicing(
    billing: BillingContext,
    invoices: int,
    total: Money,
    *,
    context: RequestContext,
    settings: InvoicingSettings,
    store: InvoiceStore,
) -> InvoicingPreview:
    """Lets invoicing go on. The next run issues what was confirmed: `invoices` of them, `total` with tax.

    Asked again, it changes nothing. One transaction. Raises NothingHeld, PendingInvoicesChanged, and ConcurrentChange
    if the account has changed since it was read.
    """
    seen = preview_invoicing(billing, context=context, settings=settings, store=store)
    account = billing.subscriber.account
    if seen.hold is None:
        raise NothingHeld
    if not seen.is_waiting:
        return seen
    if (len(seen.pending), seen.total) != (invoices, total) or not seen.pending:
        raise PendingInvoicesChanged
    released = replace(seen.hold, invoices=invoices, total=total, released_until=seen.pending[-1].month + 1)
    facts = {
        "invoices": invoices,
        "total": asdict(total),
        "since": seen.pending[0].draft.since,
        "until": seen.pending[-1].draft.until,
    }
    event = new_event(EventType.INVOICING_RELEASED, context, account=account.id, before=None, after=facts)
    store.hold(billing, released, event)
    return replace(seen, hold=replace(released, version=released.version + 1))
