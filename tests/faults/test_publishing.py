"""From the table's stream to the bus: killed anywhere, each event arrives, and those of an account in order."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from billing import wiring
from billing.accounts.information import Area
from billing.kernel.events import Event
from billing.kernel.permissions import Role
from billing.platform.events.mapping import event_body

from functions.publish_events import app
from tests.faults.company import MOVED, change, company, save
from tests.faults.cuts import Faults
from tests.faults.points import seam
from tests.faults.world import World
from tests.store.samples import happened
from tests.template import resources

Records = list[dict[str, Any]]

ACCOUNTS = 12
"""More than the bus takes at once."""


@pytest.fixture(autouse=True)
def wired(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's gateways are those of the current world, and nobody waits."""
    monkeypatch.setattr(wiring, "bus", lambda: seam().world.bus)
    monkeypatch.setattr(wiring, "dead_letters", lambda: seam().world.dead_letters)
    monkeypatch.setattr(app, "sleep", lambda _: None)


class Streamed(World):
    """A world whose stream is read: `read` is how far, and moves only once a batch has been dealt with."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def new_records(self) -> Records:
        return self.records()[self.read :]


def wanted(records: Records) -> Records:
    """What the event source lets through, by the filter of template.yaml."""
    [event_source] = resources()["PublishEvents"]["Properties"]["Events"].values()
    [filter_] = event_source["Properties"]["FilterCriteria"]["Filters"]
    pattern = json.loads(filter_["Pattern"])
    [prefix] = pattern["dynamodb"]["Keys"]["sk"]["S"]
    return [
        record
        for record in records
        if record["eventName"] in pattern["eventName"]
        and fnmatch.fnmatchcase(record["dynamodb"]["Keys"]["sk"]["S"], f"{prefix['prefix']}*")
    ]


def publish(world: Streamed) -> None:
    """The next batch, as the stream hands it over: again, until it has been dealt with."""
    batch = world.new_records()
    end = world.read + len(batch)
    if wanted(batch):
        app.handler({"Records": wanted(batch)}, None)
    world.read = max(world.read, end)


def publish_record_by_record(world: Streamed) -> None:
    """A batch that has been cut up, as a stream does with one that failed."""
    for _ in world.new_records():
        [record] = world.new_records()[:1]
        if wanted([record]):
            app.handler({"Records": [record]}, None)
        world.read += 1


def told_in_order(world: Streamed) -> None:
    """Each event was published, and each account's were first published in the order they were written in."""
    images = [record["dynamodb"]["NewImage"] for record in wanted(world.records())]
    written = [(image["pk"]["S"], image["sk"]["S"]) for image in images if "pk" in image]
    first_times = [*dict.fromkeys((_partition(each.account), f"EVENT#{each.id}") for each in world.told.taken)]
    assert set(first_times) == set(written), "an event is missing"
    for partition in {partition for partition, _ in written}:
        assert [each for each in first_times if each[0] == partition] == [
            each for each in written if each[0] == partition
        ], f"out of order: {partition}"


def _partition(account: str | None) -> str:
    return "CATALOGUE" if account is None else f"ACCOUNT#{account}"


def streamed(world: World) -> Streamed:
    """The same world, its stream unread."""
    read = Streamed()
    read.__dict__.update(deepcopy(world.__dict__))
    return read


def one_company() -> Streamed:
    """What was written until the sample company had changed something and had a second person."""
    with company().calm() as world:
        change(Area.BILLING, MOVED)(world)
        save("bo@nordlys.example", Role.MEMBER)(world)
        return streamed(world)


def many_companies() -> Streamed:
    """Three events of each of more accounts than the bus takes at once."""
    with Streamed().calm() as world:
        for second in range(3):
            for account in range(ACCOUNTS):
                _write(world, happened(second, f"shop-{account}"))
        return world


def _write(world: Streamed, event: Event) -> None:
    item = {"pk": _partition(event.account), "sk": f"EVENT#{event.id}", "body": event_body(event)}
    world.table.answer(
        "PutItem",
        {"TableName": world.table.schema.name, "Item": {name: {"S": value} for name, value in item.items()}},
    )


def test_what_was_written_is_published(faults: Faults) -> None:
    faults.every_cut(world=one_company, command=publish, invariants=told_in_order)


def test_more_than_the_bus_takes_at_once(faults: Faults) -> None:
    faults.every_cut(world=many_companies, command=publish, invariants=told_in_order)


def test_a_batch_that_is_cut_up(faults: Faults) -> None:
    faults.every_cut(world=one_company, command=publish_record_by_record, invariants=told_in_order)


@pytest.mark.parametrize("delivered", [1, 2])
def test_the_same_batch_again(faults: Faults, delivered: int) -> None:
    """The stream forgets that it has handed a batch over: everything is published once more, still in order."""

    def publish_again(world: Streamed) -> None:
        for _ in range(delivered + 1):
            app.handler({"Records": wanted(world.records())}, None)

    faults.every_cut(world=one_company, command=publish_again, invariants=told_in_order)


BROKEN: Sequence[dict[str, Any]] = (
    {},
    {"body": {"S": "no JSON"}},
    {"body": {"S": "{}"}},
    {"body": {"S": '{"event": 1, "type": "unheard of"}'}},
    {"body": {"N": "1"}},
)


@pytest.mark.parametrize("image", BROKEN, ids=["empty", "no JSON", "no event", "unknown type", "a number"])
def test_one_record_that_nobody_can_read_holds_up_nobody(faults: Faults, image: dict[str, Any]) -> None:
    def with_a_broken_one() -> Streamed:
        world = one_company()
        broken = deepcopy(wanted(world.table.records)[0])
        broken["dynamodb"]["NewImage"] = image
        broken["dynamodb"]["Keys"] = {"pk": {"S": "ACCOUNT#broken"}, "sk": {"S": "EVENT#broken"}}
        world.table.records.insert(len(world.table.records) // 2, broken)
        return world

    def the_others_are_told(world: Streamed) -> None:
        told_in_order(world)
        assert {json.loads(letter)["pk"] for letter in world.letters.kept} == {"ACCOUNT#broken"}

    faults.every_cut(world=with_a_broken_one, command=publish, invariants=the_others_are_told)


def test_writing_and_publishing_at_once(faults: Faults) -> None:
    def all_is_told(world: Streamed) -> None:
        publish(world)
        told_in_order(world)
        assert len(world.told.taken) >= 4

    def new_company() -> Streamed:
        with company().calm() as world:
            return streamed(world)

    faults.histories(
        world=new_company,
        commands=[
            change(Area.BILLING, MOVED),
            save("bo@nordlys.example", Role.MEMBER),
            publish,
            publish,
        ],
        invariants=all_is_told,
        count=40,
    )
