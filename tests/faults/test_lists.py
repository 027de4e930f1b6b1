"""Taking accounts of an earlier release into the lists of staff may be cut off anywhere, and run beside commands."""

from __future__ import annotations

from billing.billing_page.list_index_records import Indexed, ListIndexStore
from billing.kernel.permissions import Role

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, save, with_bo
from tests.faults.cuts import Faults
from tests.faults.world import World

OLDER = ("PAGE#", "USER#")


def older() -> World:
    """The sample company without keys of lists, and without a payment method."""
    with with_bo(Role.MEMBER)().calm() as world:
        for item in world.table.items():
            if item["sk"]["S"] == "PAGE#PAYMENT-METHOD":
                world.client.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
            elif item["sk"]["S"].startswith(OLDER):
                kept = {name: value for name, value in item.items() if not name.startswith("gsi2")}
                world.client.put_item(TableName=TABLE, Item=kept)
        return world


def take_in(world: World) -> None:
    ListIndexStore(TABLE, world.client).index_account(NEW_ACCOUNT.account)


def is_taken_in(world: World) -> None:
    assert ListIndexStore(TABLE, world.client).index_account(NEW_ACCOUNT.account) == Indexed(0, 0)
    listed = {item["sk"]["S"] for item in world.table.items() if "gsi2pk" in item}
    assert {"PAGE#ACCOUNT", "PAGE#COMPANY", "PAGE#BILLING", "PAGE#PAYMENT-METHOD"} <= listed


def test_taking_an_account_in_may_be_cut_off_anywhere(faults: Faults) -> None:
    faults.every_cut(world=older, command=take_in, invariants=is_taken_in)


def test_an_account_is_taken_in_while_its_users_change(faults: Faults) -> None:
    def then_all(world: World) -> None:
        take_in(world)
        is_taken_in(world)

    faults.every_race(world=older, first=take_in, second=save("bo@nordlys.example", Role.ADMIN), invariants=then_all)
