"""The commands that change the table: right results after faults at any call, repetitions and races."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from billing.accounts.administer_users import save_user
from billing.accounts.information import Area, BillingDetails, ContactDetails
from billing.accounts.rules import INVITED_AGAIN_AFTER, LastAdmin, TooManyInvitations
from billing.kernel.errors import ConcurrentChange, StaleVersion
from billing.kernel.permissions import Role
from billing.subscriptions.catalogue import Product

from tests.faults.company import (
    ADA,
    BO,
    MOVED,
    NEW_ACCOUNT,
    PRODUCTS,
    Command,
    body,
    catalogue,
    change,
    company,
    dearer,
    events,
    provision,
    remove,
    save,
    sell,
    with_bo,
)
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import CONTEXT


def area(world: World, which: Area) -> tuple[Mapping[str, Any], int]:
    [item] = world.stored(f"PAGE#{which.upper()}")
    return body(item), int(item["version"]["N"])


def roles(world: World) -> dict[str, str]:
    [item] = world.stored("PAGE#ACCOUNT")
    by_user: dict[str, str] = body(item)["roles"]
    return by_user


def users_are_consistent(world: World) -> None:
    """The account's roles match its user items, there is an admin, and each change has one event."""
    [account] = world.stored("PAGE#ACCOUNT")
    people = {person["user"]: person["role"] for person in map(body, world.stored("USER#"))}
    assert people == roles(world), "the roles and the user items differ"
    assert "admin" in people.values(), "no admin is left"
    assert {item["gsi1pk"]["S"] for item in world.stored("USER#")} == {f"USER#{user}" for user in people}
    assert int(account["version"]["N"]) == 1 + len(events(world, "user.")), "changes and events do not match"


# ---- Billing information ----

OTHER = BillingDetails("books@nordlys.example")


def one_event_per_change(world: World) -> None:
    """Each version after the first has one event."""
    versions = sum(area(world, each)[1] - 1 for each in Area)
    assert len(events(world, "billing_information.changed")) == versions, "changes and events do not match"


def test_a_change_of_billing_information_is_made_once(faults: Faults) -> None:
    def changed_once(world: World) -> None:
        assert area(world, Area.BILLING) == (asdict(MOVED), 2)
        [event] = events(world, "billing_information.changed")
        assert event["after"] == {"area": "billing", "details": asdict(MOVED)}

    faults.every_cut(
        world=company, command=change(Area.BILLING, MOVED), invariants=changed_once, always=one_event_per_change
    )


def test_one_of_two_concurrent_changes_wins(faults: Faults) -> None:
    def one_change_has_won(world: World) -> None:
        details, version = area(world, Area.BILLING)
        assert version == 2
        [event] = events(world, "billing_information.changed")
        assert event["after"]["details"] == details

    faults.every_race(
        world=company,
        first=change(Area.BILLING, MOVED),
        second=change(Area.BILLING, OTHER),
        invariants=one_change_has_won,
        may_lose=(StaleVersion,),
    )


def test_two_identical_concurrent_changes_both_succeed(faults: Faults) -> None:
    def changed_once(world: World) -> None:
        assert area(world, Area.BILLING) == (asdict(MOVED), 2)
        assert len(events(world, "billing_information.changed")) == 1

    faults.every_race(
        world=company,
        first=change(Area.BILLING, MOVED),
        second=change(Area.BILLING, MOVED),
        invariants=changed_once,
        runs_max=1,
    )


def test_changes_of_several_areas_are_made_once_in_any_order(faults: Faults) -> None:
    def each_was_changed_once(world: World) -> None:
        one_event_per_change(world)
        assert {each: area(world, each)[1] for each in Area} == {Area.COMPANY: 1, Area.BILLING: 2, Area.CONTACT: 2}

    faults.histories(
        world=company,
        commands=[
            change(Area.BILLING, MOVED),
            change(Area.BILLING, OTHER),
            change(Area.CONTACT, ContactDetails("Bo Lind", None)),
        ],
        invariants=each_was_changed_once,
        always=one_event_per_change,
        may_lose=(StaleVersion,),
        count=60,
    )


# ---- A new account ----


def whole_or_not_at_all(world: World) -> None:
    items = [item for item in world.table.items() if item["pk"]["S"] == f"ACCOUNT#{NEW_ACCOUNT.account}"]
    assert len(items) in {0, 11}, f"{len(items)} of 11 items"


def provisioned_once(world: World) -> None:
    whole_or_not_at_all(world)
    [event] = events(world, "account.provisioned")
    [log_in] = world.people.log_ins.values()
    assert roles(world) == {log_in.user: "admin"}
    assert event["after"]["first_admin"]["user"] == log_in.user
    assert world.store.billing_page(NEW_ACCOUNT.account).information.company.details == NEW_ACCOUNT.company


def test_an_account_is_provisioned_once(faults: Faults) -> None:
    faults.every_cut(world=catalogue, command=provision, invariants=provisioned_once, always=whole_or_not_at_all)


def test_two_identical_concurrent_provisionings_both_succeed(faults: Faults) -> None:
    faults.every_race(world=catalogue, first=provision, second=provision, invariants=provisioned_once, runs_max=1)


def test_repeated_provisionings_provision_once(faults: Faults) -> None:
    faults.histories(
        world=catalogue,
        commands=[provision, provision],
        invariants=provisioned_once,
        always=whole_or_not_at_all,
        count=60,
    )


# ---- The catalogue ----


def each_version_has_an_event(world: World) -> None:
    versions = [int(item["sk"]["S"].removeprefix("VERSION#")) for item in world.stored("VERSION#")]
    assert versions == [*range(1, len(versions) + 1)], "a version is missing"
    assert sorted(event["after"]["version"] for event in events(world, "catalogue.replaced")) == versions


def newest_is(products: tuple[Product, ...]) -> Command:
    def check(world: World) -> None:
        each_version_has_an_event(world)
        newest = world.store.newest_catalogue()
        assert newest is not None
        assert (newest.version, newest.products) == (2, products)

    return check


def test_a_catalogue_is_replaced_once(faults: Faults) -> None:
    faults.every_cut(
        world=catalogue,
        command=sell(dearer(5900), 1),
        invariants=newest_is(dearer(5900)),
        always=each_version_has_an_event,
    )


def test_the_first_catalogue_is_saved_once(faults: Faults) -> None:
    def one_version_exists(world: World) -> None:
        each_version_has_an_event(world)
        assert len(world.stored("VERSION#")) == 1

    faults.every_cut(
        world=World, command=sell(PRODUCTS, 0), invariants=one_version_exists, always=each_version_has_an_event
    )


def test_one_of_two_concurrent_catalogues_wins(faults: Faults) -> None:
    def one_change_has_won(world: World) -> None:
        each_version_has_an_event(world)
        assert len(world.stored("VERSION#")) == 2

    faults.every_race(
        world=catalogue,
        first=sell(dearer(5900), 1),
        second=sell(dearer(6900), 1),
        invariants=one_change_has_won,
        may_lose=(StaleVersion,),
    )


def test_two_identical_concurrent_catalogues_both_succeed(faults: Faults) -> None:
    faults.every_race(
        world=catalogue,
        first=sell(dearer(5900), 1),
        second=sell(dearer(5900), 1),
        invariants=newest_is(dearer(5900)),
        runs_max=1,
    )


# ---- Users ----


def test_a_member_is_added_once(faults: Faults) -> None:
    def bo_is_member(world: World) -> None:
        users_are_consistent(world)
        assert roles(world) == {ADA: "admin", BO: "member"}
        assert len(events(world, "user.")) == 1
        assert sorted(world.people.log_ins) == ["ada@nordlys.example", "bo@nordlys.example"]

    faults.every_cut(
        world=company,
        command=save("bo@nordlys.example", Role.MEMBER),
        invariants=bo_is_member,
        always=users_are_consistent,
    )


def test_a_member_becomes_admin_once(faults: Faults) -> None:
    def bo_is_admin(world: World) -> None:
        users_are_consistent(world)
        assert roles(world) == {ADA: "admin", BO: "admin"}
        assert [event["type"] for event in events(world, "user.changed")] == ["user.changed"]

    faults.every_cut(
        world=with_bo(Role.MEMBER),
        command=save("bo@nordlys.example", Role.ADMIN),
        invariants=bo_is_admin,
        always=users_are_consistent,
    )


def test_a_member_is_invited_again_once(faults: Faults) -> None:
    def bo_is_invited_again(world: World) -> None:
        users_are_consistent(world)
        assert [event["type"] for event in events(world, "user.")] == ["user.added", "user.invited_again"]
        assert world.store.account(NEW_ACCOUNT.account).invited.invitations == 2

    faults.every_cut(
        world=with_bo(Role.MEMBER),
        command=save("bo@nordlys.example", Role.MEMBER, after=INVITED_AGAIN_AFTER),
        invariants=bo_is_invited_again,
        always=users_are_consistent,
    )


def test_a_member_is_removed_once(faults: Faults) -> None:
    def bo_is_removed(world: World) -> None:
        users_are_consistent(world)
        assert roles(world) == {ADA: "admin"}
        [event] = events(world, "user.removed")
        assert event["before"]["user"] == BO

    faults.every_cut(
        world=with_bo(Role.MEMBER), command=remove(BO), invariants=bo_is_removed, always=users_are_consistent
    )


@pytest.mark.parametrize("second", [remove(ADA), save("ada@nordlys.example", Role.MEMBER)], ids=["leave", "step down"])
def test_two_admins_cannot_leave_at_the_same_time(faults: Faults, second: Command) -> None:
    faults.every_race(
        world=with_bo(Role.ADMIN),
        first=remove(BO),
        second=second,
        invariants=users_are_consistent,
        may_lose=(LastAdmin,),
    )


def test_two_concurrent_invitations_both_succeed(faults: Faults) -> None:
    def both_are_added(world: World) -> None:
        users_are_consistent(world)
        assert len(roles(world)) == 3

    faults.every_race(
        world=company,
        first=save("bo@nordlys.example", Role.MEMBER),
        second=save("cy@nordlys.example", Role.MEMBER),
        invariants=both_are_added,
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (save("bo@nordlys.example", Role.MEMBER, invitations_per_day=1), "cy@nordlys.example"),
        (save("cy@nordlys.example", Role.ADMIN, invitations_per_day=1), "bo@nordlys.example"),
    ],
    ids=["bo first", "cy first"],
)
def test_the_last_invitation_of_a_day_is_sent_once(faults: Faults, first: Command, second: str) -> None:
    def one_is_added(world: World) -> None:
        users_are_consistent(world)
        assert len(roles(world)) == 2
        assert len(events(world, "user.added")) == 1
        assert world.store.account(NEW_ACCOUNT.account).invited.invitations == 1

    faults.every_race(
        world=company,
        first=first,
        second=save(second, Role.MEMBER, invitations_per_day=1),
        invariants=one_is_added,
        may_lose=(TooManyInvitations,),
    )


def test_users_stay_consistent_when_they_are_added_and_removed_in_any_order(faults: Faults) -> None:
    faults.histories(
        world=with_bo(Role.ADMIN),
        commands=[
            save("cy@nordlys.example", Role.MEMBER),
            save("ada@nordlys.example", Role.MEMBER),
            remove(BO),
            save("dee@nordlys.example", Role.ADMIN),
        ],
        invariants=users_are_consistent,
        always=users_are_consistent,
        may_lose=(LastAdmin,),
        count=60,
    )


def test_a_lost_race_raises_concurrent_change(connection: None) -> None:
    """The race tests rely on it: a lost race raises an error that can be retried, never a silent success."""
    with company().calm() as world:
        account = world.store.account(NEW_ACCOUNT.account)
        save("bo@nordlys.example", Role.MEMBER)(world)

        with pytest.raises(ConcurrentChange):
            save_user(
                account,
                "cy@nordlys.example",
                "cy",
                Role.MEMBER,
                invitations_per_day=50,
                context=CONTEXT,
                directory=world.directory,
                store=world.store,
            )
