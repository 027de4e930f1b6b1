"""An admin books a review with the customer success manager, or cancels it. No time is booked twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from billing.accounts.information import DEFAULT_LANGUAGE
from billing.accounts.rules import Account
from billing.kernel.errors import ConcurrentChange, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.platform.events.new_event import new_event, new_id
from billing.scaling.reviews.records import ReviewStore
from billing.scaling.reviews.rules import (
    LowerTierFit,
    Manager,
    Review,
    ReviewedProduct,
    ReviewOpen,
    ReviewStatus,
    SlotTaken,
    bookable,
    require_fit,
    require_renewal,
)
from billing.scaling.reviews.success_manager_records import SuccessManagerStore
from billing.scaling.reviews.success_managers import CELL, NoSuccessManager, Slot, SuccessManager


def book_review(
    account: Account,
    begins: datetime,
    fits: Sequence[LowerTierFit],
    *,
    context: RequestContext,
    store: ReviewStore,
    language: str = DEFAULT_LANGUAGE,
) -> Review:
    """Books a review that begins at this instant. A repeated request returns the review that it booked.

    Two gets and one transaction. Raises ReviewOpen while another review is open, ReviewNotYet unless a product fits a
    lower tier, NoSuccessManager, RuleViolation for an instant without a slot, SlotTaken, Conflict for a cancelled
    account, ConcurrentChange.
    """
    open_review = store.open_review(account.id)
    if open_review is not None:
        return _same(open_review, begins)
    require_renewal(account)
    fitting = require_fit(fits, language)
    manager = success_manager_of(account, store)
    review = Review(
        id=new_id(context.time),
        slot=_slot(manager, begins, context.time),
        manager=Manager(manager.id, manager.name, manager.email, manager.place),
        products=tuple(ReviewedProduct(each.line.product, each.line.name, each.line.unit) for each in fitting),
        booked_at=context.time,
        version=1,
    )
    event = new_event(
        EventType.REVIEW_BOOKED, context, account=account.id, before=None, after=appointment_facts(review)
    )
    try:
        store.book_review(account, review, event)
    except ConcurrentChange:
        # Another writer won: the same request sent twice, another request of this account, or another account.
        open_review = store.open_review(account.id)
        if open_review is not None:
            return _same(open_review, begins)
        if store.booked(manager.id, review.slot.cells[0], review.slot.cells[-1], account.id):
            raise SlotTaken from None
        raise
    return review


def cancel_review(account: Account, review: Review, *, context: RequestContext, store: ReviewStore) -> None:
    """Cancels a review before it begins. Does nothing for a cancelled review.

    One transaction. Raises Conflict for a review that was decided or has begun, ConcurrentChange.
    """
    if review.status is ReviewStatus.CANCELLED:
        return
    review.require_cancellable(context.time)
    event = new_event(
        EventType.REVIEW_CANCELLED, context, account=account.id, before=appointment_facts(review), after=None
    )
    try:
        store.cancel_review(account, replace(review, cancelled_at=context.time), event)
    except ConcurrentChange:
        if store.review(account.id, review.id).status is not ReviewStatus.CANCELLED:
            raise


def success_manager_of(account: Account, store: SuccessManagerStore) -> SuccessManager:
    """The account's success manager. Raises NoSuccessManager. One get."""
    manager = None if account.success_manager is None else store.success_manager(account.success_manager)
    if manager is None:
        raise NoSuccessManager
    return manager


def appointment_facts(review: Review) -> dict[str, Any]:
    """The appointment in the form of events."""
    return {
        "review": review.id,
        "begins": review.slot.begins,
        "ends": review.slot.ends,
        "manager": {"name": review.manager.name, "email": review.manager.email},
        "place": review.manager.place,
        "products": [asdict(product) for product in review.products],
    }


def _same(open_review: Review, begins: datetime) -> Review:
    """The open review if it begins at `begins`. Raises ReviewOpen."""
    if open_review.slot.begins != begins:
        raise ReviewOpen
    return open_review


def _slot(manager: SuccessManager, begins: datetime, now: datetime) -> Slot:
    """The manager's slot that begins at `begins`. Raises RuleViolation."""
    earliest, latest = bookable(now)
    if earliest <= begins < latest:
        for slot in manager.slots(begins, begins + CELL):
            if slot.begins == begins:
                return slot
    raise RuleViolation(
        Violation(("begins",), "This is not one of the slots: see GET …/reviews/slots.", FieldCode.UNKNOWN)
    )
