"""The usage in the table, on moto, through the store's verbs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from billing import wiring
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import ActorKind, EventType
from billing.kernel.money import Money
from billing.usage.records import UsageStore
from billing.usage.rules import UsageEvent
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.aws import stored_items
from tests.properties import examples
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, NOON, PAGE, happened
from tests.stores import Stores

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


def event(
    number: int,
    *,
    account: str = ACCOUNT.id,
    day: date = date(2026, 6, 10),
    quantity: str = "1",
    product: str = "search",
    content: str | None = "Slider",
    conversions: int = 0,
    revenue: Money | None = None,
) -> UsageEvent:
    time = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return UsageEvent(
        account, "source", str(number), product, "shop", content, time, day, Decimal(quantity), conversions, revenue
    )


def for_ever(_: UsageEvent) -> None:
    return None


@pytest.fixture
def usage(store: Stores) -> UsageStore:
    store.provision(PAGE, ADMIN, happened(), DUE, BILLING)
    return wiring.usage_store()


def test_the_months_of_all_products_are_one_read(usage: UsageStore) -> None:
    usage.count([event(1, day=date(2026, 5, 31)), event(2, product="email"), event(3, day=date(2026, 7, 1))], for_ever)

    assert usage.totals(ACCOUNT.id, MAY, JUNE) == {
        "search": {date(2026, 5, 31): Decimal(1)},
        "email": {date(2026, 6, 10): Decimal(1)},
    }
    assert usage.totals(ACCOUNT.id, JULY, JULY) == {"search": {JULY: Decimal(1)}}
    assert usage.totals("another-shop", MAY, JULY) == {}


def test_contents_come_by_month_store_and_name_and_no_more_than_asked_for(usage: UsageStore) -> None:
    names = ["Slider", "a#b", "Größe ☕", None]
    usage.count([event(number, content=name) for number, name in enumerate(names)], for_ever)
    usage.count([event(9, day=date(2026, 5, 1)), event(10, product="search-plus"), event(11, day=JULY)], for_ever)

    found = usage.contents(ACCOUNT.id, "search", MAY, JUNE, limit=100)

    assert [(each.month, each.content) for each in found] == [
        (MAY, "Slider"),
        (JUNE, None),
        (JUNE, "Größe ☕"),
        (JUNE, "Slider"),
        (JUNE, "a#b"),
    ]
    assert len(usage.contents(ACCOUNT.id, "search", MAY, JUNE, limit=3)) == 3


def test_what_came_of_it_is_kept_by_currency(usage: UsageStore) -> None:
    usage.count([event(1, conversions=2, revenue=Money(100, "EUR")), event(2, revenue=Money(7, "DKK"))], for_ever)
    usage.count([event(3, conversions=1, revenue=Money(-30, "EUR"))], for_ever)

    [found] = usage.contents(ACCOUNT.id, "search", JUNE, JUNE, limit=9)

    assert (found.conversions, found.revenue) == (3, {"EUR": 70, "DKK": 7})


def test_all_of_a_transaction_or_nothing(usage: UsageStore) -> None:
    usage.count([event(1)], for_ever)
    before = stored_items()

    standing = usage.count([event(2), event(1, quantity="5"), event(3)], for_ever)

    assert standing == {event(1, quantity="5"): event(1).fingerprint}
    assert stored_items() == before


def test_two_accounts_in_one_transaction_with_the_same_id(usage: UsageStore) -> None:
    other = event(1, account="another-shop")

    assert usage.count([event(1), other], for_ever) == {}
    assert usage.totals("another-shop", JUNE, JUNE) == {"search": {date(2026, 6, 10): Decimal(1)}}
    assert usage.count([other, event(2)], for_ever) == {other: other.fingerprint}


def test_a_marker_that_never_expires(usage: UsageStore) -> None:
    usage.count([event(1)], for_ever)
    usage.count([event(2)], lambda _: NOON)

    markers = {item["sk"]: item.get("expires_at") for item in stored_items() if item["sk"].startswith("MARKER#")}
    assert sorted(markers.values(), key=str) == [int(NOON.timestamp()), None]


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("TransactionCanceledException", ["None", "TransactionConflict", "None"]),
        ("TransactionCanceledException", ["ThrottlingError", "None", "None"]),
        ("TransactionInProgressException", []),
        ("ProvisionedThroughputExceededException", []),
    ],
)
def test_when_there_is_too_much_to_do_one_may_try_again(
    code: str, reasons: list[str], usage: UsageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: object) -> None:
        response = {"Error": {"Code": code, "Message": ""}, "CancellationReasons": [{"Code": each} for each in reasons]}
        raise ClientError(response, "TransactWriteItems")  # type: ignore[arg-type]

    monkeypatch.setattr(usage, "_client", type("Busy", (), {"transact_write_items": staticmethod(busy)}))

    with pytest.raises(ConcurrentChange):
        usage.count([event(1)], for_ever)


def test_what_somebody_is_told_once_is_told_once_and_only_while_there_is_an_account(usage: UsageStore) -> None:
    told = happened(7)

    assert usage.record_once(ACCOUNT.id, "a-subject", told) is True
    assert usage.record_once(ACCOUNT.id, "a-subject", happened(8)) is False
    assert usage.record_once("another-shop", "a-subject", happened(9, "another-shop")) is False
    events = [item["sk"] for item in stored_items() if item["sk"].startswith("EVENT#")]
    assert f"EVENT#{told.id}" in events
    assert len(events) == 2
    assert (told.type, told.actor.kind) == (EventType.USER_REMOVED, ActorKind.STAFF)


quantities = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False)


@examples(15, deep=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(quantities, min_size=1, max_size=40))
def test_any_decimals_add_up_exactly(usage: UsageStore, amounts: list[Decimal]) -> None:
    day = date(2026, 1, 1)
    before = usage.totals(ACCOUNT.id, day, day).get("search", {}).get(day, Decimal(0))
    salt = len(stored_items())
    for number, amount in enumerate(amounts):
        usage.count([event(salt * 1000 + number, day=day, quantity=str(amount))], for_ever)

    assert usage.totals(ACCOUNT.id, day, day)["search"][day] == before + sum(amounts)
