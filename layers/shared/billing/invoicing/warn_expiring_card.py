"""Warns an account that its card expires, 30 days and 7 days before, once each."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime

from billing.accounts.rules import Status
from billing.invoicing.issue_invoices import invoicing_state
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.to_come import next_invoice
from billing.invoicing.vat_territories import Address
from billing.kernel.events import EventType, Facts, by_system
from billing.payments.methods import next_warning
from billing.payments.records import PaymentStore
from billing.platform.events.new_event import new_event


def warn_expiring_card(
    account: str,
    *,
    now: datetime,
    correlation: str,
    seller: Address,
    policy: UnconfirmedVatNumber | None,
    store: PaymentStore,
    invoices: InvoiceStore,
) -> bool:
    """Records the event of a due warning. Returns whether the account was warned.

    If both warnings are overdue, only the last one is sent. One read; one more and one transaction where a warning is
    due. Raises ConcurrentChange.
    """
    payer = store.payer(account)
    if payer is None or payer.warning is None or payer.warning.at > now:
        return False
    subscriber, profile = payer.subscriber, payer.profile
    contract = subscriber.account.contract
    today = contract.today(now)
    due = payer.warning
    following = next_warning(profile, contract, today, after=due.days)
    if following is not None and following.at <= now:
        due, following = following, next_warning(profile, contract, today, after=following.days)
    card = None if profile.shown is None else profile.shown.card
    if card is None or card.last_day < today or subscriber.account.status is Status.DEACTIVATED:
        store.warn(payer, None, None)
        return False
    facts = {
        "card": asdict(card),
        "last_day": card.last_day,
        "days_left": due.days,
        "next_charge": _next_charge(account, today, seller, policy, invoices),
    }
    context = by_system(now, correlation)
    event = new_event(EventType.CARD_EXPIRING, context, account=account, before=None, after=facts)
    store.warn(payer, following, event)
    return True


def _next_charge(
    account: str, today: date, seller: Address, policy: UnconfirmedVatNumber | None, invoices: InvoiceStore
) -> Facts | None:
    billing = invoices.billing_context(account)
    state = None if billing is None else invoicing_state(billing, seller, policy)
    following = None if state is None else next_invoice(state, today)
    if following is None:
        return None
    on, draft = following
    return {
        "on": on,
        "amount": asdict(draft.net),
        "tax": asdict(draft.tax_amount),
        "total": asdict(draft.total),
        "credit": asdict(draft.credit),
        "due": asdict(draft.due),
    }
