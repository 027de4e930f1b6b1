"""The demonstration's usage shows the stories that it is made for."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from local.demo.companies import COMPANIES, DemoCompany
from local.demo.usage import CONTENTS, STORIES, missing, usage

TODAY = date(2026, 11, 23)
NORDLYS, LUCCIOLA, HARBOUR = COMPANIES


def start(company: DemoCompany, today: date = TODAY) -> date:
    return date.fromisoformat(company.provisioning(today)["contract"]["start"])


def months(company: DemoCompany, product: str, today: date = TODAY) -> dict[str, Decimal]:
    """The usage of each closed month as a share of the tier's volume."""
    sums: Counter[str] = Counter()
    for each in usage(company, start(company, today), today.replace(day=1)):
        if each.product == product:
            sums[f"{each.day:%Y-%m}"] += each.quantity  # type: ignore[assignment]
    up_to = dict(company.lines)[product]
    return {month: Decimal(used) / up_to for month, used in sums.items()}


def days(company: DemoCompany, product: str, today: date = TODAY) -> dict[date, Decimal]:
    sums: dict[date, Decimal] = {}
    for each in usage(company, start(company, today), today):
        if each.product == product:
            sums[each.day] = sums.get(each.day, Decimal(0)) + each.quantity
    return sums


def test_every_product_of_every_company_has_a_story() -> None:
    assert set(STORIES) == {(company.account, product) for company in COMPANIES for product, _ in company.lines}
    assert all(sum(each.share for each in contents) == 1000 for contents in CONTENTS.values())


def test_one_product_has_outgrown_its_tier() -> None:
    *earlier, august, september, october = months(NORDLYS, "search").values()

    assert min(august, september, october) > Decimal("1.05")
    assert max(earlier[:5]) < 1


def test_one_product_has_fallen_to_a_lower_tier() -> None:
    last = [*months(NORDLYS, "email").values()][-3:]

    assert sum(last) / 3 * 50_000 <= 25_000


def test_one_product_has_a_black_friday_and_no_other_peak() -> None:
    search, daily = months(LUCCIOLA, "search"), days(LUCCIOLA, "search")

    assert max(search.values()) < 1
    black_friday = date(2025, 11, 28)
    assert max(daily, key=lambda day: daily[day]) == black_friday
    assert daily[black_friday] > 4 * daily[black_friday - timedelta(days=7)]


@pytest.mark.parametrize("today", [date(2026, 1, 1) + timedelta(days=number) for number in range(0, 365, 13)], ids=str)
def test_the_stories_show_on_any_day_of_the_year(today: date) -> None:
    grown, fallen, peaking = (
        [*months(company, product, today).values()][-3:]
        for company, product in ((NORDLYS, "search"), (NORDLYS, "email"), (LUCCIOLA, "search"))
    )
    daily = days(LUCCIOLA, "search", today)

    assert min(grown) > 1
    assert sum(fallen) / 3 * 50_000 <= 25_000
    assert sum(peaking) / 3 < 1
    assert max(daily, key=lambda day: daily[day]) in {date(2024, 11, 29), date(2025, 11, 28), date(2026, 11, 27)}


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.account)
def test_the_usage_of_a_day_does_not_depend_on_when_it_is_computed(company: DemoCompany) -> None:
    contract_start = start(company)
    until_yesterday = [*usage(company, contract_start, TODAY - timedelta(days=1))]

    assert {*until_yesterday} <= {*usage(company, contract_start, TODAY)}
    assert {each.day for each in until_yesterday} == {
        contract_start + timedelta(days=number) for number in range((TODAY - contract_start).days - 1)
    }


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.account)
def test_every_product_has_content_with_much_usage_and_little_revenue(company: DemoCompany) -> None:
    for product, _ in company.lines:
        earned: Counter[str] = Counter()
        used: Counter[str] = Counter()
        for each in usage(company, start(company), TODAY):
            if each.product == product:
                assert each.content
                assert each.revenue
                earned[each.content] += each.revenue.amount
                used[each.content] += int(each.quantity)
        per_use = {content: Decimal(earned[content]) / used[content] for content in used}
        assert max(per_use.values()) > 5 * min(per_use.values())
        assert {each.store for each in usage(company, start(company), TODAY)} == set(company.stores)


def test_orders_add_up_although_a_day_has_only_a_fraction_of_one() -> None:
    for company in COMPANIES:
        orders: Counter[tuple[str, str, str]] = Counter()
        expected: Counter[tuple[str, str, str]] = Counter()
        for each in usage(company, start(company), TODAY):
            [content] = (content for content in CONTENTS[each.product] if content.name == each.content)
            place = (each.product, each.store, content.name)
            orders[place] += each.conversions
            expected[place] += each.quantity * content.orders  # type: ignore[assignment]
        assert all(abs(orders[place] - expected[place] / 1000) < 20 for place in expected)


def test_days_whose_counted_usage_differs_are_missing() -> None:
    rows = [*usage(NORDLYS, start(NORDLYS), TODAY)]
    counted = {product: days(NORDLYS, product) for product, _ in NORDLYS.lines}
    yesterday, cut_off, reported_on_top = (TODAY - timedelta(days=number) for number in (1, 2, 3))

    assert missing(rows, {}) == rows
    assert missing(rows, counted) == []

    del counted["search"][yesterday]
    counted["search"][cut_off] -= 1
    counted["email"][reported_on_top] += 1

    assert {(row.product, row.day) for row in missing(rows, counted)} == {
        ("search", yesterday),
        ("search", cut_off),
        ("email", reported_on_top),
    }
