"""Reviews that are cut off, repeated or concurrent leave a consistent state, and no time is booked twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from billing.accounts.rules import Status, existing
from billing.billing_page.provision_account import provision_account
from billing.ending.cancellation.commands import CancellationRequest, cancel_account
from billing.ending.cancellation.rules import Reason
from billing.kernel.errors import Conflict, RuleViolation, StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.scaling.reviews.administer_success_managers import assign_success_manager, replace_success_manager
from billing.scaling.reviews.book_review import book_review, cancel_review
from billing.scaling.reviews.decide_review import apply_review, decline_review
from billing.scaling.reviews.rules import LowerTierFit, Review, ReviewOpen, SlotTaken, lines_at_renewal, lower_tier_fit
from billing.scaling.reviews.success_manager_views import SuccessManagerBody
from billing.subscriptions.rules import Order

from tests.faults.company import NEW_ACCOUNT, SETTINGS, Command, body, company, events
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.functions.reviews import BEGINS, LOWER, MANAGER, SOFIE
from tests.store.samples import CONTEXT, sample_event

OURS, THEIRS = NEW_ACCOUNT.account, "other-shop"
FIRST = datetime.fromisoformat(BEGINS)
SECOND = FIRST + timedelta(minutes=30)
PRESENT = SuccessManagerBody.model_validate(SOFIE).value(MANAGER)
USAGE = {date(2026, month, 1): Decimal(8000) for month in (3, 4, 5)}
"""The usage of each product: it fits the lower tier of e-mails; search is in its lowest tier."""

ORDERS = tuple(Order(each["product"], each["up_to"]) for each in LOWER["tiers"])
BY_ADMIN = RequestContext(Actor(ActorKind.CUSTOMER, "user-1"), CONTEXT.time, CONTEXT.correlation)


# ---- Worlds ----


def looked_after() -> World:
    """Two companies with the same success manager."""
    with company().calm() as world:
        provision_account(
            replace(NEW_ACCOUNT, account=THEIRS),
            context=CONTEXT,
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        replace_success_manager(PRESENT, 0, context=CONTEXT, store=world.store)
        for account in (OURS, THEIRS):
            assign_success_manager(world.store.account(account), MANAGER, context=CONTEXT, store=world.store)
        return world


def with_review() -> World:
    """Our company has booked the first slot."""
    with looked_after().calm() as world:
        book(FIRST)(world)
        return world


# ---- Commands ----


def lower_tier_fits(world: World, account: str = OURS) -> tuple[LowerTierFit, ...]:
    subscriber = world.store.subscriber(account, consistent=True)
    contract, catalogue = subscriber.account.contract, world.store.catalogue(subscriber.subscription.catalogue_version)
    today = contract.today(CONTEXT.time)
    lines = lines_at_renewal(subscriber.subscription, contract, today)
    return tuple(lower_tier_fit(line, USAGE, catalogue, contract, today) for line in lines)


def book(begins: datetime, account: str = OURS) -> Command:
    def command(world: World) -> None:
        fits = lower_tier_fits(world, account)
        book_review(world.store.account(account), begins, fits, context=BY_ADMIN, store=world.store)

    return command


def newest(world: World) -> Review:
    [review, *_] = world.store.reviews(OURS, limit=1, after=None).items
    return world.store.review(OURS, review.id)


def cancel(world: World) -> None:
    cancel_review(world.store.account(OURS), newest(world), context=BY_ADMIN, store=world.store)


def apply_tier(world: World) -> None:
    fits = lower_tier_fits(world)
    subscriber = world.store.subscriber(OURS, consistent=True)
    apply_review(subscriber, newest(world), ORDERS, fits, context=CONTEXT, store=world.store)


def decline(world: World) -> None:
    subscriber = world.store.subscriber(OURS, consistent=True)
    decline_review(subscriber, newest(world), "Christmas would not fit.", context=CONTEXT, store=world.store)


def reschedule(minutes: int, replaces: int = 1) -> Command:
    def command(world: World) -> None:
        changed = replace(PRESENT, review_minutes=minutes)
        replace_success_manager(changed, replaces, context=CONTEXT, store=world.store)

    return command


def end_account(world: World) -> None:
    """Gives the account another status, as a cancellation does."""
    account = world.store.account(OURS)
    if account.status is Status.ACTIVE:
        world.store.assign_success_manager(replace(account, status=Status.CANCELLING), sample_event())


def cancel_the_account(world: World) -> None:
    """An admin cancels the account, with its review."""
    cancel_account(
        existing(world.cancellations.state(OURS)),
        CancellationRequest(Reason.OTHER, "We close the shop.", date(2026, 7, 15)),
        retention_days=14,
        seller=SETTINGS.seller,
        policy=None,
        context=BY_ADMIN,
        store=world.cancellations,
    )


# ---- Invariants ----


def reviews(world: World) -> list[dict[str, Any]]:
    return [body(item) for item in world.stored("REVIEW#")]


def is_open(review: dict[str, Any]) -> bool:
    return review["cancelled_at"] is None and review["decision"] is None


def all_agrees(world: World) -> None:
    """Booked cells are those of the open reviews, an account has at most one, and each change has one event."""
    opened = {review["review"]: review for review in reviews(world) if is_open(review)}
    cells = [(item["sk"]["S"], body(item)["review"]) for item in world.stored("BOOKED#")]
    assert sorted(cells) == sorted(
        (f"BOOKED#{begins + timedelta(minutes=15 * number):%Y-%m-%dT%H:%MZ}", name)
        for name, review in opened.items()
        for begins, ends in [tuple(datetime.fromisoformat(review["slot"][edge]) for edge in ("begins", "ends"))]
        for number in range((ends - begins) // timedelta(minutes=15))
    ), "the booked cells are not those of the open reviews"
    assert sorted(body(item)["review"] for item in world.stored("REVIEW-OPEN")) == sorted(opened)
    expected = {
        "review.booked": len(reviews(world)),
        "review.cancelled": sum(review["cancelled_at"] is not None for review in reviews(world)),
        "review.declined": sum("reason" in (review["decision"] or {}) for review in reviews(world)),
        "subscription.tier_lowered": sum("orders" in (review["decision"] or {}) for review in reviews(world)),
    }
    assert {type_: len(events(world, type_)) for type_ in expected} == expected, "reviews and events do not match"
    lowered = [change for account in (OURS, THEIRS) for change in _changes(world, account)]
    assert len(lowered) == expected["subscription.tier_lowered"], "a decision without its tier, or the other way round"


def _changes(world: World, account: str) -> list[Any]:
    return [*world.store.billing_page(account, consistent=True).subscription.changes]


def ends_as(status: str, count: int = 1) -> Command:
    def check(world: World) -> None:
        all_agrees(world)
        assert len(reviews(world)) == count
        assert newest(world).status == status

    return check


# ---- Cuts ----


def test_a_booking_survives_a_cut_anywhere(faults: Faults) -> None:
    faults.every_cut(world=looked_after, command=book(FIRST), invariants=ends_as("booked"), always=all_agrees)


def test_a_cancellation_survives_a_cut_anywhere(faults: Faults) -> None:
    faults.every_cut(world=with_review, command=cancel, invariants=ends_as("cancelled"), always=all_agrees)


def test_a_lower_tier_is_applied_once_after_a_cut_anywhere(faults: Faults) -> None:
    def lowered_once(world: World) -> None:
        ends_as("applied")(world)
        [change] = _changes(world, OURS)
        assert (change.product, change.up_to, change.effective_on) == ("email", 10_000, date(2026, 7, 15))

    # A repeated decision is recognised before its tiers are checked.
    faults.every_cut(world=with_review, command=apply_tier, invariants=lowered_once, always=all_agrees)


def test_a_declined_review_survives_a_cut_anywhere(faults: Faults) -> None:
    faults.every_cut(world=with_review, command=decline, invariants=ends_as("declined"), always=all_agrees)


def test_a_success_manager_is_changed_once_after_a_cut_anywhere(faults: Faults) -> None:
    def changed_once(world: World) -> None:
        manager = world.store.success_manager(MANAGER)
        assert manager is not None
        assert (manager.review_minutes, manager.version) == (60, 2)
        assert len(events(world, "success_manager.changed")) == 2

    faults.every_cut(world=looked_after, command=reschedule(60), invariants=changed_once)


# ---- Races ----


def one_has_the_slot(world: World) -> None:
    all_agrees(world)
    assert len(reviews(world)) == 1


def test_one_of_two_accounts_gets_a_slot(faults: Faults) -> None:
    faults.every_race(
        world=looked_after,
        first=book(FIRST),
        second=book(FIRST, THEIRS),
        invariants=one_has_the_slot,
        may_lose=(SlotTaken,),
        runs_max=1,
    )


def test_one_of_two_overlapping_slots_is_booked(faults: Faults) -> None:
    """The manager's reviews become longer between the two bookings."""

    def longer_reviews_for_them(world: World) -> None:
        longer = replace(PRESENT, review_minutes=60)
        replace_success_manager(longer, 1, context=CONTEXT, store=world.store)
        book(FIRST, THEIRS)(world)

    faults.every_race(
        world=looked_after,
        first=book(SECOND),
        second=longer_reviews_for_them,
        invariants=one_has_the_slot,
        may_lose=(SlotTaken, RuleViolation),  # with longer reviews, the second slot no longer exists
    )


def test_a_booking_sent_twice_at_once_makes_one_review(faults: Faults) -> None:
    faults.every_race(
        world=looked_after, first=book(FIRST), second=book(FIRST), invariants=one_has_the_slot, runs_max=1
    )


def test_one_of_two_bookings_of_an_account_succeeds(faults: Faults) -> None:
    faults.every_race(
        world=looked_after,
        first=book(FIRST),
        second=book(SECOND),
        invariants=one_has_the_slot,
        may_lose=(ReviewOpen,),
        runs_max=1,
    )


def test_a_review_is_either_cancelled_or_decided(faults: Faults) -> None:
    for decide in (apply_tier, decline):
        faults.every_race(world=with_review, first=cancel, second=decide, invariants=one_has_won, may_lose=(Conflict,))
        faults.every_race(world=with_review, first=decide, second=cancel, invariants=one_has_won, may_lose=(Conflict,))


def one_has_won(world: World) -> None:
    all_agrees(world)
    [review] = reviews(world)
    assert not is_open(review)


def test_one_of_two_concurrent_decisions_succeeds(faults: Faults) -> None:
    faults.every_race(world=with_review, first=apply_tier, second=decline, invariants=one_has_won, may_lose=(Conflict,))


def test_a_decision_sent_twice_at_once_is_made_once(faults: Faults) -> None:
    for decide, status in ((apply_tier, "applied"), (decline, "declined")):
        faults.every_race(world=with_review, first=decide, second=decide, invariants=ends_as(status), runs_max=1)


def test_a_cancellation_sent_twice_at_once_is_made_once(faults: Faults) -> None:
    faults.every_race(world=with_review, first=cancel, second=cancel, invariants=ends_as("cancelled"), runs_max=1)


def test_an_account_cancelled_meanwhile_gets_no_lower_tier(faults: Faults) -> None:
    def lowered_before_the_end_or_never(world: World) -> None:
        all_agrees(world)
        assert world.store.account(OURS).status is Status.CANCELLING

    faults.every_race(
        world=with_review,
        first=apply_tier,
        second=end_account,
        invariants=lowered_before_the_end_or_never,
        may_lose=(Conflict,),
    )


def test_a_review_ends_with_its_account_after_a_cut_anywhere(faults: Faults) -> None:
    def cancelled_with_the_account(world: World) -> None:
        ends_as("cancelled")(world)
        assert world.store.account(OURS).status is Status.CANCELLING

    def never_one_without_the_other(world: World) -> None:
        all_agrees(world)
        is_cancelled = world.store.account(OURS).status is Status.CANCELLING
        assert is_cancelled is not any(map(is_open, reviews(world)))

    faults.every_cut(
        world=with_review,
        command=cancel_the_account,
        invariants=cancelled_with_the_account,
        always=never_one_without_the_other,
    )


@pytest.mark.parametrize("other", [book(FIRST), cancel, apply_tier, decline])
def test_no_review_of_a_cancelled_account_stays_open(other: Command, faults: Faults) -> None:
    def none_is_open(world: World) -> None:
        all_agrees(world)
        if world.store.account(OURS).status is Status.CANCELLING:
            assert not any(map(is_open, reviews(world)))

    # A request that loses is told so, and its sender asks again.
    faults.every_race(
        world=looked_after if other not in {cancel, apply_tier, decline} else with_review,
        first=other,
        second=cancel_the_account,
        invariants=none_is_open,
        may_lose=(Conflict,),
    )


# ---- Histories ----


def test_bookings_cancellations_and_decisions_in_any_order_stay_consistent(faults: Faults) -> None:
    faults.histories(
        world=with_review,
        commands=[cancel, book(SECOND), book(FIRST, THEIRS), book(SECOND, THEIRS), reschedule(45), decline],
        invariants=all_agrees,
        always=all_agrees,
        may_lose=(Conflict, RuleViolation, StaleVersion),
        count=60,
    )
