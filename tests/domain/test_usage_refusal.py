"""Which usage is refused, by its account, store, product, time and day (DESIGN 3.5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from billing.accounts.mapping import account_body, account_from
from billing.accounts.rules import EARLIER_CONTRACTS_MAX, Account, Ending, Status
from billing.subscriptions.rules import FormerLine
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
ENDING = Ending("receipt", date(2026, 7, 15), date(2026, 7, 29))
TINY = timedelta(microseconds=1)


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.CANCELLING])
def test_usage_of_an_active_or_cancelling_account_is_counted(status: Status) -> None:
    assert (
        source_refusal(replace(ACCOUNT, status=status), PAGE.subscription, "nordlys-dk", "search", TODAY, TODAY) is None
    )
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


def refused(account: Account, day: str, today: str = "2026-07-20", product: str = "search") -> tuple[str, str] | None:
    """The argument and the code of a refusal."""
    days = (date.fromisoformat(each) for each in (day, today))
    found = source_refusal(account, PAGE.subscription, "nordlys-dk", product, *days)
    return None if found is None else (str(found.path[0]), str(found.code))


@pytest.mark.parametrize("status", [Status.CANCELLING, Status.DEACTIVATED])
def test_the_day_decides_and_not_whether_the_deactivation_has_run(status: Status) -> None:
    account = replace(ACCOUNT, status=status, ending=ENDING)

    assert refused(account, "2026-07-14") is None
    assert refused(account, "2026-07-15") == ("day", "deactivated")
    assert refused(account, "2026-01-14") == ("day", "too-early")
    assert refused(account, "2026-07-14", "2026-07-27") is None
    assert refused(account, "2026-07-14", "2026-07-28") == ("account", "deactivated")


def test_an_account_that_came_back_has_the_days_of_each_of_its_contracts() -> None:
    ended = replace(ACCOUNT, status=Status.DEACTIVATED, ending=ENDING)
    first = ended.reactivated(replace(ACCOUNT.contract, start=date(2026, 7, 20)), ("search", "email"))
    again = Ending("receipt", date(2026, 9, 20), date(2026, 10, 4))
    second = replace(first, status=Status.DEACTIVATED, ending=again).reactivated(
        replace(ACCOUNT.contract, start=date(2026, 9, 25)), ("search",)
    )

    days = [f"2026-{day}" for day in ("01-14", "01-15", "07-14", "07-15", "07-19", "07-20")]
    days += [f"2026-09-{day}" for day in (19, 20, 24, 25)]
    before, gap = ("day", "too-early"), ("day", "deactivated")
    assert [refused(second, day, "2026-09-30") for day in days] == [
        *(before, None, None, gap, gap, None, None),
        *(gap, gap, None),
    ]
    assert [refused(second, day, "2026-09-30", "email") for day in ("2026-07-14", "2026-07-20", "2026-09-25")] == [
        None,
        ("product", "unknown"),
        ("product", "unknown"),
    ]
    assert (second.status, second.ending, len(second.earlier)) == (Status.ACTIVE, None, 2)
    found = source_refusal(second, PAGE.subscription, "nordlys-dk", "search", date(2026, 7, 16), date(2026, 9, 30))
    assert found is not None
    assert "from 2026-07-15 to 2026-07-20" in found.detail


def test_an_earlier_contract_has_each_product_on_its_own_days() -> None:
    """One ended and was invoiced, one ended later, one was added: usage that is reported late counts on these days."""
    subscription = PAGE.subscription
    [search] = subscription.lines
    chat = replace(search, product="chat", added_on=date(2026, 5, 1), valid_from=date(2026, 5, 15))
    ended = replace(
        subscription,
        lines=(search, replace(search, product="email", valid_until=date(2026, 6, 15)), chat),
        former=(FormerLine("ads", None, date(2026, 4, 15)),),
    )
    account = replace(ACCOUNT, status=Status.DEACTIVATED, ending=ENDING)
    again = account.reactivated(replace(ACCOUNT.contract, start=date(2026, 7, 20)), *ended.remembered)
    again = account_from(account_body(again), 1)

    first = {"ads": "2026-01-15", "email": "2026-01-15", "chat": "2026-05-01", "search": "2026-01-15"}
    last = {"ads": "2026-04-14", "email": "2026-06-14", "chat": "2026-07-14", "search": "2026-07-14"}
    for product, day in [*first.items(), *last.items()]:
        assert refused(again, day, product=product) is None
    for product, day in (("ads", "2026-04-15"), ("email", "2026-06-15"), ("chat", "2026-04-30")):
        assert refused(again, day, product=product) == ("product", "unknown")


def test_an_account_remembers_a_limited_number_of_contracts_and_none_that_never_began() -> None:
    account = ACCOUNT
    for number in range(EARLIER_CONTRACTS_MAX + 3):
        start = date(2026, 1, 1) + timedelta(days=10 * number)
        until = start if number == 2 else start + timedelta(days=5)
        account = replace(account, contract=replace(account.contract, start=start), ending=Ending("r", until, until))
        account = account.reactivated(account.contract, ("search",))

    assert len(account.earlier) == EARLIER_CONTRACTS_MAX
    assert min(each.start for each in account.earlier) == date(2026, 1, 1) + timedelta(days=10 * 3)


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
