"""Staff decide a review: lower tiers from the next renewal, or none, for a reason. A decision is made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, EventType, RequestContext
from billing.platform.events.new_event import new_event
from billing.scaling.reviews.book_review import appointment_facts
from billing.scaling.reviews.records import ReviewStore
from billing.scaling.reviews.rules import (
    Applied,
    Decision,
    Declined,
    LowerTierFit,
    Review,
    next_renewal,
    paid_period_start,
    require_renewal,
    shown_average,
    tier_changes,
)
from billing.subscriptions.rules import Order, Subscription, TierChange
from billing.subscriptions.subscriber import Subscriber


def apply_review(
    subscriber: Subscriber,
    review: Review,
    orders: tuple[Order, ...],
    standings: Sequence[LowerTierFit],
    *,
    context: RequestContext,
    store: ReviewStore,
) -> Review:
    """The review after these lower tiers were applied. The same decision again gives the same answer.

    They take effect with the next renewal after today. Raises RuleViolation for tiers that cannot be applied,
    Conflict for a review that is no longer open or an account that is cancelled, ConcurrentChange.
    """
    contract = subscriber.account.contract
    today = contract.today(context.time)
    effective_on = next_renewal(contract, today)
    decision = Applied(orders, effective_on, context.time)
    if review.decided_as(decision):
        return review
    review.require_open()
    require_renewal(subscriber.account)
    changes = tier_changes(orders, standings, effective_on, review.id)
    facts = {
        "effective_on": effective_on,
        "tiers": [_lowered(change, standings) for change in changes],
        **_appointment(review, context.time),
    }
    event = new_event(
        EventType.SUBSCRIPTION_TIER_LOWERED, context, account=subscriber.account.id, before=None, after=facts
    )
    subscription = subscriber.subscription.changed(changes, today, paid_period_start(contract, today))
    return _decide(subscriber, review, decision, subscription, event, store)


def decline_review(
    subscriber: Subscriber, review: Review, reason: str, *, context: RequestContext, store: ReviewStore
) -> Review:
    """The review after it was declined. The same decision again gives the same answer.

    Raises Conflict for a review that is no longer open, ConcurrentChange.
    """
    decision = Declined(reason, context.time)
    if review.decided_as(decision):
        return review
    review.require_open()
    facts = {"reason": reason, **_appointment(review, context.time)}
    event = new_event(EventType.REVIEW_DECLINED, context, account=subscriber.account.id, before=None, after=facts)
    return _decide(subscriber, review, decision, None, event, store)


def _decide(
    subscriber: Subscriber,
    review: Review,
    decision: Decision,
    subscription: Subscription | None,
    event: Event,
    store: ReviewStore,
) -> Review:
    account, decided = subscriber.account, replace(review, decision=decision)
    try:
        store.decide_review(account, decided, subscription, event, frees_time=review.is_ahead(event.time))
    except ConcurrentChange:
        # The same decision, sent twice at once: this one has failed on its own result.
        standing = store.review(account.id, review.id)
        if not standing.decided_as(decision):
            raise
        return standing
    return replace(decided, version=review.version + 1)


def _appointment(review: Review, now: datetime) -> dict[str, Any]:
    return {"appointment": appointment_facts(review), "appointment_cancelled": review.is_ahead(now)}


def _lowered(change: TierChange, standings: Sequence[LowerTierFit]) -> dict[str, Any]:
    """What the event says of one change."""
    [known] = (each for each in standings if each.line.product == change.product)
    line = known.line
    return {
        "product": {"product": line.product, "name": line.name, "unit": line.unit},
        "months": [{"month": f"{each.month:%Y-%m}", "usage": each.quantity} for each in known.months],
        "average": shown_average(known.average),
        "before": {"up_to": line.up_to, "price": asdict(line.price)},
        "after": {"up_to": change.up_to, "price": asdict(change.price)},
    }
