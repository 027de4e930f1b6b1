"""Which usage is refused, by its account, store, product, time and day (DESIGN 3.5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from billing.accounts.rules import Status
from billing.usage.refusal import (
    FIRST_DAY,
    day_refusal,
    source_refusal,
    stores_still_reporting,
    time_refusal,
)
from billing.usage.rules import FUTURE_MAX

from tests.store.samples import ACCOUNT, NOON, PAGE

DEACTIVATED = replace(ACCOUNT, status=Status.DEACTIVATED)
WITHIN = timedelta(days=35)
TODAY = NOON.date()
TINY = timedelta(microseconds=1)


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.CANCELLING])
def test_usage_of_an_active_or_cancelling_account_is_counted(status: Status) -> None:
    assert source_refusal(replace(ACCOUNT, status=status), PAGE.subscription, "nordlys-dk", "search", TODAY, TODAY) is None
    assert stores_still_reporting(replace(ACCOUNT, status=status), ["nordlys-dk"]) is None


@pytest.mark.parametrize(
    ("status", "store", "product", "path"),
    [
        (Status.DEACTIVATED, "elsewhere", "ads", "account"),
        (Status.ACTIVE, "elsewhere", "ads", "store"),
        (Status.ACTIVE, "nordlys-dk", "ads", "product"),
    ],
)
def test_a_refusal_names_the_first_wrong_argument(status: Status, store: str, product: str, path: str) -> None:
    refused = source_refusal(replace(ACCOUNT, status=status), PAGE.subscription, store, product, TODAY, TODAY)

    assert refused is not None
    assert refused.path == (path,)


def test_each_existing_store_of_a_deactivated_account_is_named_once() -> None:
    stores = ["nordlys-dk", "elsewhere", "nordlys-dk"]

    assert stores_still_reporting(DEACTIVATED, stores) == ["nordlys.example"]


def test_an_event_is_accepted_from_the_reporting_limit_until_a_few_minutes_ahead() -> None:
    assert time_refusal(NOON - WITHIN, NOON, WITHIN) is None
    assert time_refusal(NOON + FUTURE_MAX, NOON, WITHIN) is None
    assert time_refusal(NOON - WITHIN - TINY, NOON, WITHIN) is not None
    assert time_refusal(NOON + FUTURE_MAX + TINY, NOON, WITHIN) is not None


def test_days_from_the_first_day_to_today_can_be_imported() -> None:
    today = date(2026, 6, 10)

    assert day_refusal(FIRST_DAY, today) is day_refusal(today, today) is None
    assert day_refusal(FIRST_DAY - timedelta(days=1), today) is not None
    assert day_refusal(today + timedelta(days=1), today) is not None
