"""Cancels an account, withdraws a cancellation, and takes an account through the due stages of its end (DESIGN 3.1).

Only an admin of the account may cancel. Staff may not (billing.kernel.permissions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from billing.accounts.rules import Ending, Status, existing
from billing.ending.cancellation.records import CancellationState, CancellationStore, ClosingReview
from billing.ending.cancellation.rules import (
    IN_USE_DAYS,
    Cancellation,
    ChargesChanged,
    ChargesTotal,
    Consequences,
    DatesChanged,
    Deactivated,
    NotCancelling,
    Reason,
    Requester,
    consequences,
    reactivate_until,
    require_withdrawable,
    stage_after_deactivation,
)
from billing.ending.due import NOTICE_DAYS_BEFORE, EndingDue, EndingStage, first_notice, next_notice
from billing.ending.open_money_facts import open_money_facts, totals_facts
from billing.invoicing.open_money import OpenMoney
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.to_come import invoices_to_come
from billing.invoicing.vat_territories import Address
from billing.kernel.contract_calendar import Contract, terminated
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event, new_id
from billing.subscriptions.currency_changes import as_agreed
from billing.usage.rules import Daily, month_of


@dataclass(frozen=True, slots=True)
class CancellationRequest:
    """An admin's request. `active_until` is the first day without service, and `charges` what is still charged, as the
    preview has shown them. `charges` is None from a client of an earlier version."""

    reason: Reason
    text: str
    active_until: date
    charges: ChargesTotal | None = None


def preview_cancellation(
    state: CancellationState, today: date, retention_days: int, seller: Address, policy: UnconfirmedVatNumber | None
) -> Consequences:
    """The consequences of a cancellation today. Taxes are those of a sale from the seller's address.

    `policy` is what the deployment does about unconfirmed VAT numbers, None where it does not check them.
    """
    return consequences(state.invoicing(today, seller, policy), today, retention_days)


def products_in_use(state: CancellationState, today: date, store: CancellationStore) -> tuple[str, ...]:
    """The names of the products with usage in the last IN_USE_DAYS days. One query."""
    since = today - timedelta(days=IN_USE_DAYS)
    account = state.subscriber.account.id
    totals: Mapping[str, Daily] = store.totals(account, month_of(since), month_of(today))
    used = {
        product for product, daily in totals.items() if any(day >= since and amount for day, amount in daily.items())
    }
    return tuple(line.name for line in state.subscriber.subscription.lines if line.product in used)


def cancel_account(
    state: CancellationState,
    request: CancellationRequest,
    *,
    retention_days: int,
    seller: Address,
    policy: UnconfirmedVatNumber | None,
    context: RequestContext,
    store: CancellationStore,
) -> Cancellation:
    """Cancels an account as it was read. Returns the cancellation; a repeated request returns the same one.

    An open review is cancelled too: without a renewal no lower tier can apply. Its time is free again, and its manager
    is told. One read and one transaction; two gets for an open review, one read after a simultaneous cancellation.
    Raises DatesChanged and ChargesChanged with the new dates and charges, Deactivated, and ConcurrentChange if the
    account, its review, or what its charges follow from, has changed since it was read.
    """
    account = state.subscriber.account.id
    if state.cancellation is not None:
        if state.subscriber.account.status is Status.DEACTIVATED:
            raise Deactivated
        return state.cancellation
    today = state.subscriber.account.contract.today(context.time)
    follows = preview_cancellation(state, today, retention_days, seller, policy)
    if follows.active_until != request.active_until:
        raise DatesChanged(follows)
    if request.charges is not None and request.charges != follows.charges:
        raise ChargesChanged(follows)
    user = str(context.actor.user)
    requester = store.user(account, user)
    cancellation = Cancellation(
        receipt=new_id(context.time),
        requested_at=context.time,
        requested_by=Requester(user, requester.name if requester else "", requester.email if requester else ""),
        reason=request.reason,
        text=request.text,
        notice_ends=follows.notice_ends,
        active_until=follows.active_until,
        charges_still_due=follows.charges_still_due,
        purge_on=follows.purge_on,
        goodwill_lapses=follows.goodwill_lapses,
    )
    ending = Ending(cancellation.receipt, cancellation.active_until, cancellation.purge_on)
    cancelled = replace(state.subscriber.account, status=Status.CANCELLING, ending=ending)
    facts = _facts(cancellation)
    event = new_event(EventType.CANCELLATION_REQUESTED, context, account=account, before=None, after=facts)
    closing, of_review = _closing_review(state, context, store)
    try:
        store.cancel(state, cancelled, cancellation, [event, *of_review], closing)
    except ConcurrentChange:
        # Two simultaneous cancellations: the second gets the receipt of the first.
        current = existing(store.state(account))
        if current.cancellation is None:
            raise
        return current.cancellation
    return cancellation


def withdraw_cancellation(
    state: CancellationState,
    *,
    seller: Address,
    policy: UnconfirmedVatNumber | None,
    context: RequestContext,
    store: CancellationStore,
) -> None:
    """Withdraws the cancellation: the account is active as before. Does nothing for an active account.

    One transaction. Raises NotCancelling, and ConcurrentChange if the account has changed since it was read.
    """
    account = state.subscriber.account
    today = account.contract.today(context.time)
    if account.status is Status.ACTIVE and state.cancellation is None:
        return
    require_withdrawable(account, today)
    if state.cancellation is None:
        raise NotCancelling
    active = replace(account, status=Status.ACTIVE, ending=None)
    renewed = replace(state, subscriber=replace(state.subscriber, account=active))
    month, on = account.contract.next_charge(today + timedelta(days=1))
    after = {
        "renewal": _renewal_facts(renewed, on, today, seller, policy),
        "interval_months": _contract_then(renewed).interval_of(month),
    }
    event = new_event(
        EventType.CANCELLATION_WITHDRAWN,
        context,
        account=account.id,
        before=_facts(state.cancellation),
        after=after,
    )
    store.withdraw(active, today, event)


def end_account(
    account: str,
    *,
    now: datetime,
    correlation: str,
    seller: Address,
    policy: UnconfirmedVatNumber | None,
    store: CancellationStore,
    open_money: OpenMoney | None = None,
    is_replay: bool = False,
) -> EndingStage | None:
    """Takes an account through all stages of its end that are due. Returns the last of them; None if none was due.

    `open_money` is what is open after the books were closed (billing.invoicing.close_books): the admins are told both
    sums, and staff each document. The purge is left to `purge_account`. One read and one transaction for each stage.
    Raises ConcurrentChange.
    """
    last_stage: EndingStage | None = None
    context = by_system(now, correlation, is_replay=is_replay)
    while True:
        state = store.state(account)
        if state is None or state.due is None:
            return last_stage
        today = state.subscriber.account.contract.today(now)
        if state.due.stage is EndingStage.PURGE or today < state.due.on:
            return last_stage
        if state.due.stage is EndingStage.NOTICE:
            _notice(state, today, seller, policy, context, store)
        else:
            _end(state, state.due.stage, open_money, context, store)
        last_stage = state.due.stage


def follow_term(account: str, *, now: datetime, store: CancellationStore) -> bool:
    """Makes the renewal notice of an account follow a change of its term that a run of invoicing has ended or made;
    returns whether it did. One read, and one transaction where it returns True. Raises ConcurrentChange."""
    state = store.state(account)
    if state is None or state.term is None or state.term.follow_at is None:
        return False
    contract = state.subscriber.account.contract
    due = first_notice(contract, contract.today(now))
    store.follow_term(state.subscriber.account, replace(state.term, follow_at=None), due)
    return True


def schedule_notice(account: str, *, now: datetime, store: CancellationStore) -> bool:
    """Schedules the renewal notice of an active account that has no stage of its end due; returns whether it did.

    For accounts from before renewal notices. One read, and one transaction where it returns True. Raises
    ConcurrentChange.
    """
    state = store.state(account)
    if state is None or state.due is not None or state.subscriber.account.ending is not None:
        return False
    contract = state.subscriber.account.contract
    due = first_notice(contract, contract.today(now))
    if due is None:
        return False
    store.schedule(state.subscriber.account, due)
    return True


def _notice(
    state: CancellationState,
    today: date,
    seller: Address,
    policy: UnconfirmedVatNumber | None,
    context: RequestContext,
    store: CancellationStore,
) -> None:
    """Announces the last day to avoid the next renewal if it is near, and schedules the next notice."""
    account = state.subscriber.account
    contract = account.contract
    follows = terminated(contract, max(today, contract.start))
    on, last_day = follows.next_avoidable_renewal, follows.last_day_to_avoid_it
    events = []
    if today >= last_day - timedelta(days=NOTICE_DAYS_BEFORE):
        facts = {
            "renewal": _renewal_facts(state, on, today, seller, policy),
            "interval_months": _contract_then(state).interval_of(contract.month_of(on)),
            "last_day": last_day,
        }
        type_ = EventType.RENEWAL_NOTICE_DEADLINE_NEAR
        events.append(new_event(type_, context, account=account.id, before=None, after=facts))
    store.move_on(account, next_notice(contract, today + timedelta(days=1)), events)


def _end(
    state: CancellationState,
    stage: EndingStage,
    open_money: OpenMoney | None,
    context: RequestContext,
    store: CancellationStore,
) -> None:
    account, ending = state.subscriber.account, state.subscriber.account.ending
    if ending is None:
        raise ConcurrentChange  # a torn read: the cancellation was withdrawn between two keys
    facts = {
        "deactivated_on": ending.active_until,
        "reactivate_until": reactivate_until(ending),
        "purge_on": ending.purge_on,
        **totals_facts(open_money),
    }
    if stage is EndingStage.DEACTIVATE:
        following, type_ = stage_after_deactivation(ending), EventType.ACCOUNT_DEACTIVATED
        account = replace(account, status=Status.DEACTIVATED)
    else:
        following, type_ = EndingDue(EndingStage.PURGE, ending.purge_on), EventType.ACCOUNT_DELETION_NEAR
    events = [new_event(type_, context, account=account.id, before=None, after=facts)]
    if open_money is not None and not open_money.is_settled:
        name = "deactivated" if stage is EndingStage.DEACTIVATE else "deletion_near"
        after = open_money_facts(open_money, name, ending.purge_on)
        type_ = EventType.ACCOUNT_MONEY_OPEN
        events.append(new_event(type_, context, account=account.id, before=None, after=after))
    # A cancellation of an earlier release has left the review open.
    closing, of_review = _closing_review(state, context, store)
    store.move_on(account, following, [*events, *of_review], closing)


def _closing_review(
    state: CancellationState, context: RequestContext, store: CancellationStore
) -> tuple[ClosingReview, Sequence[Event]]:
    """What becomes of the open review with the end of its account, and the event of that. Two gets if there is one."""
    account = state.subscriber.account.id
    review = store.open_review(account) if state.has_open_review else None
    if review is None or not review.is_ahead(context.time):
        return ClosingReview(None if review is None else review.id, None), []
    from billing.scaling.reviews.book_review import appointment_facts  # only for an account with an open review

    facts = appointment_facts(review)
    event = new_event(EventType.REVIEW_CANCELLED, context, account=account, before=facts, after=None)
    return ClosingReview(review.id, replace(review, cancelled_at=context.time)), [event]


def _contract_then(state: CancellationState) -> Contract:
    """The contract with the other currency, and its interval, that is agreed and to come; as it is without one."""
    return (as_agreed(state.subscriber, state.term) or state.subscriber).account.contract


def _renewal_facts(
    state: CancellationState, on: date, today: date, seller: Address, policy: UnconfirmedVatNumber | None
) -> Facts:
    """A renewal to come and its invoice, before credit; zero where nothing is to be invoiced."""
    contract = state.subscriber.account.contract
    month = contract.month_of(on)
    to_come = invoices_to_come(state.invoicing(today, seller, policy), on + timedelta(days=1))
    nothing = Money(0, _contract_then(state).currency_of(month))
    net, tax, total = next(
        ((each.draft.net, each.draft.tax_amount, each.draft.total) for each in to_come if each.month == month),
        (nothing, nothing, nothing),
    )
    return {"on": on, "amount": asdict(net), "tax": asdict(tax), "total": asdict(total)}


def _facts(cancellation: Cancellation) -> Facts:
    requester = cancellation.requested_by
    return {
        "receipt": cancellation.receipt,
        "requested_by": {"name": requester.name, "email": requester.email},
        "reason": cancellation.reason,
        "text": cancellation.text,
        "notice_ends": cancellation.notice_ends,
        "active_until": cancellation.active_until,
        "charges_still_due": [asdict(each) for each in cancellation.charges_still_due],
        "purge_on": cancellation.purge_on,
        "goodwill_lapses": None if cancellation.goodwill_lapses is None else asdict(cancellation.goodwill_lapses),
    }
