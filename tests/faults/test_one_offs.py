"""A one-off is invoiced once, and never lost: cut off anywhere, with others, at the end of the account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.accounts.rules import existing
from billing.ending.cancellation.commands import CancellationRequest, cancel_account, preview_cancellation
from billing.ending.cancellation.rules import ChargesChanged, Reason
from billing.invoicing.administer_one_offs import NewOneOff, add_one_off, take_back_one_off
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.one_off_records import OneOffStore
from billing.invoicing.one_offs import Mark, OneOff, OneOffClosed, OneOffExists, OneOffKind
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.money import Money

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, company, events, stored_invoices
from tests.faults.cuts import Faults
from tests.faults.world import World

ACCOUNT = NEW_ACCOUNT.account
EVE = datetime(2026, 7, 13, 12, tzinfo=UTC)
RENEWAL = datetime(2026, 7, 15, 12, tzinfo=UTC)
ENDED = datetime(2026, 10, 15, 12, tzinfo=UTC)
TRAINING, SETUP, SORRY = 40_000, 90_000, 5_000
QUARTERS = 3
"""Paid periods of the sample company up to its end."""

Command = Callable[[World], None]


def staff(now: datetime = EVE) -> dict[str, Any]:
    return {
        "is_preview": False,
        "context": RequestContext(Actor(ActorKind.STAFF, "staff-1"), now, "request"),
        "settings": SETTINGS,
    }


def adding(amount: int, *, kind: OneOffKind = OneOffKind.CHARGE, at_once: bool = False, id_: str = "extra") -> Command:
    """Staff add a one-off, as the API does: each attempt reads the account."""

    def command(world: World) -> None:
        store = OneOffStore(TABLE, world.client)
        new = NewOneOff(id_, kind, "Training", (), Money(amount, "EUR"), 1, at_once, "Agreed")
        add_one_off(existing(store.billing_context(ACCOUNT)), new, store=store, **staff())

    return command


def taking_back(world: World) -> None:
    store = OneOffStore(TABLE, world.client)
    take_back_one_off(existing(store.billing_context(ACCOUNT)), "extra", store=store, **staff())


def run(now: datetime) -> Command:
    def command(world: World) -> None:
        issue_invoices(ACCOUNT, now=now, correlation="run", settings=SETTINGS, store=world.invoicing)

    return command


def cancelling(world: World) -> None:
    state = existing(world.cancellations.state(ACCOUNT))
    today = state.subscriber.account.contract.today(EVE)
    shown = preview_cancellation(state, today, 14, SETTINGS.seller, None)
    cancel_account(
        state,
        CancellationRequest(Reason.OTHER, "", shown.active_until, shown.charges),
        retention_days=14,
        seller=SETTINGS.seller,
        policy=None,
        context=staff()["context"],
        store=world.cancellations,
    )


def world_with(*commands: Command) -> Callable[[], World]:
    def make() -> World:
        with company().calm() as world:
            for command in commands:
                command(world)
            return world

    return make


def all_of(world: World) -> list[OneOff]:
    store = OneOffStore(TABLE, world.client)
    closed = store.closed_one_offs(ACCOUNT, limit=100, after=None).items
    return [*existing(store.billing_context(ACCOUNT)).one_offs.open, *closed]


def lines(world: World) -> dict[str, list[tuple[str, int]]]:
    """The invoices, with the amount, that have a line of each one-off."""
    found: dict[str, list[tuple[str, int]]] = {}
    for invoice in stored_invoices(world):
        for line in invoice["issued"]["draft"]["lines"]:
            if "one_off" in line:
                used = found.setdefault(line["one_off"], [])
                used.append((invoice["issued"]["number"], abs(line["net"]["amount"])))
    return found


def consistent(world: World) -> None:
    """Each one-off is on the invoices that it names, and on no other. Nothing of it is used twice."""
    known = all_of(world)
    assert len({each.id for each in known}) == len(known)
    named = {each.id: [(use.number, use.amount) for use in each.uses if use.number] for each in known}
    assert lines(world) == {identity: uses for identity, uses in named.items() if uses}
    for each in known:
        assert each.left >= 0
        assert (each.mark is Mark.INVOICED) == (each.left == 0)


def added_once(world: World) -> None:
    consistent(world)
    assert len(all_of(world)) == len(events(world, "one_off.changed")) == 1


def test_a_charge_is_added_once(faults: Faults) -> None:
    faults.every_cut(world=company, command=adding(TRAINING), invariants=added_once, always=consistent)


def test_a_charge_is_invoiced_at_once_and_once(faults: Faults) -> None:
    def invoiced(world: World) -> None:
        added_once(world)
        assert len(stored_invoices(world)) == len(events(world, "invoice.issued")) == 1

    command = adding(TRAINING, at_once=True)
    faults.every_cut(world=company, command=command, invariants=invoiced, always=consistent)


def test_a_charge_is_taken_back_once(faults: Faults) -> None:
    def gone(world: World) -> None:
        consistent(world)
        assert [each.mark for each in all_of(world)] == [Mark.TAKEN_BACK]
        assert len(events(world, "one_off.changed")) == 2

    faults.every_cut(world=world_with(adding(TRAINING)), command=taking_back, invariants=gone, always=consistent)


def test_a_renewal_invoices_what_is_open_once(faults: Faults) -> None:
    def invoiced(world: World) -> None:
        consistent(world)
        assert {each.id: each.mark for each in all_of(world)} == {"extra": Mark.INVOICED, "sorry": Mark.INVOICED}

    start = world_with(adding(TRAINING), adding(SORRY, kind=OneOffKind.GOODWILL, id_="sorry"), run(EVE))
    faults.every_cut(world=start, command=run(RENEWAL), invariants=invoiced, always=consistent)


def test_the_end_invoices_what_is_left_once_and_lets_goodwill_lapse(faults: Faults) -> None:
    def ended(world: World) -> None:
        consistent(world)
        assert {each.id: each.mark for each in all_of(world)} == {"extra": Mark.INVOICED, "sorry": Mark.LAPSED}
        lapsed = [each for each in events(world, "one_off.changed") if each["after"]["mark"] == "lapsed"]
        assert [each["after"]["left"]["amount"] for each in lapsed] == [SORRY]
        # The charge came to zero with the goodwill: no invoice is issued, the event is.
        assert [each["issued"]["draft"]["occasion"] for each in stored_invoices(world)] == ["period"] * QUARTERS
        assert [each["after"]["since"] for each in events(world, "period.free")] == ["2026-10-15"]

    begun = (run(EVE), cancelling, run(RENEWAL), late(TRAINING), late(TRAINING + SORRY, "sorry"))
    faults.every_cut(
        world=world_with(*begun, run(ENDED - timedelta(days=1))),
        command=run(ENDED),
        invariants=ended,
        always=consistent,
    )


def late(amount: int, id_: str = "extra") -> Command:
    """What staff add after the last renewal of a cancelled account."""
    kind = OneOffKind.GOODWILL if id_ == "sorry" else OneOffKind.CHARGE

    def command(world: World) -> None:
        store = OneOffStore(TABLE, world.client)
        new = NewOneOff(id_, kind, "Training", (), Money(amount, "EUR"), 1, is_at_once=False, reason="Agreed")
        add_one_off(existing(store.billing_context(ACCOUNT)), new, store=store, **staff(RENEWAL))

    return command


def test_two_members_of_staff_who_add_the_same_thing(faults: Faults) -> None:
    for other in (adding(SETUP), adding(SETUP, at_once=True)):
        faults.every_race(
            world=company, first=adding(TRAINING), second=other, invariants=added_once, may_lose=(OneOffExists,)
        )


def test_two_at_once_are_both_kept(faults: Faults) -> None:
    def both(world: World) -> None:
        consistent(world)
        assert {each.id for each in all_of(world)} == {"extra", "other"}

    second = adding(SETUP, id_="other")
    faults.every_race(world=company, first=adding(TRAINING), second=second, invariants=both)
    faults.every_race(world=company, first=adding(TRAINING, at_once=True), second=second, invariants=both)


def test_a_charge_that_is_taken_back_while_the_renewal_invoices_it(faults: Faults) -> None:
    def either(world: World) -> None:
        consistent(world)
        assert [each.mark for each in all_of(world)] in ([Mark.TAKEN_BACK], [Mark.INVOICED])

    faults.every_race(
        world=world_with(adding(TRAINING), run(EVE)),
        first=taking_back,
        second=run(RENEWAL),
        invariants=either,
        may_lose=(OneOffClosed,),
    )


def test_a_cancellation_names_what_is_charged_although_a_charge_comes_in_between(faults: Faults) -> None:
    def named(world: World) -> None:
        """The receipt has the charge, or the cancellation is asked for again with a new preview."""
        for receipt in events(world, "cancellation.requested"):
            charges = [each["amount"]["amount"] for each in receipt["after"]["charges_still_due"]]
            assert max(charges) >= TRAINING or receipt["event"] < events(world, "one_off.changed")[0]["event"]
        cancelling(world)

    faults.every_race(
        world=world_with(run(EVE)),
        first=cancelling,
        second=adding(TRAINING),
        invariants=named,
        may_lose=(ChargesChanged, ConcurrentChange),
    )
