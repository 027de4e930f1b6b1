"""Deletions and receipts that an earlier release has stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from billing.ending.deletion.claim_records import ClaimStore
from billing.ending.deletion.records import PurgeStore, receipt_from
from billing.kernel.errors import ConcurrentChange

from tests.aws import TABLE, restore_items
from tests.stores import Stores

RECEIPT = (
    '{"receipt":"01KVPXB1P0262Z6Z9KP3W9WCRZ","identity":"ab","began_at":"2026-07-28T22:00:00+00:00",'
    '"deleted_at":"2026-07-28T22:05:00+00:00","counts":{"page":6},"digest":"cd"}'
)
"""Written by the release before open claims."""

PURGE = (
    '{"account":"nordlys-kaffe","receipt":"01KVPXB1P0262Z6Z9KP3W9WCRZ","account_name":"Nordlys Kaffe","language":"en",'
    '"recipients":[["Ada","ada@nordlys.example"]],"users":["ada"],"customer":null,"identity":"ab",'
    '"began_at":"2026-07-28T22:00:00+00:00","counts":{"content":3},"digest":"cd","archived":null,"emptied_at":null}'
)


def test_an_older_receipt_has_kept_nothing() -> None:
    receipt = receipt_from(RECEIPT)

    assert (receipt.kept, receipt.kept_until) == ({}, None)
    assert receipt.began_at == datetime(2026, 7, 28, 22, tzinfo=UTC)


def test_a_deletion_that_an_earlier_release_began_keeps_what_is_still_there(store: Stores) -> None:
    restore_items([{"pk": "ACCOUNT#nordlys-kaffe", "sk": "PURGE", "body": PURGE, "version": 4}])
    purges = PurgeStore(TABLE, store._client)

    purge = purges.purge("nordlys-kaffe")

    assert purge is not None
    assert (purge.is_residue_kept, purge.kept, purge.not_invoiced, purge.version) == (False, (), (), 4)
    with pytest.raises(ConcurrentChange):  # no notice is taken in before
        ClaimStore(TABLE, store._client).require_kept("nordlys-kaffe")
    kept = purges.keep(purge, (), is_all=True)
    assert purges.purge("nordlys-kaffe") == kept
    ClaimStore(TABLE, store._client).require_kept("nordlys-kaffe")
