"""Imported usage is counted exactly once: in any order and parts, cut off anywhere, and imported again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from random import Random

import pytest
from billing.kernel.errors import ConcurrentChange
from billing.kernel.money import Money
from billing.platform.retry import RetryBudget
from billing.usage import import_usage as importing
from billing.usage.import_usage import PastUsage, import_usage

from tests.faults.company import NEW_ACCOUNT, catalogue, provision
from tests.faults.cuts import Faults
from tests.faults.world import World
from tests.store.samples import NOON

MAY, JUNE = date(2024, 5, 1), date(2024, 6, 1)
ACCOUNT = NEW_ACCOUNT.account

Sums = dict[tuple[str, ...], Decimal]


def company() -> World:
    made = catalogue()
    with made.calm():
        provision(made)
    return made


def history(count: int) -> list[PastUsage]:
    """Distinct rows that share days, stores and contents."""
    places = (
        (store.id, order.product, day, content)
        for day in range(61)
        for content in (None, "Search box", "Slider #2")
        for store in NEW_ACCOUNT.stores
        for order in NEW_ACCOUNT.orders
    )
    return [
        PastUsage(
            account=ACCOUNT,
            store=store,
            product=product,
            day=MAY + timedelta(days=day),
            quantity=Decimal(f"{number}.{number:06}"),
            content=content,
            conversions=number % 3,
            revenue=Money(number, "EUR") if number % 2 else None,
        )
        for number, (store, product, day, content) in enumerate(islice(places, 0, count * 5, 5))
    ]


def imports(rows: Sequence[PastUsage]) -> Callable[[World], None]:
    """The operator's command, repeated until it finishes."""

    def command(world: World) -> None:
        imported = import_usage(
            rows,
            now=NOON,
            budget=lambda: RetryBudget(10, wait=lambda _: None, chance=lambda: 0.5),
            store=world.usage,
        )
        assert imported.counted + imported.duplicate == len(rows), imported

    return command


def expected(rows: Iterable[PastUsage]) -> Sums:
    """The sums of distinct rows, added up one by one."""
    sums: Sums = {}
    for row in set(rows):
        content = (row.product, row.store, str(row.content), f"{row.day:%Y-%m}")
        amounts = {
            (row.product, str(row.day)): row.quantity,
            content: row.quantity,
            (*content, "conversions"): Decimal(row.conversions),
            (*content, "EUR"): Decimal(row.revenue.amount if row.revenue else 0),
        }
        for place, amount in amounts.items():
            sums[place] = sums.get(place, Decimal(0)) + amount
    return {place: amount for place, amount in sums.items() if amount}


def counted(world: World) -> Sums:
    """The same sums, read from the table."""
    sums: Sums = {}
    for product, daily in world.usage.totals(ACCOUNT, MAY, JUNE).items():
        sums |= {(product, str(day)): quantity for day, quantity in daily.items()}
        for each in world.usage.contents(ACCOUNT, product, MAY, JUNE, limit=1000):
            content = (product, each.store, str(each.content), f"{each.month:%Y-%m}")
            sums[content] = each.quantity
            sums[*content, "conversions"] = Decimal(each.conversions)
            sums[*content, "EUR"] = Decimal(each.revenue.get("EUR", 0))
    return {place: amount for place, amount in sums.items() if amount}


def exactly(rows: Sequence[PastUsage]) -> Callable[[World], None]:
    sums = expected(rows)

    def check(world: World) -> None:
        assert counted(world) == sums

    return check


def test_an_import_cut_off_anywhere_counts_once(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 60)
    rows = history(130)

    faults.every_cut(world=company, command=imports([*rows, *rows[:20]]), invariants=exactly(rows))


def test_two_concurrent_imports_of_the_same_rows_count_once(faults: Faults) -> None:
    rows = history(40)

    faults.every_race(
        world=company,
        first=imports(rows),
        second=imports([*reversed(rows), *rows[:5]]),
        invariants=exactly(rows),
        may_lose=(ConcurrentChange,),
    )


@pytest.mark.parametrize("seed", range(4))
def test_imports_in_any_order_and_parts_count_once_under_concurrent_writers(
    faults: Faults, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = Random(f"import {seed}")
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", chance.randint(1, 80))
    rows = history(60)
    parts = [chance.choices(rows, k=chance.randint(1, 50)) for _ in range(3)]

    faults.histories(
        world=company,
        commands=[imports(part) for part in [*parts, chance.sample(rows, k=len(rows))]],
        invariants=exactly(rows),
        count=8,
    )
