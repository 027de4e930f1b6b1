"""Importing past usage on moto: every row is counted once, on its day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from billing import wiring
from billing.kernel.errors import ConcurrentChange, Violation
from billing.kernel.money import Money
from billing.platform.retry import RetryBudget
from billing.usage.import_usage import ImportResult, PastUsage, import_usage
from billing.usage.record_usage import IngestResult, Result
from billing.usage.records import UsageStore

from tests.api_gateway import NOW
from tests.aws import stored_items
from tests.samples import ACCOUNT
from tests.usage import cloud_event, outcomes, report

pytestmark = pytest.mark.usefixtures("company")

MAY = date(2019, 5, 1)
ROW = PastUsage(ACCOUNT["account"], "nordlys-dk", "search", MAY, Decimal("0.2"))


def imported(*rows: PastUsage, dry_run: bool = False) -> ImportResult:
    return import_usage(rows, now=NOW, budget=lambda: RetryBudget(0), store=wiring.usage_store(), dry_run=dry_run)


def results_of(*rows: PastUsage) -> dict[PastUsage, Result]:
    """The result of each row."""
    found: dict[PastUsage, Result] = {}
    import_usage(rows, now=NOW, budget=lambda: RetryBudget(0), store=wiring.usage_store(), on_result=found.__setitem__)
    return found


def totals(month: date = MAY) -> dict[str, dict[date, Decimal]]:
    return wiring.usage_store().totals(ACCOUNT["account"], month, month)


def test_usage_of_any_age_is_counted_on_its_day_and_content() -> None:
    slider = replace(ROW, content="Slider", conversions=2, revenue=Money(1290, "EUR"))

    assert imported(ROW, slider, replace(ROW, product="email", day=date(2019, 5, 31))) == ImportResult(3, 0, 0, 0)

    assert totals() == {"search": {MAY: Decimal("0.4")}, "email": {date(2019, 5, 31): Decimal("0.2")}}
    unnamed, named = wiring.usage_store().contents(ACCOUNT["account"], "search", MAY, MAY, limit=9)
    assert (unnamed.content, unnamed.store, unnamed.quantity) == (None, "nordlys-dk", Decimal("0.2"))
    assert (named.content, named.conversions, named.revenue) == ("Slider", 2, {"EUR": 1290})


def test_a_repeated_row_counts_once_and_is_remembered_for_ever() -> None:
    assert imported(ROW, ROW) == ImportResult(counted=1, duplicate=1, conflict=0, refused=0)
    assert imported(ROW, replace(ROW, quantity=Decimal("0.200"))) == ImportResult(0, 2, 0, 0)

    assert totals() == {"search": {MAY: Decimal("0.2")}}
    assert not [item for item in stored_items() if "expires_at" in item and item["pk"].startswith("USAGE#")]


def test_the_same_row_with_another_quantity_is_a_conflict() -> None:
    other = replace(ROW, quantity=Decimal(9))

    assert results_of(ROW, other) == {ROW: IngestResult.ACCEPTED, other: IngestResult.CONFLICT}
    assert results_of(other) == {other: IngestResult.CONFLICT}
    assert totals() == {"search": {MAY: Decimal("0.2")}}


def test_rows_with_different_ids_are_counted_separately() -> None:
    rows = [ROW, replace(ROW, id="1"), replace(ROW, id="2"), replace(ROW, id="1", source="elsewhere")]

    assert imported(*rows) == ImportResult(4, 0, 0, 0)
    assert totals() == {"search": {MAY: Decimal("0.8")}}


def test_a_row_is_a_duplicate_of_the_report_with_its_source_and_id() -> None:
    noon_in_copenhagen = NOW - timedelta(hours=2)
    event = cloud_event("7", quantity=3, time=noon_in_copenhagen)
    assert outcomes(report([event])) == ["accepted"]

    same = replace(ROW, day=NOW.date(), quantity=Decimal(3), source=event["source"], id="7")

    assert imported(same) == ImportResult(0, 1, 0, 0)


@pytest.mark.parametrize(
    ("row", "path", "message"),
    [
        (replace(ROW, account="nobody"), "account", "There is no account nobody."),
        (replace(ROW, store="elsewhere"), "store", "has no store elsewhere"),
        (replace(ROW, product="chat"), "product", "does not subscribe to chat"),
        (replace(ROW, day=NOW.date() + timedelta(days=1)), "day", "between 1970-01-01 and today"),
        (replace(ROW, day=date(26, 5, 1)), "day", "between 1970-01-01 and today"),
    ],
)
def test_only_the_row_that_breaks_a_rule_is_refused(row: PastUsage, path: str, message: str) -> None:
    results = results_of(row, ROW)

    refused = results[row]
    assert isinstance(refused, Violation)
    assert refused.path == (path,)
    assert message in refused.detail
    assert results[ROW] is IngestResult.ACCEPTED


def test_today_is_the_day_in_the_accounts_time_zone() -> None:
    """Copenhagen is two hours ahead of UTC in June. At 22:30 UTC it is the next day there."""
    tomorrow = replace(ROW, day=NOW.date() + timedelta(days=1))

    evening = import_usage(
        [tomorrow], now=NOW.replace(hour=22, minute=30), budget=lambda: RetryBudget(0), store=wiring.usage_store()
    )

    assert evening == ImportResult(1, 0, 0, 0)


def test_a_dry_run_writes_nothing() -> None:
    before = stored_items()

    assert imported(ROW, ROW, replace(ROW, store="elsewhere"), dry_run=True) == ImportResult(1, 1, 0, 1)

    assert stored_items() == before


def test_a_concurrent_write_is_retried_after_a_growing_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    count, waits = UsageStore.count, list[float]()

    def busy_at_first(*arguments: object) -> object:
        if len(waits) < 3:
            raise ConcurrentChange
        return count(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(UsageStore, "count", busy_at_first)
        with pytest.raises(ConcurrentChange):
            imported(ROW)
        result = import_usage(
            [ROW],
            now=NOW,
            budget=lambda: RetryBudget(9, wait=waits.append, chance=lambda: 1),
            store=wiring.usage_store(),
        )

    assert result == ImportResult(1, 0, 0, 0)
    assert waits == sorted(waits)
