"""Reviews: cut off anywhere, repeated, met by each other, they leave a whole state, and no time is given away twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.accounts.rules import Status
from billing.billing_page.provision_account import provision_account
from billing.kernel.errors import Conflict, RuleViolation, StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.scaling.reviews.administer_success_managers import assign_success_manager, replace_success_manager
from billing.scaling.reviews.book_review import book_review, cancel_review
from billing.scaling.reviews.decide_review import apply_review, decline_review
from billing.scaling.reviews.rules import LowerTierFit, Review, ReviewOpen, SlotTaken, lines_at_renewal, lower_tier_fit
from billing.scaling.reviews.success_manager_views import SuccessManagerBody
from billing.subscriptions.rules import Order

from tests.faults.company import WANTED, Command, body, company, events
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.functions.reviews import BEGINS, LOWER, MANAGER, SOFIE
from tests.store.samples import OCCASION, happened

OURS, THEIRS = WANTED.account, "other-shop"
FIRST = datetime.fromisoformat(BEGINS)
SECOND = FIRST + timedelta(minutes=30)
PRESENT = SuccessManagerBody.model_validate(SOFIE).value(MANAGER)
USAGE = {date(2026, month, 1): Decimal(8000) for month in (3, 4, 5)}
"""Of each product: it fits the lower tier of e-mails, and search is in its lowest."""

ORDERS = tuple(Order(each["product"], each["up_to"]) for each in LOWER["tiers"])
BY_ADMIN = RequestContext(Actor(ActorKind.CUSTOMER, "user-1"), OCCASION.time, OCCASION.correlation)


# ---- Worlds ----


def looked_after() -> World:
    """Two companies that the same success manager looks after."""
    with company().calm() as world:
        provision_account(
            replace(WANTED, account=THEIRS),
            context=OCCASION,
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        replace_success_manager(PRESENT, 0, context=OCCASION, store=world.store)
        for account in (OURS, THEIRS):
            assign_success_manager(world.store.account(account), MANAGER, context=OCCASION, store=world.store)
        return world


def with_review() -> World:
    """Ours has booked the first slot."""
    with looked_after().calm() as world:
        book(FIRST)(world)
        return world


# ---- What is asked ----


def standings(world: World, account: str = OURS) -> tuple[LowerTierFit, ...]:
    subscriber = world.store.subscriber(account, consistent=True)
    contract, catalogue = subscriber.account.contract, world.store.catalogue(subscriber.subscription.catalogue_version)
    today = contract.today(OCCASION.time)
    lines = lines_at_renewal(subscriber.subscription, contract, today)
    return tuple(lower_tier_fit(line, USAGE, catalogue, contract, today) for line in lines)


def book(begins: datetime, account: str = OURS) -> Command:
    def command(world: World) -> None:
        known = standings(world, account)
        book_review(world.store.account(account), begins, known, context=BY_ADMIN, store=world.store)

    return command


def newest(world: World) -> Review:
    [review, *_] = world.store.reviews(OURS, limit=1, after=None).items
    return world.store.review(OURS, review.id)


def cancel(world: World) -> None:
    cancel_review(world.store.account(OURS), newest(world), context=BY_ADMIN, store=world.store)


def apply_tier(world: World) -> None:
    known = standings(world)
    subscriber = world.store.subscriber(OURS, consistent=True)
    apply_review(subscriber, newest(world), ORDERS, known, context=OCCASION, store=world.store)


def decline(world: World) -> None:
    subscriber = world.store.subscriber(OURS, consistent=True)
    decline_review(subscriber, newest(world), "Christmas would not fit.", context=OCCASION, store=world.store)


def reschedule(minutes: int, replaces: int = 1) -> Command:
    def command(world: World) -> None:
        changed = replace(PRESENT, review_minutes=minutes)
        replace_success_manager(changed, replaces, context=OCCASION, store=world.store)

    return command


def end_account(world: World) -> None:
    """As a cancellation will: the account is no longer active."""
    account = world.store.account(OURS)
    if account.status is Status.ACTIVE:
        world.store.assign_success_manager(replace(account, status=Status.CANCELLING), happened())


# ---- What must hold ----


def reviews(world: World) -> list[dict[str, Any]]:
    return [body(item) for item in world.stored("REVIEW#")]


def is_open(review: dict[str, Any]) -> bool:
    return review["cancelled_at"] is None and review["decision"] is None


def all_agrees(world: World) -> None:
    """Time is given away for open reviews and no others, an account has one at most, and all of it was told once."""
    opened = {review["review"]: review for review in reviews(world) if is_open(review)}
    cells = [(item["sk"]["S"], body(item)["review"]) for item in world.stored("BOOKED#")]
    assert sorted(cells) == sorted(
        (f"BOOKED#{begins + timedelta(minutes=15 * number):%Y-%m-%dT%H:%MZ}", name)
        for name, review in opened.items()
        for begins, ends in [tuple(datetime.fromisoformat(review["slot"][edge]) for edge in ("begins", "ends"))]
        for number in range((ends - begins) // timedelta(minutes=15))
    ), "the time that is given away is not that of the open reviews"
    assert sorted(body(item)["review"] for item in world.stored("REVIEW-OPEN")) == sorted(opened)
    told = {
        "review.booked": len(reviews(world)),
        "review.cancelled": sum(review["cancelled_at"] is not None for review in reviews(world)),
        "review.declined": sum("reason" in (review["decision"] or {}) for review in reviews(world)),
        "subscription.tier_lowered": sum("orders" in (review["decision"] or {}) for review in reviews(world)),
    }
    assert {type_: len(events(world, type_)) for type_ in told} == told, "reviews and events do not match"
    lowered = [change for account in (OURS, THEIRS) for change in _changes(world, account)]
    assert len(lowered) == told["subscription.tier_lowered"], "a decision without its tier, or the other way round"


def _changes(world: World, account: str) -> list[Any]:
    return [*world.store.billing_page(account, consistent=True).subscription.changes]


def ends_as(status: str, count: int = 1) -> Command:
    def look(world: World) -> None:
        all_agrees(world)
        assert len(reviews(world)) == count
        assert newest(world).status == status

    return look


# ---- Cuts ----


def test_a_booking(faults: Faults) -> None:
    faults.every_cut(world=looked_after, command=book(FIRST), invariants=ends_as("booked"), always=all_agrees)


def test_a_cancelled_review(faults: Faults) -> None:
    faults.every_cut(world=with_review, command=cancel, invariants=ends_as("cancelled"), always=all_agrees)


def test_a_lower_tier(faults: Faults) -> None:
    def lowered_once(world: World) -> None:
        ends_as("applied")(world)
        [change] = _changes(world, OURS)
        assert (change.product, change.up_to, change.effective_on) == ("email", 10_000, date(2026, 7, 15))

    # The same decision after it has succeeded is recognised before the tiers are looked at.
    faults.every_cut(world=with_review, command=apply_tier, invariants=lowered_once, always=all_agrees)


def test_a_declined_review(faults: Faults) -> None:
    faults.every_cut(world=with_review, command=decline, invariants=ends_as("declined"), always=all_agrees)


def test_a_success_manager(faults: Faults) -> None:
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


def test_two_accounts_race_for_one_slot(faults: Faults) -> None:
    faults.every_race(
        world=looked_after,
        first=book(FIRST),
        second=book(FIRST, THEIRS),
        invariants=one_has_the_slot,
        may_lose=(SlotTaken,),
        runs_max=1,
    )


def test_two_slots_that_overlap(faults: Faults) -> None:
    """The manager's reviews have become longer between the two."""

    def longer_reviews_for_them(world: World) -> None:
        longer = replace(PRESENT, review_minutes=60)
        replace_success_manager(longer, 1, context=OCCASION, store=world.store)
        book(FIRST, THEIRS)(world)

    faults.every_race(
        world=looked_after,
        first=book(SECOND),
        second=longer_reviews_for_them,
        invariants=one_has_the_slot,
        may_lose=(SlotTaken, RuleViolation),  # with longer reviews, the second slot is none any more
    )


def test_the_same_booking_twice_at_once(faults: Faults) -> None:
    faults.every_race(
        world=looked_after, first=book(FIRST), second=book(FIRST), invariants=one_has_the_slot, runs_max=1
    )


def test_two_bookings_of_one_account(faults: Faults) -> None:
    faults.every_race(
        world=looked_after,
        first=book(FIRST),
        second=book(SECOND),
        invariants=one_has_the_slot,
        may_lose=(ReviewOpen,),
        runs_max=1,
    )


def test_cancelled_and_decided_at_once(faults: Faults) -> None:
    for decide in (apply_tier, decline):
        faults.every_race(world=with_review, first=cancel, second=decide, invariants=one_has_won, may_lose=(Conflict,))
        faults.every_race(world=with_review, first=decide, second=cancel, invariants=one_has_won, may_lose=(Conflict,))


def one_has_won(world: World) -> None:
    all_agrees(world)
    [review] = reviews(world)
    assert not is_open(review)


def test_two_decisions_at_once(faults: Faults) -> None:
    faults.every_race(world=with_review, first=apply_tier, second=decline, invariants=one_has_won, may_lose=(Conflict,))


def test_the_same_decision_twice_at_once(faults: Faults) -> None:
    for decide, status in ((apply_tier, "applied"), (decline, "declined")):
        faults.every_race(world=with_review, first=decide, second=decide, invariants=ends_as(status), runs_max=1)


def test_the_same_cancellation_twice_at_once(faults: Faults) -> None:
    faults.every_race(world=with_review, first=cancel, second=cancel, invariants=ends_as("cancelled"), runs_max=1)


def test_no_lower_tier_for_an_account_that_ends_meanwhile(faults: Faults) -> None:
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


# ---- Histories ----


def test_reviews_come_and_go_in_any_order(faults: Faults) -> None:
    faults.histories(
        world=with_review,
        commands=[cancel, book(SECOND), book(FIRST, THEIRS), book(SECOND, THEIRS), reschedule(45), decline],
        invariants=all_agrees,
        always=all_agrees,
        may_lose=(Conflict, RuleViolation, StaleVersion),
        count=60,
    )
