"""The harness catches what it is there to catch: commands that are wrong in well-known ways, each by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.aws import TABLE
from tests.faults.cuts import Faults, Points
from tests.faults.network import seam_session
from tests.faults.points import Mode, Run, seam
from tests.faults.summary import SEED
from tests.faults.values import Unsupported
from tests.faults.world import World
from tests.store.samples import happened

HAPPENED = happened()
FIRST, SECOND = ({"pk": {"S": "ACCOUNT#one"}, "sk": {"S": name}} for name in ("first", "second"))


@pytest.fixture(scope="module")
def dynamodb(connection: None) -> Any:
    """A plain client over the seam."""
    return seam_session().create_client("dynamodb")


@pytest.fixture
def faults(connection: None, request: pytest.FixtureRequest) -> Faults:
    """The harness with its own seed, whatever else is tried; these points are nobody's to count."""
    return Faults(SEED, request.node.name)


def points_of(faults: Faults) -> list[Points]:
    """What the harness will have reported."""
    reported: list[Points] = []
    faults._report = reported.append
    return reported


def increment(dynamodb: Any, key: dict[str, Any] = FIRST) -> object:
    return dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="ADD amount :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def put(key: dict[str, Any]) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": key, "ConditionExpression": "attribute_not_exists(pk)"}}


def amount(world: World) -> int:
    [item] = world.table.items()
    return int(item["amount"]["N"])


def both_or_none(world: World) -> None:
    assert len(world.table.items()) in {0, 2}, "only one of both stands"


def both(world: World) -> None:
    assert len(world.table.items()) == 2, "not both stand"


def once(world: World) -> None:
    assert amount(world) == 1, f"counted {amount(world)} times"


# ---- Commands that are wrong ----


def test_two_writes_in_place_of_a_transaction_are_caught(faults: Faults, dynamodb: Any) -> None:
    def write_one_by_one(_: World) -> None:
        for key in (FIRST, SECOND):
            dynamodb.put_item(TableName=TABLE, Item=key)

    with pytest.raises(AssertionError, match=r"only one of both stands") as caught:
        faults.every_cut(world=World, command=write_one_by_one, invariants=both, always=both_or_none)

    wrong = set(re.findall(r"LIVELLO_CUT=(\S+)", str(caught.value)))
    assert {"1:crash-after", "2:crash-before", "2:throttle-lasting", "2:timeout-before-lasting"} <= wrong
    assert wrong.isdisjoint({"1:crash-before", "2:crash-after", "1:throttle", "2:timeout-before"})


def test_an_increment_that_counts_each_delivery_is_caught(faults: Faults, dynamodb: Any) -> None:
    with pytest.raises(AssertionError, match=r"counted 2 times") as caught:
        faults.every_cut(world=World, command=lambda _: increment(dynamodb), invariants=once)

    assert "LIVELLO_CUT=duplicate" in str(caught.value)
    assert "LIVELLO_CUT=1:timeout-after " in str(caught.value), "the SDK itself sends it again"


def test_an_increment_that_is_lost_is_caught(faults: Faults, dynamodb: Any) -> None:
    def hide_every_failure(_: World) -> None:
        with suppress(BotoCoreError, ClientError):
            increment(dynamodb)

    def counted(world: World) -> None:
        assert world.table.items(), "not counted"

    with pytest.raises(AssertionError, match=r"not counted") as caught:
        faults.every_cut(world=World, command=hide_every_failure, invariants=counted, always=counted)

    assert set(re.findall(r"LIVELLO_CUT=(\S+)", str(caught.value))) == {
        "1:crash-before",
        "1:throttle-lasting",
        "1:timeout-before-lasting",
    }


def test_telling_before_writing_is_caught(faults: Faults, dynamodb: Any) -> None:
    def tell_then_write(world: World) -> None:
        world.bus.publish([HAPPENED])
        dynamodb.put_item(TableName=TABLE, Item=FIRST)

    def told_of_what_stands(world: World) -> None:
        assert bool(world.told.taken) <= bool(world.table.items()), "told of what does not stand"

    with pytest.raises(AssertionError, match=r"told of what does not stand") as caught:
        faults.every_cut(
            world=World, command=tell_then_write, invariants=told_of_what_stands, always=told_of_what_stands
        )

    assert "LIVELLO_CUT=1:crash-after" in str(caught.value)


def test_leftovers_of_a_batch_that_nobody_sends_again_are_caught(faults: Faults, dynamodb: Any) -> None:
    def write_once(_: World) -> None:
        dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": key}} for key in (FIRST, SECOND)]})

    with pytest.raises(AssertionError, match=r"not both stand") as caught:
        faults.every_cut(world=World, command=write_once, invariants=lambda _: None, always=both)

    assert "LIVELLO_CUT=1:partial" in str(caught.value)


def test_a_conflict_that_is_taken_for_success_is_caught(faults: Faults, dynamodb: Any) -> None:
    def write_together(_: World) -> None:
        with suppress(dynamodb.exceptions.TransactionCanceledException):
            dynamodb.transact_write_items(TransactItems=[put(FIRST), put(SECOND)])

    with pytest.raises(AssertionError, match=r"not both stand") as caught:
        faults.every_cut(world=World, command=write_together, invariants=both, runs_max=1)

    assert "LIVELLO_CUT=1:conflict" in str(caught.value)


def test_a_lost_update_is_caught_by_a_race(faults: Faults, dynamodb: Any) -> None:
    def read_then_write(_: World) -> None:
        there = dynamodb.get_item(TableName=TABLE, Key=FIRST).get("Item", {"amount": {"N": "0"}})
        more = {"N": str(int(there["amount"]["N"]) + 1)}
        dynamodb.put_item(TableName=TABLE, Item={**FIRST, "amount": more})

    def counted_both(world: World) -> None:
        assert amount(world) == 2, "an update is lost"

    with pytest.raises(AssertionError, match=r"an update is lost") as caught:
        faults.every_race(world=World, first=read_then_write, second=read_then_write, invariants=counted_both)

    assert re.findall(r"LIVELLO_CUT=(\S+)", str(caught.value)) == ["2:race"]


def test_a_command_that_never_recovers_is_caught(faults: Faults, dynamodb: Any) -> None:
    def take_a_marker_first(_: World) -> None:
        dynamodb.transact_write_items(TransactItems=[put(FIRST)])
        increment(dynamodb, SECOND)

    with pytest.raises(AssertionError, match=r"still fails at run 3: TransactionCanceledException"):
        faults.every_cut(world=World, command=take_a_marker_first, invariants=lambda _: None)


def test_what_only_histories_find_is_found_and_found_again(faults: Faults, dynamodb: Any) -> None:
    def first(_: World) -> object:
        return increment(dynamodb)

    def second(_: World) -> object:
        return increment(dynamodb)

    def counted_both(world: World) -> None:
        assert amount(world) == 2, f"counted {amount(world)} times"

    def failures(harness: Faults) -> str:
        with pytest.raises(AssertionError) as caught:
            harness.histories(world=World, commands=[first, second], invariants=counted_both, count=30)
        return str(caught.value)

    told = failures(faults)

    assert failures(faults) == told
    assert failures(Faults("another")) != failures(Faults(SEED))
    alone = re.findall(r"LIVELLO_CUT=(\S+)", told)[0]
    assert "1 of 1 histories" in failures(Faults(SEED, faults._scenario, only=alone))


# ---- A command that is right, and what befalls it ----


def write_both(dynamodb: Any) -> Callable[[World], None]:
    def command(_: World) -> None:
        if "Item" not in dynamodb.get_item(TableName=TABLE, Key=FIRST, ConsistentRead=True):
            dynamodb.transact_write_items(TransactItems=[put(FIRST), put(SECOND)])

    return command


def test_a_command_that_is_right_passes_every_point(faults: Faults, dynamodb: Any) -> None:
    reported = points_of(faults)

    faults.every_cut(world=World, command=write_both(dynamodb), invariants=both, always=both_or_none)
    faults.every_race(
        world=World,
        first=write_both(dynamodb),
        second=write_both(dynamodb),
        invariants=both,
    )
    faults.histories(world=World, commands=[write_both(dynamodb)] * 2, invariants=both, count=20)

    reading, transaction, delivery = 8, 9, 1
    assert [each.points for each in reported] == [reading + transaction + delivery, 2, 20]


def test_a_failing_point_says_which_it_is_and_is_repeated_alone(faults: Faults, dynamodb: Any) -> None:
    def tried(harness: Faults) -> str:
        with pytest.raises(AssertionError) as caught:
            harness.every_cut(world=World, command=lambda _: increment(dynamodb), invariants=once)
        return str(caught.value)

    told = tried(Faults("1", "counting"))
    alone = tried(Faults("1", "counting", only="1:crash-after"))

    assert "counting: crash-after at call 1 (dynamodb UpdateItem), seed 1\n  counted 2 times" in told
    assert "again: LIVELLO_SEED=1 LIVELLO_CUT=1:crash-after pytest -k 'counting' tests/faults" in told
    assert alone.startswith("1 of 1 cuts end wrong")
    assert (
        tried(Faults("1", "counting", only="7:crash-after")) == "There is no 7:crash-after among these cuts of 1 calls."
    )


def befallen(dynamodb: Any, mode: Mode) -> tuple[World, Run, Exception | None]:
    """A world in which both were written at once while this happened to the transaction."""
    world, failure = World(), None
    run = Run(Faults(SEED)._chance("here"), lambda call: mode)
    with seam().onto(world, run):
        try:
            dynamodb.transact_write_items(TransactItems=[put(FIRST), put(SECOND)])
        except (BotoCoreError, ClientError) as raised:
            failure = raised
    return world, run, failure


@pytest.mark.parametrize("mode", [Mode.THROTTLE, Mode.TIMEOUT_BEFORE, Mode.TIMEOUT_AFTER])
def test_what_happens_once_is_healed_by_the_sdk(dynamodb: Any, mode: Mode) -> None:
    world, run, failure = befallen(dynamodb, mode)

    assert failure is None, "a transaction that is sent again is known by its token"
    assert len(world.table.records) == 2
    assert [call.name for call in run.calls] == ["dynamodb TransactWriteItems"], "two attempts are one call"


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        (Mode.THROTTLE_LASTING, 0),
        (Mode.TIMEOUT_BEFORE_LASTING, 0),
        (Mode.TIMEOUT_AFTER_LASTING, 2),
        (Mode.CONFLICT, 0),
    ],
)
def test_what_lasts_is_seen_by_the_caller(dynamodb: Any, mode: Mode, written: int) -> None:
    world, _, failure = befallen(dynamodb, mode)

    assert failure is not None
    assert len(world.table.items()) == written


def test_a_crash_is_swallowed_by_nobody(faults: Faults, dynamodb: Any) -> None:
    outlived: list[BaseException] = []

    def hide(_: World) -> None:
        try:
            increment(dynamodb)
        except Exception as failure:  # noqa: BLE001
            outlived.append(failure)

    Faults(SEED, "hidden", only="1:crash-before").every_cut(world=World, command=hide, invariants=lambda _: None)

    assert outlived == []


def test_a_call_outside_any_world_is_refused(dynamodb: Any) -> None:
    with pytest.raises(Unsupported, match="reaches no world"):
        increment(dynamodb)


def test_a_service_that_the_world_lacks_is_refused(connection: None) -> None:
    events: Any = seam_session().create_client("events")

    with World().calm(), pytest.raises(Unsupported, match="has no eventbridge"):
        events.put_events(Entries=[{"Source": "here"}])
