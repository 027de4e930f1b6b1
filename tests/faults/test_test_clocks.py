"""A clock arrives, and each thing is done once: cut off anywhere, delivered twice, two at once, deleted meanwhile."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

from billing.billing_page.provision_account import provision_account
from billing.invoicing.issue_invoices import issue_invoices
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import ConcurrentChange, UpstreamFailed
from billing.kernel.schedules import Job
from billing.kernel.test_clocks import ClockAdvancing, ClockStatus
from billing.platform.queues.interfaces import DueWork
from billing.platform.test_clocks.commands import (
    Advancer,
    advance_clock,
    clock_of_new,
    delete_clock,
    make_clock,
    run_clock,
)
from billing.platform.test_clocks.records import ClockStore

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, body, events
from tests.faults.company import catalogue as priced
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import CONTEXT

BEGINS = CONTEXT.time
TO = BEGINS + timedelta(minutes=40)
ACCOUNT = "q1.nordlys"
RUN = timedelta(minutes=10)
"""How long after a run the next one is tried. The claim of one that was cut off has expired by then."""


class Time:
    """The wall clock of a world: each run of a worker is later than the one before."""

    def __init__(self) -> None:
        self.now = BEGINS


class ClockWorld(World):
    """A world with test clocks. Its workers issue invoices; the other jobs have nothing to do here."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()

    @property
    def clocks(self) -> ClockStore:
        return ClockStore(TABLE, self.client)


class Invoicing:
    """The worker of invoices, in this process. See billing.platform.test_clocks.workers.Workers."""

    def __init__(self, world: ClockWorld) -> None:
        self._world = world

    def run(self, job: Job, work: DueWork) -> bool:
        if job is Job.RENEWAL:
            clock = self._world.clocks.clock("q1")
            store = self._world.invoicing
            issue_invoices(work.account, now=clock.now, correlation="run", settings=SETTINGS, store=store)
        return True


def empty() -> ClockWorld:
    world = ClockWorld()
    with priced().calm() as sold:
        world.table = sold.table
    return world


def with_clock() -> ClockWorld:
    with empty().calm() as world:
        make(world)
        return world


def with_account() -> ClockWorld:
    with with_clock().calm() as world:
        provision(world)
        return world


def advancing() -> ClockWorld:
    with with_account().calm() as world:
        advance(world)
        return world


# ---- Commands ----


def make(world: ClockWorld) -> None:
    make_clock("q1", BEGINS, context=CONTEXT, store=world.clocks)


def provision(world: ClockWorld) -> None:
    contract = Contract(date(2026, 6, 10), 1, "EUR", "UTC")
    request = replace(NEW_ACCOUNT, account=ACCOUNT, contract=contract, discounts=(), invoiced_until=None)
    provision_account(
        request,
        context=CONTEXT,
        directory=world.directory,
        pages=world.store,
        catalogues=world.store,
        clock=clock_of_new(ACCOUNT, world.clocks),
    )


def advance(world: ClockWorld) -> None:
    advance_clock("q1", TO, context=CONTEXT, store=world.clocks)


def delete(world: ClockWorld) -> None:
    delete_clock("q1", context=CONTEXT, store=world.clocks)


def run(world: ClockWorld) -> None:
    """One message to the worker, later than the message before. Raises UpstreamFailed if another one has to go on."""
    world.time.now += RUN
    until = world.time.now + timedelta(minutes=1)

    def wait(seconds: float) -> None:
        world.time.now += timedelta(seconds=seconds)

    advancer = Advancer(
        store=world.clocks,
        workers=Invoicing(world),
        runner=f"run until {until}",
        real=lambda: world.time.now,
        wait=wait,
        goes_on=lambda: world.time.now < until,
        claim=RUN / 2,
        stuck_after=RUN * 10,
    )
    clock = run_clock("q1", correlation="run", advancer=advancer)
    if clock is not None and clock.is_under_way:
        raise UpstreamFailed("Another message goes on.")


# ---- What must hold ----


def clock_events(world: ClockWorld) -> list[str]:
    return [each["type"] for each in events(world, "test_clock.")]


def one_of_each_month(world: ClockWorld) -> None:
    """No month has two invoices, and each invoice was issued at the time of a clock that never went back."""
    issued = [each for each in events(world, "invoice.issued") if each["account"] == ACCOUNT]
    assert [each["after"]["since"] for each in issued] == ["2026-06-10"][: len(issued)]
    assert [each["time"] for each in issued] == sorted(each["time"] for each in issued)
    assert clock_events(world).count("test_clock.ready") <= 1


def arrived(world: ClockWorld) -> None:
    one_of_each_month(world)
    [clock] = [body(item) for item in world.stored("CLOCK#")]
    assert (clock["status"], clock["now"], clock["runner"]) == ("ready", TO.isoformat(), None)
    assert len(events(world, "invoice.issued")) == 1
    assert clock_events(world) == ["test_clock.created", "test_clock.advancing", "test_clock.ready"]


def made_once(world: ClockWorld) -> None:
    assert clock_events(world) == ["test_clock.created"]


def sent_once(world: ClockWorld) -> None:
    assert clock_events(world) == ["test_clock.created", "test_clock.advancing"]


def test_a_clock_is_made_once(faults: Faults) -> None:
    faults.every_cut(world=empty, command=make, invariants=made_once)


def test_an_account_is_on_its_clock_once(faults: Faults) -> None:
    def on_it(world: ClockWorld) -> None:
        [clock] = [body(item) for item in world.stored("CLOCK#")]
        assert clock["accounts"] == [ACCOUNT]
        assert len(events(world, "account.provisioned")) == 1

    faults.every_cut(world=with_clock, command=provision, invariants=on_it)


def test_a_clock_is_sent_on_once(faults: Faults) -> None:
    faults.every_cut(world=with_account, command=advance, invariants=sent_once)
    faults.every_race(world=with_account, first=advance, second=advance, invariants=sent_once)


def test_an_account_is_not_provisioned_on_a_clock_that_has_gone(faults: Faults) -> None:
    """Either it was there before the clock was sent on, or it is not on it: its first days are not left out."""

    def there_before(world: ClockWorld) -> None:
        [clock] = [body(item) for item in world.stored("CLOCK#")]
        assert len(events(world, "account.provisioned")) == len(clock["accounts"])

    def provision_in_time(world: ClockWorld) -> None:
        with suppress(ClockAdvancing):
            provision(world)

    faults.every_race(world=with_clock, first=provision_in_time, second=advance, invariants=there_before)


def test_a_run_cut_off_anywhere_is_taken_up_where_it_was(faults: Faults) -> None:
    faults.every_cut(world=advancing, command=run, invariants=arrived, always=one_of_each_month)


def test_a_clock_deleted_while_it_advances_stops(faults: Faults) -> None:
    """The run sees it with its next step, at the latest: nothing that it writes afterwards says that the clock is
    ready."""

    def deleted(world: ClockWorld) -> None:
        one_of_each_month(world)
        [clock] = [body(item) for item in world.stored("CLOCK#")]
        assert clock["status"] == "deleting"
        assert clock_events(world).count("test_clock.deleting") == 1

    def run_until_deleted(world: ClockWorld) -> None:
        if world.clocks.clock("q1").status is not ClockStatus.DELETING:
            with suppress(ConcurrentChange, UpstreamFailed):  # its message is delivered again
                run(world)

    faults.every_race(world=advancing, first=run_until_deleted, second=delete, invariants=deleted)
