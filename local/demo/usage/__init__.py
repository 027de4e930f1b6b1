"""The usage of the demonstration: real shapes, invented companies, and a story for each.

The usage of a day is a function of the day and of the contract's start. So missing days get the same figures whenever
they are filled in.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from billing.kernel.money import Money
from billing.usage.import_usage import PastUsage
from billing.usage.rules import Daily

from local.demo.companies import DemoCompany

SHAPES = Path(__file__).parent / "shapes.csv"
DAYS_PER_MONTH = Decimal("30.4375")
THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class DemoContent:
    """A content's share of its product's usage in thousandths, its orders per thousand uses, and euros per order."""

    name: str
    share: int
    orders: int
    euros: int


@dataclass(frozen=True, slots=True)
class Story:
    """How a company uses a product.

    `levels` are pairs of months since the contract's start and percent of the tier's volume, joined by straight lines.
    `black_friday` is that Friday's usage as a multiple of an ordinary day's.
    """

    shape: int
    levels: Sequence[tuple[int, int]]
    black_friday: int = 2


STORIES: Mapping[tuple[str, str], Story] = {
    # Outgrows its tier for good in the seventh month.
    ("nordlys-kaffe", "search"): Story(0, [(0, 70), (4, 78), (6, 112), (9, 121)]),
    # Falls until a lower tier fits.
    ("nordlys-kaffe", "email"): Story(1, [(0, 84), (3, 76), (6, 40), (9, 37)]),
    # One peak, Black Friday.
    ("lucciola-libri", "search"): Story(2, [(0, 72), (12, 76)], black_friday=7),
    ("lucciola-libri", "recommendations"): Story(3, [(0, 81), (14, 86)], black_friday=4),
    ("lucciola-libri", "audience"): Story(4, [(0, 62), (14, 66)], black_friday=1),
    ("harbour-and-hound", "search"): Story(0, [(0, 71), (5, 74)]),
    ("harbour-and-hound", "recommendations"): Story(1, [(0, 83), (5, 85)]),
    ("harbour-and-hound", "email"): Story(2, [(0, 78), (5, 79)], black_friday=1),
    ("harbour-and-hound", "audience"): Story(3, [(0, 92), (5, 93)], black_friday=1),
    ("harbour-and-hound", "chat"): Story(4, [(0, 68), (5, 76)]),
}

CONTENTS: Mapping[str, Sequence[DemoContent]] = {
    "search": (
        DemoContent("Search box", 460, 31, 54),
        DemoContent("Live search", 330, 9, 47),
        DemoContent("Search page filters", 130, 12, 61),
        DemoContent("Blog search", 80, 1, 22),
    ),
    "recommendations": (
        DemoContent("Product page: others also bought", 380, 11, 49),
        DemoContent("Home page bestsellers", 310, 3, 38),
        DemoContent("Basket: goes well with it", 120, 26, 33),
        DemoContent("Category page: popular here", 190, 2, 41),
    ),
    "email": (
        DemoContent("Newsletter", 520, 4, 44),
        DemoContent("Abandoned basket", 90, 47, 52),
        DemoContent("After the order", 210, 6, 29),
        DemoContent("Birthday greeting", 180, 2, 25),
    ),
    "audience": (
        DemoContent("Customers who will buy again", 400, 8, 57),
        DemoContent("Sleeping customers", 350, 2, 36),
        DemoContent("First order", 150, 5, 31),
        DemoContent("Window shoppers", 100, 1, 24),
    ),
    "chat": (
        DemoContent("Product advice", 450, 92, 63),
        DemoContent("Where is my order", 350, 3, 20),
        DemoContent("Returns", 120, 2, 18),
        DemoContent("Opening hours", 80, 1, 15),
    ),
}

BLACK_FRIDAY_WEEK = {-2: 20, -1: 35, 0: 100, 1: 62, 2: 40, 3: 70, 4: 15}
"""The share of Black Friday's excess on the days around it, in hundredths, by the distance in days."""

UNITS_OF_A_EURO = {"DKK": 746, "EUR": 100, "GBP": 86}

STORE_SHARES = {1: (100,), 2: (64, 36), 3: (64, 23, 13)}
"""Shares in hundredths, by the number of stores. The first store has every content, each other store only the first."""

ROUNDING_STEP = 619
"""How the rounding of orders moves from day to day, in thousandths of an order. It is coprime to a thousand, so every
remainder comes equally often. So a content with one order a month gets one, and not zero on every day."""


def usage(company: DemoCompany, start: date, until: date) -> Iterator[PastUsage]:
    """A company's usage from its contract's start up to the day before `until`."""
    for product, up_to in company.lines:
        story = STORIES[company.account, product]
        for day in (start + timedelta(days=number) for number in range((until - start).days)):
            used = _used(story, up_to, start, day)
            for store, content, thousandths in _places(company, product):
                quantity = _counted(product, used * thousandths / THOUSAND)
                rounding = (day.toordinal() * ROUNDING_STEP + content.share) % THOUSAND
                conversions = int((quantity * content.orders + rounding) / THOUSAND)
                worth = conversions * content.euros * UNITS_OF_A_EURO[company.currency]
                yield PastUsage(
                    account=company.account,
                    store=store,
                    product=product,
                    day=day,
                    quantity=quantity,
                    content=content.name,
                    conversions=conversions,
                    revenue=Money(worth, company.currency),
                )


def missing(rows: Sequence[PastUsage], counted: Mapping[str, Daily]) -> list[PastUsage]:
    """The rows of the days whose counted total differs from the rows' sum. `counted` is by product."""
    sums: defaultdict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row.product, row.day] += row.quantity
    return [row for row in rows if counted.get(row.product, {}).get(row.day) != sums[row.product, row.day]]


def _places(company: DemoCompany, product: str) -> Iterator[tuple[str, DemoContent, Decimal]]:
    """The stores and contents that use a product, each with its share in thousandths."""
    (first, share), *others = zip(company.stores, STORE_SHARES[len(company.stores)], strict=True)
    for content in CONTENTS[product]:
        yield first, content, Decimal(content.share * share) / 100
    for store, other_share in others:
        yield store, CONTENTS[product][0], Decimal(THOUSAND * other_share) / 100


def _used(story: Story, up_to: int, start: date, day: date) -> Decimal:
    shapes = _shapes()[story.shape]
    ordinary = _level(story, start, day) / 100 * up_to / DAYS_PER_MONTH
    excess = Decimal((story.black_friday - 1) * BLACK_FRIDAY_WEEK.get((day - _black_friday(day.year)).days, 0)) / 100
    return ordinary * shapes[day.toordinal() % len(shapes)] / THOUSAND * (1 + excess)


def _level(story: Story, start: date, day: date) -> Decimal:
    months = Decimal((day - start).days) / DAYS_PER_MONTH
    (before, level), *later = story.levels
    for month, next_level in later:
        if months <= month:
            return level + (next_level - level) * (months - before) / (month - before)
        before, level = month, next_level
    return Decimal(level)


def _black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)


def _counted(product: str, used: Decimal) -> Decimal:
    """Rounded to the product's unit: fifths of a search (a live search counts a fifth), otherwise whole units."""
    return Decimal(round(used * 5)) / 5 if product == "search" else Decimal(round(used))


@cache
def _shapes() -> list[list[int]]:
    """The shapes in thousandths of an ordinary day, by `date.toordinal`.

    Both begin on a Monday: the shapes by construction, and ordinal 1 is Monday, 1 January of the year 1.
    """
    with SHAPES.open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "day"]
    return [[int(rows[(number - 1) % len(rows)][name]) for number in range(len(rows))] for name in names]
