"""The harness catches commands with well-known mistakes, and passes correct ones."""

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
from tests.store.samples import sample_event

EVENT = sample_event()
FIRST, SECOND = ({"pk": {"S": "ACCOUNT#one"}, "sk": {"S": name}} for name in ("first", "second"))


@pytest.fixture(scope="module")
def dynamodb(connection: None) -> Any:
    """A plain client over the seam."""
    return seam_session().create_client("dynamodb")


@pytest.fixture
def faults(connection: None, request: pytest.FixtureRequest) -> Faults:
    """A harness with the fixed seed. It reports no cuts to the summary."""
    return Faults(SEED, request.node.name)


def points_of(faults: Faults) -> list[Points]:
    """A list that will contain the reports of the harness."""
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
    assert len(world.table.items()) in {0, 2}, "only one of the two items exists"


def both(world: World) -> None:
    assert len(world.table.items()) == 2, "an item is missing"


def once(world: World) -> None:
    assert amount(world) == 1, f"counted {amount(world)} times"


# ---- Wrong commands ----


def test_two_writes_in_place_of_a_transaction_are_caught(faults: Faults, dynamodb: Any) -> None:
    def write_one_by_one(_: World) -> None:
        for key in (FIRST, SECOND):
            dynamodb.put_item(TableName=TABLE, Item=key)

    with pytest.raises(AssertionError, match=r"only one of the two items exists") as caught:
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


def test_publishing_before_writing_is_caught(faults: Faults, dynamodb: Any) -> None:
    def publish_then_write(world: World) -> None:
        world.bus.publish([EVENT])
        dynamodb.put_item(TableName=TABLE, Item=FIRST)

    def published_only_if_written(world: World) -> None:
        assert bool(world.published.events) <= bool(world.table.items()), "published but not written"

    with pytest.raises(AssertionError, match=r"published but not written") as caught:
        faults.every_cut(
            world=World,
            command=publish_then_write,
            invariants=published_only_if_written,
            always=published_only_if_written,
        )

    assert "LIVELLO_CUT=1:crash-after" in str(caught.value)


def test_unprocessed_items_of_a_batch_that_are_not_sent_again_are_caught(faults: Faults, dynamodb: Any) -> None:
    def write_once(_: World) -> None:
        dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": key}} for key in (FIRST, SECOND)]})

    with pytest.raises(AssertionError, match=r"an item is missing") as caught:
        faults.every_cut(world=World, command=write_once, invariants=lambda _: None, always=both)

    assert "LIVELLO_CUT=1:partial" in str(caught.value)


def test_an_ignored_transaction_conflict_is_caught(faults: Faults, dynamodb: Any) -> None:
    def write_together(_: World) -> None:
        with suppress(dynamodb.exceptions.TransactionCanceledException):
            dynamodb.transact_write_items(TransactItems=[put(FIRST), put(SECOND)])

    with pytest.raises(AssertionError, match=r"an item is missing") as caught:
        faults.every_cut(world=World, command=write_together, invariants=both, runs_max=1)

    assert "LIVELLO_CUT=1:conflict" in str(caught.value)


def test_a_lost_update_is_caught_by_a_race(faults: Faults, dynamodb: Any) -> None:
    def read_then_write(_: World) -> None:
        item = dynamodb.get_item(TableName=TABLE, Key=FIRST).get("Item", {"amount": {"N": "0"}})
        more = {"N": str(int(item["amount"]["N"]) + 1)}
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


def test_a_fault_that_only_histories_find_is_reproducible(faults: Faults, dynamodb: Any) -> None:
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

    message = failures(faults)

    assert failures(faults) == message
    assert failures(Faults("another")) != failures(Faults(SEED))
    alone = re.findall(r"LIVELLO_CUT=(\S+)", message)[0]
    assert "1 of 1 histories" in failures(Faults(SEED, faults._scenario, only=alone))


# ---- A correct command, and its faults ----


def write_both(dynamodb: Any) -> Callable[[World], None]:
    def command(_: World) -> None:
        if "Item" not in dynamodb.get_item(TableName=TABLE, Key=FIRST, ConsistentRead=True):
            dynamodb.transact_write_items(TransactItems=[put(FIRST), put(SECOND)])

    return command


def test_a_correct_command_passes_every_cut(faults: Faults, dynamodb: Any) -> None:
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


def test_a_failing_cut_is_described_and_can_be_repeated_alone(faults: Faults, dynamodb: Any) -> None:
    def failure_of(harness: Faults) -> str:
        with pytest.raises(AssertionError) as caught:
            harness.every_cut(world=World, command=lambda _: increment(dynamodb), invariants=once)
        return str(caught.value)

    message = failure_of(Faults("1", "counting"))
    alone = failure_of(Faults("1", "counting", only="1:crash-after"))

    assert "counting: crash-after at call 1 (dynamodb UpdateItem), seed 1\n  counted 2 times" in message
    assert "again: LIVELLO_SEED=1 LIVELLO_CUT=1:crash-after pytest -k 'counting' tests/faults" in message
    assert alone.startswith("1 of 1 cuts end wrong")
    assert (
        failure_of(Faults("1", "counting", only="7:crash-after"))
        == "There is no 7:crash-after among these cuts of 1 calls."
    )


def with_fault(dynamodb: Any, mode: Mode) -> tuple[World, Run, Exception | None]:
    """Writes two items in a transaction that gets this fault. Returns the world, the run and the SDK's error."""
    world, failure = World(), None
    run = Run(Faults(SEED)._chance("here"), lambda call: mode)
    with seam().onto(world, run):
        try:
            dynamodb.transact_write_items(TransactItems=[put(FIRST), put(SECOND)])
        except (BotoCoreError, ClientError) as raised:
            failure = raised
    return world, run, failure


@pytest.mark.parametrize("mode", [Mode.THROTTLE, Mode.TIMEOUT_BEFORE, Mode.TIMEOUT_AFTER])
def test_the_sdk_recovers_from_a_single_fault(dynamodb: Any, mode: Mode) -> None:
    world, run, failure = with_fault(dynamodb, mode)

    assert failure is None, "the token makes a repeated transaction idempotent"
    assert len(world.table.records) == 2
    assert [call.name for call in run.calls] == ["dynamodb TransactWriteItems"], "two attempts count as one call"


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        (Mode.THROTTLE_LASTING, 0),
        (Mode.TIMEOUT_BEFORE_LASTING, 0),
        (Mode.TIMEOUT_AFTER_LASTING, 2),
        (Mode.CONFLICT, 0),
    ],
)
def test_a_lasting_fault_reaches_the_caller(dynamodb: Any, mode: Mode, written: int) -> None:
    world, _, failure = with_fault(dynamodb, mode)

    assert failure is not None
    assert len(world.table.items()) == written


def test_no_except_clause_catches_a_crash(faults: Faults, dynamodb: Any) -> None:
    caught: list[BaseException] = []

    def catch_everything(_: World) -> None:
        try:
            increment(dynamodb)
        except Exception as failure:  # noqa: BLE001
            caught.append(failure)

    Faults(SEED, "hidden", only="1:crash-before").every_cut(
        world=World, command=catch_everything, invariants=lambda _: None
    )

    assert caught == []


def test_a_call_outside_any_world_is_refused(dynamodb: Any) -> None:
    with pytest.raises(Unsupported, match="reaches no world"):
        increment(dynamodb)


def test_a_service_that_the_world_lacks_is_refused(connection: None) -> None:
    events: Any = seam_session().create_client("events")

    with World().calm(), pytest.raises(Unsupported, match="has no eventbridge"):
        events.put_events(Entries=[{"Source": "here"}])
