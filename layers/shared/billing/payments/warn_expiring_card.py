"""Warns an account that its card expires, 30 days and 7 days before, once each."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from billing.accounts.rules import Status
from billing.kernel.events import EventType, by_system
from billing.payments.methods import next_warning
from billing.payments.records import PaymentStore
from billing.platform.events.new_event import new_event
from billing.subscriptions.pricing import amount_per_charge


def warn_expiring_card(account: str, *, now: datetime, correlation: str, store: PaymentStore) -> bool:
    """Records the event of a due warning. Returns whether the account was warned.

    If both warnings are overdue, only the last one is sent. One read, and one transaction where a warning is due.
    Raises ConcurrentChange.
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
    first_month, charged_on = contract.next_charge(today)
    charge = None
    if subscriber.account.is_served_on(charged_on):
        amount = amount_per_charge(subscriber.subscription, contract, first_month)
        charge = {"on": charged_on, "amount": asdict(amount)}
    facts = {
        "card": asdict(card),
        "last_day": card.last_day,
        "days_left": due.days,
        "next_charge": charge,
    }
    context = by_system(now, correlation)
    event = new_event(EventType.CARD_EXPIRING, context, account=account, before=None, after=facts)
    store.warn(payer, following, event)
    return True
