"""A change of the subscription is made once, and never for a month that is invoiced: cut off anywhere, with others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from billing.billing_page.change_subscription import (
    ChangeRequest,
    change_product,
    end_product,
    keep_product,
    move_to_version,
    replace_discounts,
    withdraw_version,
)
from billing.billing_page.page import BillingPage
from billing.invoicing.issue_invoices import issue_invoices
from billing.kernel.errors import ConcurrentChange, StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.platform.events.mapping import event_from
from billing.subscriptions.announce_version import VersionAnnouncements
from billing.subscriptions.catalogue import Tier
from billing.subscriptions.changes import NotEnding
from billing.subscriptions.pricing import amount_per_charge
from billing.subscriptions.replace_catalogue import replace_catalogue
from billing.subscriptions.rules import Discount, Order
from billing.subscriptions.version_changes import NoVersionPending
from billing.subscriptions.versions import VersionChange

from tests.faults.company import NEW_ACCOUNT, PRODUCTS, SETTINGS, company, events, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
EVE = datetime(2026, 7, 14, 12, tzinfo=UTC)
RENEWAL = datetime(2026, 7, 15, 12, tzinfo=UTC)
ANNOUNCED = "catalogue_version.announced"
QUARTERS = 3
"""Paid periods of the sample company up to RENEWAL."""

Change = Callable[[BillingPage, ChangeRequest, World], object]


def staff_change(change: Change) -> Callable[[World], None]:
    """A change as the API makes it: each attempt reads the current page, and keeps the version that staff saw."""

    def command(world: World) -> None:
        page = world.store.billing_page(ACCOUNT, consistent=True)
        context = RequestContext(Actor(ActorKind.STAFF, "staff-1"), EVE, "request")
        change(page, ChangeRequest(1, is_preview=False, context=context, seller=SETTINGS.seller, policy=None), world)

    return command


def discounts(percent: int) -> Callable[[World], None]:
    def change(page: BillingPage, request: ChangeRequest, world: World) -> None:
        begins = max(date(2026, 7, 15), page.subscriber.next_open_renewal(date(2026, 7, 14)))
        more = Discount(None, Decimal(percent), None, begins, None, "A second shop")
        replace_discounts(page, (*NEW_ACCOUNT.discounts, more), request, pages=world.store)

    return staff_change(change)


def larger(page: BillingPage, request: ChangeRequest, world: World) -> None:
    change_product(page, Order("search", 25_000), None, "They grow", request, pages=world.store)


def ending(page: BillingPage, request: ChangeRequest, world: World) -> None:
    end_product(page, "email", None, "They asked for it", request, pages=world.store)


def kept(page: BillingPage, request: ChangeRequest, world: World) -> None:
    with suppress(NotEnding):  # a repetition finds nothing left to take back
        keep_product(page, "email", replace(request, replaces=page.subscription.version), pages=world.store)


def with_ending() -> World:
    with company().calm() as world:
        staff_change(ending)(world)
        return world


def run(world: World) -> None:
    """The run of the renewal, which also issues the invoices of the quarters before."""
    issue_invoices(ACCOUNT, now=RENEWAL, correlation="run", settings=SETTINGS, store=world.invoicing)


def consistent(world: World) -> None:
    """Each write of the subscription has one event, and each invoice says what its period costs."""
    page = world.store.billing_page(ACCOUNT, consistent=True)
    changes = [*events(world, "discounts.changed"), *events(world, "subscription.changed")]
    assert page.subscription.version == 1 + len(changes)
    contract = page.account.contract
    for invoice in stored_invoices(world):
        since = date.fromisoformat(invoice["issued"]["draft"]["since"])
        # What takes effect within the period is invoiced on its day.
        changes_by_then = tuple(each for each in page.subscription.changes if each.effective_on <= since)
        known = replace(page.subscription, changes=changes_by_then)
        owed = amount_per_charge(known, contract, contract.month_of(since))
        assert invoice["issued"]["draft"]["net"]["amount"] == owed.amount, since


def changed_once(world: World) -> None:
    consistent(world)
    assert len(events(world, "discounts.changed")) == 1


def test_a_change_is_made_once(faults: Faults) -> None:
    faults.every_cut(world=company, command=discounts(10), invariants=changed_once, always=consistent)


def test_one_of_two_members_of_staff_wins(faults: Faults) -> None:
    faults.every_race(
        world=company, first=discounts(10), second=discounts(20), invariants=changed_once, may_lose=(StaleVersion,)
    )


def test_a_change_and_the_run_of_its_renewal(faults: Faults) -> None:
    def both(world: World) -> None:
        consistent(world)  # a change that loses is asked for again
        assert len(stored_invoices(world)) == QUARTERS

    faults.every_race(world=company, first=discounts(10), second=run, invariants=both, may_lose=(ConcurrentChange,))


def test_a_product_is_moved_once(faults: Faults) -> None:
    def moved(world: World) -> None:
        consistent(world)
        assert len(events(world, "subscription.changed")) == 1

    faults.every_cut(world=company, command=staff_change(larger), invariants=moved, always=consistent)


def test_an_end_is_entered_once(faults: Faults) -> None:
    def ends(world: World) -> None:
        consistent(world)
        assert [each["after"]["change"] for each in events(world, "subscription.changed")] == ["ending"]

    faults.every_cut(world=company, command=staff_change(ending), invariants=ends, always=consistent)


def test_an_end_is_taken_back_once(faults: Faults) -> None:
    def stays(world: World) -> None:
        consistent(world)
        assert [each["after"]["change"] for each in events(world, "subscription.changed")] == ["ending", "kept"]

    faults.every_cut(world=with_ending, command=staff_change(kept), invariants=stays, always=consistent)


def test_a_larger_tier_and_the_run_of_its_renewal(faults: Faults) -> None:
    def both(world: World) -> None:
        """The renewal is invoiced with the larger tier, or the change came after it and is still to come."""
        consistent(world)
        assert len(stored_invoices(world)) == QUARTERS

    faults.every_race(
        world=company, first=staff_change(larger), second=run, invariants=both, may_lose=(ConcurrentChange,)
    )


# ---- Another version of the catalogue ----


def with_two_versions() -> World:
    """The company, and a dearer version 2 of the catalogue."""
    with company().calm() as world:
        dearer = tuple(replace(each, tiers=tuple(map(dearer_tier, each.tiers))) for each in PRODUCTS)
        replace_catalogue(dearer, 1, is_charged=True, context=CONTEXT, store=world.store)
        return world


def dearer_tier(tier: Tier) -> Tier:
    prices = tier.prices
    return replace(tier, prices=None if prices is None else {code: price + 1000 for code, price in prices.items()})


def moving(page: BillingPage, request: ChangeRequest, world: World) -> None:
    move_to_version(page, 2, None, "Prices of 2027", 30, request, pages=world.store)


def withdrawing(page: BillingPage, request: ChangeRequest, world: World) -> None:
    with suppress(NoVersionPending):  # a repetition finds nothing left to withdraw
        withdraw_version(page, replace(request, replaces=page.subscription.version), pages=world.store)


def with_move() -> World:
    with with_two_versions().calm() as world:
        staff_change(moving)(world)
        return world


def mailed(now: datetime) -> Callable[[World], None]:
    """The worker delivers the mail about the move at `now`: it asks, sends, and notes that it has sent."""

    def command(world: World) -> None:
        event = event_from(next(each["body"]["S"] for each in world.stored("EVENT#") if ANNOUNCED in each["body"]["S"]))
        promises = VersionAnnouncements(now, 30, world.store)
        if promises.may_be_mailed(event):
            promises.was_mailed(event)

    return command


def moves(world: World) -> list[VersionChange]:
    return [*world.store.billing_page(ACCOUNT, consistent=True).subscription.versions]


def test_an_account_is_moved_once(faults: Faults) -> None:
    def moved(world: World) -> None:
        assert [each.version for each in moves(world)] == [2]
        assert len(events(world, ANNOUNCED)) == 1

    faults.every_cut(world=with_two_versions, command=staff_change(moving), invariants=moved)


def test_a_move_is_withdrawn_once(faults: Faults) -> None:
    def stays(world: World) -> None:
        assert moves(world) == []
        assert len(events(world, "catalogue_version.withdrawn")) == 1

    faults.every_cut(world=with_move, command=staff_change(withdrawing), invariants=stays)


def test_a_mail_is_noted_once(faults: Faults) -> None:
    def told(world: World) -> None:
        [move] = moves(world)
        assert move.announced_on == EVE.date()
        assert events(world, "catalogue_version.postponed") == []

    faults.every_cut(world=with_move, command=mailed(EVE), invariants=told)


def test_a_day_is_put_off_once(faults: Faults) -> None:
    """The message about the first day comes again after every cut: it finds another move."""
    late = datetime(2027, 1, 1, 12, tzinfo=UTC)

    def put_off(world: World) -> None:
        [move] = moves(world)
        assert move.announced_on is None
        assert move.may_be_announced_on(late.date(), 30)
        assert len(events(world, "catalogue_version.postponed")) == 1

    faults.every_cut(world=with_move, command=mailed(late), invariants=put_off)


def test_a_mail_and_a_withdrawal(faults: Faults) -> None:
    def one(world: World) -> None:
        assert moves(world) == [], "a withdrawal that loses is asked for again"

    faults.every_race(
        world=with_move,
        first=mailed(EVE),
        second=staff_change(withdrawing),
        invariants=one,
        may_lose=(ConcurrentChange, StaleVersion),
    )


def test_a_move_and_the_run_of_a_renewal(faults: Faults) -> None:
    def both(world: World) -> None:
        """The renewal that is invoiced keeps its price: the move holds from a later one."""
        assert len(stored_invoices(world)) == QUARTERS
        assert all(move.effective_on > date(2026, 7, 15) for move in moves(world))

    faults.every_race(
        world=with_two_versions,
        first=staff_change(moving),
        second=run,
        invariants=both,
        may_lose=(ConcurrentChange,),
    )
