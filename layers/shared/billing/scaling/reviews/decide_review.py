"""Staff decide a review: lower tiers from the next renewal, or none for a reason. A decision is final."""

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
    require_renewal,
    rounded_average,
    tier_changes,
)
from billing.subscriptions.rules import Order, Subscription, TierChange
from billing.subscriptions.subscriber import Subscriber


def apply_review(
    subscriber: Subscriber,
    review: Review,
    orders: tuple[Order, ...],
    fits: Sequence[LowerTierFit],
    *,
    context: RequestContext,
    store: ReviewStore,
) -> Review:
    """Applies lower tiers from the next renewal on; returns the decided review. Safe to repeat.

    One transaction. Raises RuleViolation for tiers that cannot be applied, Conflict for a review that is not open or a
    cancelled account, ConcurrentChange.
    """
    contract = subscriber.account.contract
    today = contract.today(context.time)
    effective_on = next_renewal(contract, today, subscriber.fixed.until)
    decision = Applied(orders, effective_on, context.time)
    if review.has_same_decision(decision):
        return review
    review.require_open()
    require_renewal(subscriber.account)
    changes = tier_changes(orders, fits, effective_on, review.id, today)
    facts = {
        "effective_on": effective_on,
        "tiers": [_lowered(change, fits) for change in changes],
        **_appointment(review, context.time),
    }
    event = new_event(
        EventType.SUBSCRIPTION_TIER_LOWERED, context, account=subscriber.account.id, before=None, after=facts
    )
    return _decide(subscriber, review, decision, subscriber.change_tiers(changes, today), event, store)


def decline_review(
    subscriber: Subscriber, review: Review, reason: str, *, context: RequestContext, store: ReviewStore
) -> Review:
    """Declines a lower tier for a reason; returns the decided review. Safe to repeat.

    One transaction. Raises Conflict for a review that is not open, ConcurrentChange.
    """
    decision = Declined(reason, context.time)
    if review.has_same_decision(decision):
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
        changed = None if subscription is None else replace(subscriber, subscription=subscription)
        store.decide_review(account, decided, changed, event, frees_time=review.is_ahead(event.time))
    except ConcurrentChange:
        # The same decision may have been sent twice at once: then the other request has written it.
        current = store.review(account.id, review.id)
        if not current.has_same_decision(decision):
            raise
        return current
    return replace(decided, version=review.version + 1)


def _appointment(review: Review, now: datetime) -> dict[str, Any]:
    return {"appointment": appointment_facts(review), "appointment_cancelled": review.is_ahead(now)}


def _lowered(change: TierChange, fits: Sequence[LowerTierFit]) -> dict[str, Any]:
    """One change in the form of the event."""
    [fit] = (each for each in fits if each.line.product == change.product)
    line = fit.line
    return {
        "product": {"product": line.product, "name": line.name, "unit": line.unit},
        "months": [{"month": f"{each.month:%Y-%m}", "usage": each.quantity} for each in fit.months],
        "average": rounded_average(fit.average),
        "before": {"up_to": line.up_to, "price": asdict(line.price)},
        "after": {"up_to": change.up_to, "price": asdict(change.price)},
        "replaces_agreed": line.agreed,
    }
