"""A deletion that crashes after any step resumes, and leaves only a receipt and archived invoices (DESIGN 3.7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account
from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb import keys

from tests.faults.company import ADA, SETTINGS, body, provision
from tests.faults.cuts import Faults
from tests.faults.edges import edge
from tests.faults.ending import ACCOUNT, OTHER, PURGED, USED, Ending, deactivated, theirs


def purger(world: Ending) -> Purger:
    return Purger(
        accounts=world.store,
        methods=world.paying,
        purges=world.purges,
        invoices=world.invoicing,
        documents=edge("documents", world.bucket),
        archive=edge("archive", world.archive),
        archive_years=5,
        gateway=world.payments,
        directory=world.directory,
        wait=timedelta(),
        settings=SETTINGS,
    )


def purge(world: Ending, goes_on: Callable[[], bool] = lambda: True, now: datetime = PURGED) -> bool:
    """One run of the deletion. Returns whether it is finished."""
    world.runs += 1
    progress = purge_account(
        ACCOUNT, now=now, clock=now, correlation=f"run {world.runs}", goes_on=goes_on, purger=purger(world)
    )
    return progress is PurgeProgress.FINISHED


def one_deletion(world: Ending) -> Callable[[], bool]:
    """Stops a run after its first delete."""
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
    # Ada also has access to the other account. Bo and Cy had access to this account only.
    assert {log_in.user for log_in in world.people.log_ins.values()} == {ADA}
    first, second = sorted({key.split("/")[2] for key in world.archive.retained_until})
    archived = (f"{first}/{first}.json", f"{first}/{first}.pdf", f"{second}/{second}.json")
    assert sorted(world.archive.retained_until) == [f"invoices/2026/{each}" for each in archived]
    [receipt] = [body(item) for item in world.table.items() if item["pk"]["S"] == keys.RECEIPTS]
    assert ACCOUNT not in str(receipt)
    assert "nordlys" not in str(receipt).lower()
    # Counters, markers, events: each item is counted exactly once, wherever the deletion crashed.
    assert receipt["counts"] == COUNTS
    events = {body(item)["type"]: item for item in world.table.items() if item["pk"]["S"].startswith("DELETED#")}
    # Both invoices are unpaid: staff are told once.
    assert sorted(body(item)["type"] for item in events.values()) == ["account.deleted", "account.money_open"]
    assert len([item for item in world.table.items() if item["pk"]["S"].startswith("DELETED#")]) == len(events)
    assert body(events["account.deleted"])["after"]["counts"] == COUNTS
    assert all(int(event["expires_at"]["N"]) > PURGED.timestamp() for event in events.values())
    claims_are_kept(world, receipt, to_repay=0)


def claims_are_kept(world: Ending, receipt: dict[str, Any], *, to_repay: int) -> None:
    """What was open before the deletion is kept once: each document, and what is owed of it."""
    claims = {body(item)["claim"]: body(item) for item in world.stored(keys.CLAIM)}
    owed = {number: each["payment"].get("entries", []) for number, each in claims.items()}
    assert receipt["kept"] == {
        "claims": len([each for each in claims.values() if not each["to_repay"]]),
        "repayments": len([each for each in claims.values() if each["to_repay"]]),
    }
    assert {each["receipt"] for each in claims.values()} == {receipt["receipt"]}
    assert sorted(world.open_before) == sorted(claims), "a claim is lost or made up"
    assert sum(each["to_repay"] for each in claims.values()) == to_repay
    assert owed == world.open_before, "an entry is lost"


def others_untouched(world: Ending) -> None:
    assert theirs(world) == world.theirs
    assert [key for key in world.bucket.files if OTHER in key]
    assert [each for each in world.stripe.objects["customer"].values() if each["metadata"].get("account") == OTHER]
    assert ADA in {log_in.user for log_in in world.people.log_ins.values()}


COUNTS = {
    "cancellation": 1,
    "content": USED,
    "customers": 1,
    "document": 2,
    "documents": 2,
    "due": 4,
    "event": 9,
    "finding": 1,
    "invoice": 2,
    "marker": USED,
    "page": 6,
    "period": 1,
    "total": 1,
    "user": 3,
}


@pytest.fixture(autouse=True)
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lowers the items per transaction, so that a small account needs several transactions."""
    monkeypatch.setattr("billing.ending.deletion.records.AT_ONCE", 20)


def test_a_deletion_that_crashes_anywhere_resumes_until_nothing_is_left(faults: Faults) -> None:
    def purged(world: Ending) -> None:
        nothing_left(world)
        others_untouched(world)

    faults.every_cut(world=deactivated, command=purge, invariants=purged, always=others_untouched)


def test_a_deletion_that_crashes_after_every_delete_counts_each_item_once(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One item per transaction, and a crash after each."""
    monkeypatch.setattr("billing.ending.deletion.records.AT_ONCE", 1)
    with deactivated().calm() as world:
        runs = 0
        while not purge(world, one_deletion(world)):
            runs += 1
        nothing_left(world)
        others_untouched(world)
        # The first run has written two claims, an event, and that two log-ins leave, before it stops with fewer items
        # than before.
        assert runs == sum(COUNTS.values()) - COUNTS["customers"] - COUNTS["documents"] - 5


def test_two_concurrent_deletions_count_each_item_once(faults: Faults) -> None:
    faults.every_race(world=deactivated, first=purge, second=purge, invariants=nothing_left)


def test_nothing_is_deleted_before_the_purge_day(faults: Faults) -> None:
    with deactivated().calm() as world:
        items = world.table.items()
        assert purge(world, now=PURGED - timedelta(seconds=1))
        assert world.table.items() == items


def test_no_account_can_be_provisioned_under_an_id_that_is_being_deleted(faults: Faults) -> None:
    with deactivated().calm() as world:
        purge(world, one_deletion(world))
        with pytest.raises(ConcurrentChange):
            provision(world)
        while not purge(world):
            pass
        provision(world)
        assert world.stored("PAGE#ACCOUNT")


def test_every_item_family_of_an_account_is_deleted() -> None:
    """The purge deletes everything in its partitions, so they must contain every family of an account."""
    from billing.ending.deletion.records import partitions

    assert partitions("x") == (keys.usage("x"), keys.markers("x"), keys.account("x"))
    of_accounts = {*keys.ACCOUNT_FAMILIES, *keys.USAGE_FAMILIES, keys.MARKER}
    shared = {
        keys.VERSION,
        keys.EVENT,
        keys.BOOKED,
        keys.MANAGER,
        keys.SERIES,
        keys.NUMBER,
        keys.RECEIPT,
        keys.OUTAGE,
        keys.DAY,
        keys.CLOCK,
    }
    shared |= {keys.MERCHANT, keys.RATES, keys.RATE_MISSING, keys.TAX_TABLE}
    shared |= {keys.STATEMENT, keys.BANK_ENTRY, keys.ENTRY}  # what the bank says, for KEPT_DAYS
    residue = {
        keys.RESIDUE,
        keys.CLAIM,
        keys.NOTE,
        keys.LOG_IN,
        keys.LEAVING,
    }  # what outlives the account, in partitions of its own
    families = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and not name.startswith(("PAGE_", "_"))
    } - {keys.LOGGED_IN, keys.USED_SINCE}  # attributes of PAGE#ACCOUNT, which go with it
    partitions_of_all = {keys.CATALOGUE, keys.MANAGERS, keys.NUMBERS, keys.RECEIPTS, keys.VAT_NUMBERS}
    partitions_of_all |= {keys.EXCHANGE_RATES, keys.PAYMENT_SERVICE, keys.REJECTED_USAGE, keys.TEST_CLOCKS}
    partitions_of_all |= {keys.BANK_STATEMENTS, keys.TAX_RATES}
    not_of_accounts = partitions_of_all | {keys.PAST_DUE, keys.VAT_UNCONFIRMED, keys.INDEX, keys.LIST_INDEX}
    not_of_accounts |= {keys.AWAITS_RATE, keys.AWAITS_TAX, keys.BANK_ENTRIES, keys.FINDINGS, keys.OPEN_CLAIMS}
    # The partitions of the lists of staff, in the indexes: their entries are items of accounts.
    not_of_accounts |= {keys.ACCOUNTS, keys.COMPANIES, keys.VAT_NUMBER, keys.E_MAIL, keys.METHODS, keys.PAUSED}
    not_of_accounts |= {
        keys.INVOICES,
        keys.CREDIT_NOTES,
        keys.CANCELLATIONS,
        keys.DECISIONS,
        keys.EXEMPTIONS,
        keys.REVIEWS,
    }
    assert families == of_accounts | shared | residue | not_of_accounts
