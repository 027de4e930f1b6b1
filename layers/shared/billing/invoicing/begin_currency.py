"""A contract changes its currency with the run of its renewal, or the change lapses then (decision 0045).

Until then credit, one-offs and open invoices are in the old currency, and afterwards in the new one. So this is one
transaction, which fails if one of them has changed meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from billing.accounts.lapse_term import term_ended_event, term_facts
from billing.accounts.terms import TermChange, TermState
from billing.invoicing.currency_obstacles import obstacles_to
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.kernel.events import EventType, RequestContext
from billing.platform.events.new_event import new_event
from billing.subscriptions.currency_changes import lines_in_currency, with_currency
from billing.subscriptions.version_changes import line_facts


def begin_currency(billing: BillingContext, context: RequestContext, store: InvoiceStore) -> bool:
    """Begins another currency that is agreed, if its renewal is the month that is due; whether anything was written.

    Where something is left in the old currency, or the account is cancelled or has another contract by now, the change
    lapses: admins and staff are told, and the renewal is invoiced in the old one. One query and one transaction where
    the renewal has come, nothing otherwise. Raises ConcurrentChange.
    """
    account, change, due = billing.subscriber.account, billing.term, billing.due
    if change is None or not change.is_to_begin or due is None:
        return False
    contract, today = account.contract, account.contract.today(context.time)
    if not change.awaits(contract):
        _lapse(billing, change, (), context, store)  # of a contract that has ended
        return True
    if due.month < change.from_month or contract.month_start(due.month) > today:
        return False
    found = obstacles_to(change, billing, store.summaries(account.id), today)
    if found or due.month > change.from_month:
        _lapse(billing, change, tuple(dict.fromkeys(each.code for each in found)), context, store)
        return True
    after = with_currency(billing.subscriber, change)
    event = new_event(
        EventType.CONTRACT_CURRENCY_CHANGED,
        context,
        account=account.id,
        before={"currency": contract.currency},
        after={
            **term_facts(account, change),
            "lines": line_facts(lines_in_currency(billing.subscriber.subscription, change, contract)),
        },
    )
    store.begin_currency(billing, after, replace(change, began_at=context.time, follow_at=context.time), event)
    return True


def _lapse(
    billing: BillingContext, change: TermChange, left: tuple[str, ...], context: RequestContext, store: InvoiceStore
) -> None:
    lapsed = replace(change.ended(TermState.LAPSED, context.time), left=left, follow_at=context.time)
    store.lapse_currency(billing, lapsed, term_ended_event(billing.subscriber.account, lapsed, context))
