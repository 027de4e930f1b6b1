"""Publishing from the table's stream to the bus: after crashes anywhere each event arrives, in order per account."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
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
from tests.store.samples import sample_event
from tests.template import resources

Records = list[dict[str, Any]]

ACCOUNTS = 12
"""With their events, more than the bus takes in one call."""


@pytest.fixture(autouse=True)
def wired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connects the function to the outside services of the current world, without waits."""
    monkeypatch.setattr(wiring, "bus", lambda: seam().world.bus)
    monkeypatch.setattr(wiring, "dead_letters", lambda: seam().world.dead_letters)
    monkeypatch.setattr(app, "sleep", lambda _: None)


class Streamed(World):
    """A world with a position in the stream. `read` moves only after a batch succeeds."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def new_records(self) -> Records:
        return self.records()[self.read :]


def filtered(records: Records) -> Records:
    """The records that pass the event source's filter in template.yaml."""
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
    """Processes the next batch of the stream. A failed batch is delivered again."""
    batch = world.new_records()
    end = world.read + len(batch)
    if filtered(batch):
        app.handler({"Records": filtered(batch)}, LambdaContext())
    world.read = max(world.read, end)


def publish_record_by_record(world: Streamed) -> None:
    """Processes a batch record by record, as a stream does after it bisected a failed batch."""
    for _ in world.new_records():
        [record] = world.new_records()[:1]
        if filtered([record]):
            app.handler({"Records": [record]}, LambdaContext())
        world.read += 1


def published_in_order(world: Streamed) -> None:
    """Each event was published. The first publications of an account's events are in the order of their writes."""
    images = [record["dynamodb"]["NewImage"] for record in filtered(world.records())]
    written = [(image["pk"]["S"], image["sk"]["S"]) for image in images if "pk" in image]
    first_times = [*dict.fromkeys((_partition(each.account), f"EVENT#{each.id}") for each in world.published.events)]
    assert set(first_times) == set(written), "an event is missing"
    for partition in {partition for partition, _ in written}:
        assert [each for each in first_times if each[0] == partition] == [
            each for each in written if each[0] == partition
        ], f"out of order: {partition}"


def _partition(account: str | None) -> str:
    return "CATALOGUE" if account is None else f"ACCOUNT#{account}"


def streamed(world: World) -> Streamed:
    """The same world, with an unread stream."""
    unread = Streamed()
    unread.__dict__.update(deepcopy(world.__dict__))
    return unread


def one_company() -> Streamed:
    """The sample company after one change and a second user, with an unread stream."""
    with company().calm() as world:
        change(Area.BILLING, MOVED)(world)
        save("bo@nordlys.example", Role.MEMBER)(world)
        return streamed(world)


def many_companies() -> Streamed:
    """Three events for each of ACCOUNTS accounts."""
    with Streamed().calm() as world:
        for second in range(3):
            for account in range(ACCOUNTS):
                _write(world, sample_event(second, f"shop-{account}"))
        return world


def _write(world: Streamed, event: Event) -> None:
    item = {"pk": _partition(event.account), "sk": f"EVENT#{event.id}", "body": event_body(event)}
    world.table.answer(
        "PutItem",
        {"TableName": world.table.schema.name, "Item": {name: {"S": value} for name, value in item.items()}},
    )


def test_every_recorded_event_is_published(faults: Faults) -> None:
    faults.every_cut(world=one_company, command=publish, invariants=published_in_order)


def test_a_batch_larger_than_a_bus_call_is_published(faults: Faults) -> None:
    faults.every_cut(world=many_companies, command=publish, invariants=published_in_order)


def test_a_bisected_batch_is_published_in_order(faults: Faults) -> None:
    faults.every_cut(world=one_company, command=publish_record_by_record, invariants=published_in_order)


@pytest.mark.parametrize("delivered", [1, 2])
def test_a_redelivered_batch_is_published_again_in_order(faults: Faults, delivered: int) -> None:
    """The stream delivers a successful batch again: its events are published once more, still in order."""

    def publish_again(world: Streamed) -> None:
        for _ in range(delivered + 1):
            app.handler({"Records": filtered(world.records())}, LambdaContext())

    faults.every_cut(world=one_company, command=publish_again, invariants=published_in_order)


BROKEN: Sequence[dict[str, Any]] = (
    {},
    {"body": {"S": "no JSON"}},
    {"body": {"S": "{}"}},
    {"body": {"S": '{"event": 1, "type": "unheard of"}'}},
    {"body": {"N": "1"}},
)


@pytest.mark.parametrize("image", BROKEN, ids=["empty", "no JSON", "no event", "unknown type", "a number"])
def test_an_unreadable_record_does_not_stop_the_others(faults: Faults, image: dict[str, Any]) -> None:
    def with_an_unreadable_record() -> Streamed:
        world = one_company()
        broken = deepcopy(filtered(world.table.records)[0])
        broken["dynamodb"]["NewImage"] = image
        broken["dynamodb"]["Keys"] = {"pk": {"S": "ACCOUNT#broken"}, "sk": {"S": "EVENT#broken"}}
        world.table.records.insert(len(world.table.records) // 2, broken)
        return world

    def the_others_are_published(world: Streamed) -> None:
        published_in_order(world)
        assert {json.loads(letter)["pk"] for letter in world.letters.bodies} == {"ACCOUNT#broken"}

    faults.every_cut(world=with_an_unreadable_record, command=publish, invariants=the_others_are_published)


def test_an_event_that_the_bus_refuses_for_good_is_set_aside_by_its_key(faults: Faults) -> None:
    """Case L14. Its neighbours are published, those of its own account as well."""

    def with_a_poisoned_event() -> Streamed:
        world = many_companies()
        world.published.poisoned = {_id_of(filtered(world.records())[ACCOUNTS])}
        return world

    def the_others_are_published(world: Streamed) -> None:
        keys = [record["dynamodb"]["Keys"] for record in filtered(world.records())]
        poisoned = keys[ACCOUNTS]
        assert {json.loads(letter)["sk"] for letter in world.letters.bodies} == {poisoned["sk"]["S"]}
        assert {json.loads(letter)["pk"] for letter in world.letters.bodies} == {poisoned["pk"]["S"]}
        assert {f"EVENT#{each.id}" for each in world.published.events} == {
            each["sk"]["S"] for each in keys if each != poisoned
        }

    faults.every_cut(world=with_a_poisoned_event, command=publish, invariants=the_others_are_published)


def _id_of(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["Keys"]["sk"]["S"]).removeprefix("EVENT#")


def test_events_written_during_publishing_are_published(faults: Faults) -> None:
    def all_are_published(world: Streamed) -> None:
        publish(world)
        published_in_order(world)
        assert len(world.published.events) >= 4

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
        invariants=all_are_published,
        count=40,
    )
