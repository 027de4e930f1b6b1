"""A deleted account that a backup brings back is deleted again, recognised by its receipt; no other account is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from billing import wiring
from billing.ending.cancellation.commands import end_account
from billing.ending.deletion.commands import PurgeProgress, Purger, purge_account, purge_again

from scripts.reapply_deletions import deleted_accounts
from tests.aws import restore_items, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, PURGED, cancel
from tests.samples import ACCOUNT, with_value

SHOP = "closing-shop"


@pytest.fixture
def purger(company: Company, buckets: Any, stripe_account: Any, fresh_wiring: None) -> Purger:
    return Purger(
        accounts=wiring.account_store(),
        methods=wiring.payment_store(),
        purges=wiring.purge_store(),
        invoices=wiring.invoice_store(),
        documents=wiring.documents(),
        archive=None,
        archive_years=0,
        gateway=wiring.payments(),
        directory=wiring.directory(),
        wait=timedelta(),
    )


@pytest.fixture
def backup(company: Company, purger: Purger) -> list[dict[str, Any]]:
    """All items of the table from before the account was deleted."""
    assert provisioned(with_value(ACCOUNT, SHOP, "account")).status == 201
    shop = Company(SHOP, company.admin, company.member)
    assert cancel(shop).status == 201
    before = stored_items()
    end_account(
        SHOP,
        now=ENDED,
        correlation="end",
        seller=wiring.seller_address(),
        policy=None,
        store=wiring.cancellation_store(),
    )
    end_account(
        SHOP,
        now=PURGED,
        correlation="end",
        seller=wiring.seller_address(),
        policy=None,
        store=wiring.cancellation_store(),
    )
    progress = purge_account(SHOP, now=PURGED, clock=PURGED, correlation="purge", goes_on=lambda: True, purger=purger)
    assert progress is PurgeProgress.FINISHED
    return before


def brought_back(purger: Purger) -> list[str]:
    return [*deleted_accounts(purger)]


def test_a_restored_account_is_deleted_again_and_no_other(
    backup: list[dict[str, Any]], company: Company, purger: Purger
) -> None:
    assert brought_back(purger) == []
    restore_items(backup)
    [back] = deleted_accounts(purger)
    assert back == SHOP

    purge_again(back, now=PURGED, correlation="again", purger=purger)

    left = {item["pk"] for item in stored_items() if SHOP in str(item)}
    assert {partition.partition("#")[0] for partition in left} == {"DELETED"}
    assert wiring.account_store().account(company.account)
    assert brought_back(purger) == []
    receipts_and_events = [item for item in stored_items() if item["pk"].startswith("DELETED#")]
    assert sum('"recipients":[]' in item["body"] for item in receipts_and_events) == 1


def test_a_repeated_deletion_that_was_cut_off_goes_on(
    backup: list[dict[str, Any]], purger: Purger, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore_items(backup)
    [back] = deleted_accounts(purger)
    with monkeypatch.context() as patch:
        patch.setattr(type(purger.purges), "delete_some", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            purge_again(back, now=PURGED, correlation="again", purger=purger)

    assert brought_back(purger) == [SHOP]
    purge_again(back, now=PURGED, correlation="again", purger=purger)

    assert {item["pk"].partition("#")[0] for item in stored_items() if SHOP in str(item)} == {"DELETED"}


def test_another_account_with_the_same_name_stays(backup: list[dict[str, Any]], purger: Purger) -> None:
    other = with_value(with_value(ACCOUNT, SHOP, "account"), "Another company", "name")
    assert provisioned(other).status == 201

    assert brought_back(purger) == []
