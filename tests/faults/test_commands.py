"""The commands that change the table: cut off anywhere, repeated, met by each other, they end right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from billing.accounts.administer_users import save_user
from billing.accounts.information import Area, BillingDetails, ContactDetails
from billing.accounts.rules import LastAdmin
from billing.kernel.errors import ConcurrentChange, StaleVersion
from billing.kernel.permissions import Role
from billing.subscriptions.catalogue import Product

from tests.faults.company import (
    ADA,
    BO,
    MOVED,
    PRODUCTS,
    WANTED,
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
from tests.store.samples import OCCASION


def area(world: World, which: Area) -> tuple[Mapping[str, Any], int]:
    [item] = world.stored(f"PAGE#{which.upper()}")
    return body(item), int(item["version"]["N"])


def roles(world: World) -> dict[str, str]:
    [item] = world.stored("PAGE#ACCOUNT")
    found: dict[str, str] = body(item)["roles"]
    return found


def people_agree(world: World) -> None:
    """The account's roles and its people's own items say the same, there is an admin, and each change was told once."""
    [account] = world.stored("PAGE#ACCOUNT")
    people = {person["user"]: person["role"] for person in map(body, world.stored("USER#"))}
    assert people == roles(world), "the roles and the people disagree"
    assert "admin" in people.values(), "no admin is left"
    assert {item["gsi1pk"]["S"] for item in world.stored("USER#")} == {f"USER#{user}" for user in people}
    assert int(account["version"]["N"]) == 1 + len(events(world, "user.")), "changes and events do not match"


# ---- Billing information ----

OTHER = BillingDetails("books@nordlys.example")


def told_like_versions(world: World) -> None:
    """Each version but the first has its event."""
    versions = sum(area(world, each)[1] - 1 for each in Area)
    assert len(events(world, "billing_information.changed")) == versions, "changes and events do not match"


def test_a_change_of_billing_information(faults: Faults) -> None:
    def changed_once(world: World) -> None:
        assert area(world, Area.BILLING) == (asdict(MOVED), 2)
        [told] = events(world, "billing_information.changed")
        assert told["after"] == {"area": "billing", "details": asdict(MOVED)}

    faults.every_cut(
        world=company, command=change(Area.BILLING, MOVED), invariants=changed_once, always=told_like_versions
    )


def test_two_changes_of_the_same_billing_information(faults: Faults) -> None:
    def one_has_won(world: World) -> None:
        details, version = area(world, Area.BILLING)
        assert version == 2
        [told] = events(world, "billing_information.changed")
        assert told["after"]["details"] == details

    faults.every_race(
        world=company,
        first=change(Area.BILLING, MOVED),
        second=change(Area.BILLING, OTHER),
        invariants=one_has_won,
        may_lose=(StaleVersion,),
    )


def test_the_same_change_of_billing_information_twice_at_once(faults: Faults) -> None:
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


def test_changes_of_all_billing_information_in_any_order(faults: Faults) -> None:
    def each_was_changed_once(world: World) -> None:
        told_like_versions(world)
        assert {each: area(world, each)[1] for each in Area} == {Area.COMPANY: 1, Area.BILLING: 2, Area.CONTACT: 2}

    faults.histories(
        world=company,
        commands=[
            change(Area.BILLING, MOVED),
            change(Area.BILLING, OTHER),
            change(Area.CONTACT, ContactDetails("Bo Lind", None)),
        ],
        invariants=each_was_changed_once,
        always=told_like_versions,
        may_lose=(StaleVersion,),
        count=60,
    )


# ---- A new account ----


def whole_or_not_at_all(world: World) -> None:
    items = [item for item in world.table.items() if item["pk"]["S"] == f"ACCOUNT#{WANTED.account}"]
    assert len(items) in {0, 10}, f"{len(items)} items of 10"


def provisioned_once(world: World) -> None:
    whole_or_not_at_all(world)
    [told] = events(world, "account.provisioned")
    [log_in] = world.people.log_ins.values()
    assert roles(world) == {log_in.user: "admin"}
    assert told["after"]["first_admin"]["user"] == log_in.user
    assert world.store.billing_page(WANTED.account).information.company.details == WANTED.company


def test_a_new_account(faults: Faults) -> None:
    faults.every_cut(world=catalogue, command=provision, invariants=provisioned_once, always=whole_or_not_at_all)


def test_the_same_new_account_twice_at_once(faults: Faults) -> None:
    faults.every_race(world=catalogue, first=provision, second=provision, invariants=provisioned_once, runs_max=1)


def test_a_new_account_again_and_again(faults: Faults) -> None:
    faults.histories(
        world=catalogue,
        commands=[provision, provision],
        invariants=provisioned_once,
        always=whole_or_not_at_all,
        count=60,
    )


# ---- The catalogue ----


def versions_are_told(world: World) -> None:
    versions = [int(item["sk"]["S"].removeprefix("VERSION#")) for item in world.stored("VERSION#")]
    assert versions == [*range(1, len(versions) + 1)], "a version is missing"
    assert sorted(told["after"]["version"] for told in events(world, "catalogue.replaced")) == versions


def stands(products: tuple[Product, ...]) -> Command:
    def check(world: World) -> None:
        versions_are_told(world)
        newest = world.store.newest_catalogue()
        assert newest is not None
        assert (newest.version, newest.products) == (2, products)

    return check


def test_a_new_catalogue(faults: Faults) -> None:
    faults.every_cut(
        world=catalogue,
        command=sell(dearer(5900), 1),
        invariants=stands(dearer(5900)),
        always=versions_are_told,
    )


def test_the_first_catalogue(faults: Faults) -> None:
    def one_stands(world: World) -> None:
        versions_are_told(world)
        assert len(world.stored("VERSION#")) == 1

    faults.every_cut(world=World, command=sell(PRODUCTS, 0), invariants=one_stands, always=versions_are_told)


def test_two_catalogues_at_once(faults: Faults) -> None:
    def one_has_won(world: World) -> None:
        versions_are_told(world)
        assert len(world.stored("VERSION#")) == 2

    faults.every_race(
        world=catalogue,
        first=sell(dearer(5900), 1),
        second=sell(dearer(6900), 1),
        invariants=one_has_won,
        may_lose=(StaleVersion,),
    )


def test_the_same_catalogue_twice_at_once(faults: Faults) -> None:
    faults.every_race(
        world=catalogue,
        first=sell(dearer(5900), 1),
        second=sell(dearer(5900), 1),
        invariants=stands(dearer(5900)),
        runs_max=1,
    )


# ---- People ----


def test_a_new_member(faults: Faults) -> None:
    def bo_is_member(world: World) -> None:
        people_agree(world)
        assert roles(world) == {ADA: "admin", BO: "member"}
        assert len(events(world, "user.")) == 1
        assert sorted(world.people.log_ins) == ["ada@nordlys.example", "bo@nordlys.example"]

    faults.every_cut(
        world=company,
        command=save("bo@nordlys.example", Role.MEMBER),
        invariants=bo_is_member,
        always=people_agree,
    )


def test_a_member_who_becomes_admin(faults: Faults) -> None:
    def bo_is_admin(world: World) -> None:
        people_agree(world)
        assert roles(world) == {ADA: "admin", BO: "admin"}
        assert [told["type"] for told in events(world, "user.changed")] == ["user.changed"]

    faults.every_cut(
        world=with_bo(Role.MEMBER),
        command=save("bo@nordlys.example", Role.ADMIN),
        invariants=bo_is_admin,
        always=people_agree,
    )


def test_a_member_who_leaves(faults: Faults) -> None:
    def bo_is_gone(world: World) -> None:
        people_agree(world)
        assert roles(world) == {ADA: "admin"}
        [told] = events(world, "user.removed")
        assert told["before"]["user"] == BO

    faults.every_cut(world=with_bo(Role.MEMBER), command=remove(BO), invariants=bo_is_gone, always=people_agree)


@pytest.mark.parametrize("second", [remove(ADA), save("ada@nordlys.example", Role.MEMBER)], ids=["leave", "step down"])
def test_two_admins_who_go_at_once_leave_one(faults: Faults, second: Command) -> None:
    faults.every_race(
        world=with_bo(Role.ADMIN),
        first=remove(BO),
        second=second,
        invariants=people_agree,
        may_lose=(LastAdmin,),
    )


def test_two_invitations_at_once(faults: Faults) -> None:
    def both_are_in(world: World) -> None:
        people_agree(world)
        assert len(roles(world)) == 3

    faults.every_race(
        world=company,
        first=save("bo@nordlys.example", Role.MEMBER),
        second=save("cy@nordlys.example", Role.MEMBER),
        invariants=both_are_in,
    )


def test_people_who_come_and_go_in_any_order(faults: Faults) -> None:
    faults.histories(
        world=with_bo(Role.ADMIN),
        commands=[
            save("cy@nordlys.example", Role.MEMBER),
            save("ada@nordlys.example", Role.MEMBER),
            remove(BO),
            save("dee@nordlys.example", Role.ADMIN),
        ],
        invariants=people_agree,
        always=people_agree,
        may_lose=(LastAdmin,),
        count=60,
    )


def test_who_lost_a_race_is_told_so(connection: None) -> None:
    """What the races rely on: a lost race is an error that may be tried again, never a silent success."""
    with company().calm() as world:
        account = world.store.account(WANTED.account)
        save("bo@nordlys.example", Role.MEMBER)(world)

        with pytest.raises(ConcurrentChange):
            save_user(
                account,
                "cy@nordlys.example",
                "cy",
                Role.MEMBER,
                context=OCCASION,
                directory=world.directory,
                store=world.store,
            )
