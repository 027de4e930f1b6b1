"""Erasing a person and deleting log-ins, cut off anywhere: done in the end, once, and never to somebody with access."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from billing.accounts.delete_log_in import delete_log_in
from billing.accounts.log_in_records import LogInStore
from billing.ending.erasure.commands import ErasureProgress, erase_person, request_erasure
from billing.ending.erasure.records import ErasureStore
from billing.kernel.errors import ConcurrentChange
from billing.kernel.permissions import Role
from billing.platform.dynamodb import keys

from tests.aws import TABLE
from tests.faults.company import ADA, BO, NEW_ACCOUNT, body, events, remove, save, with_bo
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.world import Bucket, World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
ADDRESS = "bo@nordlys.example"
LATER = CONTEXT.time + timedelta(days=15)
COPY = f"accounts/{ACCOUNT}/mail/01J0000000000000000000000A/1.eml"
OTHERS = f"accounts/{ACCOUNT}/mail/01J0000000000000000000000B/2.eml"


class Erasing(World):
    """A world in which Bo is erased: with copies of mails, and an export from before."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()

    @property
    def erasures(self) -> ErasureStore:
        return ErasureStore(TABLE, self.client)


def with_mails() -> Erasing:
    before = with_bo(Role.MEMBER)()
    world = Erasing()
    world.table, world.people = before.table, before.people
    world.bucket.files = {
        COPY: f"To: Bo <{ADDRESS}>\n\nHello.".encode(),
        OTHERS: b"To: ada@nordlys.example\n\nHello.",
        f"downloads/{ACCOUNT}/1.zip": ADDRESS.encode(),
    }
    return world


def ask(world: Erasing) -> None:
    account = world.store.account(ACCOUNT)
    request_erasure(account, BO, context=CONTEXT, store=world.erasures)


def asked() -> Erasing:
    with with_mails().calm() as world:
        ask(world)
        return world


def erase(world: Erasing) -> None:
    progress = erase_person(
        ACCOUNT,
        BO,
        now=LATER,
        clock=LATER,
        goes_on=lambda: True,
        store=world.erasures,
        documents=edge("documents", world.bucket),
        wait=timedelta(),
    )
    assert progress is ErasureProgress.FINISHED


def erased_once(world: Erasing) -> None:
    left = [item for item in world.table.items() if not item["pk"]["S"].startswith(keys.LOG_IN)]
    assert ADDRESS not in json.dumps(left), "the address is left"
    assert BO not in json.dumps(left), "the id is left"
    assert [*world.bucket.files] == [OTHERS]
    [erased] = events(world, "user.erased")
    [asked_for] = events(world, "user.erasure_requested")
    pseudonym = erased["after"]["user"]
    assert asked_for["after"] == {"user": pseudonym, "erased_as": pseudonym}
    # The events of the invitation, the removal and the request. Each is counted once, wherever it was cut off.
    assert erased["after"] == {"user": pseudonym, "entries": 3, "mails": 1, "files": erased["after"]["files"]}
    assert not world.stored(keys.ERASURE)


@pytest.fixture(autouse=True)
def few_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of the record are empty here, and each costs a query in each pass."""
    monkeypatch.setattr("billing.ending.erasure.commands.REWRITTEN", (keys.CANCELLATION, keys.EVENT, keys.REVIEW))


def test_an_erasure_that_is_cut_off_anywhere_goes_on(faults: Faults) -> None:
    faults.every_cut(world=asked, command=erase, invariants=erased_once)


def test_a_request_to_erase_begins_it_once(faults: Faults) -> None:
    def begun_once(world: Erasing) -> None:
        [erasure] = world.stored(keys.ERASURE)
        [requested] = events(world, "user.erasure_requested")
        assert body(erasure)["pseudonym"] == requested["after"]["erased_as"]
        [removed] = events(world, "user.removed")
        assert removed["before"]["user"] == BO
        assert not [item for item in world.stored(keys.USER) if body(item)["user"] == BO]
        assert BO not in body(world.stored(keys.PAGE_ACCOUNT)[0])["roles"]

    faults.every_cut(world=with_mails, command=ask, invariants=begun_once)
    faults.every_race(world=with_mails, first=ask, second=ask, invariants=begun_once, runs_max=2)


def test_two_workers_erase_once(faults: Faults) -> None:
    faults.every_race(world=asked, first=erase, second=erase, invariants=erased_once)


# ---- Log-ins ----------------------------------------------------------------------------------------------


def without_bo() -> World:
    with with_bo(Role.MEMBER)().calm() as world:
        remove(BO)(world)
        return world


def leave(world: World) -> None:
    store = LogInStore(TABLE, world.client)
    delete_log_in(BO, now=LATER, store=store, directory=world.directory)


def nothing_leaves(world: World) -> None:
    assert not world.stored(keys.LEAVING)


def test_a_log_in_is_deleted_wherever_it_is_cut_off(faults: Faults) -> None:
    def gone(world: World) -> None:
        nothing_leaves(world)
        assert ADDRESS not in world.people.log_ins

    faults.every_cut(world=without_bo, command=leave, invariants=gone)


def test_who_has_access_has_a_log_in(faults: Faults) -> None:
    """Bo is invited while his log-in is deleted. The invitation may fail, and is repeated: then there is a log-in."""

    def has_both(world: World) -> None:
        [bo] = {body(item)["user"] for item in world.stored(keys.USER)} - {ADA}
        assert bo in {each.user for each in world.people.log_ins.values()}
        nothing_leaves(world)

    faults.every_race(
        world=without_bo,
        first=leave,
        second=save(ADDRESS, Role.MEMBER),
        invariants=has_both,
    )


def test_an_invitation_of_somebody_without_a_log_in_is_made_once(faults: Faults) -> None:
    def deleted_in_the_console() -> World:
        world = with_bo(Role.MEMBER)()
        world.people.remove(BO)
        return world

    def invited_once(world: World) -> None:
        users = [body(item)["user"] for item in world.stored(keys.USER)]
        [_, again] = sorted(users, key=lambda user: ADDRESS in user)
        assert again != BO
        assert again in {each.user for each in world.people.log_ins.values()}
        assert [each["after"]["user"] for each in events(world, "user.added")] == [BO, again]
        assert len(events(world, "user.removed")) == 1

    faults.every_cut(world=deleted_in_the_console, command=save(ADDRESS, Role.MEMBER), invariants=invited_once)


def test_a_person_who_is_erased_cannot_come_back_meanwhile(faults: Faults) -> None:
    with asked().calm() as world:
        with pytest.raises(ConcurrentChange):
            save(ADDRESS, Role.MEMBER)(world)
        erase(world)
        save(ADDRESS, Role.MEMBER)(world)
