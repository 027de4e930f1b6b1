"""The verbs of the usage store on moto."""

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
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, NOON, PAGE, sample_event
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


def never_expires(_: UsageEvent) -> None:
    return None


@pytest.fixture
def usage(store: Stores) -> UsageStore:
    store.provision(PAGE, ADMIN, sample_event(), DUE, BILLING)
    return wiring.usage_store()


def test_totals_have_all_products_and_only_the_given_months(usage: UsageStore) -> None:
    usage.count(
        [event(1, day=date(2026, 5, 31)), event(2, product="email"), event(3, day=date(2026, 7, 1))], never_expires
    )

    assert usage.totals(ACCOUNT.id, MAY, JUNE) == {
        "search": {date(2026, 5, 31): Decimal(1)},
        "email": {date(2026, 6, 10): Decimal(1)},
    }
    assert usage.totals(ACCOUNT.id, JULY, JULY) == {"search": {JULY: Decimal(1)}}
    assert usage.totals("another-shop", MAY, JULY) == {}


def test_contents_are_sorted_by_month_store_and_name_up_to_the_limit(usage: UsageStore) -> None:
    names = ["Slider", "a#b", "Größe ☕", None]
    usage.count([event(number, content=name) for number, name in enumerate(names)], never_expires)
    usage.count([event(9, day=date(2026, 5, 1)), event(10, product="search-plus"), event(11, day=JULY)], never_expires)

    contents = usage.contents(ACCOUNT.id, "search", MAY, JUNE, limit=100)

    assert [(each.month, each.content) for each in contents] == [
        (MAY, "Slider"),
        (JUNE, None),
        (JUNE, "Größe ☕"),
        (JUNE, "Slider"),
        (JUNE, "a#b"),
    ]
    assert len(usage.contents(ACCOUNT.id, "search", MAY, JUNE, limit=3)) == 3


def test_conversions_and_revenue_add_up_by_currency(usage: UsageStore) -> None:
    usage.count([event(1, conversions=2, revenue=Money(100, "EUR")), event(2, revenue=Money(7, "DKK"))], never_expires)
    usage.count([event(3, conversions=1, revenue=Money(-30, "EUR"))], never_expires)

    [content] = usage.contents(ACCOUNT.id, "search", JUNE, JUNE, limit=9)

    assert (content.conversions, content.revenue) == (3, {"EUR": 70, "DKK": 7})


def test_a_batch_with_an_already_counted_event_counts_nothing(usage: UsageStore) -> None:
    usage.count([event(1)], never_expires)
    before = stored_items()

    already_counted = usage.count([event(2), event(1, quantity="5"), event(3)], never_expires)

    assert already_counted == {event(1, quantity="5"): event(1).fingerprint}
    assert stored_items() == before


def test_two_accounts_may_use_the_same_event_id(usage: UsageStore) -> None:
    other = event(1, account="another-shop")

    assert usage.count([event(1), other], never_expires) == {}
    assert usage.totals("another-shop", JUNE, JUNE) == {"search": {date(2026, 6, 10): Decimal(1)}}
    assert usage.count([other, event(2)], never_expires) == {other: other.fingerprint}


def test_a_marker_may_have_no_expiry(usage: UsageStore) -> None:
    usage.count([event(1)], never_expires)
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
def test_a_throttle_or_collision_is_a_concurrent_change(
    code: str, reasons: list[str], usage: UsageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: object) -> None:
        response = {"Error": {"Code": code, "Message": ""}, "CancellationReasons": [{"Code": each} for each in reasons]}
        raise ClientError(response, "TransactWriteItems")  # type: ignore[arg-type]

    monkeypatch.setattr(usage, "_client", type("Busy", (), {"transact_write_items": staticmethod(busy)}))

    with pytest.raises(ConcurrentChange):
        usage.count([event(1)], never_expires)


def test_an_event_is_recorded_once_per_subject_and_only_for_an_existing_account(usage: UsageStore) -> None:
    first = sample_event(7)

    assert usage.record_once(ACCOUNT.id, "a-subject", first) is True
    assert usage.record_once(ACCOUNT.id, "a-subject", sample_event(8)) is False
    assert usage.record_once("another-shop", "a-subject", sample_event(9, "another-shop")) is False
    events = [item["sk"] for item in stored_items() if item["sk"].startswith("EVENT#")]
    assert f"EVENT#{first.id}" in events
    assert len(events) == 2
    assert (first.type, first.actor.kind) == (EventType.USER_REMOVED, ActorKind.STAFF)


quantities = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False)


@examples(15, deep=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(quantities, min_size=1, max_size=40))
def test_any_decimals_add_up_exactly(usage: UsageStore, amounts: list[Decimal]) -> None:
    day = date(2026, 1, 1)
    before = usage.totals(ACCOUNT.id, day, day).get("search", {}).get(day, Decimal(0))
    salt = len(stored_items())
    for number, amount in enumerate(amounts):
        usage.count([event(salt * 1000 + number, day=day, quantity=str(amount))], never_expires)

    assert usage.totals(ACCOUNT.id, day, day)["search"][day] == before + sum(amounts)
