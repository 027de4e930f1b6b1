"""Help for an account that nobody can act for: right after faults at any call, repetitions and races."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from billing.accounts.appoint_admin import announce_appointment, carry_out_appointment, end_appointment
from billing.accounts.appointments import AppointmentEnded, AppointmentOpen, AppointmentState
from billing.accounts.correct_provisioning import correct_provisioning
from billing.accounts.provisioning import AdminHasLoggedIn, ProvisioningCorrection
from billing.kernel.errors import StaleVersion
from billing.kernel.permissions import Role
from billing.platform.dynamodb import keys

from tests.faults.company import ADA, NEW_ACCOUNT, Command, body, company, events, save, with_bo
from tests.faults.cuts import Faults
from tests.faults.test_commands import roles
from tests.faults.world import World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
DINA, EVA = "dina@nordlys.example", "eva@nordlys.example"
EFFECTIVE = CONTEXT.time + timedelta(days=7)
RIGHT = "ada@nordlys-kaffe.example"


def announce(email: str = DINA) -> Command:
    def command(world: World) -> None:
        announce_appointment(
            world.store.account(ACCOUNT),
            email,
            "Dina",
            "Nobody is left.",
            delay_days=7,
            context=CONTEXT,
            directory=world.directory,
            store=world.appointments,
        )

    return command


def end(state: AppointmentState) -> Command:
    def command(world: World) -> None:
        end_appointment(world.store.account(ACCOUNT), None, state, context=CONTEXT, store=world.appointments)

    return command


def carry_out(world: World, at: datetime = EFFECTIVE) -> None:
    carry_out_appointment(
        ACCOUNT, now=at, correlation="end", is_replay=False, directory=world.directory, store=world.appointments
    )


def announced() -> World:
    """A world with the sample company, and an open appointment."""
    with company().calm() as world:
        announce()(world)
        return world


def bo_is_announced() -> World:
    with with_bo(Role.MEMBER)().calm() as world:
        announce("bo@nordlys.example")(world)
        return world


def consistent(world: World) -> None:
    """Roles are those of the users, an open appointment is due, and each end has one event and each admin a log-in."""
    assert {each["user"]: each["role"] for each in map(body, world.stored("USER#"))} == roles(world)
    ended = events(world, "admin_appointment.ended") + events(world, "admin_appointment.effective")
    begun = events(world, "admin_appointment.announced")
    for item in world.stored(keys.PAGE_APPOINTMENT):
        is_open = body(item)["state"] == "open"
        assert ("gsi1pk" in item) is is_open, "due while it is open"
        assert len(begun) - len(ended) == is_open, "one event for each end"
    known = {each.user for each in world.people.log_ins.values()}
    assert roles(world).keys() <= known, "a user without a log-in"


def test_an_appointment_is_announced_once(faults: Faults) -> None:
    def one_is_open(world: World) -> None:
        consistent(world)
        assert len(events(world, "admin_appointment.announced")) == 1
        assert DINA not in world.people.log_ins, "no log-in before it takes effect"

    faults.every_cut(world=company, command=announce(), invariants=one_is_open, always=consistent)


def test_an_appointment_takes_effect_once(faults: Faults) -> None:
    def dina_is_admin(world: World) -> None:
        consistent(world)
        assert roles(world) == {ADA: "admin", f"user of {DINA}": "admin"}
        assert len(events(world, "user.added")) == 1

    faults.every_cut(world=announced, command=carry_out, invariants=dina_is_admin, always=consistent)


def test_a_member_is_appointed_once(faults: Faults) -> None:
    def bo_is_admin(world: World) -> None:
        consistent(world)
        assert roles(world)["user of bo@nordlys.example"] == "admin"
        assert len(events(world, "user.changed")) == 1

    faults.every_cut(world=bo_is_announced, command=carry_out, invariants=bo_is_admin, always=consistent)


def test_an_appointment_is_ended_once(faults: Faults) -> None:
    def has_ended(world: World) -> None:
        consistent(world)
        assert roles(world) == {ADA: "admin"}
        assert len(events(world, "admin_appointment.ended")) == 1

    faults.every_cut(world=announced, command=end(AppointmentState.OBJECTED), invariants=has_ended, always=consistent)


def test_an_objection_while_it_takes_effect_has_one_winner(faults: Faults) -> None:
    def one_of_both(world: World) -> None:
        consistent(world)
        [item] = world.stored(keys.PAGE_APPOINTMENT)
        is_admin = f"user of {DINA}" in roles(world)
        assert body(item)["state"] == ("effective" if is_admin else "objected")

    faults.every_race(
        world=announced,
        first=carry_out,
        second=end(AppointmentState.OBJECTED),
        invariants=one_of_both,
        may_lose=(AppointmentEnded,),
    )


def test_two_members_of_staff_announce_one(faults: Faults) -> None:
    def one_is_open(world: World) -> None:
        consistent(world)
        assert len(events(world, "admin_appointment.announced")) == 1

    faults.every_race(
        world=company,
        first=announce(),
        second=announce(EVA),
        invariants=one_is_open,
        may_lose=(AppointmentOpen,),
    )


def test_appointments_stay_consistent_in_any_order(faults: Faults) -> None:
    faults.histories(
        world=announced,
        commands=[
            end(AppointmentState.TAKEN_BACK),
            announce(EVA),
            carry_out,
            save("bo@nordlys.example", Role.ADMIN),
        ],
        invariants=consistent,
        always=consistent,
        may_lose=(AppointmentEnded, AppointmentOpen),
        count=40,
    )


# ---- Corrections of a provisioning ----


def correct(email: str = RIGHT) -> Command:
    correction = ProvisioningCorrection(email, "Ada", "A typo.", billing=replace(NEW_ACCOUNT.billing, email=email))

    def command(world: World) -> None:
        correct_provisioning(
            world.store.details(ACCOUNT),
            correction,
            1,
            context=CONTEXT,
            directory=world.directory,
            store=world.store,
            checks_vat_numbers=False,
        )

    return command


def log_in(world: World) -> None:
    world.store.note_log_in(ACCOUNT, ADA, CONTEXT.time, is_admin=True)


def whole(world: World) -> None:
    assert {each["user"]: each["role"] for each in map(body, world.stored("USER#"))} == roles(world)
    assert len(roles(world)) == 1
    corrected = len(events(world, "provisioning.corrected"))
    assert len(events(world, "billing_information.changed")) == corrected, "all or nothing"


def test_a_provisioning_is_corrected_once(faults: Faults) -> None:
    def is_corrected(world: World) -> None:
        whole(world)
        assert roles(world) == {f"user of {RIGHT}": "admin"}
        assert len(events(world, "provisioning.corrected")) == 1

    faults.every_cut(world=company, command=correct(), invariants=is_corrected, always=whole)


def test_two_identical_corrections_both_succeed(faults: Faults) -> None:
    faults.every_race(world=company, first=correct(), second=correct(), invariants=whole, runs_max=1)


def test_one_of_two_corrections_wins(faults: Faults) -> None:
    faults.every_race(world=company, first=correct(), second=correct(EVA), invariants=whole, may_lose=(StaleVersion,))


def test_an_admin_who_logs_in_keeps_the_account_or_was_corrected_before(faults: Faults) -> None:
    def one_of_both(world: World) -> None:
        whole(world)
        [page] = world.stored("PAGE#ACCOUNT")
        if ADA in roles(world):
            assert keys.USED_SINCE in page

    faults.every_race(
        world=company, first=correct(), second=log_in, invariants=one_of_both, may_lose=(AdminHasLoggedIn, StaleVersion)
    )
