"""A deletion that is killed after any single step goes on, and in the end nothing is left but a receipt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account
from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb import keys

from tests.faults.company import ADA, body, provision
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.ending import ACCOUNT, OTHER, PURGED, USED, Ending, deactivated, theirs


def purger(world: Ending) -> Purger:
    return Purger(
        accounts=world.store,
        methods=world.paying,
        purges=world.purges,
        documents=edge("documents", world.bucket),
        archive=edge("archive", world.archive),
        archive_years=5,
        gateway=world.payments,
        directory=world.directory,
        wait=timedelta(),
    )


def purge(world: Ending, steps: Callable[[], bool] = lambda: True, now: datetime = PURGED) -> bool:
    """A run of it; whether nothing is left."""
    world.runs += 1
    progress = purge_account(
        ACCOUNT, now=now, clock=now, correlation=f"run {world.runs}", goes_on=steps, purger=purger(world)
    )
    return progress is PurgeProgress.FINISHED


def one_deletion(world: Ending) -> Callable[[], bool]:
    """Lets a run delete once, and no more."""
    before = len(world.table.items())
    return lambda: len(world.table.items()) >= before


def nothing_left(world: Ending) -> None:
    left = [item for item in world.table.items() if ACCOUNT in item["pk"]["S"] or ACCOUNT in str(item.get("gsi1sk"))]
    assert left == [], "something is left in the table"
    assert not [key for key in world.bucket.files if ACCOUNT in key], "something is left among the documents"
    assert not [
        each
        for each in world.stripe.objects["customer"].values()
        if not each.get("deleted") and each["metadata"].get("account") == ACCOUNT
    ], "something is left at the payment service"
    # Ada has access to the other account as well; Bo and Cy had none but this.
    assert {known.user for known in world.people.log_ins.values()} == {ADA}
    first, second = sorted({key.split("/")[2] for key in world.archive.kept})
    kept = (f"{first}/{first}.json", f"{first}/{first}.pdf", f"{second}/{second}.json")
    assert sorted(world.archive.kept) == [f"invoices/2026/{each}" for each in kept]
    [receipt] = [body(item) for item in world.table.items() if item["pk"]["S"] == keys.RECEIPTS]
    assert ACCOUNT not in str(receipt)
    assert "nordlys" not in str(receipt).lower()
    # Counters, markers, events: each counted exactly once, wherever it was cut off.
    assert receipt["counts"] == COUNTS
    [told] = [item for item in world.table.items() if item["pk"]["S"].startswith("DELETED#")]
    assert body(told)["type"] == "account.deleted"
    assert body(told)["after"]["counts"] == COUNTS
    assert int(told["expires_at"]["N"]) > PURGED.timestamp()


def others_untouched(world: Ending) -> None:
    assert theirs(world) == world.theirs
    assert [key for key in world.bucket.files if OTHER in key]
    assert [each for each in world.stripe.objects["customer"].values() if each["metadata"].get("account") == OTHER]
    assert ADA in {known.user for known in world.people.log_ins.values()}


COUNTS = {
    "cancellation": 1,
    "content": USED,
    "customers": 1,
    "documents": 2,
    "due": 4,
    "event": 9,
    "invoice": 2,
    "marker": USED,
    "page": 5,
    "total": 1,
    "user": 3,
}


@pytest.fixture(autouse=True)
def a_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few items take several transactions."""
    monkeypatch.setattr("billing.ending.deletion.records.AT_ONCE", 20)


def test_a_deletion_that_is_killed_anywhere_goes_on_until_nothing_is_left(faults: Faults) -> None:
    def purged(world: Ending) -> None:
        nothing_left(world)
        others_untouched(world)

    faults.every_cut(world=deactivated, command=purge, invariants=purged, always=others_untouched)


def test_a_deletion_is_killed_after_every_single_delete(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """One item at a time, and the process gone after each."""
    monkeypatch.setattr("billing.ending.deletion.records.AT_ONCE", 1)
    with deactivated().calm() as world:
        runs = 0
        while not purge(world, one_deletion(world)):
            runs += 1
        nothing_left(world)
        others_untouched(world)
        assert runs == sum(COUNTS.values()) - COUNTS["customers"] - COUNTS["documents"]


def test_two_deletions_at_once_delete_and_count_once(faults: Faults) -> None:
    faults.every_race(world=deactivated, first=purge, second=purge, invariants=nothing_left)


def test_before_its_day_nothing_is_deleted(faults: Faults) -> None:
    with deactivated().calm() as world:
        items = world.table.items()
        assert purge(world, now=PURGED - timedelta(seconds=1))
        assert world.table.items() == items


def test_nothing_new_begins_under_the_id_of_what_is_being_deleted(faults: Faults) -> None:
    with deactivated().calm() as world:
        purge(world, one_deletion(world))
        with pytest.raises(ConcurrentChange):
            provision(world)
        while not purge(world):
            pass
        provision(world)
        assert world.stored("PAGE#ACCOUNT")


def test_every_family_of_an_account_is_covered() -> None:
    """The purge works on keys: what stands in one of its partitions goes. A family must stand in one of them."""
    from billing.ending.deletion.records import partitions

    assert partitions("x") == (keys.usage("x"), keys.markers("x"), keys.account("x"))
    everywhere = {*keys.ACCOUNT_FAMILIES, *keys.USAGE_FAMILIES, keys.MARKER}
    shared = {keys.VERSION, keys.EVENT, keys.BOOKED, keys.MANAGER, keys.SERIES, keys.RECEIPT}
    known = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and not name.startswith(("PAGE_", "_"))
    }
    partitions_of_none = {keys.CATALOGUE, keys.MANAGERS, keys.NUMBERS, keys.RECEIPTS, keys.PAST_DUE, keys.INDEX}
    assert known == everywhere | shared | partitions_of_none
