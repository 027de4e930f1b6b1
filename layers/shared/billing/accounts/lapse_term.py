"""Ends a change of the term that cannot take effect any more. Staff and admins are told."""

from __future__ import annotations

from datetime import date, datetime

from billing.accounts.rules import Account, Status
from billing.accounts.term_records import TermStore
from billing.accounts.terms import TermChange, TermState
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.platform.events.new_event import new_event


def lapse_term(account: str, *, now: datetime, correlation: str, is_replay: bool, store: TermStore) -> TermState | None:
    """Ends the open proposal of an account if its renewal has come, and what is to come of a contract that has ended.
    Returns its state then; None if none was due.

    One read, and one transaction if it is due. Raises ConcurrentChange.
    """
    found = store.account_with_term(account)
    if found is None:
        return None
    current, change = found
    if change is None or not (change.is_open or change.is_to_begin):
        return None
    contract = current.contract
    goes_on = change.is_of(contract) and current.is_served_on(contract.today(now))
    if goes_on and (not change.is_open or now < change.lapses_at(contract)):
        return None
    lapsed = change.ended(TermState.LAPSED, now)
    store.lapse(current, lapsed, term_ended_event(current, lapsed, by_system(now, correlation, is_replay=is_replay)))
    return lapsed.state


def term_ended_event(account: Account, ended: TermChange, context: RequestContext) -> Event:
    """The event of a change of the term that has ended without effect."""
    return new_event(
        EventType.CONTRACT_TERM_ENDED,
        context,
        account=account.id,
        before=term_facts(account, ended),
        after={
            "outcome": ended.state,
            "is_cancelled": account.status is not Status.ACTIVE,
            **({"left": [*ended.left]} if ended.left else {}),
        },
    )


def term_facts(account: Account, change: TermChange) -> Facts:
    """A change of the term, as events have it. `interval_before` and `currency_before` hold until its renewal."""
    contract = account.contract
    since: date = change.first_day(contract)
    currencies: Facts = {}
    if change.into is not None:
        currencies = {"currency": change.into.currency, "currency_before": contract.currency}
    return {
        "term": change.id,
        "interval_months": change.interval_months,
        "interval_before": contract.interval_of(max(0, change.from_month - 1)),
        "since": since,
        "reason": change.reason,
        **currencies,
    }
